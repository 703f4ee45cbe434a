//! Content that is read as it arrives: the MIME text of a message, or a file.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};

use tokio::time::sleep;
use tracing::debug;

use crate::error::{Error, ErrorKind};
use crate::mailbox_limiter::MailboxPermit;
use crate::response;

/// Reads what `open` opens to its end with `read`, and does both again where the download breaks off, after the next of
/// `waits`.
///
/// # Errors
/// The error of `open`, which has its own retries; or the last of `read`, where no wait is left or another download
/// would fail in the same way.
pub async fn repeat_download<T, O, R>(
    mut waits: impl Iterator<Item = Duration>,
    open: impl Fn() -> O,
    read: impl Fn(Download) -> R,
) -> Result<T, Error>
where
    O: Future<Output = Result<Download, Error>>,
    R: Future<Output = Result<T, Error>>,
{
    loop {
        let error = match read(open().await?).await {
            Err(error) if error.is_transient() => error,
            end => return end,
        };
        let Some(wait) = waits.next() else { return Err(error) };
        debug!(error = error.for_log(), wait_ms = wait.as_millis(), "a download broke off; it begins again");
        sleep(wait).await;
    }
}

/// What a download has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// The MIME text of a message, which is never empty.
    Message,
    /// A file of any type and size.
    File,
}

/// Content that is being downloaded: the MIME text of a message, or a file.
#[derive(Debug)]
pub struct Download {
    response: reqwest::Response,
    length: Option<u64>,
    first: Bytes,
    read_timeout: Duration,
    /// The download counts as a request in the mailbox until its end.
    _permit: Option<MailboxPermit>,
}

impl Download {
    /// Waits for the first piece of the content, so that an empty one is noticed while it can be requested again.
    pub(crate) async fn begin(
        mut response: reqwest::Response,
        content: Content,
        permit: Option<MailboxPermit>,
        read_timeout: Duration,
    ) -> Result<Self, Error> {
        match content {
            Content::Message => response::no_message(&response)?,
            Content::File => response::no_file(&response)?,
        }
        let length = response.content_length();
        let first = response::within(read_timeout, response.chunk()).await?;
        let first = first.map_err(|error| response::network_error(&error))?.unwrap_or_default();
        if first.is_empty() && content == Content::Message {
            return Err(response::unusable(&response, "it is empty"));
        }
        Ok(Self { response, length, first, read_timeout, _permit: permit })
    }

    /// Returns the size in bytes, where Graph named it.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// Returns the content as it arrives. It fails with [`ErrorKind::MessageTooLarge`] after `most` bytes; they are
    /// counted, because compression hides how many will come.
    pub fn stream(self, most: u64) -> impl Stream<Item = Result<Bytes, Error>> + Send + 'static {
        let Self { response, first, read_timeout, _permit: permit, .. } = self;
        let rest = stream::once(async move { Ok(first) }).chain(stream::unfold(
            (response, permit),
            move |(mut response, permit)| async move {
                let piece = response::within(read_timeout, response.chunk()).await;
                let piece = piece.and_then(|piece| piece.map_err(|error| response::network_error(&error)));
                piece.transpose().map(|piece| (piece, (response, permit)))
            },
        ));
        let mut left = most;
        rest.map(move |piece| {
            let piece: Bytes = piece?;
            left = left.checked_sub(piece.len() as u64).ok_or(ErrorKind::MessageTooLarge(most >> 20))?;
            Ok(piece)
        })
    }
}
