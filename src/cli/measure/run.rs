//! The measurement: lists users, and looks into their mailboxes, by single requests and as a search does.

use std::collections::BTreeMap;
use std::future::pending;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use graph::{
    Client, Completed, Dispatch, Error, ErrorKind, Expected, Path, Request, SearchScope, SendError, Sent,
};
use tokio::signal::ctrl_c;
use tokio::time::{Instant, interval, sleep_until};

use super::plan::Plan;
use super::sample::{Answer, Sample};
use crate::audit::{Act, AuditRecord};
use crate::cli::invoke::progress::ProgressDisplay;
use crate::functions::Progress;
use crate::guard::Guard;

/// How many mailboxes wait for a place at once.
const WAITING: usize = 1000;
/// How often the number of requests is compared with its limit.
const COMPARED_EVERY: Duration = Duration::from_millis(50);

/// Why a measurement ended before its end.
#[derive(Debug)]
pub(super) enum Stop {
    Interrupted,
    OutOfTime,
    OutOfRequests,
    /// Something concerns every request.
    Failed(Error),
}

/// Everything that was measured.
#[derive(Debug, Default)]
pub(super) struct Measured {
    /// The users that were listed; `None` if the list did not come to its end.
    pub(super) listed: Option<Listed>,
    /// Mailboxes that were not looked into, by reason.
    pub(super) left_out: BTreeMap<String, usize>,
    /// How many of them `mailboxes_denied_reading` denies.
    pub(super) denied: usize,
    pub(super) single: Sample,
    pub(super) bulk: Sample,
    pub(super) sent: SentRequests,
    pub(super) granted: Granted,
    pub(super) stopped: Option<Stop>,
}

/// The list of users.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) users: usize,
    /// Whether there are more users, or may be.
    pub(super) has_more: bool,
}

/// The requests that were sent, every try.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct SentRequests {
    pub(super) tokens: u64,
    pub(super) single: u64,
    pub(super) batches: u64,
    /// In the batches.
    pub(super) parts: u64,
    /// How many were answered with the wish for less or later.
    pub(super) throttled: u64,
}

impl SentRequests {
    fn of(client: &Client) -> Self {
        let metrics = client.metrics();
        let [single, batches, parts] = [Sent::Single, Sent::Batch, Sent::Part].map(|sent| metrics.sent(sent));
        let throttled = [Sent::Single, Sent::Batch, Sent::Part].map(|sent| metrics.throttled(sent));
        Self { tokens: metrics.tokens_requested(), single, batches, parts, throttled: throttled.iter().sum() }
    }

    /// The requests to Graph as its limits count them: the parts of a batch one by one (Graph page "Combine multiple
    /// HTTP requests using JSON batching").
    pub(super) fn counted(&self) -> u64 {
        self.single + self.parts
    }
}

/// How many requests Graph works on at once, as far as it has shown.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Granted {
    pub(super) requests: usize,
}

impl Granted {
    fn of(client: &Client) -> Self {
        Self { requests: client.requests().borrow().window }
    }
}

/// What ends a measurement early.
struct Limits {
    interrupted: BoxFuture<'static, ()>,
    client: Client,
    most_requests: u64,
}

impl Limits {
    fn new(client: &Client, most_requests: u64) -> Self {
        let interrupted = async {
            // Without the signal the time ends the measurement.
            if ctrl_c().await.is_err() {
                pending::<()>().await;
            }
        };
        Self { interrupted: interrupted.boxed(), client: client.clone(), most_requests }
    }

    /// Waits until one of them is reached. Dropping the future loses nothing.
    async fn reached(&mut self, until: Instant) -> Stop {
        let mut compared = interval(COMPARED_EVERY);
        loop {
            tokio::select! {
                biased;
                () = &mut self.interrupted => return Stop::Interrupted,
                () = sleep_until(until) => return Stop::OutOfTime,
                _ = compared.tick() => {
                    if SentRequests::of(&self.client).counted() >= self.most_requests {
                        return Stop::OutOfRequests;
                    }
                }
            }
        }
    }
}

/// A measurement.
pub(super) struct Run<'a> {
    client: &'a Client,
    guard: &'a Guard,
    plan: &'a Plan,
    display: &'a mut ProgressDisplay,
    limits: Limits,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        client: &'a Client,
        guard: &'a Guard,
        plan: &'a Plan,
        display: &'a mut ProgressDisplay,
    ) -> Self {
        let limits = Limits::new(client, plan.most_requests());
        Self { client, guard, plan, display, limits }
    }

    /// Measures, and puts the reading of mailboxes on record.
    pub(super) async fn measure(mut self) -> Measured {
        let mut measured = Measured::default();
        let record = |mailboxes| AuditRecord {
            searched: Some("all".to_owned()),
            mailboxes,
            ..AuditRecord::new(Act::SearchMailboxes)
        };
        let on_record = self.guard.begin_search(record(None));
        measured.stopped = self.steps(&mut measured).await.err();
        measured.sent = SentRequests::of(self.client);
        measured.granted = Granted::of(self.client);
        let answered = measured.single.answered.max(measured.bulk.answered);
        let failed = match &measured.stopped {
            Some(Stop::Failed(error)) => Err(error.clone()),
            _ => Ok(()),
        };
        on_record.end(&record(Some(answered)), &failed);
        measured
    }

    async fn steps(&mut self, measured: &mut Measured) -> Result<(), Stop> {
        let until = Instant::now() + self.plan.time;
        let ids = self.list(until, measured).await?;
        let ids = if self.plan.identifies { self.identify(ids, until, measured).await? } else { ids };
        // Single requests have half of the time that is left, so that the search is measured as well.
        let now = Instant::now();
        let half = now + until.saturating_duration_since(now) / 2;
        let at_once = self.plan.single_at_once();
        match self.ask_all(&Dispatch::Single, at_once, &ids, half, &mut measured.single).await {
            Ok(()) | Err(Stop::OutOfTime) => {}
            Err(stop) => return Err(stop),
        }
        let bulk = self.client.bulk();
        self.ask_all(&bulk, WAITING, &ids, until, &mut measured.bulk).await
    }

    /// Lists the users. Returns the names by which their mailboxes are asked for.
    async fn list(&mut self, until: Instant, measured: &mut Measured) -> Result<Vec<String>, Stop> {
        self.display.status("Listing users");
        let scope = SearchScope::Tenant { prefix: String::new() };
        let listing = graph::list_mailboxes(self.client, scope, self.plan.mailboxes.into());
        let listed = tokio::select! {
            biased;
            stop = self.limits.reached(until) => return Err(stop),
            listed = listing => listed.map_err(Stop::Failed)?,
        };
        let has_more = listed.is_cut || listed.failure.is_some();
        measured.listed = Some(Listed { users: listed.named.len(), has_more });
        Ok(listed.named.into_iter().map(|(name, id)| id.unwrap_or(name)).collect())
    }

    /// Finds out which mailboxes may be read.
    async fn identify(
        &mut self,
        ids: Vec<String>,
        until: Instant,
        measured: &mut Measured,
    ) -> Result<Vec<String>, Stop> {
        self.display.status("Comparing mailboxes with mailboxes_denied_reading");
        let (client, guard, dispatch) = (self.client, self.guard, self.client.bulk());
        let total = ids.len();
        let checked = stream::iter(ids).map(|id| {
            let dispatch = &dispatch;
            async move { (guard.authorize_reading(client, dispatch, &id).await, id) }
        });
        let mut checked = Box::pin(checked.buffered(WAITING));
        let (mut allowed, mut done) = (Vec::new(), 0);
        loop {
            let next = tokio::select! {
                biased;
                stop = self.limits.reached(until) => return Err(stop),
                next = checked.next() => next,
            };
            let Some((authorized, id)) = next else { return Ok(allowed) };
            done += 1;
            self.display.update(Progress { done, total, more: false, found: None });
            match authorized {
                Ok(_) => allowed.push(id),
                Err(error) if error.is_for_all() => return Err(Stop::Failed(error)),
                Err(error) => {
                    measured.denied += usize::from(matches!(error.kind(), ErrorKind::ReadingDenied));
                    *measured.left_out.entry(in_words(&error)).or_default() += 1;
                }
            }
        }
    }

    /// Asks each mailbox for the id of one message.
    async fn ask_all(
        &mut self,
        dispatch: &Dispatch,
        at_once: usize,
        ids: &[String],
        until: Instant,
        sample: &mut Sample,
    ) -> Result<(), Stop> {
        let how = if matches!(dispatch, Dispatch::Single) { "single requests" } else { "search" };
        self.display.status(&format!("Looking into {} mailboxes by {how}", ids.len()));
        let (client, started) = (self.client, Instant::now());
        let answers = stream::iter(ids).map(|id| ask(client, dispatch, id));
        let mut answers = Box::pin(answers.buffer_unordered(at_once));
        let ended = loop {
            let answer = tokio::select! {
                biased;
                stop = self.limits.reached(until) => break Err(stop),
                answer = answers.next() => answer,
            };
            match answer {
                None => break Ok(()),
                Some(Ok(answer)) => sample.add(answer),
                Some(Err(error)) => break Err(Stop::Failed(error)),
            }
            let (done, total) = (sample.ended(), ids.len());
            self.display.update(Progress { done, total, more: false, found: None });
        };
        sample.took = started.elapsed();
        ended
    }
}

/// Asks one mailbox for the id of one message.
///
/// # Errors
/// Something concerns every request.
async fn ask(client: &Client, dispatch: &Dispatch, id: &str) -> Result<Answer, Error> {
    let path = match Path::messages(id, None) {
        Ok(path) => path.option("$select", "id").option("$top", "1"),
        Err(invalid) => return Ok(Answer::Failed(invalid.to_string())),
    };
    let request = Request::get(path).in_mailbox(id).expecting(Expected::List);
    let started = Instant::now();
    match client.send_by(dispatch, &request).await {
        Ok(Completed { repeated, .. }) => Ok(Answer::Answered((!repeated).then(|| started.elapsed()))),
        Err(SendError { error, .. }) if error.is_no_mailbox() => Ok(Answer::WithoutMailbox),
        Err(SendError { error, .. }) if error.is_for_all() => Err(error),
        Err(SendError { error, .. }) => Ok(Answer::Failed(in_words(&error))),
    }
}

/// Says why a request failed, in the same words for the same reason.
pub(super) fn in_words(error: &Error) -> String {
    match (error.refusal(), error.kind()) {
        (Some(refusal), _) if refusal.code.is_empty() => format!("HTTP status {}", refusal.status),
        (Some(refusal), _) => format!("HTTP status {}, {}", refusal.status, refusal.code),
        (None, ErrorKind::ReadingDenied) => "denied by mailboxes_denied_reading".to_owned(),
        (None, kind) => kind.to_string().trim_end_matches('.').to_owned(),
    }
}
