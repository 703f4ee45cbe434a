//! Bytes to frames and back, as STOMP 1.2 has it, for both ends of a connection.
//!
//! Nothing a peer sends can panic, grow a buffer beyond [`Limits`], or make the decoder look at a byte twice: it
//! takes each header line off the buffer as it completes, and remembers how far it has looked for the next end.
//!
//! A broker delivers a message that was not acknowledged again and again, and one that cannot be read is not
//! acknowledged with the connection closed over it. So a codec may be told to salvage messages: as long as it is sure
//! where a frame ends, it leaves out what it cannot read, and says so.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

use super::frame::{Frame, Headers};

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

/// The bodies above which the decoder does not keep the buffer it read them into.
const KEPT_BUFFER: usize = 64 * 1024;

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

/// How much of a frame was taken off the buffer.
#[derive(Debug)]
enum Reading<In> {
    /// Nothing: line ends here are heart-beats.
    Between,
    /// Its command and perhaps some headers.
    Head(Frame<In>),
    /// The same, up to within a header line that is left out.
    HeadPastLine(Frame<In>),
    /// Everything but the body, whose length may have been announced.
    Body(Frame<In>, Option<usize>),
    /// The same, with a body that is left out. Of one whose length was announced, so many bytes are to come, the NUL
    /// after them included.
    PastBody(Frame<In>, Option<usize>),
}

/// The headers without which a message can be neither answered nor acknowledged.
const NEEDED: [&str; 6] = ["message-id", "ack", "destination", "reply-to", "correlation-id", "redelivered"];

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

    /// Looks for `end` where it was not looked for yet.
    fn find(&mut self, end: u8, buffer: &[u8]) -> Option<usize> {
        let found = buffer.iter().skip(self.scanned).position(|b| *b == end).map(|at| at + self.scanned);
        self.scanned = if found.is_some() { 0 } else { buffer.len() };
        found
    }

    /// The next whole line without its end, and how many bytes it takes with it.
    fn line<'b>(&mut self, buffer: &'b [u8]) -> Result<Option<(&'b str, usize)>, CodecError> {
        let end = self.find(b'\n', buffer);
        let line = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > self.limits.line {
            return Err(CodecError::LineTooLong(self.limits.line));
        }
        let Some(end) = end else { return Ok(None) };
        if line.iter().any(|b| matches!(b, b'\r' | 0)) {
            return Err(CodecError::ForbiddenCharacter);
        }
        let line = std::str::from_utf8(line).map_err(|_| CodecError::NotUtf8)?;
        Ok(Some((line, end + 1)))
    }

    /// The body and how many bytes it takes with it.
    fn body(&mut self, length: Option<usize>, buffer: &[u8]) -> Result<Option<usize>, CodecError> {
        if let Some(length) = length {
            return match buffer.get(length) {
                None => Ok(None),
                Some(0) => Ok(Some(length)),
                Some(_) => Err(CodecError::WrongLength),
            };
        }
        let end = self.find(0, buffer);
        if end.unwrap_or(buffer.len()) > self.limits.body {
            return Err(CodecError::BodyTooLarge(self.limits.body));
        }
        Ok(end)
    }
}

impl<In> Default for FrameCodec<In> {
    fn default() -> Self {
        Self::new()
    }
}

impl<In: Command> FrameCodec<In> {
    /// Adds what `line` says to the headers of `frame`.
    fn header(&self, frame: &mut Frame<In>, line: &str) -> Result<(), CodecError> {
        let (name, value) = line.split_once(':').ok_or(CodecError::MalformedHeader)?;
        if name.is_empty() {
            return Err(CodecError::MalformedHeader);
        }
        if frame.headers.len() >= self.limits.headers {
            let error = CodecError::TooManyHeaders(self.limits.headers);
            if !(NEEDED.contains(&name) || name == CONTENT_LENGTH) || frame.header(name).is_some() {
                return Err(error);
            }
            self.salvaged(frame, error)?;
        }
        let command = frame.command.into();
        frame.headers.push(unescape(command, name)?, unescape(command, value)?);
        Ok(())
    }
}

impl<In: Command> FrameCodec<In> {
    /// Goes on with `frame` in spite of `error`, if it is a message that is to be salvaged.
    fn salvaged(&self, frame: &mut Frame<In>, error: CodecError) -> Result<(), CodecError> {
        let command: &str = frame.command.into();
        if !self.salvage || command != "MESSAGE" {
            return Err(error);
        }
        frame.damage.get_or_insert_with(|| error.to_string());
        Ok(())
    }
}

impl<In: Command> Decoder for FrameCodec<In> {
    type Item = Received<In>;
    type Error = CodecError;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Self::Item>, CodecError> {
        loop {
            match std::mem::replace(&mut self.state, Reading::Between) {
                Reading::Between => {
                    let Some((line, taken)) = self.line(buffer)? else { return Ok(None) };
                    if line.is_empty() {
                        buffer.advance(taken);
                        return Ok(Some(Received::HeartBeat));
                    }
                    let command = In::try_from(line).map_err(|_| CodecError::UnknownCommand)?;
                    self.state = Reading::Head(Frame::new(command));
                    buffer.advance(taken);
                }
                Reading::Head(mut frame) => {
                    let (line, taken) = match self.line(buffer) {
                        Ok(Some(line)) => line,
                        Ok(None) => {
                            self.state = Reading::Head(frame);
                            return Ok(None);
                        }
                        // Without it nobody knows where the frame ends.
                        Err(error) if buffer.starts_with(CONTENT_LENGTH.as_bytes()) => return Err(error),
                        Err(error) => {
                            self.salvaged(&mut frame, error)?;
                            self.scanned = 0;
                            self.state = Reading::HeadPastLine(frame);
                            continue;
                        }
                    };
                    if line.is_empty() {
                        self.state = match body_length(&mut frame.headers)? {
                            Some(length) if length > self.limits.body => {
                                self.salvaged(&mut frame, CodecError::BodyTooLarge(self.limits.body))?;
                                Reading::PastBody(frame, Some(length.saturating_add(1)))
                            }
                            length => Reading::Body(frame, length),
                        };
                    } else {
                        match self.header(&mut frame, line) {
                            Ok(()) => {}
                            Err(error) if line.starts_with(CONTENT_LENGTH) => return Err(error),
                            Err(error) => self.salvaged(&mut frame, error)?,
                        }
                        self.state = Reading::Head(frame);
                    }
                    buffer.advance(taken);
                }
                Reading::HeadPastLine(frame) => {
                    let end = buffer.iter().position(|b| *b == b'\n');
                    // A NUL ends frames: who writes one here does not know where this one ends, nor do we.
                    if buffer.get(..end.unwrap_or(buffer.len())).is_some_and(|line| line.contains(&0)) {
                        return Err(CodecError::ForbiddenCharacter);
                    }
                    if let Some(end) = end {
                        buffer.advance(end + 1);
                        self.state = Reading::Head(frame);
                    } else {
                        buffer.clear();
                        self.state = Reading::HeadPastLine(frame);
                        return Ok(None);
                    }
                }
                Reading::Body(mut frame, length) => {
                    let length = match self.body(length, buffer) {
                        Ok(Some(length)) => length,
                        Ok(None) => {
                            self.state = Reading::Body(frame, length);
                            return Ok(None);
                        }
                        // Where the end was announced, it is not there.
                        Err(error) if length.is_some() => return Err(error),
                        Err(error) => {
                            self.salvaged(&mut frame, error)?;
                            self.scanned = 0;
                            self.state = Reading::PastBody(frame, None);
                            continue;
                        }
                    };
                    frame.body = buffer.split_to(length).freeze();
                    buffer.advance(1);
                    if length > KEPT_BUFFER && buffer.len() < length {
                        // The large buffer goes with the body that needed it; what follows moves to one of its own.
                        *buffer = BytesMut::from(&buffer[..]);
                    }
                    return Ok(Some(Received::Frame(frame)));
                }
                Reading::PastBody(frame, to_come) => {
                    let end = match to_come {
                        Some(to_come) => (to_come <= buffer.len()).then(|| to_come - 1),
                        None => buffer.iter().position(|b| *b == 0),
                    };
                    if let Some(end) = end {
                        if buffer.get(end) != Some(&0) {
                            return Err(CodecError::WrongLength);
                        }
                        buffer.advance(end + 1);
                        return Ok(Some(Received::Frame(frame)));
                    }
                    self.state = Reading::PastBody(frame, to_come.map(|bytes| bytes - buffer.len()));
                    // It may have grown as large as a body may be.
                    *buffer = BytesMut::new();
                    return Ok(None);
                }
            }
        }
    }

    fn decode_eof(&mut self, buffer: &mut BytesMut) -> Result<Option<Self::Item>, CodecError> {
        let item = self.decode(buffer)?;
        if item.is_none() && !(buffer.is_empty() && matches!(self.state, Reading::Between)) {
            return Err(CodecError::Truncated);
        }
        Ok(item)
    }
}

/// What the first `content-length` says, taking all of them out of `headers`.
fn body_length(headers: &mut Headers) -> Result<Option<usize>, CodecError> {
    let length = headers.get(CONTENT_LENGTH).map(|text| {
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(CodecError::MalformedLength);
        }
        // Too many digits for a number are more bytes than ever come.
        Ok(text.parse().unwrap_or(usize::MAX))
    });
    headers.remove(CONTENT_LENGTH);
    length.transpose()
}

const CONTENT_LENGTH: &str = "content-length";

/// The headers of these two are not escaped, so that STOMP 1.0 can read them.
fn is_escaped(command: &str) -> bool {
    !matches!(command, "CONNECT" | "CONNECTED")
}

fn unescape(command: &str, text: &str) -> Result<String, CodecError> {
    if !is_escaped(command) || !text.contains('\\') {
        return Ok(text.to_owned());
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.next() {
            Some('r') => plain.push('\r'),
            Some('n') => plain.push('\n'),
            Some('c') => plain.push(':'),
            Some('\\') => plain.push('\\'),
            // A broker that refuses a CONNECT writes its ERROR before a version is agreed on, so in that of 1.0,
            // without escapes. Its words are worth more than the rule.
            other if command == "ERROR" => {
                plain.push('\\');
                plain.extend(other);
            }
            _ => return Err(CodecError::UndefinedEscape),
        }
    }
    Ok(plain)
}

/// Appends `text` as it stands on the wire.
fn escape(command: &str, text: &str, wire: &mut BytesMut) -> Result<(), CodecError> {
    if !is_escaped(command) {
        wire.put_slice(text.as_bytes());
        return if text.contains(['\r', '\n', '\0']) { Err(CodecError::ForbiddenCharacter) } else { Ok(()) };
    }
    for byte in text.bytes() {
        match byte {
            b'\r' => wire.put_slice(b"\\r"),
            b'\n' => wire.put_slice(b"\\n"),
            b':' => wire.put_slice(b"\\c"),
            b'\\' => wire.put_slice(b"\\\\"),
            0 => return Err(CodecError::ForbiddenCharacter),
            other => wire.put_u8(other),
        }
    }
    Ok(())
}

impl<In> FrameCodec<In> {
    /// Writes everything of `frame` but its body, which stands before the last byte on the wire, and hands the
    /// body out: so a large one is not copied. With an error, nothing is written.
    pub(super) fn encode_around<Out: Command>(
        &self,
        frame: Frame<Out>,
        wire: &mut BytesMut,
    ) -> Result<Bytes, CodecError> {
        let start = wire.len();
        self.write_head(frame.command.into(), &frame.headers, &frame.body, wire)
            .inspect_err(|_| wire.truncate(start))?;
        wire.put_u8(0);
        Ok(frame.body)
    }

    /// Writes what precedes the body.
    fn write_head(
        &self,
        command: &'static str,
        headers: &Headers,
        body: &Bytes,
        wire: &mut BytesMut,
    ) -> Result<(), CodecError> {
        if !body.is_empty() && !matches!(command, "SEND" | "MESSAGE" | "ERROR") {
            return Err(CodecError::BodyNotAllowed(command));
        }
        if body.len() > self.limits.body {
            return Err(CodecError::BodyTooLarge(self.limits.body));
        }
        let own_length = !body.is_empty() || command == "SEND";
        if headers.len() + usize::from(own_length) > self.limits.headers {
            return Err(CodecError::TooManyHeaders(self.limits.headers));
        }
        let start = wire.len();
        wire.put_slice(command.as_bytes());
        self.end_line(start, wire)?;
        for (name, value) in headers.iter() {
            match name {
                "" => return Err(CodecError::MalformedHeader),
                CONTENT_LENGTH => return Err(CodecError::LengthGiven),
                _ if !is_escaped(command) && name.contains(':') => {
                    return Err(CodecError::ForbiddenCharacter);
                }
                _ => {}
            }
            let start = wire.len();
            escape(command, name, wire)?;
            wire.put_u8(b':');
            escape(command, value, wire)?;
            self.end_line(start, wire)?;
        }
        if own_length {
            let start = wire.len();
            wire.put_slice(format!("{CONTENT_LENGTH}:{}", body.len()).as_bytes());
            self.end_line(start, wire)?;
        }
        wire.put_u8(b'\n');
        Ok(())
    }

    /// Ends the line that starts at `start`, if it is not too long.
    fn end_line(&self, start: usize, wire: &mut BytesMut) -> Result<(), CodecError> {
        if wire.len() - start > self.limits.line {
            return Err(CodecError::LineTooLong(self.limits.line));
        }
        wire.put_u8(b'\n');
        Ok(())
    }
}

impl<In, Out: Command> Encoder<Frame<Out>> for FrameCodec<In> {
    type Error = CodecError;

    /// Writes the whole frame or, with an error, nothing: what this codec could not read back is not written.
    fn encode(&mut self, frame: Frame<Out>, wire: &mut BytesMut) -> Result<(), CodecError> {
        let start = wire.len();
        wire.reserve(frame.body.len() + 256);
        self.write_head(frame.command.into(), &frame.headers, &frame.body, wire)
            .inspect_err(|_| wire.truncate(start))?;
        wire.put_slice(&frame.body);
        wire.put_u8(0);
        Ok(())
    }
}

impl<In> Encoder<HeartBeat> for FrameCodec<In> {
    type Error = CodecError;

    fn encode(&mut self, HeartBeat: HeartBeat, wire: &mut BytesMut) -> Result<(), CodecError> {
        wire.put_u8(b'\n');
        Ok(())
    }
}
