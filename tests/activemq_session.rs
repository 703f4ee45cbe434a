//! Promise: on a real ActiveMQ a message is answered and gone, both at once, or it is still there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common {
    pub mod activemq;
    pub mod stomp_client;
    pub mod tls;
}

use common::activemq::{ADMIN, ActiveMq, LOGIN, Tls};
use common::stomp_client::StompClient;

#[tokio::test]
async fn smoke() {
    let t = std::time::Instant::now();
    let mut broker = ActiveMq::start(Tls::V1_2);
    println!("{:?}", t.elapsed());
    let mut soar = StompClient::connect(broker.port(), &broker.ca_file(), ADMIN).await;
    soar.call("actions.1.x", "acks.1.x", "invid:1", "hello").await;
    println!("{:?}", soar.browse("actions.1.x").await);
    let t = std::time::Instant::now();
    broker.restart();
    println!("{:?}", t.elapsed());
    let mut soar = StompClient::connect(broker.port(), &broker.ca_file(), LOGIN).await;
    println!("{:?}", soar.browse("actions.1.x").await);
}
