//! The places in which calls are worked on, `num_workers` of them, whichever session they came over.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Places whose number can change while they are taken.
#[derive(Debug)]
pub(super) struct Slots {
    free: Arc<Semaphore>,
    number: Mutex<u16>,
    /// How many wait for one; one more when they are closed.
    waiting: watch::Sender<usize>,
}

/// Somebody who waits for a place.
struct Waiting<'p>(&'p watch::Sender<usize>);

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

    /// Changes their number. Of those too many, what is taken goes when it is given back, and until then nobody
    /// gets another. Must be called within a tokio runtime.
    pub(super) fn resize(&self, number: u16) {
        let mut now = self.number.lock().unwrap_or_else(PoisonError::into_inner);
        if number >= *now {
            self.free.add_permits(usize::from(number - *now));
        } else {
            let (free, too_many) = (Arc::clone(&self.free), u32::from(*now - number));
            tokio::spawn(async move {
                // An error: there are no places any more.
                if let Ok(taken) = free.acquire_many_owned(too_many).await {
                    taken.forget();
                }
            });
        }
        *now = number;
    }

    /// Waits for a place; `None` where there are none any more.
    pub(super) async fn take(&self) -> Option<OwnedSemaphorePermit> {
        self.waiting.send_modify(|waiting| *waiting += 1);
        let _waiting = Waiting(&self.waiting);
        Arc::clone(&self.free).acquire_owned().await.ok()
    }

    /// Gives no more of them to anybody.
    pub(super) fn close(&self) {
        self.free.close();
        self.waiting.send_modify(|waiting| *waiting += 1);
    }

    /// How many want one: those who wait, and, when they are closed, whoever ends the program.
    pub(super) fn wanted(&self) -> watch::Receiver<usize> {
        self.waiting.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn with_more_places_who_waits_gets_one_at_once() {
        let places = Slots::new(1);
        let _first = places.take().await;
        assert!(places.take().now_or_never().is_none());
        places.resize(2);
        let _second = places.take().await.unwrap();
        assert!(places.take().now_or_never().is_none());
    }

    #[tokio::test]
    async fn with_fewer_places_those_too_many_go_as_they_are_given_back() {
        let places = Slots::new(3);
        let mut taken = vec![places.take().await, places.take().await, places.take().await];
        places.resize(1);
        tokio::task::yield_now().await;
        for _ in 0..2 {
            drop(taken.pop());
            tokio::task::yield_now().await;
            assert!(places.take().now_or_never().is_none(), "one is taken, and there is one");
        }
        drop(taken);
        tokio::task::yield_now().await;
        let _one = places.take().await.unwrap();
        assert!(places.take().now_or_never().is_none());
    }

    #[tokio::test]
    async fn who_waits_when_they_are_closed_gets_none() {
        let places = Slots::new(1);
        let _first = places.take().await;
        let (second, ()) = tokio::join!(places.take(), async { places.close() });
        assert!(second.is_none());
    }
}
