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

#[tokio::test]
async fn a_silent_broker_is_noticed_and_left() {
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
async fn a_broker_that_sends_heart_beats_is_kept() {
    let (peer, mut options) = broker().await;
    options.heart_beat.expect = Duration::from_millis(600);
    let (session, mut deliveries) = Session::start(options);
    let mut line = peer.accept().await;
    line.log_in("600,0").await;
    line.accept_subscriptions().await;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(3) {
        line.beat().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    line.deliver("m1", "a1", "call").await;
    assert_eq!(next(&mut deliveries).await.ack.connection(), 1);
    drop(session);
}

#[tokio::test]
async fn a_frame_that_takes_long_to_come_is_a_sign_of_life() {
    let (peer, mut options) = broker().await;
    options.heart_beat.expect = Duration::from_millis(600);
    let (_session, mut deliveries) = Session::start(options);
    let mut line = peer.accept().await;
    line.log_in("600,0").await;
    line.accept_subscriptions().await;
    line.send_raw(b"MESSAGE\nmessage-id:m1\nack:a1\ndestination:/queue/x\n\n").await;
    for _ in 0..150 {
        line.send_raw(b"x").await;
        tokio::time::sleep(Duration::from_millis(20)).await;
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
async fn an_untrusted_certificate_is_refused() {
    let authority = Authority::new();
    let peer = Peer::new(&Authority::new().vouch_for(&["localhost"])).await;
    let (session, _deliveries) = Session::start(options(&peer, &authority));
    let accepting = tokio::spawn(async move { peer.accept().await });
    let failure = failure(&session).await;
    assert!(matches!(&failure, Error::Untrusted { reason, .. } if reason.contains("signed")), "{failure}");
    accepting.abort();
}

#[tokio::test]
async fn a_certificate_for_another_host_or_another_time_is_refused() {
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
async fn a_broker_that_is_not_there_is_waited_for() {
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
async fn a_refused_login_is_reported_and_tried_again_and_the_passcode_is_not_shown() {
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
async fn a_login_that_cannot_be_sent_is_a_refused_one() {
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
async fn an_authentication_service_that_is_away_is_not_a_wrong_password() {
    let (peer, options) = broker().await;
    let (session, _deliveries) = Session::start(options);
    let mut line = peer.accept().await;
    line.expect(ClientCommand::Connect).await;
    line.send(error("Login failed: unable to connect to authentication service")).await;
    assert!(matches!(failure(&session).await, Error::AuthenticationUnavailable(_)));
}

#[tokio::test]
async fn a_queue_we_may_not_read_is_named() {
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
async fn an_error_frame_is_why_the_connection_ended() {
    let (_peer, mut line, session, _deliveries) = subscribed().await;
    line.send(error("Store is full").with_body("Store is full: 100% of 1 GB\nat java.lang.Thread")).await;
    drop(line);
    let failure = failure(&session).await;
    assert!(matches!(&failure, Error::Broker(text) if text.starts_with("Store is full")), "{failure}");
    assert!(!failure.to_string().contains("java.lang"), "{failure}");
}

#[tokio::test]
async fn an_error_frame_about_nothing_in_particular_does_not_end_a_connection_that_goes_on() {
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
async fn what_is_no_stomp_ends_the_connection_only() {
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
async fn a_message_that_cannot_be_read_whole_is_delivered_as_such_and_the_connection_goes_on() {
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
async fn a_connection_that_hangs_in_the_making_does_not_keep_us_from_a_broker_that_is_back() {
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
async fn a_lost_connect_is_sent_again_at_once_on_another_connection() {
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
