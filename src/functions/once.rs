//! What must be done once: a mail, a note, a file. None of them can be asked for in a way that makes a repeat
//! harmless, so before anything is repeated it is looked whether it is there already.
//!
//! A call that surely was not run before, and whose tries tell what became of them, looks for nothing.

use std::time::Duration;

use tokio::time::sleep;
use tracing::{info, warn};

use super::call::Before;
use super::context::Context;
use super::error::Error;

/// How often it is looked again. What was done a moment ago may not show yet, and whoever had the call before may
/// be about to do it.
const LOOKS: usize = 3;
/// How often something is done again whose outcome is not known and which is not there.
const AGAIN: u32 = 2;

/// How long to wait between two looks; what the retry policy says, where that is shorter.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shows {
    /// What was done shows at once.
    AtOnce,
    /// It may take a while: Exchange files a mail that was sent when it gets to it.
    InAWhile,
}

impl Shows {
    fn longest_wait(self) -> Duration {
        match self {
            Self::AtOnce => SHORT,
            Self::InAWhile => Duration::MAX,
        }
    }
}

/// The longest wait where nothing has to be waited for but another worker that is at it, too.
const SHORT: Duration = Duration::from_secs(2);

/// Does `act`, unless `look` finds that it was done, by an earlier run of the call or by a try whose outcome is not
/// known. What cannot be looked up is not done. What was begun is dropped when the call's message is ours no more, and
/// begun again, after a look, when it is ours again.
pub(super) async fn once<T, L, A>(
    context: &Context,
    what: &'static str,
    shows: Shows,
    look: impl Fn() -> L,
    act: impl Fn() -> A,
) -> Result<T, Error>
where
    L: Future<Output = Result<Option<T>, Error>>,
    A: Future<Output = Result<T, Error>>,
{
    let mut deliveries = 1;
    let (mut in_doubt, mut tried) = (context.call.may_have_been_run(), false);
    let mut left = AGAIN;
    loop {
        // As long as the message is not ours, another worker may be doing it; when it is ours again, may have done it.
        let held = context.claim.held().await;
        if held != deliveries {
            (deliveries, in_doubt, tried) = (held, true, true);
        }
        if in_doubt {
            let found = if tried {
                looks(context, &look, LOOKS, shows.longest_wait()).await?
            } else {
                look_for(context, false, &look).await?
            };
            if let Some(done) = found {
                info!(what, "an earlier run of this call did it");
                return Ok(done);
            }
        }
        in_doubt = false;
        let acted = tokio::select! {
            biased;
            () = context.claim.lost(deliveries) => None,
            acted = act() => Some(acted),
        };
        let error = match acted {
            Some(Ok(done)) => return Ok(done),
            Some(Err(error)) => error,
            None => {
                warn!(what, "stopped: the connection over which the call came is gone");
                (in_doubt, tried) = (true, true);
                continue;
            }
        };
        if !error.leaves_open() {
            return Err(error);
        }
        warn!(what, error = error.for_log(), "looking whether it was done all the same");
        if let Some(done) = looks(context, &look, LOOKS, shows.longest_wait()).await? {
            info!(what, "it was done");
            return Ok(done);
        }
        if left == 0 {
            return Err(error);
        }
        left -= 1;
        info!(what, "it was not done; doing it again");
    }
}

/// Looks whether it was done: once, or, where a try was made a moment ago or another worker may be at it, several
/// times.
pub(super) async fn look_for<T, E, L: Future<Output = Result<Option<T>, E>>>(
    context: &Context,
    tried: bool,
    look: impl Fn() -> L,
) -> Result<Option<T>, E> {
    // A call that is not marked and was run all the same was run by way of a broker that was killed since: nobody
    // is at it any more, and nothing is on its way.
    let again = if tried || context.call.before == Before::Likely { LOOKS } else { 0 };
    looks(context, look, again, SHORT).await
}

async fn looks<T, E, L: Future<Output = Result<Option<T>, E>>>(
    context: &Context,
    look: impl Fn() -> L,
    again: usize,
    longest_wait: Duration,
) -> Result<Option<T>, E> {
    for wait in context.graph.waits().take(again) {
        if let Some(found) = look().await? {
            return Ok(Some(found));
        }
        sleep(wait.min(longest_wait)).await;
    }
    look().await
}
