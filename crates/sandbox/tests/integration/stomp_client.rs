//! A minimal STOMP client: it sends and receives the frames that a test names, and nothing on its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rustls::ClientConfig;
use stomp::{ClientCommand, Frame, FrameCodec, HeartBeat, Received, ServerCommand};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::codec::Framed;

/// The time within which an expected frame must arrive.
pub(crate) const SOON: Duration = Duration::from_secs(10);
/// The time after which a test concludes that no further frame arrives on loopback.
const A_WHILE: Duration = Duration::from_millis(150);

/// Opens a TLS connection to the broker at `address`.
pub(crate) async fn tls(address: SocketAddr, config: &Arc<ClientConfig>) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(address).await.unwrap();
    let name = "localhost".try_into().unwrap();
    TlsConnector::from(config.clone()).connect(name, stream).await.unwrap()
}

/// A connection to a broker.
pub(crate) struct StompClient(Framed<TlsStream<TcpStream>, FrameCodec<ServerCommand>>);

impl StompClient {
    /// Opens a connection and sends a CONNECT, without waiting for its answer.
    pub(crate) async fn connect(
        address: SocketAddr,
        config: &Arc<ClientConfig>,
        login: &str,
        passcode: &str,
        heart_beat: &str,
    ) -> Self {
        let mut client = Self::from_stream(tls(address, config).await);
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

    /// Speaks STOMP over a connection that exists already.
    pub(crate) fn from_stream(stream: TlsStream<TcpStream>) -> Self {
        Self(Framed::new(stream, FrameCodec::new()))
    }

    /// Writes bytes that need not be a frame.
    pub(crate) async fn write_bytes(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).await.unwrap();
    }

    pub(crate) async fn heart_beat(&mut self) {
        self.0.send(HeartBeat).await.unwrap();
    }

    /// Returns the next frame or heart-beat, or `None` if nothing arrives for a while.
    pub(crate) async fn received(&mut self) -> Option<Received<ServerCommand>> {
        Some(timeout(A_WHILE, self.0.next()).await.ok()?.expect("closed").unwrap())
    }

    pub(crate) async fn send(&mut self, frame: Frame<ClientCommand>) {
        self.0.send(frame).await.unwrap();
    }

    /// Returns the next frame, which must arrive within [`SOON`]. Skips heart-beats.
    pub(crate) async fn next(&mut self) -> Frame<ServerCommand> {
        loop {
            if let Received::Frame(frame) = self.arrives().await {
                return frame;
            }
        }
    }

    /// Returns the next frame or heart-beat, which must arrive within [`SOON`].
    pub(crate) async fn arrives(&mut self) -> Received<ServerCommand> {
        timeout(SOON, self.0.next()).await.expect("nothing comes").expect("closed").unwrap()
    }

    pub(crate) async fn message(&mut self) -> Frame<ServerCommand> {
        let frame = self.next().await;
        assert_eq!(frame.command, ServerCommand::Message, "{frame:?}");
        frame
    }

    pub(crate) async fn error(&mut self) -> String {
        let frame = self.next().await;
        assert_eq!(frame.command, ServerCommand::Error, "{frame:?}");
        frame.header("message").unwrap().to_owned()
    }

    /// Waits for the end of the connection; no frame may arrive before it.
    pub(crate) async fn closed(&mut self) {
        match timeout(SOON, self.0.next()).await.expect("stays open") {
            None | Some(Err(_)) => {}
            Some(Ok(other)) => panic!("{other:?}"),
        }
    }

    /// Checks that no frame arrives for a while.
    pub(crate) async fn silent(&mut self) {
        if let Ok(got) = timeout(A_WHILE, self.0.next()).await {
            panic!("{got:?}");
        }
    }

    /// Sends a frame and waits for its receipt; returns the messages that arrive before it.
    pub(crate) async fn confirmed(&mut self, frame: Frame<ClientCommand>) -> Vec<Frame<ServerCommand>> {
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

    pub(crate) async fn subscribe(&mut self, queue: &str, mode: &str, prefetch: usize) {
        self.send(
            Frame::new(ClientCommand::Subscribe)
                .with_header("id", queue)
                .with_header("destination", queue)
                .with_header("ack", mode)
                .with_header("activemq.prefetchSize", prefetch.to_string()),
        )
        .await;
    }

    pub(crate) async fn put(&mut self, queue: &str, body: &str) {
        self.confirmed(send(queue, body)).await;
    }

    pub(crate) async fn ack(&mut self, message: &Frame<ServerCommand>) -> Vec<Frame<ServerCommand>> {
        self.confirmed(ack(message)).await
    }
}

pub(crate) fn send(queue: &str, body: &str) -> Frame<ClientCommand> {
    Frame::new(ClientCommand::Send)
        .with_header("destination", queue)
        .with_header("persistent", "true")
        .with_body(body.to_owned())
}

pub(crate) fn ack(message: &Frame<ServerCommand>) -> Frame<ClientCommand> {
    Frame::new(ClientCommand::Ack).with_header("id", message.header("ack").expect("no ack header"))
}

pub(crate) fn transaction(command: ClientCommand) -> Frame<ClientCommand> {
    Frame::new(command).with_header("transaction", "t1")
}

pub(crate) fn body(frame: &Frame<ServerCommand>) -> &str {
    std::str::from_utf8(&frame.body).unwrap()
}
