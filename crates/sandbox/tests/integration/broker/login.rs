//! Logins and heart-beats.

use stomp::{ClientCommand, Frame, Received, ServerCommand};
use tokio::time::timeout;

use super::{QUEUE, TestBroker};
use crate::stomp_client::{SOON, StompClient, send};

#[tokio::test]
async fn valid_login_returns_version_and_requested_heart_beats() {
    let setting = TestBroker::new();
    let mut client = setting.connect("app", "s3cret", "0,15000").await;
    let connected = client.next().await;
    assert_eq!(connected.command, ServerCommand::Connected);
    assert_eq!(connected.header("version"), Some("1.2"));
    assert_eq!(connected.header("heart-beat"), Some("15000,0"));
    assert!(connected.header("session").is_some());
}

#[tokio::test]
async fn only_the_headers_of_a_stomp_frame_are_escaped() {
    let setting = TestBroker::new();
    for (command, answer) in [("STOMP", ServerCommand::Connected), ("CONNECT", ServerCommand::Error)] {
        let mut client = StompClient::from_stream(setting.tls().await);
        let frame = format!("{command}\naccept-version:1.2\nhost:x\nlogin:co\\clon\npasscode:s3cret\n\n\0");
        client.write_bytes(frame.as_bytes()).await;
        assert_eq!(client.next().await.command, answer, "{command}");
    }
}

#[tokio::test]
async fn wrong_passcode_closes_the_connection() {
    let setting = TestBroker::new();
    let mut client = setting.connect("app", "wrong", "0,0").await;
    assert_eq!(client.error().await, "User name [app] or password is invalid.");
    client.closed().await;
}

#[tokio::test]
async fn logins_can_be_refused() {
    let setting = TestBroker::new();
    setting.broker.refuse_logins(Some("unable to connect to authentication service"));
    let mut client = setting.connect("app", "s3cret", "0,0").await;
    assert_eq!(client.error().await, "unable to connect to authentication service");
    client.closed().await;
    setting.broker.refuse_logins(None);
    setting.client().await;
}

#[tokio::test]
async fn early_frame_and_unsupported_version_are_refused() {
    let setting = TestBroker::new();
    let mut client = StompClient::from_stream(setting.tls().await);
    client.send(send(QUEUE, "too early")).await;
    assert_eq!(client.error().await, "Not connected.");
    client.closed().await;

    let mut client = StompClient::from_stream(setting.tls().await);
    client.send(Frame::new(ClientCommand::Connect).with_header("accept-version", "1.0,1.1")).await;
    assert_eq!(client.error().await, "Supported protocol versions are 1.2");
    client.closed().await;
}

#[tokio::test]
async fn heart_beats_are_sent_as_promised() {
    let setting = TestBroker::new();
    let mut client = setting.connect("app", "s3cret", "0,50").await;
    client.next().await;
    let beats = async {
        for _ in 0..20 {
            assert_eq!(client.arrives().await, Received::HeartBeat);
        }
    };
    timeout(SOON, beats).await.expect("they are sent twenty times a second");
}

#[tokio::test]
async fn client_without_promised_heart_beats_is_disconnected() {
    let setting = TestBroker::new();
    let mut silent = setting.connect("app", "s3cret", "100,0").await;
    silent.next().await;
    let mut lively = setting.connect("app", "s3cret", "1000,0").await;
    lively.next().await;
    silent.closed().await;
    lively.heart_beat().await;
    lively.put(QUEUE, "still here").await;
    assert_eq!(setting.broker.heart_beats(), 1);
}
