//! The sandbox's broker keeps to what a consumer of SOAR's queues meets at ActiveMQ 5.17.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use net::Trust;
use net::tls::client_config;
use rustls::ClientConfig;
use sandbox::certificates::Certificates;
use sandbox::soar::broker::{Broker, CommitFault, User};
use stomp::{ClientCommand, Frame, FrameCodec, HeartBeat, Received, ServerCommand};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::codec::Framed;

/// Long enough for anything that is to happen.
const SOON: Duration = Duration::from_secs(10);
/// Long enough to believe that nothing more happens on loopback.
const A_WHILE: Duration = Duration::from_millis(150);
const QUEUE: &str = "actions.201.fn_exchange_online";

struct Setting {
    broker: Broker,
    tls: Arc<ClientConfig>,
}

impl Setting {
    fn new() -> Self {
        let certificates = Certificates::generate().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let ca = directory.path().join("ca.pem");
        std::fs::write(&ca, certificates.ca_pem()).unwrap();
        let tls = Arc::new(client_config(&Trust::SystemAnd(ca), None).unwrap());
        let users = vec![User::new("app", "s3cret"), User::new("soar", "other")];
        let broker = Broker::start(0, users, certificates.server_config(&[])).unwrap();
        Self { broker, tls }
    }

    async fn tls(&self) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.broker.address()).await.unwrap();
        let name = "localhost".try_into().unwrap();
        TlsConnector::from(self.tls.clone()).connect(name, stream).await.unwrap()
    }

    async fn connect(&self, login: &str, passcode: &str, heart_beat: &str) -> Client {
        let mut client = Client(Framed::new(self.tls().await, FrameCodec::new()));
        client
            .send(
                Frame::new(ClientCommand::Connect)
                    .with_header("accept-version", "1.2")
                    .with_header("host", "localhost")
                    .with_header("heart-beat", heart_beat)
                    .with_header("login", login)
                    .with_header("passcode", passcode),
            )
            .await;
        client
    }

    async fn client(&self) -> Client {
        let mut client = self.connect("app", "s3cret", "0,0").await;
        assert_eq!(client.next().await.command, ServerCommand::Connected);
        client
    }
}

struct Client(Framed<TlsStream<TcpStream>, FrameCodec<ServerCommand>>);

impl Client {
    async fn send(&mut self, frame: Frame<ClientCommand>) {
        self.0.send(frame).await.unwrap();
    }

    /// The next frame, which must come soon.
    async fn next(&mut self) -> Frame<ServerCommand> {
        loop {
            match timeout(SOON, self.0.next()).await.expect("nothing comes").expect("closed").unwrap() {
                Received::Frame(frame) => return frame,
                Received::HeartBeat => {}
            }
        }
    }

    async fn message(&mut self) -> Frame<ServerCommand> {
        let frame = self.next().await;
        assert_eq!(frame.command, ServerCommand::Message, "{frame:?}");
        frame
    }

    async fn error(&mut self) -> String {
        let frame = self.next().await;
        assert_eq!(frame.command, ServerCommand::Error, "{frame:?}");
        frame.header("message").unwrap().to_owned()
    }

    /// Waits for the end of the connection, in which nothing more comes.
    async fn closed(&mut self) {
        match timeout(SOON, self.0.next()).await.expect("stays open") {
            None | Some(Err(_)) => {}
            Some(Ok(other)) => panic!("{other:?}"),
        }
    }

    /// Checks that nothing comes for a while.
    async fn silent(&mut self) {
        if let Ok(got) = timeout(A_WHILE, self.0.next()).await {
            panic!("{got:?}");
        }
    }

    /// Sends a frame and waits for its receipt; returns the messages that come before it.
    async fn confirmed(&mut self, frame: Frame<ClientCommand>) -> Vec<Frame<ServerCommand>> {
        self.send(frame.with_header("receipt", "r-1")).await;
        let mut before = Vec::new();
        loop {
            let frame = self.next().await;
            match frame.command {
                ServerCommand::Message => before.push(frame),
                ServerCommand::Receipt => {
                    assert_eq!(frame.header("receipt-id"), Some("r-1"));
                    return before;
                }
                _ => panic!("{frame:?}"),
            }
        }
    }

    async fn subscribe(&mut self, queue: &str, mode: &str, prefetch: usize) {
        self.send(
            Frame::new(ClientCommand::Subscribe)
                .with_header("id", queue)
                .with_header("destination", queue)
                .with_header("ack", mode)
                .with_header("activemq.prefetchSize", prefetch.to_string()),
        )
        .await;
    }

    async fn put(&mut self, queue: &str, body: &str) {
        self.confirmed(send(queue, body)).await;
    }

    async fn ack(&mut self, message: &Frame<ServerCommand>) -> Vec<Frame<ServerCommand>> {
        self.confirmed(ack(message)).await
    }
}

fn send(queue: &str, body: &str) -> Frame<ClientCommand> {
    Frame::new(ClientCommand::Send)
        .with_header("destination", queue)
        .with_header("persistent", "true")
        .with_body(body.to_owned())
}

fn ack(message: &Frame<ServerCommand>) -> Frame<ClientCommand> {
    Frame::new(ClientCommand::Ack).with_header("id", message.header("ack").expect("no ack header"))
}

fn transaction(command: ClientCommand) -> Frame<ClientCommand> {
    Frame::new(command).with_header("transaction", "t1")
}

fn body(frame: &Frame<ServerCommand>) -> &str {
    std::str::from_utf8(&frame.body).unwrap()
}

#[tokio::test]
async fn a_good_login_is_answered_with_the_version_and_the_heart_beats_asked_for() {
    let setting = Setting::new();
    let mut client = setting.connect("app", "s3cret", "0,15000").await;
    let connected = client.next().await;
    assert_eq!(connected.command, ServerCommand::Connected);
    assert_eq!(connected.header("version"), Some("1.2"));
    assert_eq!(connected.header("heart-beat"), Some("15000,0"));
    assert!(connected.header("session").is_some());
}

#[tokio::test]
async fn a_wrong_passcode_is_refused_in_activemqs_words_and_the_connection_closed() {
    let setting = Setting::new();
    let mut client = setting.connect("app", "wrong", "0,0").await;
    assert_eq!(client.error().await, "User name [app] or password is invalid.");
    client.closed().await;
}

#[tokio::test]
async fn logins_can_be_refused_for_a_time() {
    let setting = Setting::new();
    setting.broker.refuse_logins(Some("unable to connect to authentication service"));
    let mut client = setting.connect("app", "s3cret", "0,0").await;
    assert_eq!(client.error().await, "unable to connect to authentication service");
    client.closed().await;
    setting.broker.refuse_logins(None);
    setting.client().await;
}

#[tokio::test]
async fn a_frame_before_connect_and_a_version_it_does_not_speak_are_refused() {
    let setting = Setting::new();
    let mut client = Client(Framed::new(setting.tls().await, FrameCodec::new()));
    client.send(send(QUEUE, "too early")).await;
    assert_eq!(client.error().await, "Not connected.");
    client.closed().await;

    let mut client = Client(Framed::new(setting.tls().await, FrameCodec::new()));
    client.send(Frame::new(ClientCommand::Connect).with_header("accept-version", "1.0,1.1")).await;
    assert_eq!(client.error().await, "Supported protocol versions are 1.2");
    client.closed().await;
}

#[tokio::test]
async fn heart_beats_are_sent_as_promised() {
    let setting = Setting::new();
    let mut client = setting.connect("app", "s3cret", "0,50").await;
    client.next().await;
    for _ in 0..3 {
        let got = timeout(SOON, client.0.next()).await.unwrap().unwrap().unwrap();
        assert_eq!(got, Received::HeartBeat);
    }
}

#[tokio::test]
async fn a_client_that_breaks_its_promise_of_heart_beats_is_left() {
    let setting = Setting::new();
    let mut silent = setting.connect("app", "s3cret", "100,0").await;
    silent.next().await;
    let mut lively = setting.connect("app", "s3cret", "1000,0").await;
    lively.next().await;
    silent.closed().await;
    lively.0.send(HeartBeat).await.unwrap();
    lively.put(QUEUE, "still here").await;
    assert_eq!(setting.broker.heart_beats(), 1);
}

#[tokio::test]
async fn a_name_with_and_without_the_queue_prefix_is_one_queue() {
    let setting = Setting::new();
    let mut client = setting.client().await;
    client.put(&format!("/queue/{QUEUE}"), "a").await;
    client.put(QUEUE, "b").await;
    assert_eq!(setting.broker.queue_depth(QUEUE), 2);
    client.subscribe(QUEUE, "client-individual", 10).await;
    for expected in ["a", "b"] {
        let message = client.message().await;
        assert_eq!(body(&message), expected);
        assert_eq!(message.header("destination"), Some(format!("/queue/{QUEUE}").as_str()));
        assert_eq!(message.header("subscription"), Some(QUEUE));
    }
}

#[tokio::test]
async fn headers_pass_through_and_are_escaped_on_the_wire() {
    let setting = Setting::new();
    let mut sender = setting.client().await;
    let mut frame = send(QUEUE, "{}")
        .with_header("correlation-id", "invid:7")
        .with_header("reply-to", "/queue/acks.201.fn_exchange_online")
        .with_header("Co3ContextToken", "a\\b:c\nd")
        .with_header("JMSXUserID", "somebody else");
    frame.body = Bytes::from_static(b"a\0b");
    sender.confirmed(frame).await;

    let mut stream = setting.tls().await;
    let dialogue = format!(
        "CONNECT\naccept-version:1.2\nlogin:app\npasscode:s3cret\n\n\0\
         SUBSCRIBE\nid:1\ndestination:{QUEUE}\nack:client-individual\n\n\0"
    );
    stream.write_all(dialogue.as_bytes()).await.unwrap();
    let mut wire = Vec::new();
    let complete = async {
        while !wire.ends_with(b"a\0b\0") {
            let mut chunk = [0; 4096];
            let count = stream.read(&mut chunk).await.unwrap();
            assert_ne!(count, 0);
            wire.extend_from_slice(&chunk[..count]);
        }
    };
    timeout(SOON, complete).await.unwrap();
    let wire = String::from_utf8(wire).unwrap();
    for line in [
        "correlation-id:invid\\c7",
        "reply-to:/queue/acks.201.fn_exchange_online",
        "Co3ContextToken:a\\\\b\\cc\\nd",
        "message-id:ID\\c",
        "ack:ID\\c",
        "persistent:true",
        "priority:4",
        "expires:0",
        "JMSXUserID:app",
        "content-length:3",
    ] {
        assert!(wire.contains(&format!("\n{line}")), "{line} is not in {wire}");
    }
    assert!(!wire.contains("redelivered") && !wire.contains("receipt"), "{wire}");
}

#[tokio::test]
async fn no_more_than_the_prefetch_is_in_hand_and_an_ack_makes_room() {
    let setting = Setting::new();
    let mut client = setting.client().await;
    for body in ["1", "2", "3"] {
        client.put(QUEUE, body).await;
    }
    client.subscribe(QUEUE, "client-individual", 2).await;
    let first = client.message().await;
    let second = client.message().await;
    client.silent().await;
    assert_eq!((setting.broker.queue_depth(QUEUE), setting.broker.unacknowledged(QUEUE)), (3, 2));
    // Each for itself: the second, not the first.
    let mut after = client.ack(&second).await;
    if after.is_empty() {
        after.push(client.message().await);
    }
    assert_eq!(body(&after[0]), "3");
    assert_eq!((setting.broker.queue_depth(QUEUE), setting.broker.unacknowledged(QUEUE)), (2, 2));
    client.ack(&first).await;
    client.ack(&after[0]).await;
    assert_eq!(setting.broker.queue_depth(QUEUE), 0);
}

#[tokio::test]
async fn with_ack_client_an_ack_counts_for_all_before_it() {
    let setting = Setting::new();
    let mut client = setting.client().await;
    for body in ["1", "2", "3"] {
        client.put(QUEUE, body).await;
    }
    client.subscribe(QUEUE, "client", 10).await;
    client.message().await;
    let second = client.message().await;
    client.message().await;
    client.ack(&second).await;
    assert_eq!(setting.broker.queue_depth(QUEUE), 1);
}

#[tokio::test]
async fn with_ack_auto_a_message_is_gone_with_being_sent() {
    let setting = Setting::new();
    let mut client = setting.client().await;
    client.put(QUEUE, "x").await;
    client.subscribe(QUEUE, "auto", 1).await;
    let message = client.message().await;
    assert_eq!(message.header("ack"), None);
    assert_eq!(setting.broker.queue_depth(QUEUE), 0);
}

#[tokio::test]
async fn what_a_lost_consumer_had_in_hand_comes_again_marked_under_the_same_id() {
    let setting = Setting::new();
    let mut client = setting.client().await;
    client.put(QUEUE, "worked on").await;
    client.put(QUEUE, "only prefetched").await;
    client.put(QUEUE, "never handed out").await;
    client.subscribe(QUEUE, "client-individual", 2).await;
    let before = [client.message().await, client.message().await];
    assert!(before.iter().all(|m| m.header("redelivered").is_none()));
    setting.broker.cut_connections();
    client.closed().await;
    assert_eq!((setting.broker.consumers(QUEUE), setting.broker.queue_depth(QUEUE)), (0, 3));

    let mut next = setting.client().await;
    next.subscribe(QUEUE, "client-individual", 10).await;
    for before in &before {
        let again = next.message().await;
        assert_eq!(body(&again), body(before));
        assert_eq!(again.header("redelivered"), Some("true"));
        assert_eq!(again.header("message-id"), before.header("message-id"));
        assert_ne!(again.header("ack"), before.header("ack"));
    }
    assert_eq!(next.message().await.header("redelivered"), None);
    // The old acknowledgement is worth nothing now; the connection survives the mistake.
    next.send(ack(&before[0])).await;
    assert_eq!(next.error().await, "Unexpected ACK received for message-id [null]");
    next.put("elsewhere", "alive").await;
}

#[tokio::test]
async fn a_consumer_that_says_goodbye_or_unsubscribes_gives_back_what_it_had() {
    let setting = Setting::new();
    let mut client = setting.client().await;
    client.put(QUEUE, "x").await;
    client.subscribe(QUEUE, "client-individual", 10).await;
    client.message().await;
    client.confirmed(Frame::new(ClientCommand::Disconnect)).await;
    client.closed().await;

    let mut next = setting.client().await;
    next.subscribe(QUEUE, "client-individual", 10).await;
    assert_eq!(next.message().await.header("redelivered"), Some("true"));
    next.confirmed(Frame::new(ClientCommand::Unsubscribe).with_header("id", QUEUE)).await;
    assert_eq!((setting.broker.consumers(QUEUE), setting.broker.unacknowledged(QUEUE)), (0, 0));
    next.send(Frame::new(ClientCommand::Unsubscribe).with_header("id", QUEUE)).await;
    assert_eq!(next.error().await, "No subscription matched.");
}

#[tokio::test]
async fn a_transaction_shows_nothing_before_its_commit_and_all_after_it() {
    let setting = Setting::new();
    let mut soar = setting.client().await;
    soar.subscribe("acks", "client-individual", 10).await;
    let mut client = setting.client().await;
    client.put(QUEUE, "call").await;
    client.subscribe(QUEUE, "client-individual", 1).await;
    let call = client.message().await;
    client.put(QUEUE, "next call").await;
    client.send(transaction(ClientCommand::Begin)).await;
    client.send(send("acks", "reply").with_header("transaction", "t1")).await;
    let early = client.confirmed(ack(&call).with_header("transaction", "t1")).await;
    soar.silent().await;
    assert_eq!(setting.broker.queue_depth("acks"), 0);
    assert_eq!(setting.broker.queue_depth(QUEUE), 2);
    let refill = client.confirmed(transaction(ClientCommand::Commit)).await;
    assert_eq!(body(&soar.message().await), "reply");
    assert_eq!(setting.broker.queue_depth(QUEUE), 1);
    let refill: Vec<_> = early.iter().chain(&refill).map(body).collect();
    assert_eq!(refill, ["next call"]);
}

#[tokio::test]
async fn a_transaction_that_loses_its_connection_never_happened() {
    let setting = Setting::new();
    let mut client = setting.client().await;
    client.put(QUEUE, "call").await;
    client.subscribe(QUEUE, "client-individual", 1).await;
    let call = client.message().await;
    client.send(transaction(ClientCommand::Begin)).await;
    client.send(send("acks", "reply").with_header("transaction", "t1")).await;
    client.confirmed(ack(&call).with_header("transaction", "t1")).await;
    setting.broker.break_commit(CommitFault::CutBefore);
    client.send(transaction(ClientCommand::Commit).with_header("receipt", "c")).await;
    client.closed().await;
    assert_eq!((setting.broker.queue_depth("acks"), setting.broker.queue_depth(QUEUE)), (0, 1));
    let mut next = setting.client().await;
    next.subscribe(QUEUE, "client-individual", 1).await;
    assert_eq!(next.message().await.header("redelivered"), Some("true"));
}

#[tokio::test]
async fn a_commit_can_be_done_and_its_receipt_lost() {
    let setting = Setting::new();
    let mut client = setting.client().await;
    client.put(QUEUE, "call").await;
    client.subscribe(QUEUE, "client-individual", 1).await;
    let call = client.message().await;
    client.send(transaction(ClientCommand::Begin)).await;
    client.send(send("acks", "reply").with_header("transaction", "t1")).await;
    client.send(ack(&call).with_header("transaction", "t1")).await;
    setting.broker.break_commit(CommitFault::CutAfter);
    client.send(transaction(ClientCommand::Commit).with_header("receipt", "c")).await;
    client.closed().await;
    assert_eq!((setting.broker.queue_depth("acks"), setting.broker.queue_depth(QUEUE)), (1, 0));
}

#[tokio::test]
async fn an_aborted_transaction_leaves_the_message_in_hand_to_be_acknowledged_again() {
    let setting = Setting::new();
    let mut client = setting.client().await;
    client.put(QUEUE, "call").await;
    client.subscribe(QUEUE, "client-individual", 1).await;
    let call = client.message().await;
    client.send(transaction(ClientCommand::Begin)).await;
    client.send(send("acks", "reply").with_header("transaction", "t1")).await;
    client.send(ack(&call).with_header("transaction", "t1")).await;
    client.confirmed(transaction(ClientCommand::Abort)).await;
    assert_eq!((setting.broker.queue_depth("acks"), setting.broker.queue_depth(QUEUE)), (0, 1));
    client.ack(&call).await;
    assert_eq!(setting.broker.queue_depth(QUEUE), 0);
}

#[tokio::test]
async fn transactions_that_are_not_open_or_open_already_are_refused() {
    let setting = Setting::new();
    let mut client = setting.client().await;
    client.send(transaction(ClientCommand::Commit)).await;
    assert_eq!(client.error().await, "Invalid transaction id: t1");
    client.send(send(QUEUE, "x").with_header("transaction", "t1")).await;
    assert_eq!(client.error().await, "Invalid transaction id: t1");
    client.send(transaction(ClientCommand::Begin)).await;
    client.send(transaction(ClientCommand::Begin)).await;
    assert_eq!(client.error().await, "The transaction was already started: t1");
    setting.broker.refuse_transactions(true);
    client.send(Frame::new(ClientCommand::Begin).with_header("transaction", "t2")).await;
    assert_eq!(client.error().await, "Transactions are not supported.");
}

#[tokio::test]
async fn a_refused_message_becomes_a_dead_letter() {
    let setting = Setting::new();
    let mut client = setting.client().await;
    client.put(QUEUE, "x").await;
    client.subscribe(QUEUE, "client-individual", 1).await;
    let message = client.message().await;
    let nack = Frame::new(ClientCommand::Nack).with_header("id", message.header("ack").unwrap());
    client.confirmed(nack).await;
    assert_eq!(setting.broker.queue_depth(QUEUE), 0);
    client.subscribe("ActiveMQ.DLQ", "auto", 1).await;
    assert_eq!(body(&client.message().await), "x");
}

#[tokio::test]
async fn several_consumers_take_turns() {
    let setting = Setting::new();
    let mut first = setting.client().await;
    let mut second = setting.client().await;
    first.subscribe(QUEUE, "client-individual", 10).await;
    second.subscribe(QUEUE, "client-individual", 10).await;
    assert!(setting.broker.until(SOON, |broker| broker.consumers(QUEUE) == 2).await);
    let mut sender = setting.client().await;
    for body in ["1", "2", "3", "4"] {
        sender.put(QUEUE, body).await;
    }
    for client in [&mut first, &mut second] {
        client.message().await;
        client.message().await;
        client.silent().await;
    }
}

#[tokio::test]
async fn a_queue_a_user_may_not_read_is_refused_and_the_connection_stays() {
    let setting = Setting::new();
    setting.broker.allow_reading("app", QUEUE, false);
    let mut client = setting.client().await;
    client.subscribe(QUEUE, "client-individual", 1).await;
    assert_eq!(client.error().await, format!("User app is not authorized to read from: queue://{QUEUE}"));
    setting.broker.allow_reading("app", QUEUE, true);
    client.subscribe(QUEUE, "client-individual", 1).await;
    assert!(setting.broker.until(SOON, |broker| broker.consumers(QUEUE) == 1).await);
}

#[tokio::test]
async fn an_error_names_the_receipt_it_stands_for() {
    let setting = Setting::new();
    let mut client = setting.client().await;
    let frame = Frame::new(ClientCommand::Ack).with_header("id", "foo").with_header("receipt", "r-9");
    client.send(frame).await;
    let error = client.next().await;
    assert_eq!(error.command, ServerCommand::Error);
    assert_eq!(error.header("receipt-id"), Some("r-9"));
    assert!(body(&error).contains("ProtocolException"));
}

#[tokio::test]
async fn bytes_that_are_no_stomp_are_answered_with_an_error_and_the_end() {
    let setting = Setting::new();
    let mut client = setting.client().await;
    client.0.get_mut().write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    client.error().await;
    client.closed().await;
}

#[tokio::test]
async fn a_restart_keeps_what_is_persistent_under_its_id_and_without_its_mark() {
    let setting = Setting::new();
    let mut client = setting.client().await;
    client.put(QUEUE, "kept").await;
    let fleeting = Frame::new(ClientCommand::Send).with_header("destination", QUEUE).with_body("lost");
    client.confirmed(fleeting.clone()).await;
    client.subscribe(QUEUE, "client-individual", 1).await;
    let before = client.message().await;
    setting.broker.stop().await;
    client.closed().await;
    assert!(TcpStream::connect(setting.broker.address()).await.is_err());
    setting.broker.restart().unwrap();

    let mut client = setting.client().await;
    client.subscribe(QUEUE, "client-individual", 10).await;
    let after = client.message().await;
    assert_eq!(body(&after), "kept");
    assert_eq!(after.header("message-id"), before.header("message-id"));
    assert_eq!(after.header("redelivered"), None);
    client.silent().await;
}

#[tokio::test]
async fn a_mute_broker_takes_connections_and_says_nothing() {
    let setting = Setting::new();
    let mut old = setting.connect("app", "s3cret", "0,20").await;
    old.next().await;
    setting.broker.mute(true);
    let since = Instant::now();
    // A heart-beat may have been under way; from then on there is none.
    while timeout(A_WHILE, old.0.next()).await.is_ok() {
        assert!(since.elapsed() < SOON, "it beats on");
    }
    let mut new = setting.connect("app", "s3cret", "0,0").await;
    new.silent().await;
    setting.broker.mute(false);
    assert_eq!(new.next().await.command, ServerCommand::Connected);
}

#[tokio::test]
async fn a_lost_connect_is_never_answered_while_others_are() {
    let setting = Setting::new();
    setting.broker.lose_connects(1);
    let mut lost = setting.connect("app", "s3cret", "0,0").await;
    lost.silent().await;
    setting.client().await;
    lost.silent().await;
}

#[tokio::test]
async fn what_clients_said_can_be_read_but_for_their_passcodes() {
    let setting = Setting::new();
    let mut client = setting.client().await;
    client.subscribe(QUEUE, "client-individual", 7).await;
    client.put(QUEUE, "x").await;
    let connects = setting.broker.connects();
    assert_eq!(connects.len(), 1);
    assert_eq!(connects[0].get("login"), Some("app"));
    assert_eq!(connects[0].get("passcode"), None);
    assert_eq!(setting.broker.subscribes()[0].get("activemq.prefetchSize"), Some("7"));
    assert_eq!(setting.broker.frames(ClientCommand::Send), 1);
}
