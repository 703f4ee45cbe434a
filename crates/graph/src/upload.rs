//! Upload sessions: a large attachment, sent to the address that Graph names for it, in ranges and in order
//! (Graph page "Attach large files to Outlook messages or events").

use std::pin::pin;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use serde::Deserialize;
use url::Url;

use super::client::Client;
use super::error::{Effect, Error};
use super::retry::RetrySafety;

/// The size of a range: below the 4 MB a range may have, and a multiple of 320 KiB.
const RANGE: usize = 12 * 320 * 1024;

/// An upload session, as `createUploadSession` answers it.
#[derive(Deserialize)]
pub struct UploadSession {
    #[serde(rename = "uploadUrl")]
    url: String,
}

/// What is still missing.
#[derive(Deserialize)]
pub(super) struct Missing {
    #[serde(rename = "nextExpectedRanges", default)]
    ranges: Vec<String>,
}

/// Why an upload came to no end.
#[derive(Debug, thiserror::Error)]
pub enum UploadError<E> {
    /// Graph did not take it.
    #[error(transparent)]
    Graph(#[from] Error),
    /// Its source failed.
    #[error("{0}")]
    Source(E),
    /// Its source was shorter or longer than announced.
    #[error("the content is not of the size that was announced")]
    Size,
    /// Graph named an address that is none.
    #[error("Microsoft Graph named no usable address for the upload")]
    Address,
}

impl UploadSession {
    /// Sends all of `source`, which holds `size` bytes. No more than one range is in memory.
    pub async fn send<E>(
        &self,
        client: &Client,
        source: impl Stream<Item = Result<Bytes, E>>,
        size: u64,
    ) -> Result<(), UploadError<E>> {
        let to =
            Url::parse(&self.url).ok().filter(|url| url.scheme() == "https").ok_or(UploadError::Address)?;
        let mut source = pin!(source);
        let mut held = BytesMut::new();
        let mut start = 0;
        while start < size {
            while held.len() < RANGE
                && let Some(bytes) = source.next().await
            {
                held.extend_from_slice(&bytes.map_err(UploadError::Source)?);
            }
            let range = held.split_to(held.len().min(RANGE)).freeze();
            let end = start + range.len() as u64;
            if range.is_empty() || end > size {
                return Err(UploadError::Size);
            }
            send_range(client, &to, start, &range, size).await?;
            start = end;
        }
        if held.is_empty() && source.next().await.is_none() { Ok(()) } else { Err(UploadError::Size) }
    }
}

/// Sends one range. After an indeterminate failure, asks Graph which ranges it misses.
async fn send_range(client: &Client, to: &Url, start: u64, range: &Bytes, size: u64) -> Result<(), Error> {
    let mut tries = client.tries(RetrySafety::Harmless);
    let end = start + range.len() as u64;
    let mut from = start;
    let mut open = false;
    loop {
        let rest = range.slice(usize::try_from(from - start).unwrap_or(range.len())..);
        let header = format!("bytes {from}-{}/{size}", end - 1);
        let Err(error) = client.transport().upload(to, Some((header, rest))).await else { return Ok(()) };
        open |= error.may_have_been_applied();
        let Some(wait) = tries.after(error.failure()) else {
            // A session ends with its last range, so a range whose outcome is unknown may have been that.
            return Err(if open { error.with_effect(Effect::Indeterminate) } else { error });
        };
        tokio::time::sleep(wait).await;
        if let Some(next) = first_missing(client, to).await {
            if next >= end {
                return Ok(());
            }
            from = next.max(start);
        }
    }
}

async fn first_missing(client: &Client, to: &Url) -> Option<u64> {
    let missing: Missing = client.transport().upload(to, None).await.ok()?.parse().ok()?;
    missing.ranges.first()?.split('-').next()?.parse().ok()
}
