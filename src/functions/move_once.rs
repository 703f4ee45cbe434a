//! Moves a message once, whatever becomes of the request's answer.
//!
//! The immutable id of a message survives a move (Graph page "Obtain immutable identifiers for Outlook resources"), so
//! one request shows where the message is: after an attempt with an unknown outcome, and when an earlier run of the
//! call may have moved it.

use super::context::Context;
use super::idempotency::may_have_been_applied;
use graph::Effect;

/// Sends `request_move` until it succeeds, or `find_moved` finds the message in its destination.
pub(super) async fn move_once<T, M, F>(
    context: &Context,
    request_move: impl Fn() -> M,
    find_moved: impl Fn() -> F,
) -> Result<T, graph::Error>
where
    M: Future<Output = Result<T, graph::Error>>,
    F: Future<Output = Option<T>>,
{
    let (mut indeterminate, mut repeats) = (false, 0);
    loop {
        let error = match request_move().await {
            Ok(moved) => return Ok(moved),
            Err(error) => error,
        };
        indeterminate |= error.is_indeterminate();
        let repeatable = may_have_been_applied(&error);
        if !repeatable && !error.is_item_gone() {
            return Err(with_doubt(error, indeterminate));
        }
        // Graph has answered "not found" to moves that it had carried out (msgraph-sdk-php issue 285).
        if let Some(moved) = find_moved().await {
            return Ok(moved);
        }
        let named = error.backoff_hint().and_then(|hint| hint.named);
        let wait = context.graph.again_after(named, repeats).filter(|_| repeatable);
        let Some(wait) = wait else {
            // A message that is gone may have been moved by an earlier run and by its owner after that.
            let moved_on = error.is_item_gone() && context.may_have_been_run();
            return Err(with_doubt(error, indeterminate || moved_on));
        };
        repeats += 1;
        context.guard.sleep(wait).await;
    }
}

fn with_doubt(error: graph::Error, indeterminate: bool) -> graph::Error {
    if indeterminate { error.with_effect(Effect::Indeterminate) } else { error }
}
