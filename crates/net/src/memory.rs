//! One budget for the bytes that calls hold: answers while they are read, what calls keep of them, and the replies.
//!
//! Each call has a [`Share`]. Small amounts are free, so a small answer never waits. A large amount waits for room.
//! One call at a time may go beyond the budget, so the calls that hold a part of it cannot all wait for each other:
//! the call beyond the budget waits for nothing, and the next one follows when it has returned what it took.
//!
//! ```text
//!   budget ─┬─ share of a call ── Held: an answer that is being read
//!           │                  └─ kept: what the call keeps until it has replied
//!           └─ share of a call that is beyond the budget (one at a time)
//! ```

use std::mem;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// An answer of up to this many bytes is free, and so is what a call keeps of small answers up to this size.
pub const FREE: usize = 1 << 20;

/// The bytes of all calls, each counted [`COPIES`] times.
const MOST: usize = 200 << 20;

/// How many times each byte of an answer is counted. A reply has the content as JSON, as text, and, if it is not very
/// large, indented; the content and the indented text still exist while the reply is written.
const COPIES: usize = 5;

/// The semaphore counts in this unit, in bytes.
const UNIT: usize = 1024;

/// The bytes that all calls of the process may hold. Clones share it.
#[derive(Debug, Clone)]
pub struct Budget {
    room: Arc<Semaphore>,
    /// The permit to go beyond the budget.
    beyond: Arc<Semaphore>,
    units: u32,
}

/// One call's share of the budget. Clones are the same share. What the call keeps returns with the last of them.
#[derive(Debug, Clone)]
pub struct Share(Arc<CallShare>);

#[derive(Debug)]
struct CallShare {
    budget: Budget,
    /// Held while the call takes a part, so that only one of its tasks waits for the permit to go beyond the budget.
    turn: tokio::sync::Mutex<()>,
    beyond: Mutex<Beyond>,
    kept: Mutex<Kept>,
}

/// How much of a share is beyond the budget.
#[derive(Debug, Default)]
struct Beyond {
    permit: Option<OwnedSemaphorePermit>,
    units: u32,
}

/// What the call keeps until its end.
#[derive(Debug, Default)]
struct Kept {
    bytes: usize,
    /// For how many of these bytes room was taken, or is waited for.
    paid: usize,
    room: Option<OwnedSemaphorePermit>,
}

/// A part of the budget that a call holds. Dropping it returns the part.
#[derive(Debug)]
pub struct Held {
    share: Share,
    bytes: usize,
    part: Part,
}

#[derive(Debug)]
enum Part {
    Room(OwnedSemaphorePermit),
    Beyond(u32),
}

impl Default for Budget {
    fn default() -> Self {
        Self::of(MOST)
    }
}

impl Budget {
    fn of(bytes: usize) -> Self {
        let units = in_units(bytes);
        let room = Arc::new(Semaphore::new(units as usize));
        Self { room, beyond: Arc::new(Semaphore::new(1)), units }
    }

    /// Returns the share of a new call.
    pub fn share(&self) -> Share {
        let share = CallShare {
            budget: self.clone(),
            turn: tokio::sync::Mutex::default(),
            beyond: Mutex::default(),
            kept: Mutex::default(),
        };
        Share(Arc::new(share))
    }
}

/// The number of units of `bytes`.
fn in_units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

/// What an answer of `bytes` costs, in units.
fn cost(bytes: usize) -> u32 {
    in_units(bytes.saturating_mul(COPIES))
}

impl Share {
    /// Takes `bytes` of an answer, if that is possible without waiting.
    pub fn try_hold(&self, bytes: usize) -> Option<Held> {
        let _turn = self.0.turn.try_lock().ok()?;
        self.take_now(bytes)
    }

    /// Takes `bytes` of an answer, and waits for room if there is none. The caller must not hold anything, other than
    /// parts of this share, that another call may wait for.
    pub async fn hold(&self, bytes: usize) -> Held {
        let _turn = self.0.turn.lock().await;
        if let Some(held) = self.take_now(bytes) {
            return held;
        }
        let Budget { room, beyond, units } = &self.0.budget;
        let cost = cost(bytes);
        // More than the whole budget must not be waited for: it would keep the others waiting, and never come.
        let fits = cost <= *units;
        let part = tokio::select! {
            biased;
            Ok(room) = Arc::clone(room).acquire_many_owned(cost), if fits => Part::Room(room),
            Ok(permit) = Arc::clone(beyond).acquire_owned() => self.go_beyond(permit, cost),
            // The semaphores are never closed.
            else => Part::Beyond(0),
        };
        Held { share: self.clone(), bytes, part }
    }

    /// Counts `bytes` that the call keeps until its end, and waits for room as [`hold`](Self::hold) does.
    pub async fn keep(&self, bytes: usize) {
        let due = {
            let mut kept = self.0.kept.lock();
            kept.bytes = kept.bytes.saturating_add(bytes);
            let due = kept.bytes.saturating_sub(FREE + kept.paid);
            // A little more at once, so that many small parts do not queue one by one.
            let due = if due == 0 { 0 } else { due.max(FREE) };
            kept.paid += due;
            due
        };
        if due > 0 {
            self.hold(due).await.keep();
        }
    }

    /// Waits while a task of the call waits for room, so that the call does not ask for more meanwhile.
    pub async fn ready(&self) {
        drop(self.0.turn.lock().await);
    }

    fn take_now(&self, bytes: usize) -> Option<Held> {
        let cost = cost(bytes);
        let Budget { room, beyond, .. } = &self.0.budget;
        let part = if self.add_beyond(cost) {
            Part::Beyond(cost)
        } else if let Ok(room) = Arc::clone(room).try_acquire_many_owned(cost) {
            Part::Room(room)
        } else {
            self.go_beyond(Arc::clone(beyond).try_acquire_owned().ok()?, cost)
        };
        Some(Held { share: self.clone(), bytes, part })
    }

    /// Adds to what is beyond the budget, if this share may go beyond it.
    fn add_beyond(&self, cost: u32) -> bool {
        let mut beyond = self.0.beyond.lock();
        let may = beyond.permit.is_some();
        beyond.units = beyond.units.saturating_add(if may { cost } else { 0 });
        may
    }

    fn go_beyond(&self, permit: OwnedSemaphorePermit, cost: u32) -> Part {
        let mut beyond = self.0.beyond.lock();
        beyond.permit = Some(permit);
        beyond.units = beyond.units.saturating_add(cost);
        Part::Beyond(cost)
    }

    fn return_beyond(&self, cost: u32) {
        let mut beyond = self.0.beyond.lock();
        beyond.units = beyond.units.saturating_sub(cost);
        if beyond.units == 0 {
            beyond.permit = None;
        }
    }
}

impl Held {
    /// How many bytes of an answer it is for.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns what is not needed for `bytes`.
    pub fn shrink(&mut self, bytes: usize) {
        self.bytes = self.bytes.min(bytes);
        let needed = cost(self.bytes);
        match &mut self.part {
            Part::Room(room) => drop(room.split(room.num_permits().saturating_sub(needed as usize))),
            Part::Beyond(units) => {
                let surplus = units.saturating_sub(needed);
                *units -= surplus;
                self.share.return_beyond(surplus);
            }
        }
    }

    /// Leaves the part to the call, until its end.
    pub fn keep(mut self) {
        let mut kept = self.share.0.kept.lock();
        // What is beyond the budget stays counted there, and returns with the share.
        if let Part::Room(room) = mem::replace(&mut self.part, Part::Beyond(0)) {
            match &mut kept.room {
                Some(known) => known.merge(room),
                none => *none = Some(room),
            }
        }
        drop(kept);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Part::Beyond(units @ 1..) = self.part {
            self.share.return_beyond(units);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    use super::*;

    /// A budget for four answers of one MiB.
    fn budget() -> Budget {
        Budget::of((4 * COPIES) << 20)
    }

    /// Whether the future waits when it is polled once.
    async fn waits(future: std::pin::Pin<&mut impl Future>) -> bool {
        let mut future = future;
        poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
    }

    #[tokio::test]
    async fn one_share_may_go_beyond_budget_and_next_follows() {
        let budget = budget();
        let [first, second, third] = [budget.share(), budget.share(), budget.share()];
        let held = first.try_hold(3 << 20).unwrap();
        let beyond = second.try_hold(100 << 20).unwrap();
        let more = second.try_hold(100 << 20).unwrap();
        assert!(third.try_hold(2 << 20).is_none());
        let mut waiting = pin!(third.hold(2 << 20));
        assert!(waits(waiting.as_mut()).await);
        drop(beyond);
        assert!(waits(waiting.as_mut()).await, "the second share still holds a part beyond the budget");
        drop(more);
        let _third = waiting.await;
        drop(held);
    }

    #[tokio::test]
    async fn shares_that_hold_parts_do_not_wait_for_each_other() {
        let budget = budget();
        let [first, second] = [budget.share(), budget.share()];
        let (one, two) = (first.try_hold(2 << 20).unwrap(), second.try_hold(2 << 20).unwrap());
        let more = first.hold(2 << 20).await;
        let mut waiting = pin!(second.hold(2 << 20));
        assert!(waits(waiting.as_mut()).await);
        drop((one, more));
        waiting.await;
        drop(two);
    }

    #[tokio::test]
    async fn tasks_of_one_share_go_beyond_budget_together() {
        let budget = budget();
        let [first, second] = [budget.share(), budget.share()];
        let held = second.try_hold(100 << 20).unwrap();
        let full = budget.share();
        let full = full.try_hold(4 << 20).unwrap();
        let both = async { tokio::join!(first.hold(1 << 20), first.hold(1 << 20)) };
        let mut both = pin!(both);
        assert!(waits(both.as_mut()).await);
        drop(held);
        both.await;
        drop(full);
    }

    #[tokio::test]
    async fn kept_bytes_return_with_share() {
        let budget = budget();
        let first = budget.share();
        first.keep(FREE).await;
        assert_eq!(budget.room.available_permits(), budget.units as usize, "the first bytes are free");
        first.keep(2 << 20).await;
        first.clone().try_hold(2 << 20).unwrap().keep();
        assert!(budget.share().try_hold(1 << 20).is_some(), "beyond the budget");
        let beyond = budget.share().try_hold(1 << 20).unwrap();
        assert!(budget.share().try_hold(1 << 20).is_none());
        drop((first, beyond));
        assert_eq!(budget.room.available_permits(), budget.units as usize);
    }

    #[tokio::test]
    async fn shrinking_returns_what_is_not_needed() {
        let budget = budget();
        let share = budget.share();
        let mut held = share.try_hold(4 << 20).unwrap();
        held.shrink(1 << 20);
        let mut beyond = share.try_hold(100 << 20).unwrap();
        beyond.shrink(0);
        assert_eq!(budget.room.available_permits(), budget.units as usize / 4 * 3);
        assert_eq!(budget.beyond.available_permits(), 1);
    }
}
