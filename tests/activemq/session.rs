//! Promise: on a real ActiveMQ a message is answered and gone, both at once, or it is still there.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::activemq::{ADMIN, ActiveMq, LOGIN, Tls, shared};
use crate::support::cutter::{Passing, Verdict, cutter};
use crate::support::stomp_client::StompClient;
use crate::support::tls::Authority;
use net::Secret;
use stomp::{
    ClientCommand, Delivery, Error, HeartBeatOffer, NotConfirmed, Reply, ServerCommand, Session,
    SessionOptions, State,
};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);

/// Long enough for a message that is on its way to arrive.
const QUIET: Duration = Duration::from_millis(500);

pub(super) fn options(broker: &ActiveMq, queue: &str) -> SessionOptions {
    SessionOptions {
        host: "localhost".to_owned(),
        port: broker.port(),
        proxy: None,
        tls: broker.authority().client(),
        login: LOGIN.0.to_owned(),
        passcode: Secret::new(LOGIN.1),
        destinations: vec![format!("actions.{queue}")],
        prefetch: 10,
        timeout: Duration::from_secs(20),
        heart_beat: HeartBeatOffer::default(),
        reconnect: stomp::RECONNECT,
        metrics: Arc::default(),
    }
}

/// SOAR's end of the broker.
pub(super) async fn soar(broker: &ActiveMq) -> StompClient {
    StompClient::connect(broker.port(), &broker.ca_file(), ADMIN).await
}

/// Puts calls `0..count` in the queue.
pub(super) async fn call(soar: &mut StompClient, queue: &str, count: usize) {
    for n in 0..count {
        let (actions, acks) = (format!("actions.{queue}"), format!("acks.{queue}"));
        soar.call(&actions, &acks, &format!("invid:{n}"), &format!("call {n}")).await;
    }
}

pub(super) async fn reach(session: &Session, wanted: impl FnMut(&State) -> bool) -> State {
    let mut state = session.state();
    timeout(PATIENCE, state.wait_for(wanted)).await.expect("the state in time").unwrap().clone()
}

pub(super) async fn next(deliveries: &mut mpsc::Receiver<Delivery>) -> Delivery {
    timeout(PATIENCE, deliveries.recv()).await.expect("a delivery in time").unwrap()
}

async fn none_comes(deliveries: &mut mpsc::Receiver<Delivery>) {
    if let Ok(delivery) = timeout(QUIET, deliveries.recv()).await {
        panic!("{delivery:?}");
    }
}

pub(super) fn reply_to(delivery: &Delivery) -> Reply {
    let call = String::from_utf8(delivery.body.to_vec()).unwrap();
    Reply {
        destination: delivery.reply_to.clone().unwrap(),
        correlation_id: delivery.correlation_id.clone(),
        body: format!("reply to {call}").into(),
    }
}

#[tokio::test]
async fn reply_and_ack_take_effect_together() {
    let broker = shared();
    let mut soar = soar(&broker).await;
    call(&mut soar, "together", 1).await;
    let (session, mut deliveries) = Session::start(options(&broker, "together"));
    let delivery = next(&mut deliveries).await;
    assert_eq!(delivery.destination, "/queue/actions.together");
    assert_eq!(delivery.reply_to.as_deref(), Some("/queue/acks.together"));
    assert!(!delivery.redelivered);
    assert_eq!(soar.browse("actions.together").await, ["call 0"]);
    session.finish(&delivery.ack, Some(reply_to(&delivery))).await.unwrap();
    assert_eq!(soar.browse("actions.together").await, [""; 0]);
    soar.subscribe("acks.together").await;
    let reply = soar.read().await;
    assert_eq!(&reply.body[..], b"reply to call 0");
    assert_eq!(reply.header("correlation-id"), Some("invid:0"));
    assert_eq!(reply.header("persistent"), Some("true"));
}

#[tokio::test]
async fn status_arrives_before_the_reply() {
    let broker = shared();
    let mut soar = soar(&broker).await;
    soar.subscribe("acks.status").await;
    call(&mut soar, "status", 1).await;
    let (session, mut deliveries) = Session::start(options(&broker, "status"));
    let delivery = next(&mut deliveries).await;
    session.send(Reply { body: "working".into(), ..reply_to(&delivery) }).await.unwrap();
    session.finish(&delivery.ack, Some(reply_to(&delivery))).await.unwrap();
    assert_eq!(&soar.read().await.body[..], b"working");
    assert_eq!(&soar.read().await.body[..], b"reply to call 0");
}

#[tokio::test]
async fn wrong_passcode_is_reported_as_such() {
    let broker = shared();
    let mut options = options(&broker, "login");
    options.passcode = Secret::new("wrong");
    let (session, _deliveries) = Session::start(options);
    let state = reach(&session, |state| matches!(state, State::Connecting { last: Some(_), .. })).await;
    let refused = matches!(&state, State::Connecting { last: Some(Error::LoginRefused(text)), .. }
        if text.contains("password is invalid"));
    assert!(refused, "{state:?}");
}

#[tokio::test]
async fn unreadable_queue_is_named() {
    let broker = shared();
    let mut options = options(&broker, "x");
    options.destinations = vec!["forbidden.queue".to_owned()];
    let (session, _deliveries) = Session::start(options);
    let state = reach(&session, |state| matches!(state, State::Connecting { last: Some(_), .. })).await;
    let named = matches!(&state, State::Connecting { last: Some(Error::NotAuthorized { destination, .. }), .. }
        if destination == "forbidden.queue");
    assert!(named, "{state:?}");
}

#[tokio::test]
async fn refused_reply_keeps_message_and_connection() {
    let broker = shared();
    let mut soar = soar(&broker).await;
    call(&mut soar, "refused", 1).await;
    let (session, mut deliveries) = Session::start(options(&broker, "refused"));
    let delivery = next(&mut deliveries).await;
    let forbidden = Reply { destination: "/queue/forbidden.acks".to_owned(), ..reply_to(&delivery) };
    let refused = session.finish(&delivery.ack, Some(forbidden)).await.unwrap_err();
    assert!(
        matches!(&refused, NotConfirmed::RefusedByBroker(text) if text.contains("not authorized to write"))
    );
    assert_eq!(soar.browse("actions.refused").await, ["call 0"]);
    session.finish(&delivery.ack, Some(reply_to(&delivery))).await.unwrap();
    assert_eq!(soar.browse("actions.refused").await, [""; 0]);
    assert_eq!(soar.browse("acks.refused").await, ["reply to call 0"]);
    assert_eq!(*session.state().borrow(), State::Subscribed { connection: 1 });
}

#[tokio::test]
async fn broker_delivers_up_to_the_prefetch() {
    let broker = shared();
    let mut soar = soar(&broker).await;
    call(&mut soar, "prefetch", 5).await;
    let (session, mut deliveries) =
        Session::start(SessionOptions { prefetch: 2, ..options(&broker, "prefetch") });
    let first = next(&mut deliveries).await;
    next(&mut deliveries).await;
    none_comes(&mut deliveries).await;
    session.finish(&first.ack, Some(reply_to(&first))).await.unwrap();
    assert_eq!(&next(&mut deliveries).await.body[..], b"call 2");
    none_comes(&mut deliveries).await;
}

#[tokio::test]
async fn concurrent_calls_finish_over_several_queues() {
    let broker = shared();
    let mut soar = soar(&broker).await;
    let mut options = options(&broker, "many.a");
    options.destinations.push("actions.many.b".to_owned());
    let (session, mut deliveries) = Session::start(options);
    call(&mut soar, "many.a", 100).await;
    call(&mut soar, "many.b", 100).await;
    let mut finishing = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let delivery = next(&mut deliveries).await;
        let session = session.clone();
        finishing.spawn(async move { session.finish(&delivery.ack, Some(reply_to(&delivery))).await });
    }
    assert!(finishing.join_all().await.iter().all(Result::is_ok));
    for queue in ["a", "b"] {
        assert_eq!(soar.browse(&format!("actions.many.{queue}")).await, [""; 0]);
        assert_eq!(soar.browse(&format!("acks.many.{queue}")).await.len(), 100);
    }
}

/// Runs one call over a connection that is cut once, at the frame `at` picks, and returns whether the message came
/// again. In the end it must be gone and answered exactly once.
async fn call_with_a_cut(queue: &str, at: impl Fn(Passing<'_>) -> bool + Send + Sync + 'static) -> bool {
    let broker = shared();
    let authority = Authority::new();
    let once = AtomicBool::new(false);
    let judge = move |passing: Passing<'_>| {
        if at(passing) && !once.swap(true, Ordering::SeqCst) { Verdict::Cut } else { Verdict::Pass }
    };
    let port = cutter(&authority, broker.port(), &broker.ca_file(), judge).await;
    let mut soar = soar(&broker).await;
    call(&mut soar, queue, 1).await;
    let (session, mut deliveries) =
        Session::start(SessionOptions { port, tls: authority.client(), ..options(&broker, queue) });
    let delivery = next(&mut deliveries).await;
    assert_eq!(
        session.finish(&delivery.ack, Some(reply_to(&delivery))).await,
        Err(NotConfirmed::ConnectionLost)
    );
    reach(&session, |state| *state == State::Subscribed { connection: 2 }).await;
    let again = timeout(QUIET * 2, deliveries.recv()).await.ok().flatten();
    if let Some(again) = &again {
        assert!(again.redelivered);
        assert_eq!(again.message_id, delivery.message_id);
        assert_eq!(soar.browse(&format!("acks.{queue}")).await, [""; 0], "half a transaction was done");
        session.finish(&again.ack, Some(reply_to(again))).await.unwrap();
    }
    assert_eq!(soar.browse(&format!("actions.{queue}")).await, [""; 0]);
    assert_eq!(soar.browse(&format!("acks.{queue}")).await, ["reply to call 0"]);
    again.is_some()
}

#[tokio::test]
async fn cut_before_ack_causes_redelivery() {
    let at =
        |passing: Passing<'_>| matches!(passing, Passing::ToBroker(f) if f.command == ClientCommand::Ack);
    assert!(call_with_a_cut("cut.ack", at).await);
}

#[tokio::test]
async fn cut_before_commit_causes_redelivery() {
    let at =
        |passing: Passing<'_>| matches!(passing, Passing::ToBroker(f) if f.command == ClientCommand::Commit);
    assert!(call_with_a_cut("cut.commit", at).await);
}

#[tokio::test]
async fn cut_before_receipt_leaves_the_message_answered() {
    let committed = AtomicBool::new(false);
    let at = move |passing: Passing<'_>| match passing {
        Passing::ToBroker(frame) => {
            committed.fetch_or(frame.command == ClientCommand::Commit, Ordering::SeqCst);
            false
        }
        Passing::FromBroker(frame) => {
            frame.command == ServerCommand::Receipt && committed.load(Ordering::SeqCst)
        }
    };
    assert!(!call_with_a_cut("cut.receipt", at).await);
}

#[tokio::test]
async fn waiting_deliveries_return_to_the_queue_at_shutdown() {
    let broker = shared();
    let mut soar = soar(&broker).await;
    call(&mut soar, "shutdown", 5).await;
    let (session, mut deliveries) = Session::start(options(&broker, "shutdown"));
    let started = next(&mut deliveries).await;
    session.finish(&started.ack, Some(reply_to(&started))).await.unwrap();
    session.disconnect(Duration::from_secs(5)).await;
    assert_eq!(*session.state().borrow(), State::Closed);
    let (_session, mut deliveries) = Session::start(options(&broker, "shutdown"));
    for n in 1..5 {
        let delivery = next(&mut deliveries).await;
        assert_eq!(String::from_utf8_lossy(&delivery.body), format!("call {n}"));
        assert!(delivery.redelivered, "the mark means that it may have been run");
    }
    none_comes(&mut deliveries).await;
}

#[tokio::test]
async fn session_returns_within_five_seconds_of_the_broker() {
    let mut broker = ActiveMq::start(Tls::V1_2);
    call(&mut soar(&broker).await, "kill", 2).await;
    let (session, mut deliveries) = Session::start(options(&broker, "kill"));
    let first = next(&mut deliveries).await;
    let second = next(&mut deliveries).await;
    session.finish(&first.ack, Some(reply_to(&first))).await.unwrap();
    broker.kill();
    reach(&session, |state| matches!(state, State::Connecting { failures: 5.., .. })).await;
    assert_eq!(session.finish(&second.ack, Some(reply_to(&second))).await, Err(NotConfirmed::Stale));
    broker.restart();
    let back = Instant::now();
    reach(&session, |state| matches!(state, State::Subscribed { connection: 2 })).await;
    assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());
    let again = next(&mut deliveries).await;
    // ActiveMQ does not store how often it handed a message out, so this one is not marked as redelivered: after a
    // broker's crash only its id tells.
    assert_eq!(again.message_id, second.message_id);
    session.finish(&again.ack, Some(reply_to(&again))).await.unwrap();
    none_comes(&mut deliveries).await;
    // The first reply was given to the broker that was killed.
    assert_eq!(soar(&broker).await.browse("acks.kill").await, ["reply to call 0", "reply to call 1"]);
}

#[tokio::test]
async fn lost_connects_on_tls_1_3_are_repeated() {
    let broker = ActiveMq::start(Tls::V1_3);
    for _ in 0..40 {
        let start = Instant::now();
        let (session, _deliveries) = Session::start(options(&broker, "lost"));
        reach(&session, |state| matches!(state, State::Subscribed { .. })).await;
        assert!(start.elapsed() < Duration::from_secs(12), "{:?}", start.elapsed());
        session.disconnect(Duration::from_secs(5)).await;
    }
}

/// A way to the broker that can go dead: its connections stay open, and nothing comes through either way.
async fn line_that_can_go_dead(port: u16) -> (u16, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    let dead = watch::Sender::new(false);
    let watched = dead.subscribe();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let mut watched = watched.clone();
            tokio::spawn(async move {
                let mut far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                tokio::select! {
                    _ = copy_bidirectional(&mut near, &mut far) => {}
                    () = async { watched.wait_for(|dead| *dead).await.map(drop).unwrap_or_default() } => pending().await,
                }
            });
        }
    });
    (own, dead)
}

#[tokio::test]
async fn session_leaves_a_dead_line_before_the_broker() {
    let broker = &shared();
    let (port, dead) = line_that_can_go_dead(broker.port()).await;
    let (ours, mut deliveries) = Session::start(SessionOptions { port, ..options(broker, "dead_line") });
    reach(&ours, |state| matches!(state, State::Subscribed { .. })).await;
    call(&mut soar(broker).await, "dead_line", 1).await;
    let delivery = next(&mut deliveries).await;
    let (other, mut others) = Session::start(options(broker, "dead_line"));
    reach(&other, |state| matches!(state, State::Subscribed { .. })).await;
    dead.send_replace(true);
    let mut valid = delivery.ack.valid().clone();
    tokio::select! {
        biased;
        lost = valid.wait_for(|valid| !valid) => assert!(lost.is_ok()),
        again = others.recv() => panic!("another worker has the call while we are at it: {again:?}"),
    }
    none_comes(&mut others).await;
    let again = timeout(2 * PATIENCE, others.recv()).await.expect("the broker gives it to another").unwrap();
    assert_eq!((again.message_id, again.redelivered), (delivery.message_id, true));
}
