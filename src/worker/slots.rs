//! The slots in which calls run: `num_workers` of them, shared by all sessions.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Slots whose number can change while they are taken.
#[derive(Debug)]
pub(super) struct Slots {
    free: Arc<Semaphore>,
    number: Mutex<u16>,
    /// How many calls wait for a slot. Closing counts as one more.
    waiting: watch::Sender<usize>,
}

/// Counts a call as waiting while it exists.
struct Waiting<'s>(&'s watch::Sender<usize>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| *waiting -= 1);
    }
}

impl Slots {
    pub(super) fn new(number: u16) -> Self {
        let free = Arc::new(Semaphore::new(number.into()));
        Self { free, number: Mutex::new(number), waiting: watch::Sender::new(0) }
    }

    /// Changes the number of slots. Surplus slots that are taken disappear when they are returned; until then, no call
    /// gets another. Must be called within a Tokio runtime.
    pub(super) fn resize(&self, number: u16) {
        let mut current = self.number.lock();
        if number >= *current {
            self.free.add_permits(usize::from(number - *current));
        } else {
            let (free, surplus) = (Arc::clone(&self.free), u32::from(*current - number));
            tokio::spawn(async move {
                // Fails only if the slots are closed.
                if let Ok(permits) = free.acquire_many_owned(surplus).await {
                    permits.forget();
                }
            });
        }
        *current = number;
    }

    /// Waits for a slot; `None` if the slots are closed.
    pub(super) async fn acquire(&self) -> Option<OwnedSemaphorePermit> {
        self.waiting.send_modify(|waiting| *waiting += 1);
        let _waiting = Waiting(&self.waiting);
        Arc::clone(&self.free).acquire_owned().await.ok()
    }

    /// Gives out no more slots.
    pub(super) fn close(&self) {
        self.free.close();
        self.waiting.send_modify(|waiting| *waiting += 1);
    }

    /// How many calls wait for a slot. Closed slots count as one, because the end of the program waits for them.
    pub(super) fn waiting(&self) -> watch::Receiver<usize> {
        self.waiting.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn added_slots_are_available_at_once() {
        let slots = Slots::new(1);
        let _first = slots.acquire().await;
        assert!(slots.acquire().now_or_never().is_none());
        slots.resize(2);
        let _second = slots.acquire().await.unwrap();
        assert!(slots.acquire().now_or_never().is_none());
    }

    #[tokio::test]
    async fn surplus_slots_disappear_when_they_are_returned() {
        let slots = Slots::new(3);
        let mut taken = vec![slots.acquire().await, slots.acquire().await, slots.acquire().await];
        slots.resize(1);
        tokio::task::yield_now().await;
        for _ in 0..2 {
            drop(taken.pop());
            tokio::task::yield_now().await;
            assert!(slots.acquire().now_or_never().is_none(), "the one slot is taken");
        }
        drop(taken);
        tokio::task::yield_now().await;
        let _one = slots.acquire().await.unwrap();
        assert!(slots.acquire().now_or_never().is_none());
    }

    #[tokio::test]
    async fn closing_ends_the_wait_without_a_slot() {
        let slots = Slots::new(1);
        let _first = slots.acquire().await;
        let (second, ()) = tokio::join!(slots.acquire(), async { slots.close() });
        assert!(second.is_none());
    }
}
