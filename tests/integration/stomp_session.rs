//! Promise: the session never claims that something reached the broker which did not, and says goodbye last.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::support::peer::{error, message};
use crate::support::poll::poll;
use crate::support::session::{PATIENCE, QUEUE, broker, failure, next, reach, subscribed};
use stomp::{ClientCommand, Error, NotConfirmed, Reply, Session, State};
use tokio::time::timeout;

fn reply(body: &str) -> Reply {
    Reply {
        destination: "/queue/acks.201.fn".to_owned(),
        correlation_id: Some("invid:7".to_owned()),
        body: body.to_owned().into(),
    }
}

#[tokio::test]
async fn login_and_subscription_are_what_soars_broker_expects() {
    let (peer, options) = broker().await;
    let (session, _deliveries) = Session::start(options);
    let mut line = peer.accept().await;
    let connect = line.log_in("15000,15000").await;
    let connect: Vec<_> = ["accept-version", "host", "heart-beat", "login", "passcode"]
        .map(|name| connect.header(name).unwrap().to_owned())
        .into();
    assert_eq!(connect, ["1.2", "localhost", "25000,5000", "key id", "pass:code\\"]);
    let subscribe = line.accept_subscriptions().await;
    assert_eq!(subscribe.header("id"), Some(QUEUE));
    assert_eq!(subscribe.header("destination"), Some(QUEUE));
    assert_eq!(subscribe.header("ack"), Some("client-individual"));
    assert_eq!(subscribe.header("activemq.prefetchSize"), Some("5"));
    reach(&session, |state| matches!(state, State::Subscribed { connection: 1 })).await;
}

#[tokio::test]
async fn delivery_contains_message_headers_and_body() {
    let (_peer, mut line, _session, mut deliveries) = subscribed().await;
    line.send(message("ID:vm:1", "ack:1").with_header("redelivered", "true").with_body("{}")).await;
    let delivery = next(&mut deliveries).await;
    assert_eq!(delivery.message_id, "ID:vm:1");
    assert_eq!(delivery.destination, "/queue/actions.201.fn");
    assert_eq!(delivery.reply_to.as_deref(), Some("/queue/acks.201.fn"));
    assert_eq!(delivery.correlation_id.as_deref(), Some("invid:7"));
    assert!(delivery.redelivered);
    assert_eq!(&delivery.body[..], b"{}");
    assert_eq!(delivery.headers.get("subscription"), Some(QUEUE));
}

#[tokio::test]
async fn reply_in_pieces_arrives_whole() {
    for size in [10, 100_000] {
        let (_peer, mut line, session, mut deliveries) = subscribed().await;
        line.deliver("m1", "a1", "call").await;
        let delivery = next(&mut deliveries).await;
        let pieces = ["a", "b", ""].map(|letter| Bytes::from(letter.repeat(size)));
        let reply = Reply { body: pieces.to_vec().into(), ..reply("") };
        let finish = tokio::spawn(async move { session.finish(&delivery.ack, Some(reply)).await });
        line.expect(ClientCommand::Begin).await;
        let send = line.expect(ClientCommand::Send).await;
        assert_eq!(send.body, "a".repeat(size) + &"b".repeat(size));
        finish.abort();
    }
}

#[tokio::test]
async fn finish_is_one_transaction_confirmed_by_commit_receipt() {
    let (_peer, mut line, session, mut deliveries) = subscribed().await;
    line.deliver("m1", "a1", "call").await;
    let delivery = next(&mut deliveries).await;
    let finish = tokio::spawn(async move { session.finish(&delivery.ack, Some(reply("done"))).await });
    let begin = line.expect(ClientCommand::Begin).await;
    let transaction = begin.header("transaction").unwrap();
    let send = line.expect(ClientCommand::Send).await;
    assert_eq!(send.header("transaction"), Some(transaction));
    assert_eq!(send.header("destination"), Some("/queue/acks.201.fn"));
    assert_eq!(send.header("correlation-id"), Some("invid:7"));
    assert_eq!(send.header("persistent"), Some("true"));
    assert_eq!(send.header("content-type"), None);
    assert_eq!(&send.body[..], b"done");
    line.confirm(&send).await;
    let ack = line.expect(ClientCommand::Ack).await;
    assert_eq!(ack.header("id"), Some("a1"));
    assert_eq!(ack.header("transaction"), Some(transaction));
    let commit = line.expect(ClientCommand::Commit).await;
    assert_eq!(commit.header("transaction"), Some(transaction));
    assert!(!finish.is_finished(), "nothing was confirmed yet");
    line.confirm(&commit).await;
    assert_eq!(finish.await.unwrap(), Ok(()));
}

#[tokio::test]
async fn status_is_sent_before_final_reply_without_receipt() {
    let (_peer, mut line, session, mut deliveries) = subscribed().await;
    line.deliver("m1", "a1", "call").await;
    let delivery = next(&mut deliveries).await;
    session.send(reply("working")).await.unwrap();
    tokio::spawn(async move { session.finish(&delivery.ack, None).await });
    let status = line.expect(ClientCommand::Send).await;
    assert_eq!(&status.body[..], b"working");
    assert_eq!(status.header("receipt"), None);
    assert_eq!(status.header("content-type"), None);
    let ack = line.expect(ClientCommand::Ack).await;
    assert_eq!((ack.header("id"), ack.header("transaction")), (Some("a1"), None));
}

#[tokio::test]
async fn refused_reply_leaves_delivery_unacknowledged() {
    let (_peer, mut line, session, mut deliveries) = subscribed().await;
    line.deliver("m1", "a1", "call").await;
    let delivery = next(&mut deliveries).await;
    let answering = async {
        line.expect(ClientCommand::Begin).await;
        let send = line.expect(ClientCommand::Send).await;
        line.refuse(&send, "User soar is not authorized to write to: queue://acks").await;
        line.expect(ClientCommand::Abort).await;
        let ack = line.expect(ClientCommand::Ack).await;
        assert_eq!(ack.header("id"), Some("a1"));
        line.confirm(&ack).await;
    };
    let asking = async {
        let refused = session.finish(&delivery.ack, Some(reply("done"))).await.unwrap_err();
        assert!(
            matches!(&refused, NotConfirmed::RefusedByBroker(reason) if reason.contains("not authorized to write"))
        );
        session.finish(&delivery.ack, None).await.unwrap();
    };
    tokio::join!(answering, asking);
    assert_eq!(*session.state().borrow(), State::Subscribed { connection: 1 });
}

#[tokio::test]
async fn unsendable_reply_is_refused() {
    let (_peer, mut line, session, mut deliveries) = subscribed().await;
    line.deliver("m1", "a1", "call").await;
    let delivery = next(&mut deliveries).await;
    let bad = Reply { destination: "acks\0".to_owned(), ..reply("done") };
    assert!(matches!(session.send(bad.clone()).await, Err(NotConfirmed::Refused(_))));
    assert!(matches!(session.finish(&delivery.ack, Some(bad)).await, Err(NotConfirmed::Refused(_))));
    session.send(reply("still here")).await.unwrap();
    line.expect(ClientCommand::Begin).await;
    line.expect(ClientCommand::Abort).await;
    line.expect(ClientCommand::Send).await;
}

#[tokio::test]
async fn finish_is_unconfirmed_if_connection_breaks_before_receipt() {
    let (peer, mut line, session, mut deliveries) = subscribed().await;
    line.deliver("m1", "a1", "call").await;
    let delivery = next(&mut deliveries).await;
    let (finishing, ack) = (session.clone(), delivery.ack.clone());
    let finish = tokio::spawn(async move { finishing.finish(&ack, Some(reply("done"))).await });
    line.expect(ClientCommand::Begin).await;
    let send = line.expect(ClientCommand::Send).await;
    line.confirm(&send).await;
    line.expect(ClientCommand::Ack).await;
    line.expect(ClientCommand::Commit).await;
    drop(line);
    assert_eq!(finish.await.unwrap(), Err(NotConfirmed::ConnectionLost));
    let mut line = peer.serve().await;
    reach(&session, |state| matches!(state, State::Subscribed { connection: 2 })).await;
    assert_eq!(session.finish(&delivery.ack, Some(reply("done"))).await, Err(NotConfirmed::Stale));
    line.deliver("m1", "a2", "call").await;
    let again = next(&mut deliveries).await;
    assert_eq!((again.message_id.as_str(), again.ack.connection()), ("m1", 2));
    assert_ne!(again.ack, delivery.ack);
    let (finishing, ack) = (session.clone(), again.ack.clone());
    tokio::spawn(async move { finishing.finish(&ack, None).await });
    assert_eq!(line.expect(ClientCommand::Ack).await.header("id"), Some("a2"));
}

#[tokio::test]
async fn delivery_not_taken_before_the_break_is_forgotten() {
    let (peer, mut line, session, mut deliveries) = subscribed().await;
    for n in 0..5 {
        line.deliver(&format!("m{n}"), &format!("a{n}"), "call").await;
    }
    assert_eq!(next(&mut deliveries).await.message_id, "m0");
    drop(line);
    let mut line = peer.serve().await;
    reach(&session, |state| matches!(state, State::Subscribed { connection: 2 })).await;
    line.deliver("m1", "b1", "call").await;
    let mut old = 0;
    while next(&mut deliveries).await.ack.connection() == 1 {
        old += 1;
    }
    assert!(old <= 1, "{old} deliveries of a connection that is gone");
}

#[tokio::test]
async fn reply_precedes_acknowledgement_without_transactions() {
    let (peer, options) = broker().await;
    let (session, mut deliveries) = Session::start(options);
    let mut line = peer.accept().await;
    line.log_in("0,0").await;
    let begin = line.expect(ClientCommand::Begin).await;
    line.refuse(&begin, "transactions are not supported").await;
    let subscribe = line.expect(ClientCommand::Subscribe).await;
    line.confirm(&subscribe).await;
    reach(&session, |state| matches!(state, State::Subscribed { connection: 1 })).await;
    line.deliver("m1", "a1", "call").await;
    let delivery = next(&mut deliveries).await;
    let finishing = session.clone();
    let finish = tokio::spawn(async move { finishing.finish(&delivery.ack, Some(reply("done"))).await });
    let send = line.expect(ClientCommand::Send).await;
    assert_eq!(send.header("transaction"), None);
    line.confirm(&send).await;
    let ack = line.expect(ClientCommand::Ack).await;
    assert_eq!((ack.header("id"), ack.header("transaction")), (Some("a1"), None));
    assert!(!finish.is_finished());
    line.confirm(&ack).await;
    assert_eq!(finish.await.unwrap(), Ok(()));
    // A later connection does not ask again.
    drop(line);
    let mut line = peer.accept().await;
    line.log_in("0,0").await;
    line.expect(ClientCommand::Subscribe).await;
}

#[tokio::test]
async fn begin_that_closes_connection_twice_disables_transactions() {
    let (peer, options) = broker().await;
    let (session, _deliveries) = Session::start(options);
    for _ in 0..2 {
        let mut line = peer.accept().await;
        line.log_in("0,0").await;
        line.expect(ClientCommand::Begin).await;
        line.send(error("unknown command")).await;
    }
    let mut line = peer.accept().await;
    line.log_in("0,0").await;
    let subscribe = line.expect(ClientCommand::Subscribe).await;
    line.confirm(&subscribe).await;
    reach(&session, |state| matches!(state, State::Subscribed { connection: 3 })).await;
}

#[tokio::test]
async fn unrelated_error_keeps_the_transactions() {
    let (peer, options) = broker().await;
    let (session, _deliveries) = Session::start(options);
    // Before it ends, and while it goes on.
    let mut line = peer.accept().await;
    line.log_in("0,0").await;
    line.expect(ClientCommand::Begin).await;
    line.send(error("the broker is being stopped")).await;
    drop(line);
    let mut line = peer.accept().await;
    line.log_in("0,0").await;
    let begin = line.expect(ClientCommand::Begin).await;
    let subscribe = line.expect(ClientCommand::Subscribe).await;
    line.send(error("a job of mine failed")).await;
    line.confirm(&begin).await;
    line.confirm(&subscribe).await;
    line.expect(ClientCommand::Abort).await;
    reach(&session, |state| matches!(state, State::Subscribed { connection: 2 })).await;
    drop(line);
    let mut line = peer.accept().await;
    line.log_in("0,0").await;
    line.expect(ClientCommand::Begin).await;
}

#[tokio::test]
async fn error_instead_of_begin_receipt_disables_transactions() {
    let (peer, options) = broker().await;
    let (session, _deliveries) = Session::start(options);
    let mut line = peer.accept().await;
    line.log_in("0,0").await;
    line.expect(ClientCommand::Begin).await;
    line.send(error("unknown command")).await;
    let subscribe = line.expect(ClientCommand::Subscribe).await;
    line.confirm(&subscribe).await;
    reach(&session, |state| matches!(state, State::Subscribed { connection: 1 })).await;
    drop(line);
    let mut line = peer.accept().await;
    line.log_in("0,0").await;
    line.expect(ClientCommand::Subscribe).await;
}

#[tokio::test]
async fn authentication_outage_does_not_disable_transactions() {
    let (peer, options) = broker().await;
    let (session, _deliveries) = Session::start(options);
    let mut line = peer.accept().await;
    line.log_in("0,0").await;
    let begin = line.expect(ClientCommand::Begin).await;
    line.refuse(&begin, "Unable to connect to authentication service").await;
    assert!(matches!(failure(&session).await, Error::AuthenticationUnavailable(_)));
    peer.serve().await;
    reach(&session, |state| matches!(state, State::Subscribed { .. })).await;
}

#[tokio::test]
async fn missing_receipt_ends_connection_after_timeout() {
    let (peer, mut options) = broker().await;
    options.timeout = Duration::from_secs(1);
    let (session, mut deliveries) = Session::start(options);
    let mut line = peer.serve().await;
    line.deliver("m1", "a1", "call").await;
    let delivery = next(&mut deliveries).await;
    assert_eq!(session.finish(&delivery.ack, None).await, Err(NotConfirmed::ConnectionLost));
    assert_eq!(failure(&session).await, Error::Unconfirmed(Duration::from_secs(1)));
}

#[tokio::test]
async fn frames_may_come_in_any_pieces() {
    let (_peer, mut line, _session, mut deliveries) = subscribed().await;
    let wire =
        b"\nMESSAGE\r\nmessage-id:ID\\c1\r\nack:a1\ndestination:/queue/x\ncontent-length:3\n\na\0b\0\n";
    for byte in wire {
        line.send_raw(&[*byte]).await;
    }
    let delivery = next(&mut deliveries).await;
    assert_eq!((delivery.message_id.as_str(), &delivery.body[..]), ("ID:1", &b"a\0b"[..]));
}

#[tokio::test]
async fn without_a_connection_nothing_waits() {
    let (peer, options) = broker().await;
    drop(peer);
    let (session, _deliveries) = Session::start(options);
    failure(&session).await;
    assert_eq!(session.send(reply("status")).await, Err(NotConfirmed::ConnectionLost));
    timeout(PATIENCE, session.disconnect(Duration::from_secs(60))).await.expect("it ends at once");
    reach(&session, |state| *state == State::Closed).await;
    assert_eq!(session.send(reply("status")).await, Err(NotConfirmed::Closed));
}

#[tokio::test]
async fn disconnect_waits_for_pending_confirmations() {
    let (_peer, mut line, session, mut deliveries) = subscribed().await;
    line.deliver("m1", "a1", "call").await;
    let delivery = next(&mut deliveries).await;
    let asking = async {
        let finish = session.finish(&delivery.ack, Some(reply("done")));
        let disconnect = session.disconnect(PATIENCE);
        tokio::join!(biased; finish, disconnect).0
    };
    let answering = async {
        line.expect(ClientCommand::Begin).await;
        let send = line.expect(ClientCommand::Send).await;
        line.confirm(&send).await;
        line.expect(ClientCommand::Ack).await;
        let commit = line.expect(ClientCommand::Commit).await;
        line.confirm(&commit).await;
        let disconnect = line.expect(ClientCommand::Disconnect).await;
        line.confirm(&disconnect).await;
        line.expect_end().await;
    };
    let (finished, ()) = tokio::join!(asking, answering);
    assert_eq!(finished, Ok(()));
    reach(&session, |state| *state == State::Closed).await;
    assert!(deliveries.recv().await.is_none());
}

#[tokio::test]
async fn disconnect_without_receipt_closes_after_timeout() {
    let (_peer, mut line, session, _deliveries) = subscribed().await;
    let start = Instant::now();
    session.disconnect(Duration::from_millis(300)).await;
    assert!((300..3000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    line.expect(ClientCommand::Disconnect).await;
    line.expect_end().await;
}

#[tokio::test]
async fn unread_deliveries_do_not_block_confirmations() {
    let (_peer, mut line, session, mut deliveries) = subscribed().await;
    for n in 0..5 {
        line.deliver(&format!("m{n}"), &format!("a{n}"), "call").await;
    }
    let first = next(&mut deliveries).await;
    let finishing = session.clone();
    let finish = tokio::spawn(async move { finishing.finish(&first.ack, None).await });
    let ack = line.expect(ClientCommand::Ack).await;
    line.confirm(&ack).await;
    assert_eq!(finish.await.unwrap(), Ok(()));
    for n in 1..5 {
        assert_eq!(next(&mut deliveries).await.message_id, format!("m{n}"));
    }
}

#[tokio::test]
async fn session_stops_reading_when_broker_ignores_prefetch() {
    let (_peer, mut line, _session, mut deliveries) = subscribed().await;
    let body = "x".repeat(1024 * 1024);
    let mut handed_out = 0;
    // Until the session has stopped reading and the sockets' buffers are full.
    while timeout(Duration::from_secs(1), line.deliver("m", "a", &body)).await.is_ok() {
        handed_out += 1;
        assert!(handed_out < 60, "the session takes everything");
    }
    assert!(handed_out >= 5, "the prefetch is not used");
    assert_eq!(next(&mut deliveries).await.message_id, "m");
}

#[test]
fn debug_output_of_frames_and_replies_hides_secrets() {
    let frame = message("m1", "a1")
        .with_header("Co3ContextToken", "eyJ-token")
        .with_header("passcode", "hush")
        .with_body("mail content");
    let shown = format!("{frame:?} {:?} {:?}", frame.headers, reply("mail content"));
    for secret in ["eyJ-token", "hush", "mail content"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[tokio::test]
async fn liveness_check_waits_until_deliveries_are_received() {
    let (_peer, mut line, session, mut deliveries) = subscribed().await;
    assert!(session.answers().await);
    line.deliver("m1", "a1", "call").await;
    poll(async || if deliveries.is_empty() { Err("no delivery".to_owned()) } else { Ok(()) }).await;
    let knocking = session.clone();
    let (asks, asked) = tokio::sync::oneshot::channel();
    let knock = tokio::spawn(async move {
        let answer = std::pin::pin!(knocking.answers());
        // Polled once before the test goes on, so it is asked before what the test asks next.
        let answer = futures_util::future::select(answer, std::future::ready(()));
        let pending = match answer.await {
            futures_util::future::Either::Left((answered, _)) => return answered,
            futures_util::future::Either::Right(((), pending)) => pending,
        };
        asks.send(()).unwrap();
        pending.await
    });
    asked.await.unwrap();
    // The session goes on without a receiver.
    session.send(reply("working")).await.unwrap();
    line.expect(ClientCommand::Send).await;
    assert!(!knock.is_finished());
    next(&mut deliveries).await;
    assert!(timeout(PATIENCE, knock).await.unwrap().unwrap());
}

#[tokio::test]
async fn unconnected_session_is_alive_until_it_is_closed() {
    let (peer, options) = broker().await;
    let (session, _deliveries) = Session::start(options);
    let connecting = peer.accept_tcp().await;
    assert!(session.answers().await);
    drop(connecting);
    session.disconnect(PATIENCE).await;
    assert!(!session.answers().await);
}
