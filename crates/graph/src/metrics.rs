//! Counts of the requests to Graph.

use std::time::Duration;

use net::metrics::{Counter, Each, Histogram, Label, Time};

/// From a small request to the search of a large mailbox, up to the default read timeout.
const DURATIONS: &[Duration] = &[
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2500),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
];

/// The counts. Several clients of the process may share them.
#[derive(Debug)]
pub struct Metrics {
    /// Requests by how they were sent and by the status of the response.
    pub requests: Each<Sent, Each<Status, Counter>>,
    /// How long HTTP requests took until their response began.
    pub durations: Histogram,
    /// Responses that ask the client to go slower: throttled, or the service is unavailable for the moment.
    pub throttled: Each<Sent, Counter>,
    /// Requests that were sent again.
    pub retries: Each<RetryReason, Counter>,
    /// How long they waited before that.
    pub retry_wait: Each<RetryReason, Time>,
    /// Requests for access tokens, every try.
    pub token_requests: Each<TokenOutcome, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            requests: Each::default(),
            durations: Histogram::new(DURATIONS),
            throttled: Each::default(),
            retries: Each::default(),
            retry_wait: Each::default(),
            token_requests: Each::default(),
        }
    }
}

impl Metrics {
    /// Counts a response, or that there was none.
    pub(crate) fn answered(&self, sent: Sent, status: Option<u16>, throttled: bool) {
        self.requests.of(sent).of(Status(status)).increment();
        if throttled {
            self.throttled.of(sent).increment();
        }
    }

    /// Counts that a request is sent again after `wait`.
    pub(crate) fn retried(&self, reason: RetryReason, wait: Duration) {
        self.retries.of(reason).increment();
        self.retry_wait.of(reason).add(wait);
    }
}

/// How a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

impl Label for Sent {
    const ALL: &'static [Self] = &[Self::Single, Self::Batch, Self::Part, Self::Upload];

    fn index(self) -> usize {
        self as usize
    }

    fn text(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Batch => "batch",
            Self::Part => "part",
            Self::Upload => "upload",
        }
    }
}

/// The HTTP status of a response, if there was one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(pub Option<u16>);

/// The statuses that Graph is known to send ("Microsoft Graph error responses"), and their texts.
const STATUSES: [(u16, &str); 22] = [
    (200, "200"),
    (201, "201"),
    (202, "202"),
    (204, "204"),
    (400, "400"),
    (401, "401"),
    (403, "403"),
    (404, "404"),
    (405, "405"),
    (408, "408"),
    (409, "409"),
    (410, "410"),
    (412, "412"),
    (413, "413"),
    (423, "423"),
    (424, "424"),
    (429, "429"),
    (500, "500"),
    (502, "502"),
    (503, "503"),
    (504, "504"),
    (507, "507"),
];

/// The index of any other status.
const OTHER: usize = STATUSES.len();
/// The index of a request without a response.
const NONE: usize = OTHER + 1;

impl Label for Status {
    const ALL: &'static [Self] = &{
        let mut all = [Self(None); NONE + 1];
        let mut nth = 0;
        while nth < OTHER {
            all[nth] = Self(Some(STATUSES[nth].0));
            nth += 1;
        }
        // No server sends this status.
        all[OTHER] = Self(Some(0));
        all
    };

    fn index(self) -> usize {
        self.0.map_or(NONE, |status| {
            STATUSES.binary_search_by_key(&status, |(known, _)| *known).unwrap_or(OTHER)
        })
    }

    fn text(self) -> &'static str {
        match self.index() {
            NONE => "none",
            OTHER => "other",
            known => STATUSES[known].1,
        }
    }
}

/// Why a request is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

impl Label for RetryReason {
    const ALL: &'static [Self] = &[Self::Throttled, Self::NotSent, Self::Conflict, Self::NoAnswer];

    fn index(self) -> usize {
        self as usize
    }

    fn text(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::NotSent => "not_sent",
            Self::Conflict => "conflict",
            Self::NoAnswer => "no_answer",
        }
    }
}

/// The outcome of a request for an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenOutcome {
    /// The endpoint granted a token.
    Granted,
    /// Entra ID refused the credential, or the credential cannot be used.
    Refused,
    /// The endpoint could not be reached, or its response was not valid.
    Unavailable,
}

impl Label for TokenOutcome {
    const ALL: &'static [Self] = &[Self::Granted, Self::Refused, Self::Unavailable];

    fn index(self) -> usize {
        self as usize
    }

    fn text(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_status_is_counted_as_other() {
        for (nth, status) in Status::ALL.iter().enumerate() {
            assert_eq!(status.index(), nth);
        }
        let text = |status| Status(status).text();
        assert_eq!([text(Some(429)), text(Some(418)), text(None)], ["429", "other", "none"]);
    }
}
