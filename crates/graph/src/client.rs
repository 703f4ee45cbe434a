//! The one Graph client of the process, shared by all calls: retries, and a gate before every mailbox.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::{Stream, StreamExt};
use reqwest::{Method, Response};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tracing::debug;

use super::error::Error;
use super::path::Path;
use super::retry::{BackoffHint, Failure, Policy, RetrySafety, Tries};
use crate::GraphSettings;
use crate::auth::claims::Claims;
use crate::auth::token::TokenLife;
use crate::batch::payload::Part;
use crate::batch::scheduler::{BatchState, Batches, Lane, Tried};
use crate::mailbox_limiter::{MailboxGate, MailboxLimiter};
use crate::metrics::Meters;
use crate::response::{self as wire, Answer};
use crate::transport::Transport;
use net::tls::TlsError;

/// Microsoft Graph. Cloning is cheap, and all clones share connections, token, limits and batches.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    service: Arc<Transport>,
    policy: Policy,
    mailboxes: MailboxLimiter,
    batches: Batches,
}

/// Permission to change something at Graph. A request that changes something cannot be made without one.
///
/// The application implements this for the type that its guard hands out after it has checked the guard rails and
/// written the intent to the audit trail. So a change that is neither allowed nor on record does not compile.
pub trait ChangePermit {}

/// A request to Graph.
#[derive(Debug, Clone)]
pub struct Request {
    method: Method,
    path: Path,
    /// Whose mailbox it reads or changes.
    mailbox: Option<String>,
    body: Option<Bytes>,
    repeat: RetrySafety,
}

impl Request {
    /// Reads `path`.
    pub fn get(path: Path) -> Self {
        Self { method: Method::GET, path, mailbox: None, body: None, repeat: RetrySafety::Harmless }
    }

    /// Deletes what is at `path`, an act `on_record`. What is deleted twice is deleted.
    pub fn delete(path: Path, _permit: &(impl ChangePermit + ?Sized)) -> Self {
        Self { method: Method::DELETE, ..Self::get(path) }
    }

    /// Sends the JSON `body` to `path`, an act `on_record`; again only where it surely was not carried out.
    pub fn post(path: Path, body: Bytes, _permit: &(impl ChangePermit + ?Sized)) -> Self {
        Self { method: Method::POST, body: Some(body), repeat: RetrySafety::OnlyIfUndone, ..Self::get(path) }
    }

    /// Changes what is at `path` to the JSON `body`, an act `on_record`. What is changed twice is changed.
    pub fn patch(path: Path, body: Bytes, _permit: &(impl ChangePermit + ?Sized)) -> Self {
        Self { method: Method::PATCH, body: Some(body), ..Self::get(path) }
    }

    /// Says that doing it twice is as good as once, so that it may be sent again whatever became of it.
    #[must_use]
    pub fn idempotent(self) -> Self {
        Self { repeat: RetrySafety::Harmless, ..self }
    }

    /// Says that whoever sends it looks whether it was done before it is sent again; by itself it is sent again only
    /// where it never reached Graph.
    #[must_use]
    pub fn retry_if_unsent(self) -> Self {
        Self { repeat: RetrySafety::OnlyIfNotSent, ..self }
    }

    /// Where it goes.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names the mailbox, which takes no more than a few requests at once.
    #[must_use]
    pub fn in_mailbox(mut self, mailbox: &str) -> Self {
        self.mailbox = Some(mailbox.to_owned());
        self
    }
}

/// A success, and how it came.
#[derive(Debug)]
pub struct Done {
    /// Graph's answer.
    pub answer: Answer,
    /// Whether it had reached Graph before, or may have, with a failure for an answer.
    pub repeated: bool,
}

/// Where a request travels.
#[derive(Debug, Clone)]
pub enum Dispatch {
    /// By itself.
    Single,
    /// With others, in batches.
    Batched(Lane),
}

impl Client {
    /// A client for the application and the Graph of `settings`. Nothing is sent yet. Must be called within a
    /// tokio runtime.
    pub fn new(settings: &GraphSettings) -> Result<Self, TlsError> {
        Self::with_meters(settings, Arc::default())
    }

    /// The same, which counts in `meters` beside others.
    pub fn with_meters(settings: &GraphSettings, meters: Arc<Meters>) -> Result<Self, TlsError> {
        let service = Arc::new(Transport::new(settings, meters)?);
        let policy = Policy::new(settings);
        let (size, side_by_side) = (settings.max_batched_requests, settings.max_concurrent_batches);
        let batches = Batches::start(Arc::clone(&service), policy, size, side_by_side);
        let shared = Shared { service, policy, mailboxes: MailboxLimiter::default(), batches };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What it counts.
    pub fn meters(&self) -> &Arc<Meters> {
        self.shared.service.meters()
    }

    /// How the batches stand, to look at or to wait for.
    pub fn batches(&self) -> watch::Receiver<BatchState> {
        self.shared.batches.state()
    }

    /// When the access token in use was fetched, and when it ends, if there is one that is good.
    pub fn token_life(&self) -> Option<TokenLife> {
        self.shared.service.token_life()
    }

    /// The end of the certificate that signs in, where one does, as its file says now.
    pub async fn certificate_end(&self) -> Option<DateTime<Utc>> {
        self.shared.service.certificate_end().await
    }

    /// What the access token says of itself: `None` where it cannot be read. A token is fetched where there is
    /// none.
    pub async fn claims(&self) -> Result<Option<Claims>, Error> {
        Ok(Claims::of(&self.shared.service.token().await?))
    }

    /// A new lane through the batches, for one piece of work.
    pub fn batched(&self) -> Dispatch {
        Dispatch::Batched(self.shared.batches.lane())
    }

    /// Sends `request` by itself, as often as the retry policy allows.
    pub async fn send(&self, request: &Request) -> Result<Answer, Error> {
        Ok(self.send_by(&Dispatch::Single, request).await.map_err(|failed| failed.error)?.answer)
    }

    /// Sends `request` by `route`, as often as the retry policy allows. The place in the mailbox is given up
    /// while it waits.
    pub async fn send_by(&self, route: &Dispatch, request: &Request) -> Result<Done, Failed> {
        let mut tries = self.tries(request.repeat);
        // Whether a try of a change may have been carried out, and whether any try reached Graph.
        let (mut open, mut repeated) = (false, false);
        loop {
            let error = match self.once(route, request, tries.retries() == 0).await {
                Ok(answer) => return Ok(Done { answer, repeated }),
                Err(error) => error,
            };
            let retries = tries.retries();
            open |= request.method != Method::GET && error.is_indeterminate();
            let Some(wait) = tries.after(error.failure()) else {
                let error = if open { Error::MayBeDone(Box::new(error)) } else { error };
                return Err(Failed { error, repeated });
            };
            repeated |= error.failure() != Failure::NotSent;
            debug!(
                mailbox = request.mailbox,
                error = error.for_log(),
                retries,
                wait_ms = wait.as_millis(),
                "trying again"
            );
            match route {
                Dispatch::Batched(lane) => tokio::time::sleep_until(lane.again_after(wait)).await,
                Dispatch::Single => tokio::time::sleep(wait).await,
            }
        }
    }

    async fn once(&self, route: &Dispatch, request: &Request, first_try: bool) -> Result<Answer, Error> {
        request.path.checked()?;
        match route {
            Dispatch::Batched(lane) => {
                let Request { method, path, body, .. } = request.clone();
                let tried = lane.once(Part { method, path, body }, self.gate(request), first_try).await;
                note(request, &tried);
                tried.outcome
            }
            Dispatch::Single => {
                let _place = self.place(request).await;
                let body = request.body.clone();
                let exchanged = self.shared.service.exchange(&request.method, &request.path, body).await;
                Ok(self.noticing(exchanged)?.0)
            }
        }
    }

    /// Opens the content at `request`, which is read as it comes. Once it flows it is not asked for again.
    pub async fn open(&self, request: &Request) -> Result<Download, Error> {
        request.path.checked()?;
        let mut tries = self.tries(request.repeat);
        loop {
            let place = self.place(request).await;
            let opened = self.shared.service.open(&request.method, &request.path, None).await;
            let opened = self.noticing(opened).and_then(|(response, _)| wire::no_page(response));
            let error = match opened {
                Ok(response) => return Ok(Download { response, _place: place }),
                Err(error) => error,
            };
            drop(place);
            let Some(wait) = tries.after(error.failure()) else { return Err(error) };
            tokio::time::sleep(wait).await;
        }
    }

    fn gate(&self, request: &Request) -> Option<Arc<MailboxGate>> {
        request.mailbox.as_ref().map(|mailbox| self.shared.mailboxes.gate(mailbox))
    }

    async fn place(&self, request: &Request) -> Option<OwnedSemaphorePermit> {
        self.gate(request)?.enter().await
    }

    /// Lets the batches know when a request outside of them is throttled.
    fn noticing<T>(&self, outcome: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &outcome
            && let Some(BackoffHint { named: wait }) = error.backoff_hint()
        {
            self.shared.batches.throttled(wait);
        }
        outcome
    }

    /// How long to wait before looking whether something has shown up, again and again: the retry policy's own waits.
    pub fn waits(&self) -> impl Iterator<Item = Duration> {
        self.shared.policy.waits()
    }

    /// How long to wait before a repeat, where Graph `asked` for a wait and `retries` repeats did not help; `None` where
    /// that is not worth it any more.
    pub fn again_after(&self, asked: Option<Duration>, retries: u32) -> Option<Duration> {
        let Shared { policy, .. } = *self.shared;
        policy.wait(asked, retries).filter(|_| retries < policy.max_retries())
    }

    pub(super) fn tries(&self, repeat: RetrySafety) -> Tries {
        self.shared.policy.tries(repeat, self.meters())
    }

    pub(super) fn service(&self) -> &Transport {
        &self.shared.service
    }

    /// Reads an `@odata.nextLink`.
    pub(super) fn next_page(&self, link: &str) -> Result<Path, Error> {
        Path::from_next_link(link, self.shared.service.root()).ok_or(Error::ForeignNextLink)
    }
}

/// Notes a part of a batch among the lines of the call that it belongs to, with the name of the batch, which belongs
/// to several.
fn note(Request { method, path, .. }: &Request, Tried { outcome, batch }: &Tried) {
    let resource = path.resource();
    let batch = batch.map(tracing::field::display);
    match outcome {
        Ok(Answer { status, request_id, .. }) => {
            debug!(%method, resource, status, request_id, batch, "graph request in a batch");
        }
        Err(error) => {
            debug!(%method, resource, error = error.for_log(), batch, "graph request in a batch failed");
        }
    }
}

/// A failure, and how it came.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Failed {
    /// The last failure.
    pub error: Error,
    /// Whether the request had reached Graph before, or may have: what it was to do may have been done then.
    pub repeated: bool,
}

/// Content on its way: the MIME text of a message.
#[derive(Debug)]
pub struct Download {
    response: Response,
    /// It is a request in the mailbox until its end.
    _place: Option<OwnedSemaphorePermit>,
}

impl Download {
    /// How many bytes it will be, where Graph said so.
    pub fn length(&self) -> Option<u64> {
        self.response.content_length()
    }

    /// The content as it comes, which fails with [`Error::MessageTooLarge`] after `most` bytes. Compression hides
    /// how many will come, so they are counted.
    pub fn stream(self, most: u64) -> impl Stream<Item = Result<Bytes, Error>> + Send + 'static {
        let Self { response, _place: place } = self;
        let mut left = most;
        response.bytes_stream().map(move |piece| {
            let _in_the_mailbox_until_here = &place;
            let piece = piece.map_err(|error| wire::network_error(&error))?;
            left = left.checked_sub(piece.len() as u64).ok_or(Error::MessageTooLarge(most >> 20))?;
            Ok(piece)
        })
    }
}
