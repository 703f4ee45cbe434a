//! Encodes frames.

use bytes::{BufMut, Bytes, BytesMut};
use tokio_util::codec::Encoder;

use super::{CONTENT_LENGTH, CodecError, Command, FrameCodec, HeartBeat, is_escaped};
use crate::frame::{Frame, Headers};

impl<In> FrameCodec<In> {
    /// Writes `frame` without its body, and returns the pieces of the body, which belong before the last byte written.
    /// So a large body is not copied. Writes nothing on an error.
    pub(crate) fn encode_around<Out: Command>(
        &self,
        frame: Frame<Out>,
        wire: &mut BytesMut,
    ) -> Result<impl Iterator<Item = Bytes> + use<In, Out>, CodecError> {
        let start = wire.len();
        let length = frame.body_len();
        self.write_head(frame.command.into(), &frame.headers, length, wire)
            .inspect_err(|_| wire.truncate(start))?;
        wire.put_u8(0);
        Ok(std::iter::once(frame.body).chain(frame.more))
    }

    /// Writes the command and the headers, for a body of that `length`.
    fn write_head(
        &self,
        command: &'static str,
        headers: &Headers,
        length: usize,
        wire: &mut BytesMut,
    ) -> Result<(), CodecError> {
        if length > 0 && !matches!(command, "SEND" | "MESSAGE" | "ERROR") {
            return Err(CodecError::BodyNotAllowed(command));
        }
        if length > self.limits.body {
            return Err(CodecError::BodyTooLarge(self.limits.body));
        }
        let own_length = length > 0 || command == "SEND";
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
            wire.put_slice(format!("{CONTENT_LENGTH}:{length}").as_bytes());
            self.end_line(start, wire)?;
        }
        wire.put_u8(b'\n');
        Ok(())
    }

    /// Ends the line that starts at `start`; an error if it is too long.
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

    /// Writes the whole frame, or nothing on an error. A frame that this codec could not read back is an error.
    fn encode(&mut self, frame: Frame<Out>, wire: &mut BytesMut) -> Result<(), CodecError> {
        let start = wire.len();
        let length = frame.body_len();
        wire.reserve(length + 256);
        self.write_head(frame.command.into(), &frame.headers, length, wire)
            .inspect_err(|_| wire.truncate(start))?;
        for piece in std::iter::once(&frame.body).chain(&frame.more) {
            wire.put_slice(piece);
        }
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

/// Appends `text`, escaped.
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
