//! One connection to the broker: frames in, frames out, and heart-beats both ways.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::{Instant, sleep_until};
use tokio_util::codec::{Decoder, Encoder};

use super::codec::{CodecError, FrameCodec, HeartBeat, Received};
use super::error::Error;
use super::frame::Frame;
use super::{ClientCommand, ServerCommand};

/// The free space of the read buffer, in bytes.
const READ_AT_ONCE: usize = 16 * 1024;

/// With this many bytes not written yet, no more requests are accepted.
const ENOUGH_TO_WRITE: usize = 1024 * 1024;

/// A body of at least this many bytes is written from its own memory and not copied into the buffer: the buffer would
/// stay that large, and the body is kept anyway until the broker confirms it.
const LARGE_BODY: usize = 64 * 1024;

/// The number of heart-beat intervals without a byte after which the connection is closed. A broker may check only
/// once an interval whether it has sent something (ActiveMQ does), so a heart-beat may come two intervals after the
/// last frame; the third is for the network.
const TOLERANCE: u32 = 3;

/// The time for which the connection is still read after writing failed: the broker may have sent the reason.
const LAST_WORD_WITHIN: Duration = Duration::from_secs(1);

/// Frames over a byte stream. [`Connection::next_frame`] reads and writes at the same time, so that neither side can
/// block the other by writing before it reads.
pub(super) struct Connection<S> {
    reader: ReadHalf<S>,
    writer: WriteHalf<S>,
    codec: FrameCodec<ServerCommand>,
    incoming: BytesMut,
    /// Bytes to write before [`outgoing`](Self::outgoing): large bodies, and the bytes before them.
    ahead: VecDeque<Bytes>,
    outgoing: BytesMut,
    /// Whether the stream may still hold bytes back that were written to it.
    unflushed: bool,
    /// Why writing failed, and when. Bytes that the broker sent before may still be read.
    write_failed: Option<(Error, Instant)>,
    last_read: Instant,
    last_write: Instant,
    written: u64,
    /// The number of written bytes that a caller waits for, and when it was reached.
    milestone: Option<(u64, Option<Instant>)>,
    /// The interval in which to write at least a heart-beat.
    send_every: Option<Duration>,
    /// The longest time without a byte from the broker.
    silence_allowed: Option<Duration>,
    /// `session` of the broker's CONNECTED.
    pub(super) broker_session: Option<Arc<str>>,
}

impl<S: AsyncRead + AsyncWrite> Connection<S> {
    /// A connection over `stream`, without heart-beats.
    pub(super) fn new(stream: S) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        let now = Instant::now();
        Self {
            reader,
            writer,
            codec: FrameCodec::new().salvaging(),
            incoming: BytesMut::new(),
            ahead: VecDeque::new(),
            outgoing: BytesMut::new(),
            unflushed: false,
            write_failed: None,
            last_read: now,
            last_write: now,
            written: 0,
            milestone: None,
            send_every: None,
            silence_allowed: None,
            broker_session: None,
        }
    }

    /// Starts heart-beats as agreed with the broker. Zero means none.
    pub(super) fn agree(&mut self, send_every: Duration, expect_every: Duration) {
        let some = |interval: Duration| (!interval.is_zero()).then_some(interval);
        // A quarter of the interval, so that a heart-beat that the network delays is still in time.
        self.send_every = some(send_every / 4);
        self.silence_allowed = some(expect_every * TOLERANCE);
    }

    /// Whether this side closes a dead connection before the broker does. The broker may close it when the interval
    /// that was promised to it has passed since the last heart-beat.
    pub(super) fn leaves_first(&self) -> bool {
        match (self.send_every, self.silence_allowed) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(every), Some(allowed)) => allowed < every * 3,
        }
    }

    /// When bytes were written last.
    pub(super) fn last_write(&self) -> Instant {
        self.last_write
    }

    /// When the first `end` bytes were written, or `None` if they are not yet. Keeps one `end` at a time.
    pub(super) fn written_at(&mut self, end: u64) -> Option<Instant> {
        if self.milestone.is_none_or(|(known, _)| known != end) {
            self.milestone = Some((end, (self.written >= end).then(Instant::now)));
        }
        self.milestone.and_then(|(_, at)| at)
    }

    /// The number of written bytes once everything that is queued now is written.
    pub(super) fn queued(&self) -> u64 {
        self.written + self.in_line() as u64
    }

    fn in_line(&self) -> usize {
        self.ahead.iter().map(Bytes::len).sum::<usize>() + self.outgoing.len()
    }

    /// Queues a frame, which [`Self::next_frame`] writes.
    pub(super) fn queue(&mut self, frame: Frame<ClientCommand>) -> Result<(), CodecError> {
        if frame.body_len() < LARGE_BODY {
            return self.codec.encode(frame, &mut self.outgoing);
        }
        let pieces = self.codec.encode_around(frame, &mut self.outgoing)?;
        let end = self.outgoing.split_off(self.outgoing.len() - 1);
        self.ahead.push_back(std::mem::replace(&mut self.outgoing, end).freeze());
        self.ahead.extend(pieces);
        Ok(())
    }

    /// Whether another frame may be queued.
    pub(super) fn has_room(&self) -> bool {
        self.in_line() < ENOUGH_TO_WRITE
    }

    fn nothing_to_write(&self) -> bool {
        self.ahead.is_empty() && self.outgoing.is_empty()
    }

    /// Writes what is queued, sends heart-beats, and waits for the next frame. With `reading` false it reads nothing
    /// and returns only with a failure. Cancel safe.
    pub(super) async fn next_frame(&mut self, reading: bool) -> Result<Frame<ServerCommand>, Error> {
        loop {
            if reading {
                while let Some(received) = self.codec.decode(&mut self.incoming)? {
                    if let Received::Frame(frame) = received {
                        return Ok(frame);
                    }
                }
                self.incoming.reserve(READ_AT_ONCE);
            } else {
                // Silence is not measured while nothing is read.
                self.last_read = Instant::now();
            }
            let due = self.due();
            let able = self.write_failed.is_none();
            let writing = able && (!self.nothing_to_write() || self.unflushed);
            let in_line = self.in_line();
            tokio::select! {
                read = self.reader.read_buf(&mut self.incoming), if reading => match read {
                    Ok(0) => return Err(self.ended(Error::Closed)),
                    Ok(_) => self.last_read = Instant::now(),
                    Err(error) => return Err(self.ended(broken(&error))),
                },
                written = write(&mut self.writer, &mut self.ahead, &mut self.outgoing, &mut self.unflushed), if writing => {
                    let now = Instant::now();
                    match written {
                        Ok(()) => {
                            self.last_write = now;
                            self.written += (in_line - self.in_line()) as u64;
                            if let Some((end, at @ None)) = &mut self.milestone {
                                *at = (self.written >= *end).then_some(now);
                            }
                        }
                        Err(error) => self.write_failed = Some((broken(&error), now)),
                    }
                }
                () = sleep_until_due(due) => self.on_time()?,
            }
        }
    }

    /// When the next heart-beat or check is due.
    fn due(&self) -> Option<Instant> {
        let beat = self.send_every.map(|every| self.last_write + every);
        let silent = self.silence_allowed.map(|allowed| self.last_read + allowed);
        let last_word = self.write_failed.as_ref().map(|(_, since)| *since + LAST_WORD_WITHIN);
        [beat, silent, last_word].into_iter().flatten().min()
    }

    fn on_time(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        if let Some((failure, since)) = &self.write_failed
            && now >= *since + LAST_WORD_WITHIN
        {
            return Err(failure.clone());
        }
        if let Some(allowed) = self.silence_allowed
            && now >= self.last_read + allowed
        {
            return Err(Error::Silent(allowed));
        }
        if self.send_every.is_some_and(|every| now >= self.last_write + every) {
            if self.nothing_to_write() {
                self.codec.encode(HeartBeat, &mut self.outgoing)?;
            }
            self.last_write = now;
        }
        Ok(())
    }

    /// Why the connection ended: an earlier failure of writing, or `failure` of reading.
    fn ended(&mut self, failure: Error) -> Error {
        self.write_failed.take().map_or(failure, |(earlier, _)| earlier)
    }
}

fn broken(error: &std::io::Error) -> Error {
    // Brokers rarely send TLS's close_notify before they close (RFC 8446, 6.1).
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => Error::Closed,
        _ => Error::Broken(error.to_string()),
    }
}

/// One step of writing: writes some bytes, or flushes the stream.
async fn write<W: AsyncWrite + Unpin>(
    writer: &mut W,
    ahead: &mut VecDeque<Bytes>,
    outgoing: &mut BytesMut,
    unflushed: &mut bool,
) -> std::io::Result<()> {
    if let Some(first) = ahead.front_mut() {
        writer.write_buf(first).await?;
        if first.is_empty() {
            ahead.pop_front();
        }
        *unflushed = true;
    } else if outgoing.is_empty() {
        writer.flush().await?;
        *unflushed = false;
    } else {
        writer.write_buf(outgoing).await?;
        *unflushed = true;
    }
    Ok(())
}

/// Waits until `due`, or indefinitely.
pub(super) async fn sleep_until_due(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}
