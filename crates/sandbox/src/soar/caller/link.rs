//! The caller's connection to the broker: one task owns the socket, and reconnects when it breaks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::codec::Framed;

use super::inbox::Inbox;
use super::{CallerError, CallerOptions};
use net::tls;
use stomp::{ClientCommand, Frame, FrameCodec, Received, ServerCommand};

/// How long to wait for the answer to a CONNECT. It is short because ActiveMQ on Java 17 with TLS 1.3 can lose a
/// CONNECT.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
/// The pause between two attempts to connect.
const RECONNECT_DELAY: Duration = Duration::from_millis(100);
/// The number of attempts for the first connection while the broker stays silent.
const FIRST_TRIES: u32 = 5;

pub(super) type Connection = Framed<TlsStream<TcpStream>, FrameCodec<ServerCommand>>;

/// A message to send, and the channel for the broker's receipt.
pub(super) struct Outgoing {
    pub(super) frame: Frame<ClientCommand>,
    pub(super) confirm: oneshot::Sender<Result<(), CallerError>>,
}

/// The data for connecting, and the inbox for replies.
pub(super) struct Link {
    options: Arc<CallerOptions>,
    tls: TlsConnector,
    inbox: Arc<Inbox>,
    receipts: u64,
}

impl Link {
    pub(super) fn new(options: Arc<CallerOptions>, inbox: Arc<Inbox>) -> Result<Self, CallerError> {
        let tls: ClientConfig = tls::client_config(&options.trust, None)?;
        Ok(Self { options, tls: TlsConnector::from(Arc::new(tls)), inbox, receipts: 0 })
    }

    /// Opens the first connection. Tries again if the broker stays silent.
    pub(super) async fn connect(&self) -> Result<Connection, CallerError> {
        for _ in 1..FIRST_TRIES {
            match self.connect_once().await {
                Err(CallerError::Silent) => {}
                other => return other,
            }
        }
        self.connect_once().await
    }

    async fn connect_once(&self) -> Result<Connection, CallerError> {
        timeout(ANSWER_TIMEOUT, self.log_in()).await.unwrap_or(Err(CallerError::Silent))
    }

    async fn log_in(&self) -> Result<Connection, CallerError> {
        let CallerOptions { host, port, login, passcode, .. } = &*self.options;
        let stream = TcpStream::connect((host.as_str(), *port)).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(host.clone()).map_err(std::io::Error::other)?;
        let stream = self.tls.connect(name, stream).await?;
        let mut connection = Framed::new(stream, FrameCodec::new());
        let connect = Frame::new(ClientCommand::Connect)
            .with_header("accept-version", "1.2")
            .with_header("host", host)
            .with_header("heart-beat", "0,0")
            .with_header("login", login)
            .with_header("passcode", passcode);
        connection.send(connect).await?;
        expect(&mut connection, ServerCommand::Connected).await?;
        // Each reply is acknowledged separately once it is in the inbox, so that a lost reply is delivered again.
        let subscribe = Frame::new(ClientCommand::Subscribe)
            .with_header("id", "replies")
            .with_header("destination", format!("/queue/{}", self.options.acks_queue()))
            .with_header("ack", "client-individual")
            .with_header("receipt", "subscribed");
        connection.send(subscribe).await?;
        loop {
            match expect(&mut connection, ServerCommand::Receipt).await? {
                None => return Ok(connection),
                Some(message) => self.receive(&mut connection, message).await?,
            }
        }
    }

    /// Transfers messages in both directions, indefinitely.
    pub(super) async fn run(mut self, first: Connection, mut outgoing: mpsc::UnboundedReceiver<Outgoing>) {
        let mut connection = Some(first);
        loop {
            if let Some(connection) = connection.take() {
                let mut unconfirmed = HashMap::new();
                let end = self.serve(connection, &mut outgoing, &mut unconfirmed).await;
                for (_, confirm) in unconfirmed {
                    let _: Result<_, _> = confirm.send(Err(CallerError::Unconfirmed));
                }
                match end {
                    Ok(()) => return,
                    Err(error) => tracing::debug!(%error, "sandbox caller: the connection broke"),
                }
            }
            tokio::time::sleep(RECONNECT_DELAY).await;
            connection = self
                .connect_once()
                .await
                .inspect_err(|error| tracing::debug!(%error, "sandbox caller: no connection"))
                .ok();
        }
    }

    /// Transfers messages until the connection breaks, or until all senders are dropped, which is not an error.
    async fn serve(
        &mut self,
        mut connection: Connection,
        outgoing: &mut mpsc::UnboundedReceiver<Outgoing>,
        unconfirmed: &mut HashMap<String, oneshot::Sender<Result<(), CallerError>>>,
    ) -> Result<(), CallerError> {
        loop {
            tokio::select! {
                // Receiving comes first, so that the end of a connection is noticed before more is sent.
                biased;
                received = next_frame(&mut connection) => {
                    let frame = received?;
                    match frame.command {
                        ServerCommand::Message => self.receive(&mut connection, frame).await?,
                        ServerCommand::Receipt => {
                            if let Some(confirm) = waiting(unconfirmed, &frame) {
                                let _: Result<_, _> = confirm.send(Ok(()));
                            }
                        }
                        ServerCommand::Error => {
                            let refused = CallerError::Refused(words(&frame));
                            match waiting(unconfirmed, &frame) {
                                Some(confirm) => {
                                    let _: Result<_, _> = confirm.send(Err(refused));
                                }
                                None => return Err(refused),
                            }
                        }
                        ServerCommand::Connected => {}
                    }
                }
                next = outgoing.recv() => {
                    let Some(Outgoing { frame, confirm }) = next else { return Ok(()) };
                    self.receipts += 1;
                    let receipt = format!("sent-{}", self.receipts);
                    unconfirmed.insert(receipt.clone(), confirm);
                    connection.send(frame.with_header("receipt", receipt)).await?;
                }
            }
        }
    }

    /// Puts a reply into the inbox, then acknowledges it.
    async fn receive(
        &self,
        connection: &mut Connection,
        message: Frame<ServerCommand>,
    ) -> Result<(), CallerError> {
        let ack = message.header("ack").unwrap_or_default().to_owned();
        self.inbox.take(message);
        Ok(connection.send(Frame::new(ClientCommand::Ack).with_header("id", ack)).await?)
    }
}

fn waiting<T>(unconfirmed: &mut HashMap<String, T>, frame: &Frame<ServerCommand>) -> Option<T> {
    unconfirmed.remove(frame.header("receipt-id")?)
}

fn words(error: &Frame<ServerCommand>) -> String {
    error.header("message").unwrap_or("an ERROR without a message").to_owned()
}

async fn next_frame(connection: &mut Connection) -> Result<Frame<ServerCommand>, CallerError> {
    loop {
        match connection.next().await {
            Some(Ok(Received::Frame(frame))) => return Ok(frame),
            Some(Ok(Received::HeartBeat)) => {}
            Some(Err(error)) => return Err(error.into()),
            None => return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
        }
    }
}

/// Waits for a frame with `command`. Returns an earlier MESSAGE instead.
async fn expect(
    connection: &mut Connection,
    command: ServerCommand,
) -> Result<Option<Frame<ServerCommand>>, CallerError> {
    loop {
        let frame = next_frame(connection).await?;
        match frame.command {
            got if got == command => return Ok(None),
            ServerCommand::Message => return Ok(Some(frame)),
            ServerCommand::Error => return Err(CallerError::Refused(words(&frame))),
            _ => {}
        }
    }
}
