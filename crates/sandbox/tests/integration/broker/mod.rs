//! The sandbox's broker behaves as ActiveMQ does, as far as a consumer of SOAR's queues can see, and fails on
//! demand.

use std::sync::Arc;

use net::Trust;
use net::tls::client_config;
use rustls::ClientConfig;
use sandbox::certificates::Certificates;
use sandbox::soar::broker::{Broker, User};
use stomp::ServerCommand;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::stomp_client::{self, StompClient};

mod errors;
mod login;
mod queues;
mod transactions;

const QUEUE: &str = "actions.201.fn_exchange_online";

/// A broker with users, and what a client needs to connect to it.
struct TestBroker {
    broker: Broker,
    tls: Arc<ClientConfig>,
}

impl TestBroker {
    fn new() -> Self {
        let certificates = Certificates::generate().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let ca = directory.path().join("ca.pem");
        std::fs::write(&ca, certificates.ca_pem()).unwrap();
        let tls = Arc::new(client_config(&Trust::SystemAnd(ca), None).unwrap());
        let users =
            vec![User::new("app", "s3cret"), User::new("soar", "other"), User::new("co:lon", "s3cret")];
        let broker = Broker::start(0, users, certificates.server_config(&[])).unwrap();
        Self { broker, tls }
    }

    async fn tls(&self) -> TlsStream<TcpStream> {
        stomp_client::tls(self.broker.address(), &self.tls).await
    }

    async fn connect(&self, login: &str, passcode: &str, heart_beat: &str) -> StompClient {
        StompClient::connect(self.broker.address(), &self.tls, login, passcode, heart_beat).await
    }

    async fn client(&self) -> StompClient {
        let mut client = self.connect("app", "s3cret", "0,0").await;
        assert_eq!(client.next().await.command, ServerCommand::Connected);
        client
    }
}
