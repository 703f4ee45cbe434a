//! The content of one part while it is read: its digest, its text, or the message that it is.

use charset::Charset;

use super::decoder::Decoder;
use super::header::Headers;
use super::room::Room;
use crate::attachments::{AttachedFile, DigestContext, Kind, NestedMessage, Unexamined};
use crate::urls::{self, FoundUrls};

/// No more of a text is read for its URLs.
const MOST_TEXT: usize = 1 << 20;

/// A part that holds no other parts.
#[derive(Debug)]
pub(super) struct Leaf {
    headers: Headers,
    decoder: Decoder,
    content: Content,
    scratch: Vec<u8>,
}

#[derive(Debug)]
enum Content {
    /// The text that a mail program shows.
    Body {
        text: Vec<u8>,
        is_cut: bool,
    },
    File {
        digest: Box<DigestContext>,
        message: Option<Box<dyn Nested>>,
        unexamined: Option<Unexamined>,
    },
}

/// Reads the message that a part is.
pub(super) trait Nested: std::fmt::Debug + Send {
    /// Takes in the next bytes.
    fn push(&mut self, bytes: &[u8]);

    /// Ends the message. Returns what it has, and the room that is left.
    fn finish(self: Box<Self>) -> (NestedMessage, Room);
}

/// What a part was.
pub(super) enum Ended {
    Body(FoundUrls),
    File(AttachedFile),
}

impl Leaf {
    /// Begins a part, whose content is a message as well if there is a reader for it.
    pub(super) fn begin(
        headers: Headers,
        message: Option<Box<dyn Nested>>,
        unexamined: Option<Unexamined>,
    ) -> Self {
        let content = if headers.is_body() {
            Content::Body { text: Vec::new(), is_cut: false }
        } else {
            Content::File { digest: Box::default(), message, unexamined }
        };
        Self { decoder: Decoder::of(headers.encoding.as_deref()), headers, content, scratch: Vec::new() }
    }

    pub(super) fn push(&mut self, piece: &[u8]) {
        self.decoder.push(piece, &mut self.scratch);
        self.flush();
    }

    fn flush(&mut self) {
        match &mut self.content {
            Content::Body { text, is_cut } => {
                let room = MOST_TEXT - text.len();
                *is_cut |= self.scratch.len() > room;
                text.extend_from_slice(&self.scratch[..room.min(self.scratch.len())]);
            }
            Content::File { digest, message, .. } => {
                digest.update(&self.scratch);
                if let Some(message) = message {
                    message.push(&self.scratch);
                }
            }
        }
        self.scratch.clear();
    }

    /// Ends the part: at a boundary, or where the message ends. Returns the room that is left as well.
    pub(super) fn end(mut self, at_boundary: bool) -> (Ended, Option<Room>) {
        if !at_boundary {
            self.decoder.finish(&mut self.scratch);
            self.flush();
        }
        let Headers { media_type, name, charset, .. } = &self.headers;
        match self.content {
            Content::Body { text, is_cut } => {
                let charset = charset.as_deref().and_then(|label| Charset::for_label(label.as_bytes()));
                let text = match charset {
                    Some(charset) => charset.decode(&text).0,
                    None => String::from_utf8_lossy(&text),
                };
                let found = if self.headers.is_html() { urls::in_html(&text) } else { urls::in_text(&text) };
                (Ended::Body(FoundUrls { complete: found.complete && !is_cut, ..found }), None)
            }
            Content::File { digest, message, unexamined } => {
                let (size, sha256) = digest.finish();
                let (nested, room) = match message.map(Nested::finish) {
                    Some((nested, room)) => (Some(Box::new(nested)), Some(room)),
                    None => (None, None),
                };
                let file = AttachedFile {
                    name: name.clone().unwrap_or_default(),
                    content_type: media_type.clone(),
                    size: Some(size),
                    sha256: Some(sha256),
                    is_inline: self.headers.is_inline(),
                    kind: Kind::File,
                    nested,
                    unexamined,
                };
                (Ended::File(file), room)
            }
        }
    }
}

/// A message that is attached as it is, without an encoding.
pub(super) fn attached_message(headers: &Headers, nested: NestedMessage) -> AttachedFile {
    let subject = nested.subject.clone().unwrap_or_default();
    AttachedFile {
        name: headers.name.clone().unwrap_or(subject),
        content_type: headers.media_type.clone(),
        size: None,
        sha256: None,
        is_inline: headers.is_inline(),
        kind: Kind::Message,
        nested: Some(Box::new(nested)),
        unexamined: None,
    }
}
