//! Which call is being run: how it is known, when it was asked for, and whether it may have been run before.
//!
//! What must not be done twice is marked with the call's [`reference`](Call::reference), which is the same
//! whenever and wherever the call is run, so that a later run finds what an earlier one did.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The names of our references, apart from everybody else's (RFC 9562, 6.6).
const NAMESPACE: Uuid = Uuid::from_u128(0x3d0f_2c8e_91b7_4a54_8c6e_57a1_b9e2_04d3);

/// How far apart SOAR's clock and ours may be.
pub const CLOCKS_APART: Duration = Duration::from_secs(300);

/// One call, the same in each of its runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The id of the message that asks for it; the same when it is delivered again.
    pub id: String,
    /// When it was asked for, by the clock of whoever did.
    pub asked_at: Option<DateTime<Utc>>,
    /// Whether it may have been run before it was given to us.
    pub before: PriorRun,
}

/// Whether a call may have been run before, by this process or another, in whole or in part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PriorRun {
    /// It surely was not.
    None,
    /// Nothing shows that it was, and nothing rules it out.
    Possible,
    /// It was handed out before. Whoever had it may have run it, and may even be doing so yet.
    Likely,
}

impl Call {
    /// A call that is made now, by hand.
    pub fn by_hand() -> Self {
        Self { id: Uuid::new_v4().to_string(), asked_at: Some(Utc::now()), before: PriorRun::None }
    }

    /// Whether what was done at that time, by SOAR's clock, can have been done for it.
    pub(super) fn may_have_done_at(&self, done_at: DateTime<Utc>) -> bool {
        self.asked_at.is_none_or(|asked_at| done_at >= asked_at - CLOCKS_APART)
    }

    /// What marks everything that is done for this call, and for no other.
    pub fn reference(&self) -> Uuid {
        Uuid::new_v5(&NAMESPACE, self.id.as_bytes())
    }
}
