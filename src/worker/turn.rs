//! The turn of calls that were in work when a process ended. One of them may have ended it, so they begin one by one:
//! then it ends the process without the others.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::sleep;

/// How long a call is alone at most: a call that has not ended the process by then does not do so because of what it
/// reads first. A long deletion does not hold up the others.
const ALONE_FOR: Duration = Duration::from_secs(60);
/// The same after one end of a process, which most of the calls in work then have nothing to do with.
const ALONE_AT_FIRST: Duration = Duration::from_secs(5);

/// The turns of the interrupted calls of this process.
#[derive(Debug)]
pub(super) struct Turns(Arc<Semaphore>);

/// The turn of one call.
#[derive(Debug)]
pub(super) struct Turn {
    _permit: OwnedSemaphorePermit,
}

/// A turn whose call runs: until it is dropped, or for a time.
#[derive(Debug)]
pub(super) struct RunningTurn(AbortHandle);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Turns {
    /// Waits for the turn; `None` never, since the semaphore is not closed.
    pub(super) async fn next(&self) -> Option<Turn> {
        Arc::clone(&self.0).acquire_owned().await.ok().map(|permit| Turn { _permit: permit })
    }
}

impl Turn {
    /// The call begins to run, after so many ends of a process.
    pub(super) fn begin(self, interruptions: u32) -> RunningTurn {
        let alone_for = if interruptions > 1 { ALONE_FOR } else { ALONE_AT_FIRST };
        let timer = tokio::spawn(async move {
            sleep(alone_for).await;
            drop(self);
        });
        RunningTurn(timer.abort_handle())
    }
}

impl Drop for RunningTurn {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn next_turn_comes_when_call_ends_or_takes_long() {
        let turns = Turns::default();
        let first = turns.next().await.unwrap().begin(1);
        assert!(turns.next().now_or_never().is_none());
        drop(first);
        let _long = turns.next().await.unwrap().begin(2);
        let _next = turns.next().await;
    }
}
