//! A value that several tasks change and that tests wait on.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

/// A value behind a lock, with a signal after each change.
#[derive(Debug, Default)]
pub(crate) struct Observed<T> {
    value: Mutex<T>,
    /// Counts the changes of `value`.
    changes: watch::Sender<u64>,
}

impl<T> Observed<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: Mutex::new(value), changes: watch::Sender::new(0) }
    }

    /// Changes the value and wakes the tasks that wait in [`Observed::until`].
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = change(&mut self.value.lock());
        self.changes.send_modify(|count| *count += 1);
        result
    }

    /// Reads the value.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.value.lock())
    }

    /// Counts the changes.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Waits until `condition` holds, and checks it again after each change. Returns `false` if it does not hold
    /// within `deadline`.
    pub(crate) async fn until(&self, deadline: Duration, condition: impl Fn() -> bool) -> bool {
        let mut changes = self.changes.subscribe();
        let wait = async {
            // The sender lives in `self`, so `changed` does not fail.
            while !condition() && changes.changed().await.is_ok() {}
        };
        tokio::time::timeout(deadline, wait).await.is_ok()
    }
}
