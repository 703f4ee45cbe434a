//! A plain STOMP client, for what a test does at a broker besides the session it tests: SOAR's part.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::ServerName;
use stomp::{ClientCommand, Frame, FrameCodec, Received, ServerCommand};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::codec::Framed;

use super::tls::trusting;

const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct StompClient {
    line: Framed<TlsStream<TcpStream>, FrameCodec<ServerCommand>>,
}

impl StompClient {
    /// Logs in to the broker on `localhost`.
    pub(crate) async fn connect(port: u16, ca_file: &Path, (login, passcode): (&str, &str)) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::clone(&trusting(ca_file))).connect(name, stream).await.unwrap();
        let mut client = Self { line: Framed::new(stream, FrameCodec::new()) };
        let connect = Frame::new(ClientCommand::Connect)
            .with_header("accept-version", "1.2")
            .with_header("host", "localhost")
            .with_header("login", login)
            .with_header("passcode", passcode);
        client.write(connect).await;
        assert_eq!(client.read().await.command, ServerCommand::Connected);
        client
    }

    pub(crate) async fn write(&mut self, frame: Frame<ClientCommand>) {
        self.line.send(frame).await.unwrap();
    }

    /// The next frame.
    pub(crate) async fn read(&mut self) -> Frame<ServerCommand> {
        self.read_within(PATIENCE).await.expect("a frame from the broker")
    }

    /// The next frame, if it comes in time.
    pub(crate) async fn read_within(&mut self, bound: Duration) -> Option<Frame<ServerCommand>> {
        timeout(bound, async {
            loop {
                match self.line.next().await.expect("the broker keeps the connection").unwrap() {
                    Received::Frame(frame) => return frame,
                    Received::HeartBeat => {}
                }
            }
        })
        .await
        .ok()
    }

    /// Sends a stored message as SOAR does and waits until the broker has it.
    pub(crate) async fn call(&mut self, queue: &str, reply_to: &str, correlation_id: &str, body: &str) {
        let frame = Frame::new(ClientCommand::Send)
            .with_header("destination", queue)
            .with_header("reply-to", format!("/queue/{reply_to}"))
            .with_header("correlation-id", correlation_id)
            .with_header("persistent", "true")
            .with_header("receipt", "sent")
            .with_body(body.to_owned());
        self.write(frame).await;
        assert_eq!(self.read().await.header("receipt-id"), Some("sent"));
    }

    /// Subscribes such that the broker forgets each message as it hands it out.
    pub(crate) async fn subscribe(&mut self, queue: &str) {
        let frame = Frame::new(ClientCommand::Subscribe)
            .with_header("id", queue)
            .with_header("destination", queue)
            .with_header("ack", "auto");
        self.write(frame).await;
    }

    /// The bodies of all messages that are in the queue, handed out or not, without taking them.
    pub(crate) async fn browse(&mut self, queue: &str) -> Vec<String> {
        let id = format!("browse-{queue}");
        let frame = Frame::new(ClientCommand::Subscribe)
            .with_header("id", &id)
            .with_header("destination", queue)
            .with_header("browser", "true");
        self.write(frame).await;
        let mut bodies = Vec::new();
        loop {
            let frame = self.read().await;
            assert_eq!(frame.command, ServerCommand::Message, "{frame:?}");
            if frame.header("browser") == Some("end") {
                break;
            }
            bodies.push(String::from_utf8(frame.body.to_vec()).unwrap());
        }
        self.write(Frame::new(ClientCommand::Unsubscribe).with_header("id", id)).await;
        bodies
    }
}
