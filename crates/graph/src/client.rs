//! The Graph client of the process, shared by all calls: retries, and a limit on the requests in each mailbox.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use net::memory::{Budget, Held, Share};
use net::tls::TlsError;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use crate::GraphSettings;
use crate::auth::claims::Claims;
use crate::auth::token::TokenLife;
use crate::change::unless_withdrawn;
use crate::dispatch::Limits;
use crate::dispatch::lane::{Lane, Place, Tried};
use crate::dispatch::scheduler::Scheduler;
use crate::download::{Content, Download};
use crate::error::{Effect, Error, ErrorKind};
use crate::error_code::Meaning;
use crate::failure::Failure;
use crate::index::quota::Quota;
use crate::mailbox_limiter::{MailboxGate, MailboxLimiter, MailboxPermit};
use crate::metrics::Metrics;
use crate::path::Path;
use crate::quarantine::{KnownFolder, KnownFolders};
use crate::request::Request;
use crate::request_state::RequestState;
use crate::response::{Response, Room};
use crate::retry::{Policy, RetrySafety, Tries};
use crate::transport::Transport;

/// Microsoft Graph. Cloning is cheap, and all clones share connections, token and limits.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
    /// The memory for answers.
    memory: Share,
}

#[derive(Debug)]
struct Shared {
    transport: Arc<Transport>,
    policy: Policy,
    mailboxes: MailboxLimiter,
    scheduler: Scheduler,
    trace_quota: Quota,
    quarantines: KnownFolders,
}

/// A request succeeded.
#[derive(Debug)]
pub struct Completed {
    /// Graph's response.
    pub response: Response,
    /// Whether an earlier try reached Graph, or may have, and failed.
    pub repeated: bool,
    /// Whether the ids in the response are those of before immutable ones, since the id that was asked for is one.
    pub mutable_ids: bool,
}

/// A request failed.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct SendError {
    /// The last failure.
    pub error: Error,
    /// Whether an earlier try reached Graph, or may have, so that its work may have been done then.
    pub repeated: bool,
}

impl From<SendError> for Error {
    fn from(failed: SendError) -> Self {
        failed.error
    }
}

/// How a request travels.
#[derive(Debug, Clone)]
pub enum Dispatch {
    /// At once, by itself, ahead of large pieces of work.
    Single,
    /// As one of many of a large piece of work: by itself or in a batch, as is faster.
    Bulk(Lane),
}

/// What is known about a request from its tries so far.
struct Attempt<'a> {
    request: Cow<'a, Request>,
    dispatch: &'a Dispatch,
    effect: Effect,
    /// Whether an earlier try reached Graph, or may have.
    repeated: bool,
    /// How many batches carried the request and took too long.
    slow_batches: u32,
}

impl<'a> Attempt<'a> {
    fn new(request: &'a Request, dispatch: &'a Dispatch) -> Self {
        let effect = Effect::NotApplied;
        Self { request: Cow::Borrowed(request), dispatch, effect, repeated: false, slow_batches: 0 }
    }

    /// Takes in that a try failed with `error`. Returns whether the request is sent again at once, in another way.
    fn adapt(&mut self, error: &Error, was_too_slow: bool) -> bool {
        if self.request.is_change() && error.may_have_been_applied() {
            self.effect = Effect::Indeterminate;
        }
        // The other parts may have been what took so long, so this does not count as a retry.
        if was_too_slow && self.request.safety == RetrySafety::Harmless {
            self.slow_batches += 1;
            self.repeated = true;
            return true;
        }
        // Whether Graph accepts an id of an older result in a request for immutable ids is not documented (Graph page
        // "Get immutable identifiers for Outlook resources").
        if error.meaning() == Some(Meaning::InvalidId) && self.request.immutable_ids {
            self.request = Cow::Owned(self.request.with_mutable_ids());
            return true;
        }
        false
    }
}

impl Client {
    /// Creates a client for the application and the Graph of `settings`. Nothing is sent yet. It must be called within
    /// a tokio runtime.
    pub fn new(settings: &GraphSettings) -> Result<Self, TlsError> {
        Self::with_metrics(settings, Arc::default())
    }

    /// Creates a client that counts in `metrics`, which other clients may share.
    pub fn with_metrics(settings: &GraphSettings, metrics: Arc<Metrics>) -> Result<Self, TlsError> {
        let transport = Arc::new(Transport::new(settings, metrics)?);
        let policy = Policy::new(settings);
        let limits =
            Limits { requests: settings.max_concurrent_requests, batches: settings.max_concurrent_batches };
        let size = settings.max_batched_requests;
        let scheduler = Scheduler::start(Arc::clone(&transport), policy, size, limits);
        let (mailboxes, trace_quota) = (MailboxLimiter::default(), Quota::of_message_trace());
        let quarantines = KnownFolders::default();
        let shared = Shared { transport, policy, mailboxes, scheduler, trace_quota, quarantines };
        Ok(Self { shared: Arc::new(shared), memory: Budget::default().share() })
    }

    /// Returns the same client, for one call: large answers take memory from the call's `share`.
    #[must_use]
    pub fn for_call(&self, share: Share) -> Self {
        Self { shared: Arc::clone(&self.shared), memory: share }
    }

    /// The memory for answers.
    pub(crate) fn memory(&self) -> &Share {
        &self.memory
    }

    /// The place for the id of the quarantine folder of `mailbox`.
    pub fn quarantine_folder(&self, mailbox: &str) -> KnownFolder {
        self.shared.quarantines.of(mailbox)
    }

    /// Waits until the quota of the message trace, which all calls share, allows a request.
    pub(crate) async fn enter_trace(&self) {
        let waits = Instant::now();
        self.shared.trace_quota.enter().await;
        self.metrics().trace_waited(waits.elapsed());
    }

    /// Returns the counts.
    pub fn metrics(&self) -> &Arc<Metrics> {
        self.shared.transport.metrics()
    }

    /// Returns the state of the requests: how many are at work, and how many may be.
    pub fn requests(&self) -> watch::Receiver<RequestState> {
        self.shared.scheduler.state()
    }

    /// Returns when the access token in use was fetched and when it ends, if there is one that is still valid.
    pub fn token_life(&self) -> Option<TokenLife> {
        self.shared.transport.token_life()
    }

    /// Returns the end of the certificate that signs in, if there is one, as its file says now.
    pub async fn certificate_end(&self) -> Option<DateTime<Utc>> {
        self.shared.transport.certificate_end().await
    }

    /// Returns the claims of the access token, or `None` where it cannot be read. Fetches a token where there is none.
    pub async fn claims(&self) -> Result<Option<Claims>, Error> {
        Ok(Claims::of(&self.shared.transport.token().await?))
    }

    /// Opens a new lane, for one piece of work that needs many requests.
    pub fn bulk(&self) -> Dispatch {
        Dispatch::Bulk(self.shared.scheduler.lane())
    }

    /// Sends `request` by itself, as often as the retry policy allows.
    pub async fn send(&self, request: &Request) -> Result<Response, Error> {
        Ok(self.send_by(&Dispatch::Single, request).await?.response)
    }

    /// Sends `request` as `dispatch` says, as often as the retry policy allows. While it waits for a retry, it leaves
    /// its place in the mailbox to others.
    pub async fn send_by(&self, dispatch: &Dispatch, request: &Request) -> Result<Completed, SendError> {
        let mut attempt = Attempt::new(request, dispatch);
        let mut tries = self.tries(request.safety);
        let mut failed_by_size = false;
        let mut held = None;
        loop {
            let first_try = tries.retries() == 0 && attempt.slow_batches == 0;
            let Tried { outcome, batch, was_too_slow } =
                self.send_once(&attempt, first_try, held.take()).await;
            let error = match outcome {
                Ok(response) => {
                    let mutable_ids = request.immutable_ids && !attempt.request.immutable_ids;
                    return Ok(Completed { response, repeated: attempt.repeated, mutable_ids });
                }
                Err(error) => error,
            };
            if let ErrorKind::NoRoom { needed } = *error.kind() {
                debug!(needed, "a large answer waits for memory");
                held = Some(self.memory.hold(needed).await);
                continue;
            }
            if attempt.adapt(&error, was_too_slow) {
                continue;
            }
            let retries = tries.retries();
            let is_about_size = request.size_once && error.is_about_size();
            if is_about_size && std::mem::replace(&mut failed_by_size, true) {
                return Err(SendError { error, repeated: attempt.repeated });
            }
            let Some(wait) = tries.after(error.failure()) else {
                return Err(SendError {
                    error: error.with_effect(attempt.effect),
                    repeated: attempt.repeated,
                });
            };
            attempt.repeated |= error.failure() != Failure::NotSent;
            debug!(
                mailbox = request.mailbox,
                error = error.for_log(),
                retries,
                wait_ms = wait.as_millis(),
                "trying again"
            );
            let again = match dispatch {
                Dispatch::Bulk(lane) if batch.is_some() => lane.again_after(wait),
                Dispatch::Bulk(_) | Dispatch::Single => Instant::now() + wait,
            };
            if let Err(error) = unless_withdrawn(request.gate.as_ref(), sleep_until(again)).await {
                return Err(SendError {
                    error: error.with_effect(attempt.effect),
                    repeated: attempt.repeated,
                });
            }
        }
    }

    async fn send_once(&self, attempt: &Attempt<'_>, first_try: bool, held: Option<Held>) -> Tried {
        let request = attempt.request.as_ref();
        if let Err(error) = request.path.checked() {
            return Tried::alone(Err(error.into()));
        }
        match attempt.dispatch {
            Dispatch::Bulk(lane) => {
                let gate = self.gate(request);
                let tried = lane.send_once(request.clone(), gate, attempt.slow_batches, first_try).await;
                log_part(request, &tried);
                let outcome = tried.outcome.and_then(|response| {
                    if request.is_harmless_read() {
                        response.within(&self.memory, held)
                    } else {
                        Ok(response)
                    }
                });
                Tried { outcome, ..tried }
            }
            Dispatch::Single => Tried::alone(self.send_alone(request, first_try, held).await),
        }
    }

    async fn send_alone(
        &self,
        request: &Request,
        first_try: bool,
        held: Option<Held>,
    ) -> Result<Response, Error> {
        let (_permit, mut place) = unless_withdrawn(request.gate.as_ref(), self.enter(request)).await?;
        let transport = &self.shared.transport;
        let exchanged = if request.is_harmless_read() {
            transport.exchange_within(request, Room::Share { share: &self.memory, held }).await
        } else {
            transport.exchange(request).await
        };
        place.note(first_try, &exchanged);
        exchanged.map(|(response, _)| response)
    }

    /// Opens the message at `request`, which is read as it arrives. Once it arrives it is not requested again.
    pub async fn open(&self, request: &Request) -> Result<Download, Error> {
        self.open_content(request, Content::Message).await
    }

    /// Opens the file at `request`, as [`open`](Self::open) does. A file may be empty and of any type.
    pub async fn open_file(&self, request: &Request) -> Result<Download, Error> {
        self.open_content(request, Content::File).await
    }

    async fn open_content(&self, request: &Request, content: Content) -> Result<Download, Error> {
        request.path.checked()?;
        let mut tries = self.tries(request.safety);
        let read_timeout = self.shared.transport.read_timeout(request);
        loop {
            let (permit, mut place) = self.enter(request).await;
            let opened = self.shared.transport.open(request).await;
            place.note(tries.retries() == 0, &opened);
            // What follows is read as fast as it is used, which Graph does not count as work.
            drop(place);
            let begun = match opened {
                Ok((response, _)) => Download::begin(response, content, permit, read_timeout).await,
                Err(error) => Err(error),
            };
            let error = match begun {
                Ok(download) => return Ok(download),
                Err(error) => error,
            };
            let Some(wait) = tries.after(error.failure()) else { return Err(error) };
            tokio::time::sleep(wait).await;
        }
    }

    fn gate(&self, request: &Request) -> Option<Arc<MailboxGate>> {
        request.mailbox.as_ref().map(|mailbox| self.shared.mailboxes.gate(mailbox))
    }

    /// Waits for a place in the request's mailbox, and for one among all requests.
    async fn enter(&self, request: &Request) -> (Option<MailboxPermit>, Place) {
        let permit = match self.gate(request) {
            Some(gate) => gate.enter().await,
            None => None,
        };
        (permit, self.shared.scheduler.enter(request).await)
    }

    /// Returns the retry policy's own waits, for callers that check repeatedly whether something has become visible.
    pub fn waits(&self) -> impl Iterator<Item = Duration> {
        self.shared.policy.waits()
    }

    /// Returns the waits before a download that broke off begins again, a few.
    pub fn download_waits(&self) -> impl Iterator<Item = Duration> {
        self.shared.policy.download_waits()
    }

    /// Returns how long to wait before a retry, where Graph `asked` for a wait and `retries` retries did not help;
    /// `None` where another retry is not allowed.
    pub fn again_after(&self, asked: Option<Duration>, retries: u32) -> Option<Duration> {
        let Shared { policy, .. } = *self.shared;
        policy.wait(asked, retries).filter(|_| retries < policy.max_retries())
    }

    pub(crate) fn tries(&self, safety: RetrySafety) -> Tries {
        self.shared.policy.tries(safety, self.metrics()).among(self.requests())
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.shared.transport
    }

    /// Reads an `@odata.nextLink`.
    pub(crate) fn next_page(&self, link: &str) -> Result<Path, Error> {
        let path = Path::from_next_link(link, self.shared.transport.root());
        path.ok_or_else(|| ErrorKind::ForeignNextLink.into())
    }
}

/// Logs a part of a batch among the lines of its own call, with the name of the batch, which several calls share.
fn log_part(Request { method, path, .. }: &Request, Tried { outcome, batch, .. }: &Tried) {
    let Some(batch) = batch else { return };
    let resource = path.resource();
    match outcome {
        Ok(Response { status, request_id, .. }) => {
            debug!(%method, resource, status, request_id, %batch, "graph request in a batch");
        }
        Err(error) => {
            debug!(%method, resource, error = error.for_log(), %batch, "graph request in a batch failed");
        }
    }
}
