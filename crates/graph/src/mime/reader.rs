//! From the lines of a message to the tree of what it has.

use super::entity::{Ended, Leaf, Nested, attached_message};
use super::header::{Headers, MOST_HEADER};
use super::room::Room;
use crate::attachments::{NestedMessage, Unexamined};

/// A line that may be a boundary is not longer (RFC 2046, 5.1.1: 70 characters and the dashes).
const MOST_BOUNDARY: usize = 1024;
/// No mail program nests parts deeper within one message.
const MOST_OPEN: usize = 64;

/// Reads one message as it arrives.
#[derive(Debug)]
pub(crate) struct MimeReader {
    /// What is open, the outermost first. The first is the message itself.
    open: Vec<Open>,
    state: State,
    /// The beginning of a line that may be a boundary, or a line of a header.
    line: Vec<u8>,
    /// Whether the rest of the line is neither.
    passing: bool,
    room: Room,
}

#[derive(Debug)]
enum Open {
    /// The headers are those of the part that the message is.
    Message {
        part: Box<Headers>,
        message: Box<NestedMessage>,
    },
    Multipart {
        boundary: Vec<u8>,
        is_digest: bool,
    },
}

#[derive(Debug)]
enum State {
    Headers {
        headers: Box<Headers>,
        pending: Vec<u8>,
        of_message: bool,
    },
    Leaf(Box<Leaf>),
    /// Before the first part of a multipart, or after its last one.
    Between,
}

impl State {
    fn headers(of_message: bool) -> Self {
        Self::Headers { headers: Box::default(), pending: Vec::new(), of_message }
    }
}

impl MimeReader {
    /// Begins a message.
    pub(crate) fn within(room: Room) -> Self {
        let message = Open::Message { part: Box::default(), message: Box::default() };
        let state = State::headers(true);
        Self { open: vec![message], state, line: Vec::new(), passing: false, room }
    }

    /// Takes in the next bytes.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let end = bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
            let (piece, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            self.piece(piece, end.is_some());
            bytes = rest;
        }
    }

    /// Ends the message. Returns what it has, and the room that is left.
    pub(crate) fn finish(mut self) -> (NestedMessage, Room) {
        if !self.line.is_empty() {
            let line = std::mem::take(&mut self.line);
            self.line(&line);
        }
        if let State::Headers { .. } = self.state {
            self.end_headers();
        }
        self.close(0, false);
        let message = match self.open.pop() {
            Some(Open::Message { message, .. }) => *message,
            _ => NestedMessage::default(),
        };
        (message, self.room)
    }

    /// Takes in a piece of a line, which may be its end.
    fn piece(&mut self, piece: &[u8], ends: bool) {
        if self.passing {
            self.content(piece);
        } else {
            let most = if matches!(self.state, State::Headers { .. }) { MOST_HEADER } else { MOST_BOUNDARY };
            let room = most.saturating_sub(self.line.len()).min(piece.len());
            let (piece, rest) = piece.split_at(room);
            self.line.extend_from_slice(piece);
            if !ends && self.line.len() < most && self.is_undecided() {
                return;
            }
            let line = std::mem::take(&mut self.line);
            self.line(&line);
            self.line = line;
            self.line.clear();
            self.content(rest);
        }
        self.passing = !ends;
    }

    /// Whether the beginning of the line can still become a header or a boundary.
    fn is_undecided(&self) -> bool {
        matches!(self.state, State::Headers { .. }) || self.line == b"-" || self.line.starts_with(b"--")
    }

    /// Takes in what is certainly content.
    fn content(&mut self, piece: &[u8]) {
        if let State::Leaf(leaf) = &mut self.state
            && !piece.is_empty()
        {
            leaf.push(piece);
        }
    }

    /// Takes in a line, or the beginning of a long one.
    fn line(&mut self, line: &[u8]) {
        if let Some((nth, is_last)) = self.boundary(line) {
            self.close(nth + 1, true);
            self.state = if is_last { State::Between } else { self.next_part() };
            return;
        }
        let State::Headers { headers, pending, .. } = &mut self.state else { return self.content(line) };
        let text = line.trim_ascii_end();
        if text.is_empty() {
            return self.end_headers();
        }
        if !line.starts_with(b" ") && !line.starts_with(b"\t") {
            headers.add(pending);
            pending.clear();
        }
        let room = MOST_HEADER.saturating_sub(pending.len()).min(line.len());
        pending.extend_from_slice(&line[..room]);
    }

    /// The open multipart whose boundary the line is, the innermost first, and whether it is the last one.
    fn boundary(&self, line: &[u8]) -> Option<(usize, bool)> {
        let line = line.strip_prefix(b"--")?.trim_ascii_end();
        let mut open = self.open.iter().enumerate().rev();
        open.find_map(|(nth, open)| {
            let Open::Multipart { boundary, .. } = open else { return None };
            match line.strip_prefix(boundary.as_slice())? {
                b"" => Some((nth, false)),
                b"--" => Some((nth, true)),
                _ => None,
            }
        })
    }

    /// Begins the next part of the innermost multipart, if there is room for it.
    fn next_part(&mut self) -> State {
        if self.room.parts == 0 {
            self.incomplete(Unexamined::TooMany);
            return State::Between;
        }
        self.room.parts -= 1;
        State::headers(false)
    }

    /// The headers of a message or part are complete: what follows is its content.
    fn end_headers(&mut self) {
        let State::Headers { mut headers, pending, of_message } =
            std::mem::replace(&mut self.state, State::Between)
        else {
            return;
        };
        headers.add(&pending);
        if headers.media_type.is_none() && self.is_in_digest() && !of_message {
            headers.media_type = Some("message/rfc822".to_owned());
        }
        if of_message && let Some(message) = self.message() {
            message.subject = headers.subject.take();
            message.from = headers.from.take();
            message.message_id = headers.message_id.take();
        }
        if self.open.len() >= MOST_OPEN && (headers.is_multipart() || headers.is_message()) {
            self.state = State::Leaf(Box::new(Leaf::begin(*headers, None, Some(Unexamined::TooDeep))));
        } else if headers.is_multipart() {
            let boundary = headers.boundary.take().unwrap_or_default().into_bytes();
            let is_digest = headers.media_type.as_deref() == Some("multipart/digest");
            self.open.push(Open::Multipart { boundary, is_digest });
        } else if headers.is_message() {
            self.begin_message(*headers);
        } else {
            self.state = State::Leaf(Box::new(Leaf::begin(*headers, None, None)));
        }
    }

    /// Begins a message within the message: as it stands, or in an encoding.
    fn begin_message(&mut self, headers: Headers) {
        let Some(depth) = self.room.depth.checked_sub(self.depth() + 1) else {
            self.state = State::Leaf(Box::new(Leaf::begin(headers, None, Some(Unexamined::TooDeep))));
            return;
        };
        let is_encoded = super::decoder::Decoder::of(headers.encoding.as_deref()).is_encoding();
        // A file keeps its digest.
        let is_file = !headers.media_type.as_deref().is_some_and(|kind| kind.starts_with("message/"));
        self.state = if is_encoded || is_file {
            let inner = Room { depth, ..self.room };
            let inner: Box<dyn Nested> = Box::new(Self::within(inner));
            State::Leaf(Box::new(Leaf::begin(headers, Some(inner), None)))
        } else {
            self.open.push(Open::Message { part: Box::new(headers), message: Box::default() });
            State::headers(true)
        };
    }

    /// How many messages are open within the first.
    fn depth(&self) -> usize {
        self.open.iter().skip(1).filter(|open| matches!(open, Open::Message { .. })).count()
    }

    fn is_in_digest(&self) -> bool {
        matches!(self.open.last(), Some(Open::Multipart { is_digest: true, .. }))
    }

    /// The innermost open message.
    fn message(&mut self) -> Option<&mut NestedMessage> {
        self.open.iter_mut().rev().find_map(|open| match open {
            Open::Message { message, .. } => Some(message.as_mut()),
            Open::Multipart { .. } => None,
        })
    }

    fn incomplete(&mut self, why: Unexamined) {
        if let Some(message) = self.message() {
            message.unexamined.get_or_insert(why);
        }
    }

    /// Ends what is open beyond the first `keep`, and the message itself never.
    fn close(&mut self, keep: usize, at_boundary: bool) {
        match std::mem::replace(&mut self.state, State::Between) {
            State::Leaf(leaf) => {
                let (ended, room) = leaf.end(at_boundary);
                if let Some(room) = room {
                    (self.room.parts, self.room.url_bytes) = (room.parts, room.url_bytes);
                }
                self.add(ended);
            }
            // A part without content.
            State::Headers { .. } | State::Between => {}
        }
        while self.open.len() > keep.max(1) {
            if let Some(Open::Message { part, message }) = self.open.pop() {
                self.add(Ended::File(attached_message(&part, *message)));
            }
        }
    }

    fn add(&mut self, ended: Ended) {
        let mut left = self.room.url_bytes;
        let Some(message) = self.message() else { return };
        match ended {
            Ended::Body(found) => {
                message.urls.add_within(found, &mut left);
                self.room.url_bytes = left;
            }
            Ended::File(file) => message.attachments.push(file),
        }
    }
}

impl Nested for MimeReader {
    fn push(&mut self, bytes: &[u8]) {
        Self::push(self, bytes);
    }

    fn finish(self: Box<Self>) -> (NestedMessage, Room) {
        Self::finish(*self)
    }
}
