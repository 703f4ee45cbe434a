//! What is uploaded: bytes at hand or a stream, sent piece by piece and watched, so that neither its size nor a
//! slow line matters, and a standstill is noticed.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};
use tokio::time::Instant;

/// Bytes as they come.
pub type ByteStream<E> = Pin<Box<dyn Stream<Item = Result<Bytes, E>> + Send>>;

pub(super) type BoxError = Box<dyn StdError + Send + Sync>;

/// The pieces in which bytes at hand are handed to the connection; each one taken is a sign of life.
const PIECE: usize = 64 * 1024;

/// The content of a file to attach.
pub struct Content {
    body: Body,
    length: Option<u64>,
}

enum Body {
    Bytes(Bytes),
    /// Taken by the request that first asks for some of it, so that a request that never got a connection can
    /// be made again.
    Stream(Arc<Mutex<Option<ByteStream<BoxError>>>>),
}

impl Content {
    /// Bytes at hand.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { length: u64::try_from(bytes.len()).ok(), body: Body::Bytes(bytes) }
    }

    /// A stream, of `length` bytes where that is known; one that ends elsewhere is an error, and one that fails
    /// leaves nothing behind at SOAR.
    pub fn stream<S, E>(stream: S, length: Option<u64>) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let stream = stream.map_err(Into::into).boxed();
        Self { body: Body::Stream(Arc::new(Mutex::new(Some(stream)))), length }
    }

    /// How many bytes it is, where that is known.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// Whether it can be sent from the beginning: always, or until its stream is begun.
    pub(super) fn is_whole(&self) -> bool {
        match &self.body {
            Body::Bytes(_) => true,
            Body::Stream(slot) => lock(slot).is_some(),
        }
    }

    /// Whether it can be sent once only.
    pub(super) fn is_stream(&self) -> bool {
        matches!(self.body, Body::Stream(_))
    }

    /// The content for one request, and what tells how that goes.
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
    // What is attached may be mail.
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

/// How an upload goes.
pub(super) struct Progress {
    last: Mutex<Instant>,
    error: Mutex<Option<BoxError>>,
}

impl Progress {
    /// Comes back when nothing moved for `silence`.
    pub(super) async fn standstill(&self, silence: Duration) {
        loop {
            let end = *lock(&self.last) + silence;
            if end <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(end).await;
        }
    }

    /// What the content's source said when it failed, if it did.
    pub(super) fn take_error(&self) -> Option<BoxError> {
        lock(&self.error).take()
    }
}

/// The content as the connection takes it.
pub(super) struct Watched {
    source: Source,
    /// Bytes that have to come yet.
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
            let Some(stream) = lock(slot).take() else {
                self.source = Source::Ended;
                return Poll::Ready(Some(Err("it was sent once already".into())));
            };
            self.source = Source::Open(stream);
        }
        let Source::Open(stream) = &mut self.source else {
            return Poll::Ready(None);
        };
        let piece = ready!(stream.as_mut().poll_next(context));
        *lock(&self.progress.last) = Instant::now();
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
                *lock(&self.progress.error) = Some(error);
                std::io::Error::other("the content could not be read")
            })
        }))
    }
}

/// A poisoned lock's content is whole: nothing in here panics half-way.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
