//! Promise: on a real ActiveMQ, replies that share a transaction are all there with their messages gone, or none is.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::session::{call, next, options, reach, reply_to, soar};
use crate::support::activemq::shared;
use crate::support::cutter::{Passing, Verdict, cutter};
use crate::support::stomp_client::StompClient;
use crate::support::tls::Authority;
use stomp::{ClientCommand, Delivery, NotConfirmed, Reply, Session, SessionOptions, State};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// As many as the prefetch of the session.
const CALLS: usize = 10;

async fn take(deliveries: &mut mpsc::Receiver<Delivery>, count: usize) -> Vec<Delivery> {
    let mut taken = Vec::new();
    for _ in 0..count {
        taken.push(next(deliveries).await);
    }
    taken
}

/// Finishes all at once. Returns the calls by their outcome.
async fn finish(
    session: &Session,
    deliveries: &[Delivery],
    reply: impl Fn(&Delivery) -> Reply,
) -> Vec<(String, Result<(), NotConfirmed>)> {
    let mut finishing = JoinSet::new();
    for delivery in deliveries {
        let (session, ack, reply) = (session.clone(), delivery.ack.clone(), reply(delivery));
        let id = delivery.correlation_id.clone().unwrap();
        finishing.spawn(async move { (id, session.finish(&ack, Some(reply)).await) });
    }
    finishing.join_all().await
}

/// Checks that each call is answered once and that none is left.
async fn all_answered_once(soar: &mut StompClient, queue: &str) {
    assert_eq!(soar.browse(&format!("actions.{queue}")).await, [""; 0]);
    let replies = soar.browse(&format!("acks.{queue}")).await;
    assert_eq!(replies.len(), CALLS, "{replies:?}");
    let different: BTreeSet<_> = (0..CALLS).map(|n| format!("reply to call {n}")).collect();
    assert_eq!(replies.into_iter().collect::<BTreeSet<_>>(), different);
}

#[tokio::test]
async fn refused_reply_in_a_group_is_the_only_one_that_is_refused() {
    let broker = shared();
    let mut soar = soar(&broker).await;
    call(&mut soar, "group.refused", CALLS).await;
    let (session, mut deliveries) = Session::start(options(&broker, "group.refused"));
    let taken = take(&mut deliveries, CALLS).await;
    let is_bad = |delivery: &Delivery| delivery.correlation_id.as_deref() == Some("invid:5");
    let outcomes = finish(&session, &taken, |delivery| {
        let destination = "/queue/forbidden.acks".to_owned();
        if is_bad(delivery) { Reply { destination, ..reply_to(delivery) } } else { reply_to(delivery) }
    })
    .await;
    for (id, outcome) in outcomes {
        let is_refused = matches!(outcome, Err(NotConfirmed::RefusedByBroker(_)));
        assert_eq!(is_refused, id == "invid:5", "{id}: {outcome:?}");
        assert!(is_refused || outcome.is_ok(), "{id}: {outcome:?}");
    }
    assert_eq!(soar.browse("actions.group.refused").await, ["call 5"]);
    let refused = taken.iter().find(|delivery| is_bad(delivery)).unwrap();
    session.finish_alone(&refused.ack, Some(reply_to(refused))).await.unwrap();
    all_answered_once(&mut soar, "group.refused").await;
    assert_eq!(*session.state().borrow(), State::Subscribed { connection: 1 });
}

#[tokio::test]
async fn cut_at_the_commit_of_a_group_leaves_all_of_it_undone() {
    let broker = shared();
    let authority = Authority::new();
    let (acks, cut) = (AtomicUsize::new(0), AtomicBool::new(false));
    let judge = move |passing: Passing<'_>| {
        let Passing::ToBroker(frame) = passing else { return Verdict::Pass };
        match frame.command {
            ClientCommand::Ack => {
                acks.fetch_add(1, Ordering::SeqCst);
            }
            ClientCommand::Commit
                if acks.swap(0, Ordering::SeqCst) >= 2 && !cut.swap(true, Ordering::SeqCst) =>
            {
                return Verdict::Cut;
            }
            _ => {}
        }
        Verdict::Pass
    };
    let port = cutter(&authority, broker.port(), &broker.ca_file(), judge).await;
    let mut soar = soar(&broker).await;
    call(&mut soar, "group.cut", CALLS).await;
    let (session, mut deliveries) =
        Session::start(SessionOptions { port, tls: authority.client(), ..options(&broker, "group.cut") });
    let taken = take(&mut deliveries, CALLS).await;
    let outcomes = finish(&session, &taken, reply_to).await;
    let lost = outcomes.iter().filter(|(_, outcome)| *outcome == Err(NotConfirmed::ConnectionLost)).count();
    assert!(lost >= 2, "a transaction was shared: {outcomes:?}");
    reach(&session, |state| *state == State::Subscribed { connection: 2 }).await;
    let left = soar.browse("actions.group.cut").await.len();
    assert!(left >= 2, "the shared transaction was undone");
    assert_eq!(soar.browse("acks.group.cut").await.len() + left, CALLS, "part of a transaction was done");
    let again = take(&mut deliveries, left).await;
    assert!(again.iter().all(|delivery| delivery.redelivered));
    let outcomes = finish(&session, &again, reply_to).await;
    assert!(outcomes.iter().all(|(_, outcome)| outcome.is_ok()), "{outcomes:?}");
    all_answered_once(&mut soar, "group.cut").await;
}
