//! What is counted of the requests to Graph.

use std::time::Duration;

use super::error::Error;
use crate::auth::token::TokenError;
use net::metrics::{Counter, Each, Histogram, Label, Time};

/// From a small request to a large mailbox's search, and the longest silence that is borne as a rule.
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

/// The counts, over all clients of the process that share them.
#[derive(Debug)]
pub struct Meters {
    /// Requests by how they were sent and what was answered.
    pub requests: Each<Sent, Each<Status, Counter>>,
    /// How long HTTP requests took until their answer began.
    pub durations: Histogram,
    /// Answers that say we are throttled, the service's being out of order for a moment among them.
    pub throttled: Each<Sent, Counter>,
    /// Requests that were sent again.
    pub retries: Each<Reason, Counter>,
    /// How long they waited before that.
    pub retry_wait: Each<Reason, Time>,
    /// How often access tokens were asked for, every try.
    pub token_requests: Each<TokenAnswer, Counter>,
}

impl Default for Meters {
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

impl Meters {
    /// Counts an answer, or that there was none.
    pub(super) fn answered(&self, sent: Sent, answer: Result<u16, &Error>) {
        let status = Status(match answer {
            Ok(status) => Some(status),
            Err(Error::Refused(refusal)) => Some(refusal.status),
            Err(Error::NotAnAnswer { status, .. }) => Some(*status),
            Err(_) => None,
        });
        self.requests.of(sent).of(status).increment();
        if answer.is_err_and(|error| error.failure().backoff_hint().is_some()) {
            self.throttled.of(sent).increment();
        }
    }

    /// Counts that something is sent again after `wait`.
    pub(super) fn retried(&self, reason: Reason, wait: Duration) {
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

/// The HTTP status of an answer, where there was one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(pub Option<u16>);

/// Those that Graph is known to answer with ("Microsoft Graph error responses"), and their texts.
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

/// Some other status.
const OTHER: usize = STATUSES.len();
/// No answer.
const NONE: usize = OTHER + 1;

impl Label for Status {
    const ALL: &'static [Self] = &{
        let mut all = [Self(None); NONE + 1];
        let mut nth = 0;
        while nth < OTHER {
            all[nth] = Self(Some(STATUSES[nth].0));
            nth += 1;
        }
        // Nobody answers with that.
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

/// Why something is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// We are throttled, or the service is out of order for the moment.
    Throttled,
    /// It did not reach Graph.
    NotSent,
    /// What came back was no answer.
    NoAnswer,
}

impl Label for Reason {
    const ALL: &'static [Self] = &[Self::Throttled, Self::NotSent, Self::NoAnswer];

    fn index(self) -> usize {
        self as usize
    }

    fn text(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::NotSent => "not_sent",
            Self::NoAnswer => "no_answer",
        }
    }
}

/// What comes of asking for an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenAnswer {
    /// A token.
    TokenResponse,
    /// Entra ID does not take what we sign in with, or it cannot be used.
    Refused,
    /// Nothing that says either.
    Unavailable,
}

impl TokenAnswer {
    pub(super) fn of(failure: Option<&TokenError>) -> Self {
        match failure {
            None => Self::TokenResponse,
            Some(TokenError::Refused { .. } | TokenError::Credential { .. }) => Self::Refused,
            Some(TokenError::Unavailable { .. }) => Self::Unavailable,
        }
    }
}

impl Label for TokenAnswer {
    const ALL: &'static [Self] = &[Self::TokenResponse, Self::Refused, Self::Unavailable];

    fn index(self) -> usize {
        self as usize
    }

    fn text(self) -> &'static str {
        match self {
            Self::TokenResponse => "granted",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_counted_in_its_place_or_as_another() {
        for (nth, status) in Status::ALL.iter().enumerate() {
            assert_eq!(status.index(), nth);
        }
        let text = |status| Status(status).text();
        assert_eq!([text(Some(429)), text(Some(418)), text(None)], ["429", "other", "none"]);
    }
}
