//! Decodes frames, and salvages damaged messages.

use bytes::{Buf, BytesMut};
use tokio_util::codec::Decoder;

use super::{CONTENT_LENGTH, CodecError, Command, FrameCodec, Received, is_escaped};
use crate::frame::{Frame, Headers};

/// The decoder does not keep a buffer that held a body larger than this, in bytes.
const KEPT_BUFFER: usize = 64 * 1024;

/// The part of a frame that was taken off the buffer.
#[derive(Debug)]
pub(super) enum Reading<In> {
    /// Nothing: line ends here are heart-beats.
    Between,
    /// Its command, and some headers.
    Head(Frame<In>),
    /// Its command and some headers, up to within a header line that is left out.
    HeadPastLine(Frame<In>),
    /// Everything but the body, whose length may be known.
    Body(Frame<In>, Option<usize>),
    /// Everything but a body that is left out. If its length is known, this many bytes are to come, with the NUL after
    /// them.
    PastBody(Frame<In>, Option<usize>),
}

/// The headers without which a message can be neither answered nor acknowledged.
const NEEDED: [&str; 6] = ["message-id", "ack", "destination", "reply-to", "correlation-id", "redelivered"];

impl<In> FrameCodec<In> {
    /// Searches `end` in the bytes that were not searched yet.
    fn find(&mut self, end: u8, buffer: &[u8]) -> Option<usize> {
        let found = buffer.iter().skip(self.scanned).position(|b| *b == end).map(|at| at + self.scanned);
        self.scanned = if found.is_some() { 0 } else { buffer.len() };
        found
    }

    /// The next complete line without its end, and its length with the end.
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

    /// The body, and its length with the NUL.
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

impl<In: Command> FrameCodec<In> {
    /// Adds the header in `line` to `frame`.
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

    /// Continues with `frame` after `error`, if it is a message that is to be salvaged.
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
                        // Without it the end of the frame is unknown.
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
                    // NUL ends a frame, so the end of this one is unknown.
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
                        // No NUL is at the announced end.
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
                        // The large buffer is dropped with the body; the bytes after it move to a new one.
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
                    // The buffer may have grown to the largest body.
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

/// The value of the first `content-length`; removes all of them from `headers`.
fn body_length(headers: &mut Headers) -> Result<Option<usize>, CodecError> {
    let length = headers.get(CONTENT_LENGTH).map(|text| {
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(CodecError::MalformedLength);
        }
        // A number with too many digits is more than any body has.
        Ok(text.parse().unwrap_or(usize::MAX))
    });
    headers.remove(CONTENT_LENGTH);
    length.transpose()
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
            // A broker that refuses a CONNECT writes its ERROR before a version is agreed on, so as STOMP 1.0 without
            // escapes. The text is more useful than the rule.
            other if command == "ERROR" => {
                plain.push('\\');
                plain.extend(other);
            }
            _ => return Err(CodecError::UndefinedEscape),
        }
    }
    Ok(plain)
}
