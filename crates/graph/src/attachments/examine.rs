//! Reads the attachments of a message.

use std::pin::pin;
use std::time::Duration;

use futures_util::TryStreamExt;
use serde_json::value::RawValue;

use super::digest::DigestContext;
use super::entry::{Entry, MOST, SELECT};
use super::{AttachedFile, Attachment, Expanded, Kind, NestedMessage, Sha256, Unexamined};
use crate::client::Client;
use crate::download::{Download, repeat_download};
use crate::error::{Error, ErrorKind};
use crate::list::ListReader;
use crate::mime::{MimeReader, Room, is_message_file};
use crate::path::Path;
use crate::request::Request;

/// Attachments on one page.
const PAGE: usize = 100;
/// The attachments of one message are not on more pages.
const MOST_PAGES: usize = 100;

/// How much is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How deep messages in messages are followed. 0 follows none.
    pub depth: usize,
    /// How many attachments are looked at, with those of attached messages.
    pub attachments: usize,
    /// How many bytes are read, of all attachments together.
    pub bytes: u64,
    /// How many bytes of URLs in attached messages are kept.
    pub url_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 5, attachments: 500, bytes: 200 << 20, url_bytes: 256 << 10 }
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Names, types and sizes: the content of messages is read, but not that of files.
    Names,
    /// Digests as well: all content is read.
    Digests,
}

/// The attachments of one message.
#[derive(Debug, Clone, Copy)]
pub struct MessageAttachments<'a> {
    /// The client that reads them.
    pub client: &'a Client,
    /// The mailbox, as it stands in an address.
    pub mailbox: &'a str,
    /// The message's id.
    pub message: &'a str,
}

impl MessageAttachments<'_> {
    /// Lists the attachments, to the end of the list.
    pub async fn list(&self) -> Result<Vec<Attachment>, Error> {
        let path = Path::message(self.mailbox, None, self.message)?.then("attachments");
        let path = path.option("$select", SELECT).option("$top", &PAGE.to_string());
        let entries =
            ListReader::new(self.client, self.mailbox, MOST_PAGES).read::<Entry, MOST>(path).await?;
        Ok(entries.into_iter().map(Attachment::from).collect())
    }

    /// Returns the attachments that `message`, requested with `$expand=attachments`, shows; where it does not show all,
    /// lists them.
    pub async fn expanded(&self, message: &RawValue) -> Result<Vec<Attachment>, Error> {
        let Expanded { attachments, is_complete } = Expanded::of(message);
        if is_complete { Ok(attachments) } else { self.list().await }
    }

    /// Opens the content of an attachment: the bytes of a file, or a message in its MIME form.
    pub async fn open(&self, attachment: &Attachment) -> Result<Download, Error> {
        let path = Path::attachment(self.mailbox, self.message, &attachment.id)?.then("$value");
        self.client.open_file(&Request::get(path).in_mailbox(self.mailbox)).await
    }

    /// Reads the attachments, one after the other. An attachment that cannot be read says why; the others are read. All
    /// of them together wait only as often as one that breaks off: a proxy may cut the download of each.
    pub async fn examine(
        &self,
        attachments: &[Attachment],
        wanted: Wanted,
        limits: Limits,
    ) -> Vec<AttachedFile> {
        let mut left = limits;
        let mut waits = self.client.download_waits();
        let mut files = Vec::with_capacity(attachments.len());
        for attachment in attachments {
            files.push(self.file(attachment, wanted, &mut left, &mut waits).await);
        }
        files
    }

    /// Reads one attachment, within what is `left`.
    async fn file(
        &self,
        attachment: &Attachment,
        wanted: Wanted,
        left: &mut Limits,
        waits: &mut impl Iterator<Item = Duration>,
    ) -> AttachedFile {
        let mut file = AttachedFile {
            name: attachment.name.clone(),
            content_type: attachment.content_type.clone(),
            size: attachment.size,
            sha256: None,
            is_inline: attachment.is_inline,
            kind: attachment.kind,
            nested: None,
            unexamined: None,
        };
        let Some(others) = left.attachments.checked_sub(1) else {
            return AttachedFile { unexamined: Some(Unexamined::TooMany), ..file };
        };
        left.attachments = others;
        let is_message = attachment.kind == Kind::Message || attachment.is_message_file();
        let unexamined = match attachment.kind {
            Kind::Link => Some(Unexamined::Link),
            Kind::Other => Some(Unexamined::NoContent),
            Kind::Message if left.depth == 0 => Some(Unexamined::TooDeep),
            Kind::File if wanted == Wanted::Names && !is_message => Some(Unexamined::NotRequested),
            // The size that Exchange states includes more than the content: about as much as the name is long.
            Kind::File | Kind::Message => attachment
                .size
                .filter(|size| size.saturating_sub(64 << 10) > left.bytes)
                .map(|_| Unexamined::TooLarge(left.bytes)),
        };
        if unexamined.is_some() {
            return AttachedFile { unexamined, ..file };
        }
        let open = || self.open(attachment);
        match repeat_download(waits, open, |download| ReadContent::of(download, is_message, left)).await {
            Ok(content) => {
                left.bytes = left.bytes.saturating_sub(content.bytes);
                (left.attachments, left.url_bytes) = (content.attachments, content.url_bytes);
                file.size = Some(content.bytes);
                file.sha256 = Some(content.sha256).filter(|_| attachment.kind == Kind::File);
                file.nested = content.nested.map(Box::new);
                if is_message && file.nested.is_none() {
                    file.unexamined = Some(Unexamined::TooDeep);
                }
            }
            Err(error) => file.unexamined = Some(Unexamined::of(&error, left.bytes)),
        }
        file
    }
}

/// The content of an attachment, read to its end.
struct ReadContent {
    bytes: u64,
    sha256: Sha256,
    nested: Option<NestedMessage>,
    /// How many more attachments may be looked at.
    attachments: usize,
    /// How many more bytes of URLs may be kept.
    url_bytes: usize,
}

impl ReadContent {
    /// Reads a download to its end, within what is `left`.
    async fn of(download: Download, is_message: bool, left: &Limits) -> Result<Self, Error> {
        let mut digest = DigestContext::default();
        let depth = left.depth.checked_sub(1).filter(|_| is_message);
        let room = |depth| Room { depth, parts: left.attachments, url_bytes: left.url_bytes };
        let mut message = depth.map(|depth| MimeReader::within(room(depth)));
        let mut stream = pin!(download.stream(left.bytes));
        while let Some(piece) = stream.try_next().await? {
            digest.update(&piece);
            if let Some(message) = &mut message {
                message.push(&piece);
            }
        }
        let (bytes, sha256) = digest.finish();
        let Limits { attachments, url_bytes, .. } = *left;
        let content = ReadContent { bytes, sha256, nested: None, attachments, url_bytes };
        Ok(match message.map(MimeReader::finish) {
            Some((nested, Room { parts: attachments, url_bytes, .. })) => {
                ReadContent { nested: Some(nested), attachments, url_bytes, ..content }
            }
            None => content,
        })
    }
}

impl Attachment {
    /// Whether it is a file that holds a message.
    fn is_message_file(&self) -> bool {
        let kind = self.content_type.as_deref().unwrap_or_default();
        self.kind == Kind::File
            && (kind.eq_ignore_ascii_case("message/rfc822") || is_message_file(&self.name))
    }
}

impl Unexamined {
    fn of(error: &Error, left: u64) -> Self {
        match error.kind() {
            ErrorKind::MessageTooLarge(_) => Self::TooLarge(left),
            _ => Self::Failed(error.to_string()),
        }
    }
}
