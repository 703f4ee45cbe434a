//! Whether a message that is not there was removed by the call.

use super::order::RemovedBy;
use crate::functions::call::PriorRun;
use crate::functions::context::Context;
use graph;

/// Decides whether a message whose removal failed was removed by this call before.
///
/// A message that does not exist counts as removed only if an attempt of this call can have removed it: an earlier
/// request of this run (`repeated`), or an earlier run that the broker indicates. That a run cannot be ruled out is not
/// enough: a message that its owner removed must not be reported as deleted. Otherwise it is not found.
pub(super) fn removed_before(
    context: &Context,
    error: graph::Error,
    repeated: bool,
) -> Result<RemovedBy, graph::Error> {
    if net::failpoint::is_set(format_args!("report-gone-messages")) {
        return Err(error);
    }
    match (is_gone(&error), repeated) {
        (true, true) => Ok(RemovedBy::ThisRun),
        (true, false) if context.run_elsewhere() == PriorRun::Likely => Ok(RemovedBy::Presumed),
        _ => Err(error),
    }
}

/// Whether the message does not exist, or lies in Recoverable Items, where a deleted message goes and from where Graph
/// does not delete it (Graph page "Delete message").
fn is_gone(error: &graph::Error) -> bool {
    error.is_item_gone() || error.refusal().is_some_and(|refusal| refusal.code == "ErrorCannotDeleteObject")
}
