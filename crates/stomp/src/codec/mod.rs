//! Bytes to frames and back, as STOMP 1.2 has it, for both ends of a connection.
//!
//! Nothing a peer sends can panic, grow a buffer beyond [`Limits`], or make the decoder look at a byte twice: it
//! takes each header line off the buffer as it completes, and remembers how far it has looked for the next end.
//!
//! A broker delivers a message that was not acknowledged again and again, and one that cannot be read is not
//! acknowledged with the connection closed over it. So a codec may be told to salvage messages: as long as it is sure
//! where a frame ends, it leaves out what it cannot read, and says so.

mod decoder;
mod encoder;

use std::io;

use decoder::Reading;

use super::frame::Frame;

/// A set of command words: [`ClientCommand`](super::ClientCommand) or [`ServerCommand`](super::ServerCommand).
pub trait Command: Copy + Into<&'static str> + for<'a> TryFrom<&'a str> {}

impl<C: Copy + Into<&'static str> + for<'a> TryFrom<&'a str>> Command for C {}

/// How large a frame may be. What is larger is refused, whether it comes in or is to go out.
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
    /// Roomy for a function call: SOAR's context token is a header of a few KiB, its inputs a body of a few MiB. A
    /// reply with 50,000 messages is one of 70 MiB; ActiveMQ as it is delivered takes frames of 100 MiB
    /// (`maxFrameSize`), and one that is too large for it costs the connection.
    fn default() -> Self {
        Self { line: 64 * 1024, headers: 256, body: 96 * 1024 * 1024 }
    }
}

/// What was read from the wire.
#[derive(Debug, Clone, PartialEq)]
pub enum Received<C> {
    /// An end of line between frames: the peer is alive.
    HeartBeat,
    /// A frame.
    Frame(Frame<C>),
}

/// The heart-beat as something to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeartBeat;

/// Why bytes are no frame, or a frame cannot become bytes. After one of the first kind the stream is of no more
/// use: nobody knows where the next frame starts. No variant quotes what was sent.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The connection itself failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The connection ended within a frame.
    #[error("the connection ended in the middle of a STOMP frame")]
    Truncated,
    /// A frame starts with a word that is no command, so the peer most likely does not speak STOMP.
    #[error("a frame does not start with a STOMP command; is this the port of a STOMP broker?")]
    UnknownCommand,
    /// Bytes before the body that are no UTF-8.
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
    /// There is no NUL after the bytes that `content-length` announces.
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

/// The header that says how long the body is.
const CONTENT_LENGTH: &str = "content-length";

/// The headers of these two are not escaped, so that STOMP 1.0 can read them.
fn is_escaped(command: &str) -> bool {
    !matches!(command, "CONNECT" | "CONNECTED")
}

/// Reads frames with the commands `In`, writes frames with any.
///
/// A frame that was read has no `content-length` among its headers: it belongs to the wire, the body's length
/// stands for it, and the encoder writes it anew.
#[derive(Debug)]
pub struct FrameCodec<In> {
    limits: Limits,
    /// Whether a message that cannot be read whole is read as far as it can be.
    salvage: bool,
    state: Reading<In>,
    /// Bytes at the start of the buffer in which the end that `state` waits for was not found.
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

    /// Has it hand out messages that are not whole, too: without the headers that cannot be read and those too
    /// many, and without a body that is too large. What they lack is in [`Frame::damage`].
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
