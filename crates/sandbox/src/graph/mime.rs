//! A message as MIME, created while it is sent, so that a message of 100 MB does not occupy 100 MB of memory.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::DateTime;

use super::message::{Item, Text};
use super::options::{Address, Attachment};
use super::rng::mix;
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
    let date = DateTime::from_timestamp(item.received, 0).unwrap_or_default().to_rfc2822();
    let from = message.from().map_or_else(String::new, |from| mailbox_header(&from));
    let to: Vec<String> = message.to().iter().map(mailbox_header).collect();
    let mut own = String::new();
    if let Text::Written(written) = &item.text {
        for (name, value) in &written.internet_headers {
            let _ = write!(own, "{name}: {value}\r\n");
        }
    }
    let mut text = format!(
        "Received: from mail.contoso.example (203.0.113.7) by sandbox.contoso.example\r\n with HTTPS; {date}\r\n\
         From: {from}\r\nTo: {}\r\nSubject: {}\r\nDate: {date}\r\nMessage-ID: {}\r\n{own}\
         Content-Type: multipart/mixed; boundary=\"{BOUNDARY}\"\r\nMIME-Version: 1.0\r\n\r\n\
         --{BOUNDARY}\r\nContent-Type: text/{}; charset=\"utf-8\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n",
        to.join(",\r\n "),
        encoded_words(&message.subject()),
        message.internet_message_id(),
        if html { "html" } else { "plain" },
    );
    push_base64(&mut text, body.as_bytes());
    match &item.text {
        Text::Written(written) => {
            for attachment in &written.attachments {
                push_attachment(&mut text, attachment);
            }
        }
        Text::Original(_) if message.has_attachments() => {
            let content = Bytes::from_static(b"%PDF-1.4\n1 0 obj <<>> endobj\ntrailer <<>>\n%%EOF\n");
            let attachment =
                Attachment { name: "document.pdf".into(), content_type: "application/pdf".into(), content };
            push_attachment(&mut text, &attachment);
        }
        Text::Original(_) => {}
    }
    text
}

fn push_attachment(text: &mut String, attachment: &Attachment) {
    let name = encoded_words(&attachment.name);
    let _ = write!(
        text,
        "--{BOUNDARY}\r\nContent-Type: {}; name=\"{name}\"\r\n\
         Content-Disposition: attachment; filename=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n\r\n",
        attachment.content_type
    );
    push_base64(text, &attachment.content);
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

fn mailbox_header(address: &Address) -> String {
    format!("{} <{}>", encoded_words(&address.name), address.address)
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
