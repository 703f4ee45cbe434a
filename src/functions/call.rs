//! The call that is being run: its id, its time, and whether it may have run before.
//!
//! Whatever must not be done twice is tagged with the call's [`reference`](Call::reference). The reference is the
//! same in every run of the call, so a later run finds what an earlier one did.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The namespace of the references (RFC 9562, 6.6).
const NAMESPACE: Uuid = Uuid::from_u128(0x3d0f_2c8e_91b7_4a54_8c6e_57a1_b9e2_04d3);

/// The largest difference between SOAR's clock and the local one that is allowed for.
pub const CLOCKS_APART: Duration = Duration::from_secs(300);

/// One call, the same in each of its runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The id of the message that requests the call. A redelivery has the same id.
    pub id: String,
    /// When the message was sent, by the sender's clock.
    pub asked_at: Option<DateTime<Utc>>,
    /// Whether the call may have run before this delivery.
    pub prior_run: PriorRun,
}

/// Whether a call may have run before, completely or in part, in this process or another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PriorRun {
    /// It did not run before.
    None,
    /// Nothing indicates an earlier run, and nothing rules it out.
    Possible,
    /// It was delivered before. The earlier recipient may have run it, or may still be running it.
    Likely,
}

impl Call {
    /// A call from the command line.
    pub fn by_hand() -> Self {
        Self { id: Uuid::new_v4().to_string(), asked_at: Some(Utc::now()), prior_run: PriorRun::None }
    }

    /// Whether this call can have done something at `done_at`, by SOAR's clock.
    pub(super) fn may_have_done_at(&self, done_at: DateTime<Utc>) -> bool {
        self.asked_at.is_none_or(|asked_at| done_at >= asked_at - CLOCKS_APART)
    }

    /// The tag of everything that is done for this call.
    pub fn reference(&self) -> Uuid {
        Uuid::new_v5(&NAMESPACE, self.id.as_bytes())
    }
}
