//! The codec of STOMP 1.2 frames, for both ends of a connection.
//!
//! No input makes the codec panic, grow a buffer beyond [`Limits`], or read a byte twice: the decoder takes each
//! header line off the buffer when it is complete, and remembers how far it has searched for the next end.
//!
//! A broker redelivers a message that is not acknowledged. If an unreadable message closed the connection, it would
//! come back endlessly. So a codec can salvage messages: as long as it knows where a frame ends, it leaves out what
//! it cannot read, and reports that.

mod decoder;
mod encoder;

use std::io;

use decoder::Reading;

use super::frame::Frame;

/// A set of command words: [`ClientCommand`](super::ClientCommand) or [`ServerCommand`](super::ServerCommand).
pub trait Command: Copy + Into<&'static str> + for<'a> TryFrom<&'a str> {}

impl<C: Copy + Into<&'static str> + for<'a> TryFrom<&'a str>> Command for C {}

/// The largest frame. A larger one is refused in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the command's line, and of each header's, without its end.
    pub line: usize,
    /// Number of headers, repetitions counted.
    pub headers: usize,
    /// Bytes of the body.
    pub body: usize,
}

impl Default for Limits {
    /// More than a function call needs: SOAR's context token is a header of a few KiB, the inputs a body of a few
    /// MiB. A reply with 50,000 messages has 70 MiB. ActiveMQ's default limit is 100 MiB (`maxFrameSize`); it closes
    /// the connection on a larger frame.
    fn default() -> Self {
        Self { line: 64 * 1024, headers: 256, body: 96 * 1024 * 1024 }
    }
}

/// What was read from the wire.
#[derive(Debug, Clone, PartialEq)]
pub enum Received<C> {
    /// An end of line between frames, which is a heart-beat.
    HeartBeat,
    /// A frame.
    Frame(Frame<C>),
}

/// A heart-beat to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeartBeat;

/// Why bytes are not a frame, or a frame cannot be written. After an error of reading the stream is unusable: the
/// start of the next frame is unknown. No variant quotes the peer.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The connection itself failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The connection ended within a frame.
    #[error("the connection ended in the middle of a STOMP frame")]
    Truncated,
    /// A frame starts with an unknown command, so the peer probably does not speak STOMP.
    #[error("a frame does not start with a STOMP command; is this the port of a STOMP broker?")]
    UnknownCommand,
    /// Bytes before the body that are not UTF-8.
    #[error("a STOMP header is not valid UTF-8")]
    NotUtf8,
    /// A header line without a colon, or with nothing before it.
    #[error("a STOMP header line is not of the form name:value")]
    MalformedHeader,
    /// A header with an octet that cannot stand there: NUL, a lone CR or, in CONNECT and CONNECTED, any line end.
    #[error("a STOMP header holds a character that must not be in it")]
    ForbiddenCharacter,
    /// A backslash followed by something other than `r`, `n`, `c` or a backslash.
    #[error("a STOMP header holds an undefined escape sequence")]
    UndefinedEscape,
    /// `content-length` is not a number.
    #[error("the content-length of a STOMP frame is not a number")]
    MalformedLength,
    /// The bytes that `content-length` announces are not followed by NUL.
    #[error("a STOMP frame does not end where its content-length says")]
    WrongLength,
    /// A line longer than [`Limits::line`].
    #[error("a line of a STOMP frame is longer than {0} bytes")]
    LineTooLong(usize),
    /// More headers than [`Limits::headers`].
    #[error("a STOMP frame has more than {0} headers")]
    TooManyHeaders(usize),
    /// A body larger than [`Limits::body`].
    #[error("the body of a STOMP frame is larger than {0} bytes")]
    BodyTooLarge(usize),
    /// A frame to be written has a body, which its command does not allow.
    #[error("a STOMP {0} frame cannot have a body")]
    BodyNotAllowed(&'static str),
    /// A frame to be written brings its own `content-length`, which is the encoder's to write.
    #[error("the content-length of a STOMP frame is not the sender's to set")]
    LengthGiven,
}

/// The header with the length of the body.
const CONTENT_LENGTH: &str = "content-length";

/// The headers of these two commands are not escaped, so that STOMP 1.0 can read them (STOMP 1.2, "Value Encoding").
fn is_escaped(command: &str) -> bool {
    !matches!(command, "CONNECT" | "CONNECTED")
}

/// Reads frames with the commands `In`, writes frames with any.
///
/// A frame that was read has no `content-length` among its headers: the length of the body replaces it, and the encoder
/// writes it again.
#[derive(Debug)]
pub struct FrameCodec<In> {
    limits: Limits,
    /// Whether a message that cannot be read completely is read as far as possible.
    salvage: bool,
    state: Reading<In>,
    /// The number of bytes at the start of the buffer that were searched for the end that `state` waits for.
    scanned: usize,
}

impl<In> FrameCodec<In> {
    /// A codec with the usual [`Limits`].
    pub fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    /// A codec with `limits`.
    pub fn with_limits(limits: Limits) -> Self {
        Self { limits, salvage: false, state: Reading::Between, scanned: 0 }
    }

    /// Makes the codec return incomplete messages as well: without headers that cannot be read or exceed the limit, and
    /// without a body that is too large. [`Frame::damage`] says what is missing.
    #[must_use]
    pub fn salvaging(self) -> Self {
        Self { salvage: true, ..self }
    }
}

impl<In> Default for FrameCodec<In> {
    fn default() -> Self {
        Self::new()
    }
}
