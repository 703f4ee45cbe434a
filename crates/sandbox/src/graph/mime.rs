//! A message as MIME, created while it is sent, so that a message of 100 MB does not occupy 100 MB of memory.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::headers::Envelope;
use super::message::Item;
use super::options::{Attachment, Content, MessageId, NewMessage};
use super::rng::{hash, mix};
use super::state::State;

const LINE: usize = 76;
const BOUNDARY: &str = "_004_SandboxMixed_";

/// The message's MIME form, in pieces.
pub(super) fn chunks(state: &State, mailbox: u32, item: &Item) -> impl Iterator<Item = Bytes> + Send + use<> {
    let wanted = state.changes().mime_bytes.get(&(mailbox, item.root)).copied().or(state.base.mime_bytes);
    let mut head = head(state, mailbox, item);
    let tail = format!("--{BOUNDARY}--\r\n");
    let natural = (head.len() + tail.len()) as u64;
    let more = wanted.unwrap_or(0).saturating_sub(natural);
    // A small message is sent in one piece: clients treat many tiny pieces on a connection as an attack.
    if more == 0 {
        head.push_str(&tail);
    }
    let rest = (more > 0).then(|| filler(more).chain(std::iter::once(Bytes::from(tail))));
    let pieces = std::iter::once(Bytes::from(head)).chain(rest.into_iter().flatten());
    pieces.filter(|piece| !piece.is_empty())
}

/// Headers, text and attachments, up to the last boundary.
fn head(state: &State, mailbox: u32, item: &Item) -> String {
    let message = state.look(mailbox, item);
    let (body, html) = message.body();
    let source = Source {
        headers: message.headers(),
        body: &body,
        html,
        attachments: message.attachments(),
        level: 0,
    };
    let mut text = String::new();
    source.push_open(&mut text);
    text
}

/// The MIME form of an attached message.
pub(super) fn of(message: &NewMessage) -> Vec<u8> {
    let mut text = String::new();
    Source::of(message, 0).push(&mut text);
    text.into_bytes()
}

/// What a message's MIME form is made of.
struct Source<'a> {
    headers: Vec<(String, String)>,
    body: &'a str,
    html: bool,
    attachments: &'a [Attachment],
    /// How many messages it is attached to, one within the other. Each has its own boundary.
    level: usize,
}

impl<'a> Source<'a> {
    fn of(message: &'a NewMessage, level: usize) -> Self {
        let generated = hash(0x4e57, &message.subject);
        let generated = format!("<{generated:016X}@{}>", "mail.elsewhere.example");
        let envelope = Envelope {
            from: Some(message.from.clone()),
            to: &message.to,
            cc: &message.cc,
            subject: &message.subject,
            received: message.received.timestamp(),
            message_id: match &message.message_id {
                MessageId::Generated => Some(&generated),
                MessageId::Own(id) => Some(id),
                MessageId::Absent => None,
            },
            network_message_id: None,
            own: &message.headers,
        };
        let NewMessage { body, html, attachments, .. } = message;
        Self { headers: envelope.headers(), body, html: *html, attachments, level }
    }

    fn boundary(&self) -> String {
        if self.level == 0 { BOUNDARY.to_owned() } else { format!("_{:03}_SandboxNested_", self.level + 4) }
    }

    /// Appends the whole message.
    fn push(&self, text: &mut String) {
        self.push_open(text);
        let _ = write!(text, "--{}--\r\n", self.boundary());
    }

    /// Appends headers, text and attachments, up to the last boundary.
    fn push_open(&self, text: &mut String) {
        let boundary = self.boundary();
        for (name, value) in &self.headers {
            let _ = write!(text, "{name}: {}\r\n", encoded_words(value));
        }
        let _ = write!(
            text,
            "Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\nMIME-Version: 1.0\r\n\r\n\
             --{boundary}\r\nContent-Type: text/{}; charset=\"utf-8\"\r\n\
             Content-Transfer-Encoding: base64\r\n\r\n",
            if self.html { "html" } else { "plain" },
        );
        push_base64(text, self.body.as_bytes());
        for attachment in self.attachments {
            self.push_attachment(text, attachment);
        }
    }

    fn push_attachment(&self, text: &mut String, attachment: &Attachment) {
        let boundary = self.boundary();
        let name = encoded_words(&attachment.name.replace(['\\', '"'], "_"));
        let (disposition, id) = match &attachment.content_id {
            Some(id) => ("inline", format!("Content-ID: <{id}>\r\n")),
            None => ("attachment", String::new()),
        };
        match &attachment.content {
            Content::File { content_type, bytes } => {
                let _ = write!(
                    text,
                    "--{boundary}\r\nContent-Type: {content_type}; name=\"{name}\"\r\n{id}\
                     Content-Disposition: {disposition}; filename=\"{name}\"\r\n\
                     Content-Transfer-Encoding: base64\r\n\r\n",
                );
                push_base64(text, bytes);
            }
            Content::Message(message) => {
                let _ = write!(
                    text,
                    "--{boundary}\r\nContent-Type: message/rfc822\r\n{id}\
                     Content-Disposition: {disposition}\r\n\r\n",
                );
                Source::of(message, self.level + 1).push(text);
            }
            // Exchange writes the link into the body.
            Content::Link => {}
        }
    }
}

fn push_base64(text: &mut String, bytes: &[u8]) {
    for line in bytes.chunks(LINE / 4 * 3) {
        STANDARD.encode_string(line, text);
        text.push_str("\r\n");
    }
}

/// An attachment's part of exactly `size` bytes, if `size` allows one.
fn filler(size: u64) -> impl Iterator<Item = Bytes> + Send {
    let header = format!(
        "--{BOUNDARY}\r\nContent-Type: application/octet-stream; name=\"disk.img\"\r\n\
         Content-Disposition: attachment; filename=\"disk.img\"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    );
    // A smaller rest is filled with blank lines, which have no meaning between parts.
    let header = if size > header.len() as u64 + 4 { Bytes::from(header) } else { Bytes::new() };
    let block = if header.is_empty() { Bytes::from(vec![b'\n'; 256]) } else { base64_block() };
    let mut left = size - header.len() as u64;
    std::iter::once(header).chain(std::iter::from_fn(move || {
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
        left -= take as u64;
        (take > 0).then(|| block.slice(..take))
    }))
}

/// About 64 KB of base64 lines.
fn base64_block() -> Bytes {
    let mut bytes = Vec::with_capacity(840 * (LINE + 2));
    for line in 0..840u64 {
        for word in 0..10 {
            let random = mix(0xB10C, line, word).to_be_bytes();
            let encoded = STANDARD.encode(&random[..6]);
            let room = LINE - (usize::try_from(word).unwrap_or(0) * 8).min(LINE);
            bytes.extend_from_slice(&encoded.as_bytes()[..room.min(8)]);
        }
        bytes.extend_from_slice(b"\r\n");
    }
    Bytes::from(bytes)
}

/// Encodes a header's text by RFC 2047, unless it is plain ASCII.
fn encoded_words(text: &str) -> String {
    if text.chars().all(|character| character.is_ascii() && !character.is_ascii_control()) {
        return text.to_owned();
    }
    let mut words = vec![String::new()];
    for character in text.chars() {
        let word = words.last_mut().filter(|word| word.len() + character.len_utf8() <= 42);
        match word {
            Some(word) => word.push(character),
            None => words.push(character.to_string()),
        }
    }
    let words: Vec<String> =
        words.iter().map(|word| format!("=?utf-8?B?{}?=", STANDARD.encode(word))).collect();
    words.join("\r\n ")
}
