//! How a single try failed, as far as the decision to try again depends on it.

use std::time::Duration;

use chrono::{DateTime, Utc};

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
    /// Graph understood the request and refused it. It will refuse it again.
    Final,
}

impl Failure {
    /// Classifies a status by the Graph pages "Microsoft Graph error responses" and "Throttling guidance".
    pub(crate) fn of_status(status: u16, retry_after: Option<Duration>) -> Self {
        match status {
            // A throttled batch is said to be answered 424 as a whole ("Throttling guidance"). The parts that this
            // client sends do not depend on each other, so 424 has no other meaning here.
            424 | 429 | 509 => Self::Throttled(retry_after),
            503 => Self::Busy(retry_after),
            500 | 502 | 504 if retry_after.is_some() => Self::Busy(retry_after),
            408 | 500 | 502 | 504 => Self::Unknown,
            _ => Self::Final,
        }
    }

    /// Returns Graph's request to go slower, if the failure is one.
    pub(crate) fn backoff_hint(self) -> Option<BackoffHint> {
        match self {
            Self::Throttled(named) | Self::Busy(named) => Some(BackoffHint { named }),
            Self::NotSent | Self::Unknown | Self::Final => None,
        }
    }

    /// Whether the request may have been carried out.
    pub(crate) fn is_indeterminate(self) -> bool {
        matches!(self, Self::Busy(_) | Self::Unknown)
    }
}

/// Reads a `Retry-After`: seconds, whole or decimal, or an HTTP date (RFC 9110, 10.2.3; Graph also sends decimals).
pub(crate) fn retry_after(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let until = DateTime::parse_from_rfc2822(value).ok()?;
    Some((until.with_timezone(&Utc) - now).to_std().unwrap_or(Duration::ZERO))
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
        assert_eq!(retry_after("Sun, 01 Mar 2026 09:00:00 GMT", now), Some(Duration::ZERO));
        for nonsense in ["", "soon", "-1", "NaN", "inf", "1e400"] {
            assert_eq!(retry_after(nonsense, now), None, "{nonsense}");
        }
    }
}
