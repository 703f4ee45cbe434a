//! Transactions.

use sandbox::soar::broker::CommitFault;
use stomp::{ClientCommand, Frame};

use super::{QUEUE, TestBroker};
use crate::stomp_client::{ack, body, send, transaction};

#[tokio::test]
async fn transaction_becomes_visible_at_its_commit() {
    let setting = TestBroker::new();
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
async fn transaction_is_discarded_with_its_connection() {
    let setting = TestBroker::new();
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
async fn commit_can_succeed_and_lose_its_receipt() {
    let setting = TestBroker::new();
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
async fn aborted_acknowledgement_can_be_repeated() {
    let setting = TestBroker::new();
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
async fn wrong_transaction_states_are_refused() {
    let setting = TestBroker::new();
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
