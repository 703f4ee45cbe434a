//! The turn of calls that were in work when a process ended. One of them may have ended it, so they begin one by one:
//! then it ends the process without the others, and none of them a second time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio::time::sleep;

/// A call that has not ended the process by then does not do so because of what it reads first. A long deletion does
/// not hold up the others.
const ALONE_FOR: Duration = Duration::from_secs(60);

/// The turns of the interrupted calls of this process.
#[derive(Debug)]
pub(super) struct Turns(Arc<Semaphore>);

/// The turn of one call: until it is dropped, or for [`ALONE_FOR`].
#[derive(Debug)]
pub(super) struct Turn(AbortHandle);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Turns {
    /// Waits for the turn; `None` never, since the semaphore is not closed.
    pub(super) async fn next(&self) -> Option<Turn> {
        let permit = Arc::clone(&self.0).acquire_owned().await.ok()?;
        let timer = tokio::spawn(async move {
            sleep(ALONE_FOR).await;
            drop(permit);
        });
        Some(Turn(timer.abort_handle()))
    }
}

impl Drop for Turn {
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
        let first = turns.next().await;
        assert!(turns.next().now_or_never().is_none());
        drop(first);
        let _long = turns.next().await;
        let _next = turns.next().await;
    }
}
