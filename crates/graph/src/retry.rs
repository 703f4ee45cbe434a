//! What may be tried again, when, and how often. Plain requests, `$batch` parts, pages and the token endpoint
//! all ask here.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::GraphSettings;
use crate::metrics::{Meters, Reason};
use net::{Backoff, Jitter};

/// No wait of our own choosing is longer than this.
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);
/// A `Retry-After` longer than this is not waited for: whoever asked would be gone.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(15 * 60);
/// No wait is shorter: Graph has been seen to ask for fractions of a second, over and over.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
/// Requests that were throttled together do not come back together.
const JITTER: Jitter = Jitter::Longer(0.1);

/// That Graph asks to go slower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackoffHint {
    /// The wait that it names, if any.
    pub named: Option<Duration>,
}

/// How a try failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// Throttled, which is said before anything is done; with the wait that was asked for, if any.
    Throttled(Option<Duration>),
    /// Something on the way is out of service for the moment, or asks to wait; with the wait that was asked for, if
    /// any. The request may have come through all the same.
    Busy(Option<Duration>),
    /// The request never reached Graph.
    NotSent,
    /// It may have reached Graph, and what came back is no answer: the connection broke, time ran out, a 5xx
    /// that leaves the outcome open, or a 200 that is not what was asked for.
    Unknown,
    /// Graph understood and refused. It will refuse again.
    Final,
}

impl Failure {
    /// Judges a status by the Graph pages "Microsoft Graph error responses" and "Throttling guidance".
    pub(super) fn of_status(status: u16, retry_after: Option<Duration>) -> Self {
        match status {
            // A whole batch is said to answer 424 where it is throttled ("Throttling guidance"); a part of ours
            // depends on no other.
            424 | 429 | 509 => Self::Throttled(retry_after),
            503 => Self::Busy(retry_after),
            500 | 502 | 504 if retry_after.is_some() => Self::Busy(retry_after),
            408 | 500 | 502 | 504 => Self::Unknown,
            _ => Self::Final,
        }
    }

    /// Whether it asks to go slower.
    pub(super) fn backoff_hint(self) -> Option<BackoffHint> {
        match self {
            Self::Throttled(named) | Self::Busy(named) => Some(BackoffHint { named }),
            Self::NotSent | Self::Unknown | Self::Final => None,
        }
    }

    /// Whether the request may have been carried out, by what its answer means.
    pub(super) fn is_indeterminate(self) -> bool {
        matches!(self, Self::Busy(_) | Self::Unknown)
    }
}

/// Whether a request may be sent again when nobody knows what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RetrySafety {
    /// It changes nothing, or twice is as good as once.
    Harmless,
    /// Only when it was not carried out, by what the answer means.
    OnlyIfUndone,
    /// Only when it never reached Graph: a request that was answered as throttled has been seen to be carried out all
    /// the same.
    OnlyIfNotSent,
}

/// The installation's rule, from `max_retries_total` and `max_retries_backoff_factor`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Policy {
    max_retries: u32,
    backoff: Backoff,
}

impl Policy {
    /// The rule of `settings`.
    pub(super) fn new(settings: &GraphSettings) -> Self {
        Self { max_retries: settings.max_retries, backoff: backoff(settings.retry_backoff) }
    }

    #[cfg(test)]
    pub(super) fn for_tests(max_retries: u32, backoff: Duration) -> Self {
        Self { max_retries, backoff: self::backoff(backoff) }
    }

    /// How many repeats there may be.
    pub(super) fn max_retries(self) -> u32 {
        self.max_retries
    }

    /// The wait after `retries` repeats that did not help, where Graph `asked` for one; `None` where that is too
    /// long. The wait Graph asks for is kept; where it did not help, it is doubled each time, since Graph has
    /// been seen to ask for one second for as long as it throttles.
    pub(super) fn wait(self, asked: Option<Duration>, retries: u32) -> Option<Duration> {
        let wait = match asked {
            Some(asked) if asked > LONGEST_RETRY_AFTER => return None,
            Some(asked) => asked.max(backoff(asked).nominal(retries)),
            None => self.backoff.nominal(retries),
        };
        Some(wait.max(SHORTEST_WAIT))
    }

    /// The count of one request's tries, which `meters` count as well.
    pub(super) fn tries(self, repeat: RetrySafety, meters: &Arc<Meters>) -> Tries {
        Tries { policy: self, repeat, retries: 0, meters: Arc::clone(meters) }
    }

    /// The waits of our own choosing, one after the other, without end.
    pub(super) fn waits(self) -> impl Iterator<Item = Duration> {
        (0..).map(move |n| JITTER.apply(self.backoff.nominal(n).max(SHORTEST_WAIT)))
    }
}

/// How often one request was tried again.
#[derive(Debug)]
pub(super) struct Tries {
    policy: Policy,
    repeat: RetrySafety,
    retries: u32,
    meters: Arc<Meters>,
}

impl Tries {
    /// How many repeats there were.
    pub(super) fn retries(&self) -> u32 {
        self.retries
    }

    /// How long to wait before the next try, or `None` to give up.
    pub(super) fn after(&mut self, failure: Failure) -> Option<Duration> {
        let may_repeat = match (self.repeat, failure) {
            (_, Failure::Final) => false,
            (RetrySafety::Harmless, _) => true,
            (RetrySafety::OnlyIfUndone, failure) => !failure.is_indeterminate(),
            (RetrySafety::OnlyIfNotSent, failure) => failure == Failure::NotSent,
        };
        if !may_repeat {
            return None;
        }
        let (reason, asked) = match failure {
            Failure::Throttled(asked) | Failure::Busy(asked) => (Reason::Throttled, asked),
            Failure::NotSent => (Reason::NotSent, None),
            Failure::Unknown | Failure::Final => (Reason::NoAnswer, None),
        };
        let wait = self.policy.wait(asked, self.retries)?;
        if self.retries >= self.policy.max_retries {
            return None;
        }
        self.retries += 1;
        let wait = JITTER.apply(wait);
        self.meters.retried(reason, wait);
        Some(wait)
    }
}

/// Waits that double from `first` up to a minute.
fn backoff(first: Duration) -> Backoff {
    Backoff::new(first, LONGEST_BACKOFF, JITTER)
}

/// Reads a `Retry-After`: seconds, whole or decimal, or an HTTP date (RFC 9110, 10.2.3; decimals are Graph's).
pub(super) fn retry_after(value: &str, now: DateTime<Utc>) -> Option<Duration> {
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

    fn policy() -> Policy {
        Policy::for_tests(10, Duration::from_secs(5))
    }

    fn waits(failure: Failure, repeat: RetrySafety) -> Vec<u64> {
        let mut tries = policy().tries(repeat, &Arc::default());
        std::iter::from_fn(|| tries.after(failure)).map(|wait| wait.as_secs()).collect()
    }

    fn about(waits: &[u64], expected: &[u64]) {
        assert_eq!(waits.len(), expected.len(), "{waits:?}");
        for (wait, expected) in waits.iter().zip(expected) {
            assert!(wait >= expected && *wait <= expected + expected / 10, "{waits:?}");
        }
    }

    #[test]
    fn without_a_named_wait_the_back_off_doubles_up_to_its_cap_and_ends() {
        let expected = [5, 10, 20, 40, 60, 60, 60, 60, 60, 60];
        about(&waits(Failure::Throttled(None), RetrySafety::OnlyIfUndone), &expected);
        about(&waits(Failure::Unknown, RetrySafety::Harmless), &expected);
    }

    #[test]
    fn a_named_wait_is_kept_and_grows_where_it_does_not_help() {
        let second = Some(Duration::from_secs(1));
        about(
            &waits(Failure::Throttled(second), RetrySafety::Harmless),
            &[1, 2, 4, 8, 16, 32, 60, 60, 60, 60],
        );
        let long = Some(Duration::from_secs(100));
        about(&waits(Failure::Throttled(long), RetrySafety::Harmless), &[100; 10]);
    }

    #[test]
    fn what_may_have_happened_is_repeated_only_where_that_is_harmless() {
        let soon = Some(Duration::from_secs(1));
        for open in [
            Failure::Unknown,
            Failure::Busy(soon),
            Failure::of_status(504, soon),
            Failure::of_status(503, None),
        ] {
            assert_eq!(waits(open, RetrySafety::Harmless).len(), 10, "{open:?}");
            assert!(waits(open, RetrySafety::OnlyIfUndone).is_empty(), "{open:?}");
            assert!(waits(open, RetrySafety::OnlyIfNotSent).is_empty(), "{open:?}");
        }
        assert!(waits(Failure::Final, RetrySafety::Harmless).is_empty());
        assert_eq!(waits(Failure::Throttled(None), RetrySafety::OnlyIfUndone).len(), 10);
        assert!(waits(Failure::Throttled(None), RetrySafety::OnlyIfNotSent).is_empty());
        assert_eq!(waits(Failure::NotSent, RetrySafety::OnlyIfNotSent).len(), 10);
    }

    #[test]
    fn a_wait_of_hours_is_given_up() {
        assert!(waits(Failure::Throttled(Some(Duration::from_secs(7200))), RetrySafety::Harmless).is_empty());
    }

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
