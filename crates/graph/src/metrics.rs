//! The metrics of requests to Graph.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Seconds: from a small request to the search of a large mailbox, up to the default read timeout.
const DURATIONS: [f64; 10] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// The metrics. Several clients of the process may share them. Every series exists from the start.
#[derive(Debug)]
pub struct Metrics {
    requests: Family<RequestLabels, Counter>,
    durations: Histogram,
    throttled: Family<SentLabels, Counter>,
    retries: Family<RetryLabels, Counter>,
    retry_wait: Family<RetryLabels, Counter<f64, AtomicU64>>,
    trace_wait: Counter<f64, AtomicU64>,
    users_wait: Counter<f64, AtomicU64>,
    token_requests: Family<TokenLabels, Counter>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    sent: Sent,
    status: Status,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SentLabels {
    sent: Sent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RetryLabels {
    reason: RetryReason,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TokenLabels {
    outcome: TokenOutcome,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            requests: Family::default(),
            durations: Histogram::new(DURATIONS),
            throttled: Family::default(),
            retries: Family::default(),
            retry_wait: Family::default(),
            trace_wait: Counter::default(),
            users_wait: Counter::default(),
            token_requests: Family::default(),
        };
        for sent in Sent::ALL {
            for status in Status::all() {
                drop(metrics.requests.get_or_create(&RequestLabels { sent, status }));
            }
            drop(metrics.throttled.get_or_create(&SentLabels { sent }));
        }
        for reason in RetryReason::ALL {
            drop(metrics.retries.get_or_create(&RetryLabels { reason }));
            drop(metrics.retry_wait.get_or_create(&RetryLabels { reason }));
        }
        for outcome in TokenOutcome::ALL {
            drop(metrics.token_requests.get_or_create(&TokenLabels { outcome }));
        }
        metrics
    }
}

impl Metrics {
    /// Adds the metrics to a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "graph_requests",
            "Requests to Graph, every try, by how they were sent and the HTTP status of the answer",
            self.requests.clone(),
        );
        registry.register(
            "graph_request_duration_seconds",
            "How long HTTP requests to Graph took until their answer began",
            self.durations.clone(),
        );
        registry.register(
            "graph_throttled",
            "Answers of Graph that ask for less or later, by how the request was sent",
            self.throttled.clone(),
        );
        registry.register(
            "graph_retries",
            "Requests to Graph and for tokens that were repeated, by why",
            self.retries.clone(),
        );
        registry.register(
            "graph_retry_wait_seconds",
            "How long they waited before that, all together, by why",
            self.retry_wait.clone(),
        );
        registry.register(
            "graph_trace_wait_seconds",
            "How long message traces waited for the tenant's quota, all together",
            self.trace_wait.clone(),
        );
        registry.register(
            "graph_users_wait_seconds",
            "How long searches had places for mailboxes and waited for the list of users, all together",
            self.users_wait.clone(),
        );
        registry.register(
            "token_requests",
            "Requests for an access token, every try, by what came of it",
            self.token_requests.clone(),
        );
    }

    /// Counts a response, or that there was none.
    pub fn answered(&self, sent: Sent, status: Option<u16>, throttled: bool) {
        self.requests.get_or_create(&RequestLabels { sent, status: Status::of(status) }).inc();
        if throttled {
            self.throttled.get_or_create(&SentLabels { sent }).inc();
        }
    }

    /// Returns how many requests were sent in this way so far, every try.
    pub fn sent(&self, sent: Sent) -> u64 {
        Status::all().map(|status| self.requests.get_or_create(&RequestLabels { sent, status }).get()).sum()
    }

    /// Returns how many requests that were sent in this way were answered with the wish for less or later.
    pub fn throttled(&self, sent: Sent) -> u64 {
        self.throttled.get_or_create(&SentLabels { sent }).get()
    }

    /// Returns how many tokens were asked for so far, every try.
    pub fn tokens_requested(&self) -> u64 {
        TokenOutcome::ALL
            .into_iter()
            .map(|outcome| self.token_requests.get_or_create(&TokenLabels { outcome }).get())
            .sum()
    }

    /// Counts how long a request took until its response began.
    pub fn took(&self, duration: Duration) {
        self.durations.observe(duration.as_secs_f64());
    }

    /// Counts that a request is sent again after `wait`.
    pub(crate) fn retried(&self, reason: RetryReason, wait: Duration) {
        self.retries.get_or_create(&RetryLabels { reason }).inc();
        self.retry_wait.get_or_create(&RetryLabels { reason }).inc_by(wait.as_secs_f64());
    }

    /// Counts that a message trace waited for its quota.
    pub(crate) fn trace_waited(&self, wait: Duration) {
        self.trace_wait.inc_by(wait.as_secs_f64());
    }

    /// Counts that a search could have searched another mailbox, and waited for the list of users.
    pub(crate) fn users_waited(&self, wait: Duration) {
        self.users_wait.inc_by(wait.as_secs_f64());
    }

    /// How long searches waited for the list of users, all together.
    pub fn users_wait(&self) -> Duration {
        Duration::try_from_secs_f64(self.users_wait.get()).unwrap_or_default()
    }

    /// Counts a request for an access token.
    pub(crate) fn token_requested(&self, outcome: TokenOutcome) {
        self.token_requests.get_or_create(&TokenLabels { outcome }).inc();
    }
}

/// How a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sent {
    /// By itself.
    Single,
    /// A `$batch`.
    Batch,
    /// In a `$batch`.
    Part,
    /// A range of an upload.
    Upload,
}

impl Sent {
    const ALL: [Self; 4] = [Self::Single, Self::Batch, Self::Part, Self::Upload];
}

impl EncodeLabelValue for Sent {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        let text = match self {
            Self::Single => "single",
            Self::Batch => "batch",
            Self::Part => "part",
            Self::Upload => "upload",
        };
        text.encode(encoder)
    }
}

/// The statuses that Graph is known to send ("Microsoft Graph error responses"). No other becomes a label.
const KNOWN_STATUSES: [u16; 22] = [
    200, 201, 202, 204, 400, 401, 403, 404, 405, 408, 409, 410, 412, 413, 423, 424, 429, 500, 502, 503, 504,
    507,
];

/// The HTTP status of a response, if there was one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Status {
    Known(u16),
    Other,
    None,
}

impl Status {
    fn of(status: Option<u16>) -> Self {
        match status {
            Some(status) if KNOWN_STATUSES.contains(&status) => Self::Known(status),
            Some(_) => Self::Other,
            None => Self::None,
        }
    }

    fn all() -> impl Iterator<Item = Self> {
        KNOWN_STATUSES.map(Self::Known).into_iter().chain([Self::Other, Self::None])
    }
}

impl EncodeLabelValue for Status {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        match self {
            Self::Known(status) => status.encode(encoder),
            Self::Other => "other".encode(encoder),
            Self::None => "none".encode(encoder),
        }
    }
}

/// Why a request is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RetryReason {
    /// Graph asked the client to go slower.
    Throttled,
    /// The request did not reach Graph.
    NotSent,
    /// Another change of the item came at the same time.
    Conflict,
    /// There was no valid response.
    NoAnswer,
}

impl RetryReason {
    const ALL: [Self; 4] = [Self::Throttled, Self::NotSent, Self::Conflict, Self::NoAnswer];
}

impl EncodeLabelValue for RetryReason {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        let text = match self {
            Self::Throttled => "throttled",
            Self::NotSent => "not_sent",
            Self::Conflict => "conflict",
            Self::NoAnswer => "no_answer",
        };
        text.encode(encoder)
    }
}

/// The outcome of a request for an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenOutcome {
    /// The endpoint granted a token.
    Granted,
    /// Entra ID refused the credential, or the credential cannot be used.
    Refused,
    /// The endpoint could not be reached, or its response was not valid.
    Unavailable,
}

impl TokenOutcome {
    const ALL: [Self; 3] = [Self::Granted, Self::Refused, Self::Unavailable];
}

impl EncodeLabelValue for TokenOutcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        let text = match self {
            Self::Granted => "granted",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
        };
        text.encode(encoder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_summed_over_their_statuses() {
        let metrics = Metrics::default();
        for (sent, status, throttled) in [
            (Sent::Single, Some(200), false),
            (Sent::Single, Some(429), true),
            (Sent::Single, None, false),
            (Sent::Part, Some(418), false),
        ] {
            metrics.answered(sent, status, throttled);
        }
        metrics.token_requested(TokenOutcome::Granted);
        metrics.token_requested(TokenOutcome::Unavailable);
        assert_eq!((metrics.sent(Sent::Single), metrics.throttled(Sent::Single)), (3, 1));
        assert_eq!((metrics.sent(Sent::Part), metrics.throttled(Sent::Part)), (1, 0));
        assert_eq!((metrics.sent(Sent::Batch), metrics.tokens_requested()), (0, 2));
    }

    #[test]
    fn unknown_status_is_counted_as_other() {
        assert_eq!(
            [Some(429), Some(418), None].map(Status::of),
            [Status::Known(429), Status::Other, Status::None]
        );
    }
}
