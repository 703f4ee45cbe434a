//! What a function works with.

use super::call::{Call, PriorRun};
use super::incident_sink::IncidentSink;
use super::lease::Lease;
use super::progress::Status;
use crate::config::CallLimits;
use crate::guard::Guard;
use net::Secret;

/// The process's clients and limits, and what belongs to this call.
#[derive(Debug, Clone)]
pub struct Context {
    /// Microsoft Graph.
    pub graph: graph::Client,
    /// Receives notes and attachments.
    pub sink: IncidentSink,
    /// The call.
    pub call: Call,
    /// Decides what the call may change.
    pub guard: Guard,
    /// The call's lease on its message.
    pub lease: Lease,
    /// The limits of time and size.
    pub limits: CallLimits,
    /// The password of ZIP files for attachments, which are stored without one where it is not set.
    pub zip_password: Option<Secret>,
    /// Receives status messages.
    pub status: Status,
}

impl Context {
    /// Whether another run of the call may have happened, before or at the same time, as far as is known now.
    pub(super) fn run_elsewhere(&self) -> PriorRun {
        if self.lease.is_in_doubt() { PriorRun::Likely } else { self.call.prior_run }
    }

    /// Whether another run is possible.
    pub(super) fn may_have_been_run(&self) -> bool {
        self.run_elsewhere() != PriorRun::None
    }
}
