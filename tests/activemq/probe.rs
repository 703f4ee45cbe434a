//! Promise: probing a real ActiveMQ takes no message, marks none, and does not disturb other clients.

use std::sync::Arc;
use std::time::Duration;

use crate::support::activemq::{ADMIN, ActiveMq, LOGIN, shared};
use crate::support::stomp_client::StompClient;
use net::tls::client_config;
use net::{Secret, Trust};
use stomp::{ClientCommand, Error, Frame, HeartBeatOffer, Probe, ServerCommand, SessionOptions};

const QUEUE: &str = "actions.201.probed";

fn options(broker: &ActiveMq, (login, passcode): (&str, &str)) -> SessionOptions {
    SessionOptions {
        host: "localhost".to_owned(),
        port: broker.port(),
        proxy: None,
        tls: Arc::new(client_config(&Trust::SystemAnd(broker.ca_file()), None).unwrap()),
        login: login.to_owned(),
        passcode: Secret::new(passcode.to_owned()),
        destinations: Vec::new(),
        prefetch: 25,
        timeout: Duration::from_secs(20),
        heart_beat: HeartBeatOffer::default(),
        reconnect: stomp::RECONNECT,
        metrics: Arc::default(),
    }
}

async fn consumer(broker: &ActiveMq, queue: &str) -> StompClient {
    let mut client = StompClient::connect(broker.port(), &broker.ca_file(), LOGIN).await;
    let subscribe = Frame::new(ClientCommand::Subscribe)
        .with_header("id", queue)
        .with_header("destination", queue)
        .with_header("ack", "client-individual")
        .with_header("activemq.prefetchSize", "1");
    client.write(subscribe).await;
    client
}

/// The next message, which is acknowledged.
async fn take(client: &mut StompClient) -> Frame<ServerCommand> {
    let message = client.read().await;
    assert_eq!(message.command, ServerCommand::Message, "{message:?}");
    let ack = message.header("ack").unwrap().to_owned();
    client.write(Frame::new(ClientCommand::Ack).with_header("id", ack).with_header("receipt", "acked")).await;
    message
}

#[tokio::test]
async fn waiting_messages_are_neither_taken_nor_marked() {
    let broker = shared();
    let queue = format!("{QUEUE}.waiting");
    let mut soar = StompClient::connect(broker.port(), &broker.ca_file(), LOGIN).await;
    for nth in 0..3 {
        soar.call(&queue, "acks.201.probed", &format!("invid:{nth}"), "a call").await;
    }
    let options = options(&broker, LOGIN);
    let mut probe = Probe::log_in(&options).await.unwrap();
    // Often, since what may happen may happen now and then.
    for _ in 0..20 {
        assert_eq!(probe.subscribe(&queue).await, Ok(()));
    }
    probe.leave(Duration::from_secs(5)).await;

    let mut worker = consumer(&broker, &queue).await;
    for nth in 0..3 {
        let message = take(&mut worker).await;
        assert_eq!(message.header("redelivered"), None, "{message:?}");
        assert_eq!(message.header("correlation-id"), Some(format!("invid:{nth}").as_str()));
        assert_eq!(worker.read().await.header("receipt-id"), Some("acked"));
    }
}

#[tokio::test]
async fn new_messages_go_to_the_worker_unmarked() {
    const CALLS: usize = 200;
    let broker = shared();
    let queue = format!("{QUEUE}.shared");
    let mut worker = consumer(&broker, &queue).await;
    let mut soar = StompClient::connect(broker.port(), &broker.ca_file(), LOGIN).await;
    let options = options(&broker, LOGIN);
    let mut probe = Probe::log_in(&options).await.unwrap();
    let work = async {
        let mut taken = 0;
        for nth in 0..CALLS {
            soar.call(&queue, "acks.201.probed", &format!("invid:{nth}"), "a call").await;
            let message = take(&mut worker).await;
            assert_eq!(message.header("redelivered"), None, "{message:?}");
            assert_eq!(worker.read().await.header("receipt-id"), Some("acked"));
            taken += 1;
        }
        taken
    };
    tokio::pin!(work);
    let taken = loop {
        tokio::select! {
            taken = &mut work => break taken,
            subscribed = probe.subscribe(&queue) => assert_eq!(subscribed, Ok(())),
        }
    };
    assert_eq!(taken, CALLS);
    let mut admin = StompClient::connect(broker.port(), &broker.ca_file(), ADMIN).await;
    assert_eq!(admin.browse(&queue).await, Vec::<String>::new());
}

#[tokio::test]
async fn unreadable_queue_is_reported() {
    let broker = shared();
    let options = options(&broker, LOGIN);
    let mut probe = Probe::log_in(&options).await.unwrap();
    let refused = probe.subscribe("forbidden.201.probed").await.unwrap_err();
    assert!(matches!(refused, Error::NotAuthorized { .. }), "{refused:?}");
    assert_eq!(probe.subscribe(QUEUE).await, Ok(()), "ActiveMQ keeps the connection");
    probe.leave(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn wrong_passcode_is_a_refused_login() {
    let broker = shared();
    let options = options(&broker, (LOGIN.0, "wrong"));
    let failure = Probe::log_in(&options).await.err().unwrap();
    assert!(matches!(failure, Error::LoginRefused(_)), "{failure:?}");
}
