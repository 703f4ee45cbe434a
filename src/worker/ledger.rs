//! What became of each delivery: the state machine that keeps a call from running twice and a reply from being
//! lost.
//!
//! ```text
//!            delivery                 function ends             receipt
//!  (unknown) ────────▶ running ───────────────────▶ replying ────────────▶ confirmed ──▶ forgotten in time
//!                        ▲ │ redelivery: only          │ ▲
//!                        └─┘ the ACK's way changes     ▼ │ redelivery: the stored reply is sent again
//!                                                   unconfirmed ──▶ forgotten in time
//! ```
//!
//! A delivery is known by its `message-id`, which a broker keeps when it delivers again. Nothing is kept on
//! disk: after a restart of this process the broker's `redelivered` mark is what is left.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::stomp::{AckToken, Reply};

/// How long a finished delivery is remembered.
const REMEMBERED: Duration = Duration::from_secs(3600);
/// How many finished deliveries are remembered.
const MOST_REMEMBERED: usize = 10_000;
/// How often finished deliveries are looked through for those to forget.
const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// How long after a connection was lost the broker is expected to deliver again.
const REDELIVERED_WITHIN: Duration = Duration::from_secs(5);
/// How many bytes of replies that nobody confirmed are kept.
const MOST_REPLY_BYTES: usize = 256 << 20;

/// A stored reply; `None` where the message says nowhere to reply to.
pub(super) type StoredReply = Option<Reply>;

/// What is to be done with a delivery.
#[derive(Debug, PartialEq)]
pub(super) enum Admission {
    /// It is new: run it.
    Run,
    /// It is running, or its reply is on the way: whoever does that now knows the new ACK.
    UnderWay,
    /// It is done, and nobody confirmed the reply: send it again.
    ReplyAgain {
        /// How many times the reply was sent and not confirmed.
        losses: u32,
    },
    /// It is done and confirmed: only acknowledge it.
    AcknowledgeAgain,
}

#[derive(Debug)]
struct Entry {
    /// The newest ACK; an older one means nothing to the broker.
    ack: AckToken,
    state: State,
    /// How many times the reply was sent and not confirmed.
    losses: u32,
}

#[derive(Debug)]
enum State {
    Running,
    Replying(StoredReply),
    Unconfirmed(StoredReply, Instant),
    Confirmed(Instant),
}

/// All deliveries of this process that are not forgotten.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: HashMap<String, Entry>,
    swept: Option<Instant>,
}

impl Ledger {
    /// Takes note of a delivery.
    pub(super) fn admit(&self, message_id: &str, ack: AckToken) -> Admission {
        let mut inner = self.lock();
        let Some(entry) = inner.entries.get_mut(message_id) else {
            inner.sweep();
            inner.entries.insert(message_id.to_owned(), Entry { ack, state: State::Running, losses: 0 });
            return Admission::Run;
        };
        entry.ack = ack;
        match &mut entry.state {
            State::Running | State::Replying(_) => Admission::UnderWay,
            State::Unconfirmed(reply, _) => {
                entry.state = State::Replying(reply.take());
                Admission::ReplyAgain { losses: entry.losses }
            }
            State::Confirmed(_) => Admission::AcknowledgeAgain,
        }
    }

    /// Whether the delivery was taken note of and not forgotten.
    pub(super) fn knows(&self, message_id: &str) -> bool {
        self.lock().entries.contains_key(message_id)
    }

    /// The function has ended, and this is its reply; or another reply takes the place of the one it had.
    pub(super) fn finished(&self, message_id: &str, reply: StoredReply) {
        if let Some(entry) = self.lock().entries.get_mut(message_id) {
            entry.state = State::Replying(reply);
        }
    }

    /// What to send now: the newest ACK and the stored reply.
    pub(super) fn to_send(&self, message_id: &str) -> Option<(AckToken, StoredReply)> {
        match self.lock().entries.get(message_id)? {
            Entry { ack, state: State::Replying(reply), .. } => Some((ack.clone(), reply.clone())),
            _ => None,
        }
    }

    /// The broker has confirmed reply and ACK.
    pub(super) fn confirmed(&self, message_id: &str) {
        if let Some(entry) = self.lock().entries.get_mut(message_id) {
            entry.state = State::Confirmed(Instant::now());
        }
    }

    /// Sending with `used` failed; `lost` tells whether something had been sent. Returns whether to send at once again, since the broker has delivered the
    /// message anew in the meantime; otherwise the reply waits for that.
    pub(super) fn not_confirmed(&self, message_id: &str, used: &AckToken, lost: bool) -> bool {
        let mut inner = self.lock();
        let Some(entry) = inner.entries.get_mut(message_id) else { return false };
        entry.losses += u32::from(lost);
        if entry.ack != *used {
            return true;
        }
        if let State::Replying(reply) = &mut entry.state {
            entry.state = State::Unconfirmed(reply.take(), Instant::now());
        }
        false
    }

    /// Until when a redelivery may be hoped for, where a reply was lost with its connection a moment ago.
    pub(super) fn redelivery_awaited_until(&self) -> Option<Instant> {
        let lost = |entry: &Entry| match entry.state {
            State::Unconfirmed(_, since) => Some(since + REDELIVERED_WITHIN),
            State::Running | State::Replying(_) | State::Confirmed(_) => None,
        };
        self.lock().entries.values().filter_map(lost).max().filter(|until| *until > Instant::now())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Since when it is finished, and how many bytes it keeps.
    fn finished(&self) -> Option<(Instant, usize)> {
        match &self.state {
            State::Unconfirmed(reply, since) => {
                Some((*since, reply.as_ref().map_or(0, |reply| reply.body.len())))
            }
            State::Confirmed(since) => Some((*since, 0)),
            State::Running | State::Replying(_) => None,
        }
    }
}

impl Inner {
    /// Forgets what finished long ago, and the oldest where there is too much.
    fn sweep(&mut self) {
        let now = Instant::now();
        if self.swept.is_some_and(|swept| now - swept < SWEEP_EVERY) {
            return;
        }
        self.swept = Some(now);
        self.entries.retain(|_, entry| entry.finished().is_none_or(|(since, _)| now - since < REMEMBERED));
        let mut finished: Vec<_> = self
            .entries
            .iter()
            .filter_map(|(id, entry)| entry.finished().map(|(since, bytes)| (since, bytes, id.clone())))
            .collect();
        finished.sort();
        let mut count = finished.len();
        let mut bytes: usize = finished.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, size, id) in finished {
            if count <= MOST_REMEMBERED && bytes <= MOST_REPLY_BYTES {
                break;
            }
            self.entries.remove(&id);
            count -= 1;
            bytes -= size;
        }
    }
}
