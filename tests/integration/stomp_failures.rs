//! Promise: whatever a broker or the network does, the session says what is wrong and comes back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::peer::{Peer, error};
use crate::support::session::{QUEUE, broker, failure, next, options, reach, subscribed};
use crate::support::tls::Authority;
use net::tls::client_config;
use net::{Backoff, Jitter};
use net::{Secret, Trust};
use stomp::{ClientCommand, Error, Frame, Received, ServerCommand, Session, State};
use tokio::time::interval;

#[tokio::test]
async fn silent_broker_causes_reconnect() {
    let (peer, mut options) = broker().await;
    options.heart_beat.expect = Duration::from_millis(100);
    let (session, _deliveries) = Session::start(options);
    let mut line = peer.accept().await;
    line.log_in("100,0").await;
    line.accept_subscriptions().await;
    let silence = Instant::now();
    assert_eq!(failure(&session).await, Error::Silent(Duration::from_millis(300)));
    assert!(silence.elapsed() >= Duration::from_millis(290), "{:?}", silence.elapsed());
    peer.serve().await;
    reach(&session, |state| matches!(state, State::Subscribed { connection: 2 })).await;
}

#[tokio::test]
async fn heart_beats_keep_connection_open() {
    let (peer, mut options) = broker().await;
    options.heart_beat.expect = Duration::from_millis(600);
    let (session, mut deliveries) = Session::start(options);
    let mut line = peer.accept().await;
    line.log_in("600,0").await;
    line.accept_subscriptions().await;
    let mut beats = interval(Duration::from_millis(20));
    for _ in 0..150 {
        beats.tick().await;
        line.beat().await;
    }
    line.deliver("m1", "a1", "call").await;
    assert_eq!(next(&mut deliveries).await.ack.connection(), 1);
    drop(session);
}

#[tokio::test]
async fn slow_frame_counts_as_heart_beat() {
    let (peer, mut options) = broker().await;
    options.heart_beat.expect = Duration::from_millis(600);
    let (_session, mut deliveries) = Session::start(options);
    let mut line = peer.accept().await;
    line.log_in("600,0").await;
    line.accept_subscriptions().await;
    line.send_raw(b"MESSAGE\nmessage-id:m1\nack:a1\ndestination:/queue/x\n\n").await;
    let mut bytes = interval(Duration::from_millis(20));
    for _ in 0..150 {
        bytes.tick().await;
        line.send_raw(b"x").await;
    }
    line.send_raw(b"\0").await;
    assert_eq!(next(&mut deliveries).await.body.len(), 150);
}

#[tokio::test]
async fn we_send_the_heart_beats_the_broker_asks_for() {
    let (peer, mut options) = broker().await;
    options.heart_beat.send = Duration::from_secs(2);
    let (_session, _deliveries) = Session::start(options);
    let mut line = peer.accept().await;
    // The larger of the two numbers holds.
    line.log_in("0,50").await;
    line.accept_subscriptions().await;
    let mut last = Instant::now();
    for _ in 0..3 {
        assert_eq!(line.receive().await, Some(Received::HeartBeat));
        assert!(last.elapsed() < Duration::from_secs(2), "{:?}", last.elapsed());
        last = Instant::now();
    }
}

#[tokio::test]
async fn untrusted_certificate_is_rejected() {
    let authority = Authority::new();
    let peer = Peer::new(&Authority::new().vouch_for(&["localhost"])).await;
    let (session, _deliveries) = Session::start(options(&peer, &authority));
    let accepting = tokio::spawn(async move { peer.accept().await });
    let failure = failure(&session).await;
    assert!(matches!(&failure, Error::Untrusted { reason, .. } if reason.contains("signed")), "{failure}");
    accepting.abort();
}

#[tokio::test]
async fn wrong_host_or_expired_certificate_is_rejected() {
    let authority = Authority::new();
    for (identity, words) in [
        (authority.vouch_for(&["broker.example"]), "host name"),
        (authority.vouched_for_long_ago(&["localhost"]), "expired"),
    ] {
        let peer = Peer::new(&identity).await;
        let (session, _deliveries) = Session::start(options(&peer, &authority));
        let accepting = tokio::spawn(async move { peer.accept().await });
        let failure = failure(&session).await;
        assert!(matches!(&failure, Error::Untrusted { reason, .. } if reason.contains(words)), "{failure}");
        accepting.abort();
    }
}

#[tokio::test]
async fn any_certificate_is_believed_where_that_is_asked_for() {
    let authority = Authority::new();
    let peer = Peer::new(&authority.vouch_for(&["broker.example"])).await;
    let mut options = options(&peer, &authority);
    options.tls = Arc::new(client_config(&Trust::Insecure, None).unwrap());
    let (session, _deliveries) = Session::start(options);
    let _line = peer.serve().await;
    reach(&session, |state| matches!(state, State::Subscribed { .. })).await;
}

#[tokio::test]
async fn unreachable_broker_is_reported_and_retried() {
    let (peer, options) = broker().await;
    let port = peer.port();
    drop(peer);
    let (session, _deliveries) = Session::start(options);
    let failure = failure(&session).await;
    let address = format!("localhost:{port}");
    assert!(matches!(&failure, Error::Unreachable { address: a, .. } if *a == address), "{failure}");
    reach(&session, |state| matches!(state, State::Connecting { failures: 3.., .. })).await;
}

#[tokio::test]
async fn peer_without_tls_differs_from_an_untrusted_one() {
    let (peer, options) = broker().await;
    let (session, _deliveries) = Session::start(options);
    let stream = peer.accept_tcp().await;
    stream.writable().await.unwrap();
    stream.try_write(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    let failure = failure(&session).await;
    assert!(matches!(failure, Error::Tls { .. }), "{failure}");
}

#[tokio::test]
async fn refused_login_is_retried_and_hides_passcode() {
    let (peer, options) = broker().await;
    let (session, _deliveries) = Session::start(options);
    let mut line = peer.accept().await;
    line.expect(ClientCommand::Connect).await;
    // As ActiveMQ writes it: unescaped, since no version is agreed on.
    line.send_raw(
        b"ERROR\nmessage:User name [corp\\key] or password [pass:code\\] is invalid.\n\nUser name\n\0",
    )
    .await;
    drop(line);
    let failure = failure(&session).await;
    assert!(matches!(failure, Error::LoginRefused(_)), "{failure:?}");
    let words = failure.to_string();
    assert!(words.contains("is invalid") && !words.contains("pass:code"), "{words}");
    peer.serve().await;
    reach(&session, |state| matches!(state, State::Subscribed { connection: 1 })).await;
}

#[tokio::test]
async fn unsendable_login_is_reported_as_refused() {
    let (peer, mut options) = broker().await;
    options.passcode = Secret::new("two\nlines");
    let (session, _deliveries) = Session::start(options);
    let accepting = tokio::spawn(async move { peer.accept().await });
    let failure = failure(&session).await;
    assert!(matches!(&failure, Error::LoginRefused(_)), "{failure}");
    assert!(!failure.to_string().contains("two"));
    accepting.await.unwrap();
}

#[tokio::test]
async fn authentication_outage_is_not_reported_as_refused_login() {
    let (peer, options) = broker().await;
    let (session, _deliveries) = Session::start(options);
    let mut line = peer.accept().await;
    line.expect(ClientCommand::Connect).await;
    line.send(error("Login failed: unable to connect to authentication service")).await;
    assert!(matches!(failure(&session).await, Error::AuthenticationUnavailable(_)));
}

#[tokio::test]
async fn queue_without_read_permission_is_named_in_error() {
    let (peer, options) = broker().await;
    let (session, _deliveries) = Session::start(options);
    let mut line = peer.accept().await;
    line.log_in("0,0").await;
    let begin = line.expect(ClientCommand::Begin).await;
    line.confirm(&begin).await;
    let subscribe = line.expect(ClientCommand::Subscribe).await;
    line.refuse(&subscribe, "User soar is not authorized to read from: queue://actions.201.fn").await;
    let failure = failure(&session).await;
    assert!(
        matches!(&failure, Error::NotAuthorized { destination, .. } if destination == QUEUE),
        "{failure}"
    );
}

#[tokio::test]
async fn error_frame_is_reported_as_cause_of_disconnect() {
    let (_peer, mut line, session, _deliveries) = subscribed().await;
    line.send(error("Store is full").with_body("Store is full: 100% of 1 GB\nat java.lang.Thread")).await;
    drop(line);
    let failure = failure(&session).await;
    assert!(matches!(&failure, Error::Broker(text) if text.starts_with("Store is full")), "{failure}");
    assert!(!failure.to_string().contains("java.lang"), "{failure}");
}

#[tokio::test]
async fn unrelated_error_frame_does_not_end_connection() {
    let (_peer, mut line, session, mut deliveries) = subscribed().await;
    line.send(error("a status message was not wanted")).await;
    line.deliver("m1", "a1", "call").await;
    assert_eq!(next(&mut deliveries).await.ack.connection(), 1);
    assert_eq!(*session.state().borrow(), State::Subscribed { connection: 1 });
}

#[tokio::test]
async fn another_version_of_stomp_is_refused() {
    let (peer, options) = broker().await;
    let (session, _deliveries) = Session::start(options);
    let mut line = peer.accept().await;
    line.expect(ClientCommand::Connect).await;
    line.send(Frame::new(ServerCommand::Connected).with_header("version", "1.1")).await;
    assert_eq!(failure(&session).await, Error::Version("1.1".to_owned()));
}

#[tokio::test]
async fn invalid_frame_ends_only_its_connection() {
    let (peer, mut line, session, mut deliveries) = subscribed().await;
    line.send_raw(b"MESSAGE\nmessage-id:m1\n\nno ack\0").await;
    assert!(matches!(failure(&session).await, Error::Protocol(_)));
    let mut line = peer.serve().await;
    line.send_raw(b"\x16\x03\x01\x02\x00\n").await;
    line.expect_end().await;
    let mut line = peer.serve().await;
    line.deliver("m1", "a1", "call").await;
    assert_eq!(next(&mut deliveries).await.ack.connection(), 3);
}

#[tokio::test]
async fn damaged_message_is_delivered_and_connection_continues() {
    let (_peer, mut line, session, mut deliveries) = subscribed().await;
    line.send_raw(b"MESSAGE\nack:a1\nmessage-id:\\x\ndestination:/queue/x\nreply-to:/queue/y\n\nbody\0")
        .await;
    let damaged = next(&mut deliveries).await;
    assert!(damaged.damage.is_some_and(|damage| damage.contains("escape")));
    assert_eq!((damaged.message_id.as_str(), damaged.reply_to.as_deref()), ("a1", Some("/queue/y")));
    let acknowledging = tokio::spawn({
        let session = session.clone();
        async move { session.finish(&damaged.ack, None).await }
    });
    assert_eq!(line.expect(ClientCommand::Ack).await.header("id"), Some("a1"));
    line.deliver("m2", "a2", "call").await;
    assert_eq!(next(&mut deliveries).await.damage, None);
    assert_eq!(*session.state().borrow(), State::Subscribed { connection: 1 });
    acknowledging.abort();
}

#[tokio::test]
async fn hanging_handshake_does_not_block_second_connection() {
    let (peer, options) = broker().await;
    let (session, _deliveries) = Session::start(options);
    // Something takes connections while the broker is away, and holds on to them.
    let hanging = peer.accept_tcp().await;
    let mut line = peer.accept().await;
    let mut hello = [0; 4096];
    let has_ended = loop {
        match hanging.try_read(&mut hello) {
            Ok(0) => break true,
            Ok(_) => {}
            Err(nothing_more) => break nothing_more.kind() != std::io::ErrorKind::WouldBlock,
        }
    };
    assert!(!has_ended, "the second is made beside the first, not after it");
    line.log_in("0,0").await;
    line.accept_subscriptions().await;
    reach(&session, |state| matches!(state, State::Subscribed { .. })).await;
}

#[tokio::test]
async fn lost_connect_is_retried_at_once_on_new_connection() {
    let (peer, mut options) = broker().await;
    options.reconnect = Backoff::new(Duration::from_secs(60), Duration::from_secs(60), Jitter::Shorter(0.5));
    let (session, _deliveries) = Session::start(options);
    let mut deaf = peer.accept().await;
    deaf.expect(ClientCommand::Connect).await;
    let start = Instant::now();
    deaf.expect_end().await;
    let _line = peer.serve().await;
    // The wait after a failure would be at least half of the 60 s.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    reach(&session, |state| matches!(state, State::Subscribed { connection: 1 })).await;
}
