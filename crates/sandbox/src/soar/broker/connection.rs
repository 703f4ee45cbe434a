//! One client's connection: TLS, the login, heart-beats, and the traffic between the socket and the queues.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::codec::{FramedRead, FramedWrite};

use super::Shared;
use super::message::Outgoing;
use super::refusal::Refusal;
use super::session::{Next, Peer};
use stomp::{ClientCommand, CodecError, Frame, FrameCodec, HeartBeat, Received, ServerCommand};

/// The time after which a connection without a CONNECT is closed, as in ActiveMQ (`connectAttemptTimeout`).
const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);

type Reader = FramedRead<ReadHalf<TlsStream<TcpStream>>, FrameCodec<Sent>>;
type Writer = FramedWrite<WriteHalf<TlsStream<TcpStream>>, FrameCodec<ClientCommand>>;

/// The command of a client's frame. STOMP connects as CONNECT does ("CONNECT or STOMP Frame" in STOMP 1.2); only its
/// headers are escaped.
#[derive(Debug, Clone, Copy)]
enum Sent {
    Stomp,
    Other(ClientCommand),
}

impl From<Sent> for &'static str {
    fn from(sent: Sent) -> Self {
        match sent {
            Sent::Stomp => "STOMP",
            Sent::Other(command) => command.into(),
        }
    }
}

impl TryFrom<&str> for Sent {
    type Error = ();

    fn try_from(word: &str) -> Result<Self, ()> {
        match word {
            "STOMP" => Ok(Self::Stomp),
            other => ClientCommand::try_from(other).map(Self::Other).map_err(drop),
        }
    }
}

/// The frame with CONNECT for STOMP.
fn as_connect(frame: Frame<Sent>) -> Frame<ClientCommand> {
    frame.map_command(|command| match command {
        Sent::Stomp => ClientCommand::Connect,
        Sent::Other(command) => command,
    })
}

/// Serves a client until it disconnects, is refused, or the broker cuts all connections.
pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>, tls: TlsAcceptor) {
    let mut cuts = shared.cuts.subscribe();
    tokio::select! {
        _ = cuts.changed() => {}
        ended = talk(stream, &shared, tls) => {
            if let Err(error) = ended {
                tracing::debug!(%error, "sandbox broker: a connection broke");
            }
        }
    }
}

/// Removes a session from the broker when its connection ends for any reason.
struct SessionGuard<'s> {
    shared: &'s Shared,
    session: u64,
}

impl Drop for SessionGuard<'_> {
    fn drop(&mut self) {
        self.shared.state.change(|state| state.queues.disconnect(self.session));
    }
}

/// The agreed heart-beat intervals of both sides.
#[derive(Debug, Clone, Copy, Default)]
struct HeartBeats {
    from_client: Option<Duration>,
    from_broker: Option<Duration>,
}

impl HeartBeats {
    /// ActiveMQ accepts the intervals that a client requests: `0,15000` is answered by `15000,0`.
    fn agree(header: Option<&str>) -> Result<(Self, String), Refusal> {
        let text = header.unwrap_or("0,0");
        let parsed = text.split_once(',').and_then(|(sends, wants)| {
            Some((sends.trim().parse::<u64>().ok()?, wants.trim().parse::<u64>().ok()?))
        });
        let (sends, wants) =
            parsed.ok_or_else(|| Refusal::fatal(format!("Invalid heart-beat header:{text}")))?;
        let period = |millis| (millis > 0).then(|| Duration::from_millis(millis));
        Ok((Self { from_client: period(sends), from_broker: period(wants) }, format!("{wants},{sends}")))
    }
}

async fn talk(stream: TcpStream, shared: &Shared, tls: TlsAcceptor) -> Result<(), CodecError> {
    // Small frames must not wait for the peer's delayed acknowledgement.
    stream.set_nodelay(true)?;
    let Ok(stream) = timeout(LOGIN_TIMEOUT, tls.accept(stream)).await else { return Ok(()) };
    let (reader, writer) = tokio::io::split(stream?);
    let mut reader = FramedRead::new(reader, FrameCodec::new());
    let mut writer = FramedWrite::new(writer, FrameCodec::new());

    let first = timeout(LOGIN_TIMEOUT, next_frame(&mut reader, shared)).await;
    let Ok(Some(first)) = first else { return Ok(()) };
    shared.unmuted().await;
    let (outbox, outgoing) = mpsc::unbounded_channel();
    let welcome = first.map_err(Some).and_then(|connect| log_in(shared, &connect, outbox.clone()));
    let (peer, beats) = match welcome {
        Ok(welcome) => welcome,
        Err(Some(refusal)) => {
            writer.send(refusal.frame(None)).await?;
            return SinkExt::<HeartBeat>::close(&mut writer).await;
        }
        // The CONNECT is lost: the connection stays open and silent.
        Err(None) => {
            while next_frame(&mut reader, shared).await.is_some() {}
            return Ok(());
        }
    };
    let _guard = SessionGuard { shared, session: peer.session };
    tokio::select! {
        () = read(reader, shared, &peer, &outbox, beats.from_client) => Ok(()),
        written = write(writer, shared, outgoing, beats.from_broker) => written,
    }
}

/// Accepts a client's login, or returns the reason for a refusal. `None` means silence.
fn log_in(
    shared: &Shared,
    connect: &Frame<ClientCommand>,
    outbox: UnboundedSender<Outgoing>,
) -> Result<(Peer, HeartBeats), Option<Refusal>> {
    shared.state.change(|state| {
        state.note(connect);
        if state.faults.lose_connects > 0 {
            state.faults.lose_connects -= 1;
            return Err(None);
        }
        let login = state.log_in(connect)?;
        let (beats, answer) = HeartBeats::agree(connect.header("heart-beat"))?;
        let session = shared.next_session();
        state.queues.connect(session, outbox);
        let connected = Frame::new(ServerCommand::Connected)
            .with_header("server", concat!("sandbox/", env!("CARGO_PKG_VERSION")))
            .with_header("heart-beat", answer)
            .with_header(
                "session",
                format!("ID:sandbox-61613-{}-2:{session}", state.started.timestamp_millis()),
            )
            .with_header("version", "1.2");
        state.queues.tell(session, connected);
        Ok((Peer { session, login }, beats))
    })
}

/// The client's next frame. `None` at the end of the connection.
async fn next_frame(reader: &mut Reader, shared: &Shared) -> Option<Result<Frame<ClientCommand>, Refusal>> {
    loop {
        match reader.next().await? {
            Ok(Received::HeartBeat) => shared.state.change(|state| state.seen.heart_beats += 1),
            Ok(Received::Frame(frame)) => return Some(Ok(as_connect(frame))),
            Err(CodecError::Io(_) | CodecError::Truncated) => return None,
            Err(error) => return Some(Err(Refusal::fatal(error.to_string()))),
        }
    }
}

/// Receives the client's frames. If the broker ends the connection, it notifies the writer, and this function never
/// returns.
async fn read(
    mut reader: Reader,
    shared: &Shared,
    peer: &Peer,
    outbox: &UnboundedSender<Outgoing>,
    promised: Option<Duration>,
) {
    let mut check = promised.map(ticks);
    let mut heard = true;
    loop {
        let frame = tokio::select! {
            frame = reader.next() => frame,
            () = tick(check.as_mut()) => {
                // As in ActiveMQ, a client that was silent between two ticks is disconnected, so a client that sends
                // exactly as often as it promised is at risk.
                if !std::mem::take(&mut heard) && !shared.is_muted() {
                    return;
                }
                continue;
            }
        };
        shared.unmuted().await;
        heard = true;
        let next = match frame {
            None | Some(Err(CodecError::Io(_) | CodecError::Truncated)) => return,
            Some(Ok(Received::HeartBeat)) => {
                shared.state.change(|state| state.seen.heart_beats += 1);
                Next::Continue
            }
            Some(Ok(Received::Frame(frame))) => {
                shared.state.change(|state| state.handle(peer, &as_connect(frame)))
            }
            Some(Err(error)) => {
                let refusal = Refusal::fatal(error.to_string());
                shared.state.change(|state| state.queues.tell(peer.session, refusal.frame(None)));
                Next::Close
            }
        };
        match next {
            Next::Continue => {}
            Next::Break => return,
            Next::Close => {
                let _ = outbox.send(Outgoing::Close);
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Writes the broker's frames and heart-beats.
async fn write(
    mut writer: Writer,
    shared: &Shared,
    mut outgoing: UnboundedReceiver<Outgoing>,
    period: Option<Duration>,
) -> Result<(), CodecError> {
    let mut beat = period.map(ticks);
    loop {
        let next = tokio::select! {
            next = outgoing.recv() => next,
            () = tick(beat.as_mut()) => {
                if !shared.is_muted() {
                    writer.send(HeartBeat).await?;
                }
                continue;
            }
        };
        shared.unmuted().await;
        match next {
            Some(Outgoing::Frame(frame)) if outgoing.is_empty() => writer.send(frame).await?,
            Some(Outgoing::Frame(frame)) => writer.feed(frame).await?,
            None | Some(Outgoing::Close) => return SinkExt::<HeartBeat>::close(&mut writer).await,
        }
    }
}

fn ticks(period: Duration) -> Interval {
    let mut interval = interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

async fn tick(interval: Option<&mut Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}
