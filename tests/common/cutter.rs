//! A way to a broker that breaks at the frame a test names.
#![allow(dead_code, unreachable_pub)] // each test uses its part

use std::path::Path;
use std::sync::Arc;

use fn_exchange_online::stomp::{ClientCommand, Frame, FrameCodec, HeartBeat, Received, ServerCommand};
use futures_util::{SinkExt, StreamExt};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::codec::Framed;

use super::tls::{Authority, trusting};

/// What becomes of a connection when a frame is to be passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It passes.
    Pass,
    /// The connection is cut, and the frame with it.
    Cut,
}

/// A frame that goes to the broker or comes from it.
pub enum Passing<'f> {
    ToBroker(&'f Frame<ClientCommand>),
    FromBroker(&'f Frame<ServerCommand>),
}

type Judge = dyn Fn(Passing<'_>) -> Verdict + Send + Sync;

/// Listens on `localhost` with a certificate of `authority`, and passes frames on to the broker at `port`, whose
/// certificate is of `ca_file`, for as long as `judge` lets them. Returns its own port.
pub async fn cutter(
    authority: &Authority,
    port: u16,
    ca_file: &Path,
    judge: impl Fn(Passing<'_>) -> Verdict + Send + Sync + 'static,
) -> u16 {
    let acceptor = TlsAcceptor::from(authority.vouch_for(&["localhost"]).server());
    let (client, judge) = (trusting(ca_file), Arc::new(judge));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, client, judge) = (acceptor.clone(), Arc::clone(&client), Arc::clone(&judge));
            // What it ends with does not matter: the connection is gone either way.
            tokio::spawn(async move { pass_on(stream, &acceptor, client, port, &*judge).await.ok() });
        }
    });
    own
}

async fn pass_on(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    client: Arc<ClientConfig>,
    port: u16,
    judge: &Judge,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let upstream = TcpStream::connect(("127.0.0.1", port)).await?;
    let upstream = TlsConnector::from(client).connect(ServerName::try_from("localhost")?, upstream).await?;
    let mut broker = Framed::new(upstream, FrameCodec::<ServerCommand>::new());
    let mut session = Framed::new(acceptor.accept(stream).await?, FrameCodec::<ClientCommand>::new());
    loop {
        tokio::select! {
            Some(received) = session.next() => match received? {
                Received::HeartBeat => broker.send(HeartBeat).await?,
                Received::Frame(frame) if judge(Passing::ToBroker(&frame)) == Verdict::Cut => return Ok(()),
                Received::Frame(frame) => broker.send(frame).await?,
            },
            Some(received) = broker.next() => match received? {
                Received::HeartBeat => session.send(HeartBeat).await?,
                Received::Frame(frame) if judge(Passing::FromBroker(&frame)) == Verdict::Cut => return Ok(()),
                Received::Frame(frame) => session.send(frame).await?,
            },
            else => return Ok(()),
        }
    }
}
