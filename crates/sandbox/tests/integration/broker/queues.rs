//! Queues, prefetch, acknowledgements and redelivery.

use bytes::Bytes;
use stomp::{ClientCommand, Frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::{QUEUE, TestBroker};
use crate::stomp_client::{SOON, ack, body, send};

#[tokio::test]
async fn queue_prefix_makes_no_difference() {
    let setting = TestBroker::new();
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
async fn headers_are_escaped_on_the_wire() {
    let setting = TestBroker::new();
    let mut sender = setting.client().await;
    let mut frame = send(QUEUE, "{}")
        .with_header("correlation-id", "invid:7")
        .with_header("reply-to", "/queue/acks.201.fn_exchange_online")
        .with_header("Co3ContextToken", "a\\b:c\nd")
        .with_header("JMSXUserID", "another user");
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
async fn ack_frees_the_prefetch() {
    let setting = TestBroker::new();
    let mut client = setting.client().await;
    for body in ["1", "2", "3"] {
        client.put(QUEUE, body).await;
    }
    client.subscribe(QUEUE, "client-individual", 2).await;
    let first = client.message().await;
    let second = client.message().await;
    client.silent().await;
    assert_eq!((setting.broker.queue_depth(QUEUE), setting.broker.unacknowledged(QUEUE)), (3, 2));
    // Individual acknowledgement: of the second, not of the first.
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
async fn ack_client_acknowledges_all_earlier_messages() {
    let setting = TestBroker::new();
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
async fn ack_auto_acknowledges_on_sending() {
    let setting = TestBroker::new();
    let mut client = setting.client().await;
    client.put(QUEUE, "x").await;
    client.subscribe(QUEUE, "auto", 1).await;
    let message = client.message().await;
    assert_eq!(message.header("ack"), None);
    assert_eq!(setting.broker.queue_depth(QUEUE), 0);
}

#[tokio::test]
async fn lost_consumers_deliveries_are_redelivered() {
    let setting = TestBroker::new();
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
    // The old acknowledgement is not valid any more. The connection survives the error.
    next.send(ack(&before[0])).await;
    assert_eq!(next.error().await, "Unexpected ACK received for message-id [null]");
    next.put("elsewhere", "alive").await;
}

#[tokio::test]
async fn disconnect_and_unsubscribe_return_deliveries() {
    let setting = TestBroker::new();
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
async fn refused_message_becomes_a_dead_letter() {
    let setting = TestBroker::new();
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
    let setting = TestBroker::new();
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
