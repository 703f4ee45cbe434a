//! One connection to the broker: frames in, frames out, and heart-beats both ways.

use std::collections::VecDeque;
use std::future::pending;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::{Instant, sleep_until};
use tokio_util::codec::{Decoder, Encoder};

use super::codec::{CodecError, FrameCodec, HeartBeat, Received};
use super::error::Failure;
use super::frame::Frame;
use super::{ClientCommand, ServerCommand};

/// Free space in the buffer that bytes are read into.
const READ_AT_ONCE: usize = 16 * 1024;

/// With this many bytes not yet written, nothing more is taken on to be sent.
const ENOUGH_TO_WRITE: usize = 1024 * 1024;

/// A body from this many bytes on is written from where it is, not copied into the buffer first: the buffer would
/// stay as large, and the body is kept anyway until the broker has confirmed it.
const LARGE_BODY: usize = 64 * 1024;

/// How many intervals may pass without a byte before the connection is left. A broker may look only once an interval
/// whether it has sent something (ActiveMQ does), so a beat may come two intervals after the last frame; the third is
/// for the network.
const TOLERANCE: u32 = 3;

/// How long to look for a last word of the broker's when it takes no more of ours.
const LAST_WORD_WITHIN: Duration = Duration::from_secs(1);

/// Frames over a byte stream. Reading and writing go on side by side within [`Connection::next_frame`], so a
/// broker that writes before it reads cannot block us, nor we it.
pub(super) struct Connection<S> {
    reader: ReadHalf<S>,
    writer: WriteHalf<S>,
    codec: FrameCodec<ServerCommand>,
    incoming: BytesMut,
    /// What is to be written before [`outgoing`](Self::outgoing): large bodies, and what precedes them.
    ahead: VecDeque<Bytes>,
    outgoing: BytesMut,
    /// Whether bytes were handed to the stream that it may still hold back.
    unflushed: bool,
    /// Why nothing can be written any more, and since when. What the broker wrote before may still be read.
    write_failed: Option<(Failure, Instant)>,
    last_read: Instant,
    last_write: Instant,
    written: u64,
    /// How many bytes somebody waits for to be written, and when they were.
    milestone: Option<(u64, Option<Instant>)>,
    /// How often we promised to write.
    send_every: Option<Duration>,
    /// How long the broker may say nothing.
    silence_allowed: Option<Duration>,
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
        }
    }

    /// Starts heart-beats as agreed on. Zero stands for none.
    pub(super) fn agree(&mut self, send_every: Duration, expect_every: Duration) {
        let some = |interval: Duration| (!interval.is_zero()).then_some(interval);
        // Well within the interval, so that a beat that is late on the way is still in time.
        self.send_every = some(send_every / 4);
        self.silence_allowed = some(expect_every * TOLERANCE);
    }

    /// Whether we leave a connection over which nothing comes through any more before the broker does. The broker may
    /// leave once the interval that we promised is over since our last beat.
    pub(super) fn leaves_first(&self) -> bool {
        match (self.send_every, self.silence_allowed) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(every), Some(allowed)) => allowed < every * 3,
        }
    }

    /// When something was last written.
    pub(super) fn last_write(&self) -> Instant {
        self.last_write
    }

    /// When the first `end` bytes were all written, where they are. It is asked for one `end` after the other.
    pub(super) fn written_at(&mut self, end: u64) -> Option<Instant> {
        if self.milestone.is_none_or(|(known, _)| known != end) {
            self.milestone = Some((end, (self.written >= end).then(Instant::now)));
        }
        self.milestone.and_then(|(_, at)| at)
    }

    /// How many will have been when all is written that is in line now.
    pub(super) fn queued(&self) -> u64 {
        self.written + self.in_line() as u64
    }

    fn in_line(&self) -> usize {
        self.ahead.iter().map(Bytes::len).sum::<usize>() + self.outgoing.len()
    }

    /// Puts a frame in line to be written while [`Self::next_frame`] runs.
    pub(super) fn queue(&mut self, frame: Frame<ClientCommand>) -> Result<(), CodecError> {
        if frame.body.len() < LARGE_BODY {
            return self.codec.encode(frame, &mut self.outgoing);
        }
        let body = self.codec.encode_around(frame, &mut self.outgoing)?;
        let end = self.outgoing.split_off(self.outgoing.len() - 1);
        self.ahead.extend([std::mem::replace(&mut self.outgoing, end).freeze(), body]);
        Ok(())
    }

    /// Whether more may be put in line.
    pub(super) fn has_room(&self) -> bool {
        self.in_line() < ENOUGH_TO_WRITE
    }

    fn nothing_to_write(&self) -> bool {
        self.ahead.is_empty() && self.outgoing.is_empty()
    }

    /// Writes what is in line, keeps the heart-beats, and waits for the next frame; with `reading` false, nothing
    /// is read and it does not return except with a failure. It may be dropped at any point and called again.
    pub(super) async fn next_frame(&mut self, reading: bool) -> Result<Frame<ServerCommand>, Failure> {
        loop {
            if reading {
                while let Some(received) = self.codec.decode(&mut self.incoming)? {
                    if let Received::Frame(frame) = received {
                        return Ok(frame);
                    }
                }
                self.incoming.reserve(READ_AT_ONCE);
            } else {
                // Who does not listen cannot complain of silence.
                self.last_read = Instant::now();
            }
            let due = self.due();
            let able = self.write_failed.is_none();
            let writing = able && (!self.nothing_to_write() || self.unflushed);
            let in_line = self.in_line();
            tokio::select! {
                read = self.reader.read_buf(&mut self.incoming), if reading => match read {
                    Ok(0) => return Err(self.ended(Failure::Closed)),
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

    /// When something is to be done although nothing happened.
    fn due(&self) -> Option<Instant> {
        let beat = self.send_every.map(|every| self.last_write + every);
        let silent = self.silence_allowed.map(|allowed| self.last_read + allowed);
        let last_word = self.write_failed.as_ref().map(|(_, since)| *since + LAST_WORD_WITHIN);
        [beat, silent, last_word].into_iter().flatten().min()
    }

    fn on_time(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        if let Some((failure, since)) = &self.write_failed
            && now >= *since + LAST_WORD_WITHIN
        {
            return Err(failure.clone());
        }
        if let Some(allowed) = self.silence_allowed
            && now >= self.last_read + allowed
        {
            return Err(Failure::Silent(allowed));
        }
        if self.send_every.is_some_and(|every| now >= self.last_write + every) {
            if self.nothing_to_write() {
                self.codec.encode(HeartBeat, &mut self.outgoing)?;
            }
            self.last_write = now;
        }
        Ok(())
    }

    /// Why the connection ended, when nothing more can be read because of `failure`.
    fn ended(&mut self, failure: Failure) -> Failure {
        self.write_failed.take().map_or(failure, |(earlier, _)| earlier)
    }
}

fn broken(error: &std::io::Error) -> Failure {
    // Brokers that end a TLS connection seldom say so in TLS.
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => Failure::Closed,
        _ => Failure::Broken(error.to_string()),
    }
}

/// One step of writing: hands over some bytes, or makes the stream send what it was handed.
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

/// Waits until `due`, or for ever.
pub(super) async fn sleep_until_due(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}
