//! Writes content of Graph to a file of an incident as it arrives, again where it breaks off or SOAR is busy.

use futures_util::{StreamExt, TryStreamExt};
use tokio::time::sleep;
use tracing::info;

use super::context::Context;
use super::error::{Error, ErrorKind};
use super::incident_sink::{ContentError, NewFile};
use crate::audit::AuditRecord;
use graph::{Download, ErrorKind as GraphErrorKind};
use soar::{ByteStream, Target};

/// A file to write.
pub(super) struct AttachedContent<'a> {
    pub(super) target: Target,
    pub(super) name: &'a str,
    pub(super) media_type: &'static str,
    pub(super) record: AuditRecord,
}

/// Content that is about to be written, with its length in bytes if that is known.
pub(super) type Opened = (ByteStream<ContentError>, Option<u64>);

impl AttachedContent<'_> {
    /// Writes what `open` opens, and returns the file's name. `open` is called again for each try.
    pub(super) async fn write<O: Future<Output = Result<Opened, Error>>>(
        &self,
        context: &Context,
        open: impl Fn() -> O,
    ) -> Result<String, Error> {
        let mut download_waits = context.graph.download_waits();
        let mut uploads = 0;
        loop {
            let (content, length) = open().await?;
            let Self { target, name, media_type, record } = self;
            let file = NewFile { target: *target, name, media_type, content, length };
            let written = context.sink.write_file(&context.guard, record.clone(), file).await;
            let error = match written {
                Err(error) => error,
                written => return written,
            };
            let wait = match error.kind() {
                // Another download would be as large.
                ErrorKind::Soar(soar::Error::Content { source, .. }) if is_too_large(source.as_ref()) => {
                    return Err(too_large(context, name));
                }
                // SOAR discards an incomplete upload, and reading the content again does no harm.
                ErrorKind::Soar(soar::Error::Content { source, .. }) => {
                    download_waits.next().filter(|_| may_be_read(source.as_ref()))
                }
                ErrorKind::Soar(refused) => {
                    uploads += 1;
                    context.sink.retry_delay(uploads, refused)
                }
                _ => None,
            };
            let Some(wait) = wait else { return Err(error) };
            info!(
                error = error.for_log(),
                wait_ms = wait.as_millis(),
                "a file was not written; trying again after the wait"
            );
            sleep(wait).await;
        }
    }
}

/// The content of a download, of at most `max_attachment_mb`.
///
/// # Errors
/// Graph says that it is larger.
pub(super) fn within_limit(context: &Context, name: &str, download: Download) -> Result<Opened, Error> {
    let limit = context.limits.max_attachment;
    let length = download.length();
    if length.is_some_and(|length| length > limit) {
        return Err(too_large(context, name));
    }
    Ok((download.stream(limit).map_err(ContentError::from).boxed(), length))
}

fn too_large(context: &Context, name: &str) -> Error {
    let limit = context.limits.max_attachment >> 20;
    Error::attachment(name, format!("was not written: it is larger than {limit} MiB (max_attachment_mb)."))
}

/// Whether the content may be read to its end by another download.
fn may_be_read(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    error.downcast_ref().is_none_or(graph::Error::is_transient)
}

fn is_too_large(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    error
        .downcast_ref()
        .is_some_and(|error: &graph::Error| matches!(error.kind(), GraphErrorKind::MessageTooLarge(_)))
}
