//! A ZIP file with a password (AES-256, as WinZip specifies it), written as its files arrive: it is never in memory as
//! a whole.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{AesMode, CompressionMethod, ZipWriter};

use super::verified::verified;
use crate::functions::incident_sink::ContentError;
use graph::attachments::{Attachment, MessageAttachments, Sha256};
use net::Secret;
use soar::ByteStream;

/// A file of the archive.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) attachment: Attachment,
    pub(super) expected: Option<Sha256>,
}

/// What an archive is made of.
pub(super) struct Archive {
    pub(super) client: graph::Client,
    /// As it stands in addresses.
    pub(super) mailbox: String,
    pub(super) message: String,
    pub(super) password: Secret,
    /// The largest size of a file, in bytes.
    pub(super) limit: u64,
}

/// What the writer has written and the stream has not yet passed on.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct State {
    archive: Archive,
    members: VecDeque<Member>,
    /// The content of the file that is being written.
    current: Option<ByteStream<ContentError>>,
    /// `None` once the archive is finished.
    writer: Option<ZipWriter<StreamWriter<Buffer>>>,
    buffer: Buffer,
}

impl Archive {
    /// The bytes of the archive.
    pub(super) fn stream(self, members: VecDeque<Member>) -> ByteStream<ContentError> {
        let buffer = Buffer::default();
        let writer = Some(ZipWriter::new_stream(buffer.clone()));
        let state = State { archive: self, members, current: None, writer, buffer };
        stream::try_unfold(state, |mut state| async {
            while state.advance().await? {
                let bytes = std::mem::take(&mut *state.buffer.0.lock());
                if !bytes.is_empty() {
                    return Ok(Some((Bytes::from(bytes), state)));
                }
            }
            Ok(None)
        })
        .boxed()
    }

    async fn open(&self, member: Member) -> Result<ByteStream<ContentError>, ContentError> {
        let Self { client, mailbox, message, limit, .. } = self;
        let download = MessageAttachments { client, mailbox, message }.open(&member.attachment).await?;
        let content = download.stream(*limit).map_err(ContentError::from).boxed();
        Ok(verified(content, member.expected))
    }
}

impl State {
    /// Writes some more. Returns whether there may be more after it.
    async fn advance(&mut self) -> Result<bool, ContentError> {
        let Some(writer) = &mut self.writer else { return Ok(false) };
        if let Some(current) = &mut self.current {
            match current.try_next().await? {
                Some(piece) => writer.write_all(&piece)?,
                None => self.current = None,
            }
        } else if let Some(member) = self.members.pop_front() {
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Deflated)
                .large_file(true)
                .with_aes_encryption(AesMode::Aes256, self.archive.password.expose());
            writer.start_file(member.name.as_str(), options)?;
            self.current = Some(self.archive.open(member).await?);
        } else if let Some(writer) = self.writer.take() {
            writer.finish()?;
        }
        Ok(true)
    }
}
