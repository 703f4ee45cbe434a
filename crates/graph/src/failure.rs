//! How a single try failed, as far as the decision to try again depends on it.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::error_code::Meaning;

/// Graph asks the client to go slower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackoffHint {
    /// The wait that Graph asks for, if it names one.
    pub named: Option<Duration>,
}

/// How a try failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Graph throttled the request before it did anything. Holds the wait that it asked for, if any.
    Throttled(Option<Duration>),
    /// The service, or a proxy on the way, is unavailable for the moment. Holds the wait that it asked for, if any.
    /// The request may have been carried out.
    Busy(Option<Duration>),
    /// The request never reached Graph.
    NotSent,
    /// The request may have reached Graph, but there is no valid response: the connection broke, the time ran out, the
    /// status is a 5xx that leaves the outcome open, or the body is not what was asked for.
    Unknown,
    /// Another change of the item came at the same time. The request was not carried out.
    Conflict,
    /// The same response is likely again, so that one retry is enough.
    Persistent,
    /// Graph understood the request and refused it. It will refuse it again.
    Final,
}

impl Failure {
    /// Classifies an error response whose status alone is known.
    pub(crate) fn of_status(status: u16, retry_after: Option<Duration>) -> Self {
        Self::of(Meaning::of(status, "", ""), retry_after)
    }

    /// Classifies an error response.
    pub(crate) fn of(meaning: Meaning, retry_after: Option<Duration>) -> Self {
        match meaning {
            Meaning::Throttled => Self::Throttled(retry_after),
            Meaning::Unavailable => Self::Busy(retry_after),
            Meaning::ServerFailed if retry_after.is_some() => Self::Busy(retry_after),
            Meaning::ServerFailed => Self::Unknown,
            Meaning::Conflict => Self::Conflict,
            Meaning::Inconvertible | Meaning::MailboxUnauthorized => Self::Persistent,
            Meaning::TokenRejected
            | Meaning::Policy
            | Meaning::Forbidden
            | Meaning::NoMailbox
            | Meaning::NoFolder
            | Meaning::NoItem
            | Meaning::InvalidId
            | Meaning::Other => Self::Final,
        }
    }

    /// Returns Graph's request to go slower, if the failure is one.
    pub(crate) fn backoff_hint(self) -> Option<BackoffHint> {
        match self {
            Self::Throttled(named) | Self::Busy(named) => Some(BackoffHint { named }),
            Self::NotSent | Self::Unknown | Self::Conflict | Self::Persistent | Self::Final => None,
        }
    }

    /// Whether the request may have been carried out.
    pub(crate) fn is_indeterminate(self) -> bool {
        matches!(self, Self::Busy(_) | Self::Unknown)
    }
}

/// Reads a `Retry-After`: seconds, whole or decimal, or an HTTP date (RFC 9110, 10.2.3; Graph also sends decimals).
/// `now` is the time of the response by its own `Date`, so that a difference between the clocks does not matter. A
/// wait of nothing counts as none named, so that the client's own back-off applies.
pub(crate) fn retry_after(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    let wait = match value.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => (http_date(value)? - now).to_std().ok(),
    };
    wait.filter(|wait| !wait.is_zero())
}

/// Reads an HTTP date, such as a `Date` header.
pub(crate) fn http_date(value: &str) -> Option<DateTime<Utc>> {
    Some(DateTime::parse_from_rfc2822(value.trim()).ok()?.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_decimals_and_dates() {
        let now = DateTime::parse_from_rfc3339("2026-03-01T10:00:00Z").unwrap().with_timezone(&Utc);
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after(" 2.128 ", now), Some(Duration::from_millis(2128)));
        assert_eq!(retry_after("Sun, 01 Mar 2026 10:00:30 GMT", now), Some(Duration::from_secs(30)));
        for nonsense in ["", "soon", "-1", "NaN", "inf", "1e400", "0", "0.0", "Sun, 01 Mar 2026 09:00:00 GMT"]
        {
            assert_eq!(retry_after(nonsense, now), None, "{nonsense}");
        }
    }
}
