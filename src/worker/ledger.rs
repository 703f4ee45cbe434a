//! What became of each delivery. The ledger ensures that no call runs twice in this process and no reply is lost.
//!
//! ```text
//!            delivery                 function ends             receipt
//!  (unknown) ────────▶ running ───────────────────▶ replying ────────────▶ confirmed ──▶ forgotten after a while
//!                        ▲ │ redelivery: only          │ ▲
//!                        └─┘ the ACK token changes     ▼ │ redelivery: the stored reply is sent again
//!                                                   unconfirmed ──▶ forgotten after a while
//! ```
//!
//! A running call whose connection broke, and whose message is not delivered again, has gone to another worker: it is
//! abandoned, and forgotten at once.
//!
//! A delivery is identified by its `message-id`, which a broker keeps when it delivers again. Nothing is kept on disk:
//! after a restart of this process, [`redelivery`](super::redelivery) says whether a call may have run before.
//!
//! Finished deliveries are forgotten after a while, or earlier if there are too many. The broker bounds the others: it
//! hands out no more than the prefetch without an acknowledgement.

mod confirmed;

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;
use tokio::time::Instant;

use stomp::{AckToken, Reply};

use self::confirmed::Confirmed;

/// How long a finished delivery is remembered.
const REMEMBERED: Duration = Duration::from_secs(3600);
/// How many confirmed deliveries are remembered, and how many unconfirmed ones.
const MOST_REMEMBERED: usize = 10_000;
/// How often deliveries are searched for those to forget.
const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// How long after a lost connection the broker is expected to deliver again.
const REDELIVERED_WITHIN: Duration = Duration::from_secs(5);
/// How many bytes of unconfirmed replies are kept.
const MOST_REPLY_BYTES: usize = 128 << 20;

/// A reply of more bytes counts at once, not with the next delivery.
const LARGE: usize = 1 << 20;

/// A stored reply; `None` if the message names no reply destination.
pub(super) type StoredReply = Option<Reply>;

/// What to do with a delivery.
#[derive(Debug, PartialEq)]
pub(super) enum Admission {
    /// It is new: run its call.
    Run,
    /// Its call is running, or its reply is being sent. Either will use the new ACK token.
    UnderWay,
    /// Its call has ended and the reply was not confirmed: send it again.
    ReplyAgain {
        /// How many times the reply was sent and not confirmed.
        losses: u32,
    },
    /// Its reply was confirmed: only acknowledge it.
    AcknowledgeAgain,
}

#[derive(Debug)]
struct Entry {
    /// The newest ACK token; the broker accepts no older one.
    ack: watch::Sender<AckToken>,
    state: State,
    /// How many times the reply was sent and not confirmed.
    losses: u32,
}

#[derive(Debug)]
enum State {
    Running,
    Replying(StoredReply),
    Unconfirmed(StoredReply, Instant),
}

/// The deliveries of this process.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The deliveries that are not confirmed.
    entries: HashMap<String, Entry>,
    confirmed: Confirmed,
    swept: Option<Instant>,
}

impl Ledger {
    /// Records a delivery and decides what to do with it.
    pub(super) fn admit(&self, message_id: &str, ack: AckToken) -> Admission {
        let mut inner = self.lock();
        if net::failpoint::is_set(format_args!("forget-running-calls")) {
            inner.entries.remove(message_id);
        }
        let Some(entry) = inner.entries.get_mut(message_id) else {
            inner.sweep();
            if inner.confirmed.contains(message_id) {
                return Admission::AcknowledgeAgain;
            }
            let entry = Entry { ack: watch::Sender::new(ack), state: State::Running, losses: 0 };
            inner.entries.insert(message_id.to_owned(), entry);
            return Admission::Run;
        };
        entry.ack.send_replace(ack);
        match &mut entry.state {
            State::Running | State::Replying(_) => Admission::UnderWay,
            State::Unconfirmed(reply, _) => {
                entry.state = State::Replying(reply.take());
                Admission::ReplyAgain { losses: entry.losses }
            }
        }
    }

    /// Whether the delivery is recorded.
    pub(super) fn knows(&self, message_id: &str) -> bool {
        let inner = self.lock();
        inner.entries.contains_key(message_id) || inner.confirmed.contains(message_id)
    }

    /// The ACK tokens of a delivery: the newest, and later ones. `None` if it is not recorded, or is confirmed.
    pub(super) fn acks(&self, message_id: &str) -> Option<watch::Receiver<AckToken>> {
        self.lock().entries.get(message_id).map(|entry| entry.ack.subscribe())
    }

    /// Forgets a running call, unless its message was delivered again, with another ACK token than `known`. Returns
    /// whether it was forgotten.
    pub(super) fn abandon(&self, message_id: &str, known: &AckToken) -> bool {
        let mut inner = self.lock();
        let abandoned = inner
            .entries
            .get(message_id)
            .is_some_and(|entry| matches!(entry.state, State::Running) && *entry.ack.borrow() == *known);
        if abandoned {
            inner.entries.remove(message_id);
        }
        abandoned
    }

    /// Forgets a delivery whose call has not begun, so that it goes back to the queue with `session`. Returns `false`
    /// if it was delivered again over another session.
    pub(super) fn give_back(&self, message_id: &str, session: u64) -> bool {
        let mut inner = self.lock();
        let only_here =
            inner.entries.get(message_id).is_none_or(|entry| entry.ack.borrow().session() == session);
        if only_here {
            inner.entries.remove(message_id);
        }
        only_here
    }

    /// Whether a call that waited for a slot may begin. It may not if the broker took its message back, since another
    /// worker may have it. Then the delivery is forgotten, and is new if it comes again.
    pub(super) fn may_begin(&self, message_id: &str) -> bool {
        let mut inner = self.lock();
        let valid = inner.entries.get(message_id).is_some_and(|entry| *entry.ack.borrow().valid().borrow());
        if !valid {
            inner.entries.remove(message_id);
        }
        valid
    }

    /// Stores the reply of a call that has ended, or replaces the stored reply.
    pub(super) fn finished(&self, message_id: &str, reply: StoredReply) {
        if let Some(entry) = self.lock().entries.get_mut(message_id) {
            entry.state = State::Replying(reply);
        }
    }

    /// What to send now: the newest ACK token and the stored reply.
    pub(super) fn to_send(&self, message_id: &str) -> Option<(AckToken, StoredReply)> {
        match self.lock().entries.get(message_id)? {
            Entry { ack, state: State::Replying(reply), .. } => Some((ack.borrow().clone(), reply.clone())),
            _ => None,
        }
    }

    /// Records that the broker has confirmed reply and ACK.
    pub(super) fn confirmed(&self, message_id: &str) {
        let mut inner = self.lock();
        if let Some((message_id, _)) = inner.entries.remove_entry(message_id) {
            inner.confirmed.add(message_id);
        }
    }

    /// Records that sending with `used` failed; `lost` says whether something had been sent. Returns whether to send
    /// again at once, because the broker has delivered the message again in the meantime. Otherwise the reply waits for
    /// that.
    pub(super) fn not_confirmed(&self, message_id: &str, used: &AckToken, lost: bool) -> bool {
        let mut inner = self.lock();
        let Some(entry) = inner.entries.get_mut(message_id) else { return false };
        entry.losses += u32::from(lost);
        if *entry.ack.borrow() != *used {
            return true;
        }
        if let State::Replying(reply) = &mut entry.state {
            let reply =
                reply.take().filter(|_| !net::failpoint::is_set(format_args!("drop-unconfirmed-replies")));
            let is_large = reply.as_ref().is_some_and(|reply| reply.body.len() > LARGE);
            entry.state = State::Unconfirmed(reply, Instant::now());
            // Not with the next delivery: many large replies may be lost with one connection.
            if is_large {
                inner.forget_oldest();
            }
        }
        false
    }

    /// Until when a redelivery is expected, if a reply was lost with its connection a moment ago.
    pub(super) fn redelivery_awaited_until(&self) -> Option<Instant> {
        let (since, _) = self.lock().entries.values().filter_map(Entry::lost).max()?;
        Some(since + REDELIVERED_WITHIN).filter(|until| *until > Instant::now())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }
}

impl Entry {
    /// When its reply was lost, and how many bytes that has.
    fn lost(&self) -> Option<(Instant, usize)> {
        match &self.state {
            State::Unconfirmed(reply, since) => {
                Some((*since, reply.as_ref().map_or(0, |reply| reply.body.len())))
            }
            State::Running | State::Replying(_) => None,
        }
    }
}

impl Inner {
    /// Forgets deliveries that finished long ago, and the oldest if there are too many.
    fn sweep(&mut self) {
        let now = Instant::now();
        if self.swept.is_some_and(|swept| now - swept < SWEEP_EVERY) {
            return;
        }
        self.swept = Some(now);
        self.entries.retain(|_, entry| entry.lost().is_none_or(|(since, _)| now - since < REMEMBERED));
        self.forget_oldest();
        self.confirmed.forget_oldest();
    }

    /// Forgets the oldest of the lost replies if there are too many, or if they have too many bytes.
    fn forget_oldest(&mut self) {
        let mut lost: Vec<_> = self
            .entries
            .iter()
            .filter_map(|(id, entry)| {
                entry.lost().map(|(since, bytes)| (since, bytes + id.len(), id.clone()))
            })
            .collect();
        lost.sort();
        let mut count = lost.len();
        let mut bytes: usize = lost.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, size, id) in lost {
            if count <= MOST_REMEMBERED && bytes <= MOST_REPLY_BYTES {
                break;
            }
            self.entries.remove(&id);
            count -= 1;
            bytes -= size;
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio::time::advance;

    use super::*;

    fn ack(connection: u64) -> AckToken {
        AckToken::of(connection, "ID:1")
    }

    fn reply(bytes: usize) -> Reply {
        let body = Bytes::from(vec![b'x'; bytes]).into();
        Reply { destination: "acks".to_owned(), correlation_id: None, body }
    }

    fn entries(ledger: &Ledger) -> usize {
        let inner = ledger.lock();
        inner.entries.len() + inner.confirmed.len()
    }

    /// Runs the call of `id` and confirms its reply.
    fn answer(ledger: &Ledger, id: &str) {
        assert_eq!(ledger.admit(id, ack(1)), Admission::Run);
        ledger.finished(id, Some(reply(10)));
        ledger.confirmed(id);
    }

    /// Runs the call of `id` and loses its reply.
    fn lose(ledger: &Ledger, id: &str, bytes: usize) {
        assert_eq!(ledger.admit(id, ack(1)), Admission::Run);
        ledger.finished(id, Some(reply(bytes)));
        assert!(!ledger.not_confirmed(id, &ack(1), true));
    }

    #[tokio::test(start_paused = true)]
    async fn redelivered_running_call_is_not_started_again() {
        let ledger = Ledger::default();
        assert_eq!(ledger.admit("m", ack(1)), Admission::Run);
        assert_eq!(ledger.admit("m", ack(2)), Admission::UnderWay);
        assert_eq!(ledger.to_send("m"), None, "nothing to send while it runs");
        ledger.finished("m", Some(reply(3)));
        assert_eq!(ledger.to_send("m"), Some((ack(2), Some(reply(3)))));
    }

    #[tokio::test(start_paused = true)]
    async fn redelivered_call_is_not_abandoned() {
        let ledger = Ledger::default();
        ledger.admit("m", ack(1));
        ledger.admit("m", ack(2));
        assert!(!ledger.abandon("m", &ack(1)), "the message came back");
        assert!(ledger.abandon("m", &ack(2)));
        assert_eq!(ledger.admit("m", ack(3)), Admission::Run);
        ledger.finished("m", Some(reply(3)));
        assert!(!ledger.abandon("m", &ack(3)), "the call has ended, and its reply must be sent");
    }

    #[tokio::test(start_paused = true)]
    async fn delivery_of_another_session_is_not_given_back() {
        let ledger = Ledger::default();
        let over = |session| AckToken::of_session(session, 1, "ID:1");
        assert_eq!(ledger.admit("m", over(1)), Admission::Run);
        assert!(ledger.give_back("m", 1));
        assert_eq!(ledger.admit("m", over(2)), Admission::Run, "the next delivery may run");
        assert_eq!(ledger.admit("m", over(3)), Admission::UnderWay);
        assert!(!ledger.give_back("m", 2), "session 3 relies on this call");
        assert!(ledger.knows("m"));
    }

    #[tokio::test(start_paused = true)]
    async fn lost_delivery_may_not_begin() {
        let ledger = Ledger::default();
        ledger.admit("lost", ack(1).lost());
        ledger.admit("came again", ack(1).lost());
        assert_eq!(ledger.admit("came again", ack(2)), Admission::UnderWay);
        assert!(!ledger.may_begin("lost") && !ledger.knows("lost"));
        assert!(ledger.may_begin("came again"));
        assert_eq!(ledger.admit("lost", ack(2)), Admission::Run);
    }

    #[tokio::test(start_paused = true)]
    async fn redelivery_during_reply_sends_again_at_once() {
        let ledger = Ledger::default();
        ledger.admit("m", ack(1));
        ledger.finished("m", Some(reply(3)));
        assert_eq!(ledger.admit("m", ack(2)), Admission::UnderWay);
        assert!(ledger.not_confirmed("m", &ack(1), true));
        assert_eq!(ledger.to_send("m"), Some((ack(2), Some(reply(3)))));
    }

    #[tokio::test(start_paused = true)]
    async fn lost_reply_is_kept_and_its_losses_are_counted() {
        let ledger = Ledger::default();
        lose(&ledger, "m", 3);
        assert_eq!(ledger.to_send("m"), None, "the ACK token is no longer valid");
        assert_eq!(ledger.admit("m", ack(2)), Admission::ReplyAgain { losses: 1 });
        assert_eq!(ledger.to_send("m"), Some((ack(2), Some(reply(3)))));
        assert!(!ledger.not_confirmed("m", &ack(2), false));
        assert_eq!(ledger.admit("m", ack(3)), Admission::ReplyAgain { losses: 1 }, "nothing was sent");
        ledger.confirmed("m");
        assert_eq!(ledger.admit("m", ack(4)), Admission::AcknowledgeAgain);
    }

    #[tokio::test(start_paused = true)]
    async fn finished_deliveries_are_forgotten_and_running_ones_are_not() {
        let ledger = Ledger::default();
        assert_eq!(ledger.admit("running", ack(1)), Admission::Run);
        answer(&ledger, "answered");
        lose(&ledger, "lost", 10);
        advance(REMEMBERED.saturating_sub(Duration::from_secs(1))).await;
        assert_eq!(ledger.admit("another", ack(1)), Admission::Run);
        assert_eq!(entries(&ledger), 4);
        advance(SWEEP_EVERY).await;
        assert_eq!(ledger.admit("yet another", ack(1)), Admission::Run);
        assert!(!ledger.knows("answered") && !ledger.knows("lost"));
        assert_eq!(ledger.admit("running", ack(2)), Admission::UnderWay);
    }

    #[tokio::test(start_paused = true)]
    async fn oldest_of_too_many_confirmed_deliveries_are_forgotten() {
        let ledger = Ledger::default();
        for number in 0..MOST_REMEMBERED + 100 {
            answer(&ledger, &number.to_string());
            advance(Duration::from_millis(1)).await;
        }
        advance(SWEEP_EVERY).await;
        assert_eq!(ledger.admit("new", ack(1)), Admission::Run);
        assert_eq!(entries(&ledger), MOST_REMEMBERED + 1);
        assert!(!ledger.knows("99") && ledger.knows("100"));
    }

    #[tokio::test(start_paused = true)]
    async fn oldest_of_too_many_lost_replies_are_forgotten() {
        // One MiB together with its message id, which counts too.
        const EACH: usize = (1 << 20) - "123".len();
        let ledger = Ledger::default();
        let fitting = MOST_REPLY_BYTES >> 20;
        // All share one buffer, because only the lengths count.
        let stored = Some(reply(EACH));
        for number in 0..fitting + 2 {
            let id = number.to_string();
            ledger.admit(&id, ack(1));
            ledger.finished(&id, stored.clone());
            ledger.not_confirmed(&id, &ack(1), true);
            advance(Duration::from_millis(1)).await;
        }
        advance(SWEEP_EVERY).await;
        assert_eq!(ledger.admit("new", ack(1)), Admission::Run);
        assert_eq!(entries(&ledger), fitting + 1);
        assert!(!ledger.knows("1") && ledger.knows("2"));
    }

    #[tokio::test(start_paused = true)]
    async fn redelivery_is_awaited_for_a_while_after_a_loss() {
        let ledger = Ledger::default();
        assert_eq!(ledger.redelivery_awaited_until(), None);
        lose(&ledger, "m", 3);
        assert_eq!(ledger.redelivery_awaited_until(), Some(Instant::now() + REDELIVERED_WITHIN));
        advance(REDELIVERED_WITHIN).await;
        assert_eq!(ledger.redelivery_awaited_until(), None);
    }
}
