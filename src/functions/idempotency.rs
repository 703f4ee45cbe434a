//! What must be done once: a mail, a note, a file. None of them can be asked for in a way that makes a repeat
//! harmless, so before anything is repeated it is looked whether it is there already.
//!
//! A call that surely was not run before, and whose tries tell what became of them, looks for nothing.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tracing::{info, warn};

use super::call::PriorRun;
use super::context::Context;
use super::error::Error;

/// How long to wait before looking again. What was done a moment ago may not show yet, and whoever had the call
/// before may be about to do it.
pub(super) const LOOK_AGAIN_AFTER: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];
/// How often something is done again whose outcome is not known and which is not there. What is put off by Graph is
/// done again as often as the retry policy says.
const AGAIN: u32 = 2;

/// When what was done can be seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Visibility {
    /// At once.
    Immediate,
    /// Later: Exchange files a mail that was sent when it gets to it. Between two looks it is waited at least as long
    /// as the retry policy says.
    Eventual,
}

/// Does `act`, unless `look` finds that it was done, by an earlier run of the call or by a try whose outcome is not
/// known. What cannot be looked up is not done. What was begun is dropped when the call's message is ours no more, and
/// begun again, after a look, when it is ours again.
pub(super) async fn once<T, L, A>(
    context: &Context,
    what: &'static str,
    shows: Visibility,
    look: impl Fn() -> L,
    act: impl Fn() -> A,
) -> Result<T, Error>
where
    L: Future<Output = Result<Option<T>, Error>>,
    A: Future<Output = Result<T, Error>>,
{
    let patience = || {
        context.graph.waits().zip(LOOK_AGAIN_AFTER).map(|(policy, short)| match shows {
            Visibility::Immediate => short,
            Visibility::Eventual => short.max(policy),
        })
    };
    let mut deliveries = 1;
    let mut begun = false;
    let mut in_doubt = context.may_have_been_run();
    let (mut unknown, mut put_off) = (0, 0);
    loop {
        // As long as the message is not ours, another worker may be doing it; when it is ours again, may have done it.
        if !context.claim.is_held() {
            info!(what, "not begun: the connection over which the call came is gone");
        }
        let delivered = context.claim.held().await;
        if delivered != deliveries {
            (deliveries, in_doubt) = (delivered, true);
        }
        if in_doubt {
            let found = look_for(context, begun, patience(), &look).await.map_err(Error::after_unknown)?;
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
                (in_doubt, begun) = (true, true);
                continue;
            }
        };
        if !error.is_indeterminate() {
            return Err(if begun { error.after_unknown() } else { error });
        }
        begun = true;
        let asked = error.backoff_hint();
        warn!(what, error = error.for_log(), "looking whether it was done all the same");
        let failed_at = Instant::now();
        let error = match looks(patience(), &look).await {
            Ok(Some(done)) => {
                info!(what, "it was done");
                return Ok(done);
            }
            Ok(None) => error,
            // Where nobody may look, what throttling means is all there is to go by.
            Err(forbidden) if error.is_throttling() && forbidden.is_forbidden_look() => forbidden,
            Err(not_looked_up) => return Err(not_looked_up.after_unknown()),
        };
        let wait = match asked {
            Some(asked) => context.graph.again_after(asked.named, put_off),
            None => (unknown < AGAIN).then_some(Duration::ZERO),
        };
        let Some(wait) = wait else { return Err(error.after_unknown()) };
        *(if asked.is_some() { &mut put_off } else { &mut unknown }) += 1;
        sleep_until(failed_at + wait).await;
        info!(what, "it was not done; doing it again");
    }
}

/// Looks whether it was done: once, or, where a try was made a moment ago or another worker may be at it, several
/// times.
pub(super) async fn look_for<T, E, L: Future<Output = Result<Option<T>, E>>>(
    context: &Context,
    tried: bool,
    waits: impl Iterator<Item = Duration>,
    look: impl Fn() -> L,
) -> Result<Option<T>, E> {
    // A call that is not marked and was run all the same was run by way of a broker that was killed since: nobody
    // is at it any more, and nothing is on its way.
    let several = tried || context.run_elsewhere() == PriorRun::Likely;
    looks(waits.filter(|_| several), look).await
}

async fn looks<T, E, L: Future<Output = Result<Option<T>, E>>>(
    waits: impl Iterator<Item = Duration>,
    look: impl Fn() -> L,
) -> Result<Option<T>, E> {
    for wait in waits {
        if let Some(found) = look().await? {
            return Ok(Some(found));
        }
        sleep(wait).await;
    }
    look().await
}
