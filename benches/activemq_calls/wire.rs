//! A STOMP connection to a real broker that writes several frames at once and reads what is there without a wait.

use std::path::Path;
use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use rustls::pki_types::ServerName;
use stomp::{ClientCommand, Frame, FrameCodec, Received, ServerCommand};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::codec::Framed;

use crate::support::activemq::LOGIN;
use crate::support::tls::trusting;

/// Longer than any turn of any consumer takes.
const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) struct Wire {
    line: Framed<TlsStream<TcpStream>, FrameCodec<ServerCommand>>,
}

impl Wire {
    /// Logs in to the broker on `localhost`.
    pub(crate) async fn connect(port: u16, ca_file: &Path) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(trusting(ca_file)).connect(name, stream).await.unwrap();
        let mut wire = Self { line: Framed::new(stream, FrameCodec::new()) };
        let connect = Frame::new(ClientCommand::Connect)
            .with_header("accept-version", "1.2")
            .with_header("host", "localhost")
            .with_header("login", LOGIN.0)
            .with_header("passcode", LOGIN.1);
        wire.feed(connect).await;
        wire.flush().await;
        assert_eq!(wire.read().await.command, ServerCommand::Connected);
        wire
    }

    /// Subscribes and waits until the broker has confirmed it.
    pub(crate) async fn subscribe(&mut self, queue: &str, ack: &str, prefetch: u32) {
        let frame = Frame::new(ClientCommand::Subscribe)
            .with_header("id", queue)
            .with_header("destination", queue)
            .with_header("ack", ack)
            .with_header("activemq.prefetchSize", prefetch.to_string())
            .with_header("receipt", "subscribed");
        self.feed(frame).await;
        self.flush().await;
        assert_eq!(self.read().await.command, ServerCommand::Receipt);
    }

    /// Queues a frame for [`Self::flush`].
    pub(crate) async fn feed(&mut self, frame: Frame<ClientCommand>) {
        self.line.feed(frame).await.unwrap();
    }

    pub(crate) async fn flush(&mut self) {
        SinkExt::<Frame<ClientCommand>>::flush(&mut self.line).await.unwrap();
    }

    /// The next frame. An ERROR fails the benchmark.
    pub(crate) async fn read(&mut self) -> Frame<ServerCommand> {
        loop {
            let received = timeout(PATIENCE, self.line.next()).await.expect("a frame in time");
            let received = received.expect("the broker keeps the connection").unwrap();
            // ActiveMQ leaves Nagle's algorithm on; a delayed acknowledgement would cost 40 ms.
            self.line.get_ref().get_ref().0.set_quickack(true).unwrap();
            if let Received::Frame(frame) = received {
                assert_ne!(frame.command, ServerCommand::Error, "{frame:?}");
                return frame;
            }
        }
    }

    /// The next frame, if it is there.
    pub(crate) fn read_now(&mut self) -> Option<Frame<ServerCommand>> {
        self.read().now_or_never()
    }
}
