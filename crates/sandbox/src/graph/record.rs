//! The record of requests, and counters of requests at work at the same time.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::observed::Observed;

/// A request, alone or as a part of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedRequest {
    /// When it arrived.
    pub at: Instant,
    /// Its method.
    pub method: String,
    /// Path and query as they were sent: below the version root for Graph, complete for tokens and uploads.
    pub path_and_query: String,
    /// The status of the response. `None` if the connection was closed without a response.
    pub status: Option<u16>,
    /// The `client-request-id`.
    pub client_request_id: Option<String>,
    /// The number of its batch, from 1. Batches themselves have it as well.
    pub in_batch: Option<u64>,
    /// The mailbox that the URL names, as it names it.
    pub mailbox: Option<String>,
}

/// Sums over all requests since the start, or since the last [`super::Tenant::forget_requests`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// HTTP requests to Graph; a batch is one.
    pub http_requests: u64,
    /// `$batch` calls.
    pub batches: u64,
    /// Sub-requests in them.
    pub sub_requests: u64,
    /// Requests to the token endpoint.
    pub token_requests: u64,
    /// Requests and sub-requests that were answered 429.
    pub throttled: u64,
    /// Requests and sub-requests by kind: "list messages", "delete message", "get user", …
    pub by_kind: BTreeMap<&'static str, u64>,
    /// The most requests below mailboxes seen at work at once, whatever their mailboxes. The parts of a batch are seen
    /// at work if they run each at its own time, under a pace or an application limit.
    pub most_below_mailboxes: usize,
    /// The most requests seen at work in one mailbox at once.
    pub most_in_one_mailbox: usize,
    /// The most `$batch` calls seen at work at once.
    pub most_batches: usize,
    /// The most HTTP requests to Graph seen at work at once.
    pub most_http_requests: usize,
}

/// Keeps [`RecordedRequest`]s and [`Counters`].
#[derive(Debug)]
pub(super) struct Recorder {
    kept: usize,
    log: Observed<Log>,
}

#[derive(Debug, Default)]
struct Log {
    requests: VecDeque<RecordedRequest>,
    counters: Counters,
    batches_ever: u64,
    at_work: usize,
    batches_at_work: usize,
    in_mailbox: HashMap<u32, usize>,
    below_mailboxes: usize,
}

impl Recorder {
    pub(super) fn new(kept: usize) -> Self {
        Self { kept, log: Observed::default() }
    }

    pub(super) fn requests(&self) -> Vec<RecordedRequest> {
        self.log.look(|log| log.requests.iter().cloned().collect())
    }

    pub(super) fn requests_at_work(&self) -> usize {
        self.log.look(|log| log.at_work)
    }

    pub(super) fn counters(&self) -> Counters {
        self.log.look(|log| log.counters.clone())
    }

    /// Waits until `condition` holds, and checks it again after each change of the record.
    pub(super) async fn until(&self, deadline: Duration, condition: impl Fn() -> bool) -> bool {
        self.log.until(deadline, condition).await
    }

    pub(super) fn clear(&self) {
        self.log.change(|log| {
            log.requests.clear();
            log.counters = Counters::default();
        });
    }

    /// The number of the next batch.
    pub(super) fn next_batch(&self) -> u64 {
        self.log.change(|log| {
            log.batches_ever += 1;
            log.batches_ever
        })
    }

    /// Records a request to Graph.
    pub(super) fn graph(&self, kind: &'static str, request: RecordedRequest) {
        self.log.change(|log| {
            let counters = &mut log.counters;
            if kind == "batch" {
                counters.batches += 1;
            } else {
                *counters.by_kind.entry(kind).or_default() += 1;
            }
            if kind != "batch" && request.in_batch.is_some() {
                counters.sub_requests += 1;
            } else {
                counters.http_requests += 1;
            }
            counters.throttled += u64::from(request.status == Some(429));
            log.keep(request, self.kept);
        });
    }

    /// Records a request for a token.
    pub(super) fn token(&self, request: RecordedRequest) {
        self.log.change(|log| {
            log.counters.token_requests += 1;
            log.keep(request, self.kept);
        });
    }

    /// Records a request to an upload URL.
    pub(super) fn upload(&self, request: RecordedRequest) {
        self.log.change(|log| {
            *log.counters.by_kind.entry("upload range").or_default() += 1;
            log.keep(request, self.kept);
        });
    }

    /// Records a request to an import URL.
    pub(super) fn import(&self, request: RecordedRequest) {
        self.log.change(|log| {
            *log.counters.by_kind.entry("import item").or_default() += 1;
            log.keep(request, self.kept);
        });
    }

    /// Counts an HTTP request as at work until the returned guard is dropped.
    pub(super) fn begin(&self, batch: bool) -> AtWork<'_> {
        let requests = self.log.change(|log| {
            log.at_work += 1;
            log.batches_at_work += usize::from(batch);
            log.counters.most_http_requests = log.counters.most_http_requests.max(log.at_work);
            log.counters.most_batches = log.counters.most_batches.max(log.batches_at_work);
            log.at_work
        });
        AtWork { recorder: self, batch, requests }
    }

    /// Counts a request below a mailbox as at work, whatever its mailbox, until the returned guard is dropped. Returns
    /// `None` if so many are at work already as `limit` allows.
    pub(super) fn begin_below_mailbox(&self, limit: Option<usize>) -> Option<BelowMailbox<'_>> {
        let is_allowed = self.log.change(|log| {
            let is_allowed = limit.is_none_or(|limit| log.below_mailboxes < limit);
            log.below_mailboxes += usize::from(is_allowed);
            log.counters.most_below_mailboxes = log.counters.most_below_mailboxes.max(log.below_mailboxes);
            is_allowed
        });
        is_allowed.then(|| BelowMailbox { recorder: self })
    }

    /// Counts a request as at work in a mailbox until the returned guard is dropped.
    pub(super) fn enter(&self, mailbox: u32, limit: usize) -> InMailbox<'_> {
        let now = self.log.change(|log| {
            let now = log.in_mailbox.entry(mailbox).or_default();
            *now += 1;
            log.counters.most_in_one_mailbox = log.counters.most_in_one_mailbox.max(*now);
            *now
        });
        InMailbox { recorder: self, mailbox, allowed: now <= limit }
    }
}

impl Log {
    fn keep(&mut self, request: RecordedRequest, most: usize) {
        if self.requests.len() >= most {
            self.requests.pop_front();
        }
        if most > 0 {
            self.requests.push_back(request);
        }
    }
}

/// An HTTP request at work.
pub(super) struct AtWork<'a> {
    recorder: &'a Recorder,
    batch: bool,
    /// How many were at work when it began, including itself.
    pub(super) requests: usize,
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.recorder.log.change(|log| {
            log.at_work -= 1;
            log.batches_at_work -= usize::from(self.batch);
        });
    }
}

/// A request at work below any mailbox.
pub(super) struct BelowMailbox<'a> {
    recorder: &'a Recorder,
}

impl Drop for BelowMailbox<'_> {
    fn drop(&mut self) {
        self.recorder.log.change(|log| log.below_mailboxes -= 1);
    }
}

/// A request at work in a mailbox.
pub(super) struct InMailbox<'a> {
    recorder: &'a Recorder,
    pub(super) mailbox: u32,
    /// Whether the mailbox's limit allows it.
    pub(super) allowed: bool,
}

impl Drop for InMailbox<'_> {
    fn drop(&mut self) {
        self.recorder.log.change(|log| {
            if let Some(count) = log.in_mailbox.get_mut(&self.mailbox) {
                *count -= 1;
                if *count == 0 {
                    log.in_mailbox.remove(&self.mailbox);
                }
            }
        });
    }
}
