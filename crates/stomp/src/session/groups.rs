//! Which replies share a transaction.
//!
//! A broker commits one transaction of a connection after another, each with a write to its disk, and ActiveMQ spends
//! most of a call's processor time on that (`benches/activemq_calls`). So replies that become ready while a transaction
//! is on its way share the next one, together with the acknowledgements of their messages. No reply waits for a timer:
//! one that is ready alone is sent at once.
//!
//! ```text
//!  ready ───────────▶ sending ────────────────────▶ committing ──────▶ done
//!    ▲   BEGIN, SEND    │ │      all are accepted:              receipt
//!    │                  │ │      ACK, COMMIT
//!    └──────────────────┘ └─▶ refused: to the caller
//!      ABORT: the others of a group with a refused reply
//! ```
//!
//! A call in a group is as safe as a call alone. Each reply has its own receipt, so that a refused one is known before
//! any acknowledgement is used. What ends the connection leaves the whole group undone, and each of its messages is
//! delivered again.

use std::collections::{BTreeMap, VecDeque};
use std::mem::take;

use super::{AckToken, Answer, NotConfirmed, Reply};

/// The most replies in a transaction.
const MOST_REPLIES: usize = 32;

/// The most bytes of replies in a transaction.
const MOST_BYTES: usize = 256 * 1024;

/// A reply of at least this many bytes has a transaction to itself. A broker may close the connection over a large
/// frame, and no other reply should be lost with it.
const LARGE: usize = 64 * 1024;

/// Whether a reply may share its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sharing {
    /// With the replies of other calls.
    Shared,
    /// With none.
    Alone,
}

/// A call that has ended: its reply, and the acknowledgement of its message.
#[derive(Debug)]
pub(super) struct FinishedCall {
    pub(super) ack: AckToken,
    pub(super) reply: Reply,
    pub(super) done: Answer,
}

/// The replies of one transaction while the broker accepts or refuses them.
#[derive(Debug)]
pub(super) struct Group {
    sharing: Sharing,
    /// The number of replies that the broker has neither accepted nor refused.
    open: usize,
    pub(super) accepted: Vec<FinishedCall>,
    pub(super) refused: Vec<(Answer, NotConfirmed)>,
}

/// The finished calls whose transaction is not being committed yet.
#[derive(Debug, Default)]
pub(super) struct Groups {
    ready: VecDeque<(FinishedCall, Sharing)>,
    /// By the number of their transaction.
    sending: BTreeMap<u64, Group>,
}

impl FinishedCall {
    fn size(&self) -> usize {
        self.reply.body.len()
    }
}

impl Groups {
    /// Adds a call that has ended.
    pub(super) fn add(&mut self, call: FinishedCall, sharing: Sharing) {
        let sharing = if call.size() < LARGE { sharing } else { Sharing::Alone };
        self.ready.push_back((call, sharing));
    }

    /// Whether the calls that are ready are enough for a transaction.
    pub(super) fn fill_transaction(&self) -> bool {
        let bytes: usize = self.ready.iter().map(|(call, _)| call.size()).sum();
        self.ready.len() >= MOST_REPLIES || bytes >= MOST_BYTES
    }

    /// Takes the calls of the next transaction, if one may begin now. Only one transaction is shared at a time: what
    /// becomes ready meanwhile shares the next one.
    pub(super) fn next(&mut self) -> Option<(Vec<FinishedCall>, Sharing)> {
        if let Some(alone) = self.ready.iter().position(|(_, sharing)| *sharing == Sharing::Alone) {
            let (call, sharing) = self.ready.remove(alone)?;
            return Some((vec![call], sharing));
        }
        let is_sharing = self.sending.values().any(|group| group.sharing == Sharing::Shared);
        if is_sharing || self.ready.is_empty() {
            return None;
        }
        let mut bytes = 0;
        let fitting = self.ready.iter().take(MOST_REPLIES).take_while(|(call, _)| {
            bytes += call.size();
            bytes <= MOST_BYTES
        });
        let count = fitting.count();
        Some((self.ready.drain(..count).map(|(call, _)| call).collect(), Sharing::Shared))
    }

    /// Notes that so many replies are on their way in a transaction.
    pub(super) fn sent(&mut self, transaction: u64, open: usize, sharing: Sharing) {
        let group = Group { sharing, open, accepted: Vec::new(), refused: Vec::new() };
        self.sending.insert(transaction, group);
    }

    /// Notes that the broker accepted a reply, or refused it for a reason. Returns the group once it has answered to
    /// each of its replies.
    pub(super) fn answered(
        &mut self,
        transaction: u64,
        call: FinishedCall,
        refusal: Option<NotConfirmed>,
    ) -> Option<Group> {
        let group = self.sending.get_mut(&transaction)?;
        group.open -= 1;
        match refusal {
            None => group.accepted.push(call),
            Some(refusal) => group.refused.push((call.done, refusal)),
        }
        if group.open == 0 { self.sending.remove(&transaction) } else { None }
    }

    /// Puts the calls of a transaction that was aborted back, before those that became ready later.
    pub(super) fn put_back(&mut self, calls: Vec<FinishedCall>) {
        for call in calls.into_iter().rev() {
            self.ready.push_front((call, Sharing::Shared));
        }
    }

    /// Ends all of it, because the connection is lost: what each call is to be answered.
    pub(super) fn into_lost(mut self) -> impl Iterator<Item = (Answer, NotConfirmed)> {
        let ready = take(&mut self.ready).into_iter().map(|(call, _)| (call.done, NotConfirmed::Stale));
        let sending = take(&mut self.sending).into_values().flat_map(|group| {
            let accepted = group.accepted.into_iter().map(|call| (call.done, NotConfirmed::ConnectionLost));
            accepted.chain(group.refused)
        });
        ready.chain(sending)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio::sync::oneshot;

    use super::*;

    fn call(bytes: usize) -> FinishedCall {
        let reply = Reply {
            destination: "acks".to_owned(),
            correlation_id: None,
            body: Bytes::from(vec![b'x'; bytes]).into(),
        };
        FinishedCall { ack: AckToken::of(1, "a"), reply, done: oneshot::channel().0 }
    }

    fn groups(sizes: &[usize]) -> Groups {
        let mut groups = Groups::default();
        for size in sizes {
            groups.add(call(*size), Sharing::Shared);
        }
        groups
    }

    /// The sizes of the replies of the next transaction, which has that number.
    fn send_next(groups: &mut Groups, transaction: u64) -> Option<Vec<usize>> {
        let (calls, sharing) = groups.next()?;
        groups.sent(transaction, calls.len(), sharing);
        Some(calls.iter().map(FinishedCall::size).collect())
    }

    #[test]
    fn replies_wait_for_the_shared_transaction_on_its_way() {
        let mut groups = groups(&[1]);
        assert_eq!(send_next(&mut groups, 1), Some(vec![1]));
        groups.add(call(2), Sharing::Shared);
        groups.add(call(3), Sharing::Shared);
        assert_eq!(send_next(&mut groups, 2), None);
        assert_eq!(groups.answered(1, call(1), None).unwrap().accepted.len(), 1);
        assert_eq!(send_next(&mut groups, 2), Some(vec![2, 3]));
        assert_eq!(send_next(&mut groups, 3), None);
    }

    #[test]
    fn large_reply_and_reply_alone_do_not_wait() {
        let mut groups = groups(&[1]);
        assert_eq!(send_next(&mut groups, 1), Some(vec![1]));
        groups.add(call(2), Sharing::Shared);
        groups.add(call(LARGE), Sharing::Shared);
        groups.add(call(3), Sharing::Alone);
        assert_eq!(send_next(&mut groups, 2), Some(vec![LARGE]));
        assert_eq!(send_next(&mut groups, 3), Some(vec![3]));
        assert_eq!(send_next(&mut groups, 4), None, "the small one waits for the first transaction");
        assert!(groups.answered(2, call(LARGE), None).is_some());
        assert_eq!(send_next(&mut groups, 4), None);
        assert!(groups.answered(1, call(1), None).is_some());
        assert_eq!(send_next(&mut groups, 4), Some(vec![2]));
    }

    #[test]
    fn shared_transaction_is_bounded_in_number_and_bytes() {
        let mut many = groups(&[1; MOST_REPLIES + 1]);
        assert_eq!(send_next(&mut many, 1), Some(vec![1; MOST_REPLIES]));
        let mut large = groups(&[LARGE - 1; 6]);
        assert_eq!(send_next(&mut large, 1).unwrap().len(), MOST_BYTES / (LARGE - 1));
    }

    #[test]
    fn others_of_a_refused_reply_are_sent_again_first() {
        let mut groups = groups(&[1, 2, 3]);
        assert_eq!(send_next(&mut groups, 1), Some(vec![1, 2, 3]));
        groups.add(call(4), Sharing::Shared);
        assert!(groups.answered(1, call(1), None).is_none());
        let refusal = NotConfirmed::RefusedByBroker("full".to_owned());
        assert!(groups.answered(1, call(2), Some(refusal.clone())).is_none());
        let group = groups.answered(1, call(3), None).unwrap();
        assert!(matches!(&group.refused[..], [(_, reason)] if *reason == refusal));
        groups.put_back(group.accepted);
        assert_eq!(send_next(&mut groups, 2), Some(vec![1, 3, 4]));
    }

    #[test]
    fn call_that_was_not_sent_is_stale_after_the_connection() {
        let mut groups = groups(&[1, 2]);
        assert_eq!(send_next(&mut groups, 1), Some(vec![1, 2]));
        groups.add(call(3), Sharing::Shared);
        assert!(groups.answered(1, call(1), None).is_none());
        let lost: Vec<_> = groups.into_lost().map(|(_, why)| why).collect();
        assert_eq!(lost, [NotConfirmed::Stale, NotConfirmed::ConnectionLost]);
    }
}
