//! Upload sessions: a large attachment, sent to the address that Graph names for it, in ranges and in order
//! (Graph page "Attach large files to Outlook messages or events").

use std::future::ready;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use serde::Deserialize;
use url::Url;

use super::change::{ChangeGate, ChangePermit, unless_withdrawn};
use super::client::Client;
use super::error::{Effect, Error, ErrorKind};
use super::failure::Failure;
use super::response::Response;
use super::retry::RetrySafety;

/// The size of a range: below the 4 MB that a range may have, and a multiple of 320 KiB.
const RANGE: usize = 12 * 320 * 1024;
/// A session that is younger may answer 404 or 412, since not all servers know the draft yet (msgraph-sdk-dotnet issues
/// 1287 and 2092).
const YOUNG: Duration = Duration::from_secs(60);

/// An upload session, as `createUploadSession` answers it.
#[derive(Deserialize)]
pub struct UploadSession {
    #[serde(rename = "uploadUrl", alias = "UploadUrl")]
    url: String,
    #[serde(skip, default = "Instant::now")]
    created: Instant,
}

/// The ranges that are still missing. The cloud of 21Vianet writes the name with a capital letter.
#[derive(Deserialize)]
pub(super) struct Missing {
    #[serde(rename = "nextExpectedRanges", alias = "NextExpectedRanges", default)]
    ranges: Vec<String>,
}

impl Missing {
    /// Where the first of them begins.
    fn first(&self) -> Option<u64> {
        self.ranges.first()?.split('-').next()?.trim().parse().ok()
    }
}

/// Why an upload did not end.
#[derive(Debug, thiserror::Error)]
pub enum UploadError<E> {
    /// Graph refused it.
    #[error(transparent)]
    Graph(#[from] Error),
    /// Its source failed.
    #[error("{0}")]
    Source(E),
    /// Its source was shorter or longer than announced.
    #[error("the content is not of the size that was announced")]
    Size,
    /// The address of the session is not usable.
    #[error(
        "Microsoft Graph named an address for the upload that is neither its own nor Outlook's, so the file was not sent \
         there. Another host takes upload_hosts in app.config"
    )]
    Address,
}

impl UploadSession {
    /// Sends all of `source`, which holds `size` bytes. No more than one range is in memory. A range is sent only while
    /// `permit` allows it.
    pub async fn send<E>(
        &self,
        client: &Client,
        permit: &(impl ChangePermit + ?Sized),
        source: impl Stream<Item = Result<Bytes, E>>,
        size: u64,
    ) -> Result<(), UploadError<E>> {
        let to = client.transport().upload_address(&self.url).ok_or(UploadError::Address)?;
        let gate = permit.gate();
        // Over HTTP/2 the end of a body can be an empty piece of its own (RFC 9113, section 6.9.1).
        let has_content = |piece: &Result<Bytes, E>| ready(!piece.as_ref().is_ok_and(Bytes::is_empty));
        let mut source = pin!(source.filter(has_content));
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
            // After the last range the file is attached, so what is wrong with the source has to be known before it.
            if end == size {
                match source.next().await {
                    None if held.is_empty() => {}
                    None | Some(Ok(_)) => return Err(UploadError::Size),
                    Some(Err(error)) => return Err(UploadError::Source(error)),
                }
            }
            let range = Range { start, bytes: &range, size, gate: &gate };
            range.send(client, &to, self.created).await?;
            start = end;
        }
        Ok(())
    }
}

/// One range of the content.
struct Range<'a> {
    start: u64,
    bytes: &'a Bytes,
    /// The size of the whole content.
    size: u64,
    gate: &'a Arc<dyn ChangeGate>,
}

/// What an answer to a range means.
enum Taken {
    /// The upload has ended.
    All,
    /// Everything before this place is there.
    Until(u64),
    /// It does not say.
    Unclear,
}

impl Range<'_> {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    fn is_last(&self) -> bool {
        self.end() == self.size
    }

    /// Sends the range. Where it is not known what became of a try, Graph is asked what it misses.
    async fn send(&self, client: &Client, to: &Url, created: Instant) -> Result<(), Error> {
        let mut tries = client.tries(RetrySafety::Harmless);
        let mut from = self.start;
        let mut open = false;
        loop {
            let rest = self.bytes.slice(usize::try_from(from - self.start).unwrap_or(self.bytes.len())..);
            let header = format!("bytes {from}-{}/{}", self.end() - 1, self.size);
            self.gate.begin()?;
            let error = match client.transport().upload(to, Some((header, rest))).await {
                Ok(answer) => match self.taken(&answer) {
                    Taken::All if self.is_last() => return Ok(()),
                    Taken::Until(next) if next >= self.end() && !self.is_last() => return Ok(()),
                    Taken::Until(next) if next > from && next < self.end() => {
                        from = next;
                        continue;
                    }
                    Taken::All | Taken::Until(_) | Taken::Unclear => not_ended(&answer),
                },
                Err(error) => error,
            };
            open |= error.may_have_been_applied();
            let is_early = created.elapsed() < YOUNG && matches!(error.status(), Some(404 | 412));
            let failure = if is_early { Failure::Throttled(None) } else { error.failure() };
            let Some(wait) = tries.after(failure) else {
                // A session ends with its last range, so a range with an unknown outcome may have been that.
                return Err(if open { error.with_effect(Effect::Indeterminate) } else { error });
            };
            if let Err(withdrawn) = unless_withdrawn(Some(self.gate), tokio::time::sleep(wait)).await {
                return Err(if open { withdrawn.with_effect(Effect::Indeterminate) } else { withdrawn });
            }
            if let Some(next) = first_missing(client, to).await {
                if next < self.end() {
                    from = next.max(self.start);
                } else if !self.is_last() {
                    return Ok(());
                }
            }
        }
    }

    /// An upload has ended with 201 only (Graph page "Attach large files to Outlook messages or events").
    fn taken(&self, answer: &Response) -> Taken {
        if answer.status == 201 {
            return Taken::All;
        }
        let missing = answer.parse::<Missing>().ok().and_then(|missing| missing.first());
        match missing {
            Some(next) => Taken::Until(next),
            None if self.is_last() => Taken::Unclear,
            None => Taken::Until(self.end()),
        }
    }
}

fn not_ended(answer: &Response) -> Error {
    let what = "it does not say that the upload has gone on, or ended";
    let kind = ErrorKind::NotAnAnswer { status: answer.status, what };
    Error::from(kind).with_request_id(answer.request_id.clone())
}

async fn first_missing(client: &Client, to: &Url) -> Option<u64> {
    client.transport().upload(to, None).await.ok()?.parse::<Missing>().ok()?.first()
}
