//! A way to a broker that breaks, tears, or is slow at the frames a test names.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::{SinkExt, StreamExt};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use stomp::{ClientCommand, CodecError, Command, Frame, FrameCodec, HeartBeat, Received, ServerCommand};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::codec::{Encoder, Framed};

use super::tls::{Authority, trusting};

/// What becomes of a frame that is to be passed on, and of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It passes.
    Pass,
    /// It passes this much later, and so does everything behind it.
    Late(Duration),
    /// It passes in pieces of so many bytes.
    InPieces(usize),
    /// The connection is cut, and the frame with it.
    Cut,
    /// The connection is cut, and the frame with it, but only this much later.
    CutLater(Duration),
    /// Half of it passes, then the connection is cut.
    CutWithin,
    /// It passes, then the connection is cut.
    CutAfter,
}

/// A frame that goes to the broker or comes from it.
pub(crate) enum Passing<'f> {
    ToBroker(&'f Frame<ClientCommand>),
    FromBroker(&'f Frame<ServerCommand>),
}

type Judge = dyn Fn(Passing<'_>) -> Verdict + Send + Sync;

/// Listens on `localhost` with a certificate of `authority`, and passes frames on to the broker at `port`, whose
/// certificate is of `ca_file`, for as long as `judge` lets them. Returns its own port.
pub(crate) async fn cutter(
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
    upstream.set_nodelay(true)?;
    stream.set_nodelay(true)?;
    let upstream = TlsConnector::from(client).connect(ServerName::try_from("localhost")?, upstream).await?;
    let mut broker = Framed::new(upstream, FrameCodec::<ServerCommand>::new());
    let mut session = Framed::new(acceptor.accept(stream).await?, FrameCodec::<ClientCommand>::new());
    loop {
        // ActiveMQ leaves Nagle's algorithm on; a delayed acknowledgement would cost 40 ms.
        broker.get_ref().get_ref().0.set_quickack(true)?;
        let cut = tokio::select! {
            Some(received) = session.next() => match received? {
                Received::HeartBeat => { broker.send(HeartBeat).await?; false }
                Received::Frame(frame) => {
                    let verdict = judge(Passing::ToBroker(&frame));
                    pass(&mut broker, frame, verdict).await?
                }
            },
            Some(received) = broker.next() => match received? {
                Received::HeartBeat => { session.send(HeartBeat).await?; false }
                Received::Frame(frame) => {
                    let verdict = judge(Passing::FromBroker(&frame));
                    pass(&mut session, frame, verdict).await?
                }
            },
            else => true,
        };
        if cut {
            return Ok(());
        }
    }
}

/// Passes `frame` on as `verdict` says; tells whether the connection is to be cut now.
async fn pass<S: AsyncRead + AsyncWrite + Unpin, In: Command, Out: Command>(
    to: &mut Framed<S, FrameCodec<In>>,
    frame: Frame<Out>,
    verdict: Verdict,
) -> Result<bool, CodecError> {
    match verdict {
        Verdict::Pass => to.send(frame).await?,
        Verdict::Late(by) => {
            sleep(by).await;
            to.send(frame).await?;
        }
        Verdict::InPieces(size) => {
            for piece in encoded(frame)?.chunks(size) {
                to.get_mut().write_all(piece).await?;
                to.get_mut().flush().await?;
            }
        }
        Verdict::Cut => return Ok(true),
        Verdict::CutLater(by) => {
            sleep(by).await;
            return Ok(true);
        }
        Verdict::CutWithin => {
            let bytes = encoded(frame)?;
            to.get_mut().write_all(&bytes[..bytes.len() / 2]).await?;
            to.get_mut().flush().await?;
            return Ok(true);
        }
        Verdict::CutAfter => {
            to.send(frame).await?;
            return Ok(true);
        }
    }
    Ok(false)
}

fn encoded<Out: Command>(frame: Frame<Out>) -> Result<BytesMut, CodecError> {
    let mut bytes = BytesMut::new();
    // What a codec takes in does not matter to what it puts out.
    FrameCodec::<ClientCommand>::new().encode(frame, &mut bytes)?;
    Ok(bytes)
}
