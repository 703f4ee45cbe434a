//! The content of an upload: bytes or a stream, sent piece by piece. Size and a slow line do not matter; an upload
//! that stops moving is noticed.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};
use parking_lot::Mutex;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::multipart::{Form, Part};
use tokio::time::Instant;

use net::untrusted::text::is_unsafe_to_display;

/// A stream of bytes.
pub type ByteStream<E> = Pin<Box<dyn Stream<Item = Result<Bytes, E>> + Send>>;

pub(super) type BoxError = Box<dyn StdError + Send + Sync>;

/// The size of the pieces in which bytes are written to the connection; each piece that is accepted is progress.
const PIECE: usize = 64 * 1024;

/// The content of a file to attach.
pub struct Content {
    body: Body,
    length: Option<u64>,
}

enum Body {
    Bytes(Bytes),
    /// Taken by the request that first reads from it, so that a request that got no connection can be repeated.
    Stream(Arc<Mutex<Option<ByteStream<BoxError>>>>),
}

impl Content {
    /// Bytes in memory.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { length: u64::try_from(bytes.len()).ok(), body: Body::Bytes(bytes) }
    }

    /// A stream, of `length` bytes if that is known. A stream of another length is an error; after a stream that
    /// fails SOAR has no attachment.
    pub fn stream<S, E>(stream: S, length: Option<u64>) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let stream = stream.map_err(Into::into).boxed();
        Self { body: Body::Stream(Arc::new(Mutex::new(Some(stream)))), length }
    }

    /// The length in bytes, if known.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// Whether it can be sent from the beginning: bytes always, a stream until it is started.
    pub(super) fn is_whole(&self) -> bool {
        match &self.body {
            Body::Bytes(_) => true,
            Body::Stream(slot) => slot.lock().is_some(),
        }
    }

    /// Whether it can be sent only once.
    pub(super) fn is_stream(&self) -> bool {
        matches!(self.body, Body::Stream(_))
    }

    /// The content for one request, and the progress of the upload.
    pub(super) fn watched(&self) -> (Watched, Arc<Progress>) {
        let source = match &self.body {
            Body::Bytes(bytes) => Source::Open(pieces(bytes.clone())),
            Body::Stream(slot) => Source::Waiting(Arc::clone(slot)),
        };
        let progress = Arc::new(Progress { last: Mutex::new(Instant::now()), error: Mutex::new(None) });
        (Watched { source, left: self.length, progress: Arc::clone(&progress) }, progress)
    }
}

impl fmt::Debug for Content {
    // Leaves out the content, which may be mail.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content").field("length", &self.length).finish_non_exhaustive()
    }
}

fn pieces(mut bytes: Bytes) -> ByteStream<BoxError> {
    stream::iter(std::iter::from_fn(move || {
        (!bytes.is_empty()).then(|| Ok(bytes.split_to(bytes.len().min(PIECE))))
    }))
    .boxed()
}

/// The progress of an upload.
pub(super) struct Progress {
    last: Mutex<Instant>,
    error: Mutex<Option<BoxError>>,
}

impl Progress {
    /// Returns when nothing was sent for `silence`.
    pub(super) async fn standstill(&self, silence: Duration) {
        loop {
            let end = *self.last.lock() + silence;
            if end <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(end).await;
        }
    }

    /// The error of the content's source, if it failed.
    pub(super) fn take_error(&self) -> Option<BoxError> {
        self.error.lock().take()
    }
}

/// The content as the connection reads it.
pub(super) struct Watched {
    source: Source,
    /// The bytes that are still to come.
    left: Option<u64>,
    progress: Arc<Progress>,
}

enum Source {
    Waiting(Arc<Mutex<Option<ByteStream<BoxError>>>>),
    Open(ByteStream<BoxError>),
    Ended,
}

impl Watched {
    fn next_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BoxError>>> {
        if let Source::Waiting(slot) = &self.source {
            let Some(stream) = slot.lock().take() else {
                self.source = Source::Ended;
                return Poll::Ready(Some(Err("it was sent once already".into())));
            };
            self.source = Source::Open(stream);
        }
        let Source::Open(stream) = &mut self.source else {
            return Poll::Ready(None);
        };
        let piece = ready!(stream.as_mut().poll_next(context));
        *self.progress.last.lock() = Instant::now();
        if !matches!(piece, Some(Ok(_))) {
            self.source = Source::Ended;
        }
        Poll::Ready(match (piece, &mut self.left) {
            (Some(Ok(bytes)), Some(left)) => match left.checked_sub(bytes.len() as u64) {
                Some(rest) => {
                    *left = rest;
                    Some(Ok(bytes))
                }
                None => Some(Err("it is longer than was announced".into())),
            },
            (None, Some(left @ 1..)) => Some(Err(format!("it ended {left} bytes early").into())),
            (piece, _) => piece,
        })
    }
}

impl Stream for Watched {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let piece = ready!(self.next_piece(context));
        Poll::Ready(piece.map(|piece| {
            piece.map_err(|error| {
                *self.progress.error.lock() = Some(error);
                std::io::Error::other("the content could not be read")
            })
        }))
    }
}

/// `name` as the name of a file that is safe wherever it is opened later: it leads to no other directory, ends no
/// line, and displays as it is. Characters that would do so become `_`. A slash alone stays: message ids contain
/// slashes, and the file of a message is named after its id.
pub fn file_name(name: &str) -> String {
    let misleads = |c: char| c == '\\' || is_unsafe_to_display(c);
    let name: String = name.chars().map(|c| if misleads(c) { '_' } else { c }).collect();
    let leads_away = name.starts_with('/') || name.split('/').any(|part| matches!(part, "." | ".."));
    match name.as_str() {
        "." | ".." => "_".to_owned(),
        _ if leads_away => name.replace('/', "_"),
        _ => name,
    }
}

/// The form that SOAR expects: `file`, and an empty `description`.
pub(super) fn form(name: &str, content_type: &str, length: Option<u64>, content: Watched) -> Form {
    let name = if name.is_empty() { "Unknown".to_owned() } else { file_name(name) };
    let mut headers = HeaderMap::new();
    let media_type =
        HeaderValue::from_str(content_type).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_TYPE, media_type);
    let body = reqwest::Body::wrap_stream(content);
    let file = match length {
        Some(length) => Part::stream_with_length(body, length),
        None => Part::stream(body),
    };
    Form::new().part("file", file.file_name(name).headers(headers)).text("description", "")
}
