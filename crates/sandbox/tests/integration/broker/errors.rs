//! ERROR frames, restarts and faults of the broker.

use std::time::Instant;

use stomp::{ClientCommand, Frame, ServerCommand};
use tokio::net::TcpStream;

use super::{QUEUE, TestBroker};
use crate::stomp_client::{SOON, body};

#[tokio::test]
async fn forbidden_queue_is_refused_and_the_connection_stays() {
    let setting = TestBroker::new();
    setting.broker.allow_reading("app", QUEUE, false);
    let mut client = setting.client().await;
    client.subscribe(QUEUE, "client-individual", 1).await;
    assert_eq!(client.error().await, format!("User app is not authorized to read from: queue://{QUEUE}"));
    setting.broker.allow_reading("app", QUEUE, true);
    client.subscribe(QUEUE, "client-individual", 1).await;
    assert!(setting.broker.until(SOON, |broker| broker.consumers(QUEUE) == 1).await);
}

#[tokio::test]
async fn error_names_the_requested_receipt() {
    let setting = TestBroker::new();
    let mut client = setting.client().await;
    let frame = Frame::new(ClientCommand::Ack).with_header("id", "foo").with_header("receipt", "r-9");
    client.send(frame).await;
    let error = client.next().await;
    assert_eq!(error.command, ServerCommand::Error);
    assert_eq!(error.header("receipt-id"), Some("r-9"));
    assert!(body(&error).contains("ProtocolException"));
}

#[tokio::test]
async fn invalid_stomp_closes_the_connection() {
    let setting = TestBroker::new();
    let mut client = setting.client().await;
    client.write_bytes(b"GET / HTTP/1.1\r\n\r\n").await;
    client.error().await;
    client.closed().await;
}

#[tokio::test]
async fn restart_keeps_persistent_messages_without_redelivery_mark() {
    let setting = TestBroker::new();
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
async fn mute_broker_accepts_connections_silently() {
    let setting = TestBroker::new();
    let mut old = setting.connect("app", "s3cret", "0,20").await;
    old.next().await;
    setting.broker.mute(true);
    let since = Instant::now();
    // A heart-beat may have been on its way. After that there must be none.
    while old.received().await.is_some() {
        assert!(since.elapsed() < SOON, "it beats on");
    }
    let mut new = setting.connect("app", "s3cret", "0,0").await;
    new.silent().await;
    setting.broker.mute(false);
    assert_eq!(new.next().await.command, ServerCommand::Connected);
}

#[tokio::test]
async fn lost_connect_is_never_answered() {
    let setting = TestBroker::new();
    setting.broker.lose_connects(1);
    let mut lost = setting.connect("app", "s3cret", "0,0").await;
    lost.silent().await;
    setting.client().await;
    lost.silent().await;
}

#[tokio::test]
async fn recorded_frames_have_no_passcode() {
    let setting = TestBroker::new();
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
