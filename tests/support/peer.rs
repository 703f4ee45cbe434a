//! A STOMP broker that does what a test tells it to, frame by frame, over TLS.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use stomp::{ClientCommand, Frame, FrameCodec, HeartBeat, Received, ServerCommand};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::codec::Framed;

use super::tls::Identity;

const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Peer {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

/// One connection with the session.
pub(crate) struct Line {
    framed: Framed<TlsStream<TcpStream>, FrameCodec<ClientCommand>>,
}

impl Peer {
    pub(crate) async fn new(identity: &Identity) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { listener, acceptor: TlsAcceptor::from(identity.server()) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// The next TCP connection, before any data.
    pub(crate) async fn accept_tcp(&self) -> TcpStream {
        timeout(PATIENCE, self.listener.accept()).await.expect("a connection").unwrap().0
    }

    /// The next connection whose TLS stands.
    pub(crate) async fn accept(&self) -> Line {
        let stream = self.acceptor.accept(self.accept_tcp().await).await.unwrap();
        Line { framed: Framed::new(stream, FrameCodec::new()) }
    }

    /// The next connection, logged in and subscribed.
    pub(crate) async fn serve(&self) -> Line {
        let mut line = self.accept().await;
        line.log_in("0,0").await;
        line.accept_subscriptions().await;
        line
    }
}

impl Line {
    /// What comes next, heart-beats included; `None` when the session closed the connection.
    pub(crate) async fn receive(&mut self) -> Option<Received<ClientCommand>> {
        timeout(PATIENCE, self.framed.next()).await.expect("the session says something")?.ok()
    }

    /// The next frame.
    pub(crate) async fn frame(&mut self) -> Frame<ClientCommand> {
        loop {
            match self.receive().await.expect("the session keeps the connection") {
                Received::Frame(frame) => return frame,
                Received::HeartBeat => {}
            }
        }
    }

    /// The next frame, which must be this.
    pub(crate) async fn expect(&mut self, command: ClientCommand) -> Frame<ClientCommand> {
        let frame = self.frame().await;
        assert_eq!(frame.command, command, "{frame:?}");
        frame
    }

    /// Waits until the session has left the connection.
    pub(crate) async fn expect_end(&mut self) {
        while self.receive().await.is_some() {}
    }

    pub(crate) async fn send(&mut self, frame: Frame<ServerCommand>) {
        self.framed.send(frame).await.unwrap();
    }

    pub(crate) async fn beat(&mut self) {
        self.framed.send(HeartBeat).await.unwrap();
    }

    /// Bytes as they are.
    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) {
        self.framed.get_mut().write_all(bytes).await.unwrap();
        self.framed.get_mut().flush().await.unwrap();
    }

    /// Bytes as they are; `false` where the session has closed the connection.
    pub(crate) async fn try_send_raw(&mut self, bytes: &[u8]) -> bool {
        let stream = self.framed.get_mut();
        stream.write_all(bytes).await.is_ok() && stream.flush().await.is_ok()
    }

    /// Takes the CONNECT, whatever it says, and answers that all is well.
    pub(crate) async fn log_in(&mut self, heart_beat: &str) -> Frame<ClientCommand> {
        let connect = self.expect(ClientCommand::Connect).await;
        let connected = Frame::new(ServerCommand::Connected)
            .with_header("version", "1.2")
            .with_header("heart-beat", heart_beat);
        self.send(connected).await;
        connect
    }

    /// Confirms the trial of a transaction and one subscription, which it returns.
    pub(crate) async fn accept_subscriptions(&mut self) -> Frame<ClientCommand> {
        let begin = self.expect(ClientCommand::Begin).await;
        let subscribe = self.expect(ClientCommand::Subscribe).await;
        self.confirm(&begin).await;
        self.confirm(&subscribe).await;
        self.expect(ClientCommand::Abort).await;
        subscribe
    }

    /// Sends the receipt that `frame` asks for.
    pub(crate) async fn confirm(&mut self, frame: &Frame<ClientCommand>) {
        let receipt = frame.header("receipt").expect("a receipt is asked for");
        self.send(Frame::new(ServerCommand::Receipt).with_header("receipt-id", receipt)).await;
    }

    /// Says that `frame` was refused.
    pub(crate) async fn refuse(&mut self, frame: &Frame<ClientCommand>, message: &str) {
        let receipt = frame.header("receipt").expect("a receipt is asked for");
        self.send(error(message).with_header("receipt-id", receipt)).await;
    }

    /// Hands out a message.
    pub(crate) async fn deliver(&mut self, message_id: &str, ack: &str, body: &str) {
        self.send(message(message_id, ack).with_body(body.to_owned())).await;
    }
}

pub(crate) fn error(message: &str) -> Frame<ServerCommand> {
    Frame::new(ServerCommand::Error).with_header("message", message)
}

pub(crate) fn message(message_id: &str, ack: &str) -> Frame<ServerCommand> {
    Frame::new(ServerCommand::Message)
        .with_header("message-id", message_id)
        .with_header("ack", ack)
        .with_header("destination", "/queue/actions.201.fn")
        .with_header("subscription", "actions.201.fn")
        .with_header("reply-to", "/queue/acks.201.fn")
        .with_header("correlation-id", "invid:7")
}
