//! What may be tried again, when, and how often. Single requests, `$batch` parts, pages and the token endpoint all
//! follow this policy.

use std::sync::Arc;
use std::time::Duration;

use net::{Backoff, Jitter};
use tokio::sync::watch;

use crate::GraphSettings;
use crate::failure::Failure;
use crate::metrics::{Metrics, RetryReason};
use crate::request_state::RequestState;

/// No wait that the client chooses is longer.
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);
/// A longer `Retry-After` is not waited for: by then the caller has given up.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(15 * 60);
/// No wait is shorter: Graph has been seen to ask for fractions of a second again and again.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
/// So many retries of a request count as throttled by chance, because other clients of the application had all places.
/// If waits were doubled at once, a request that is throttled every second time would wait far too long in the mean.
const THROTTLED_BY_CHANCE: u32 = 3;
/// A wait of less than this is doubled from the start: it is over before a place is free.
const SHORT: Duration = Duration::from_secs(1);
/// A request that met this many conflicts in a row meets another one. The next change key is read by Exchange itself,
/// so that a conflict hardly ever repeats.
const MOST_CONFLICTS: u32 = 3;
/// How often a download that breaks off begins again.
const MAX_DOWNLOAD_REPEATS: usize = 3;
/// Requests that were throttled together do not come back together.
const JITTER: Jitter = Jitter::Longer(0.1);

/// Whether a request may be sent again when its outcome is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetrySafety {
    /// The request changes nothing, or sending it twice has the same result as sending it once.
    Harmless,
    /// The request is sent again only when the response means that it was not carried out.
    OnlyIfUndone,
    /// The request is sent again only when it never reached Graph: throttled requests have been seen to be carried out.
    OnlyIfNotSent,
}

/// The installation's policy, from `max_retries_total` and `max_retries_backoff_factor`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy {
    max_retries: u32,
    backoff: Backoff,
}

impl Policy {
    /// Creates the policy of `settings`.
    pub(crate) fn new(settings: &GraphSettings) -> Self {
        Self { max_retries: settings.max_retries, backoff: backoff(settings.retry_backoff) }
    }

    #[cfg(test)]
    pub(crate) fn for_tests(max_retries: u32, first: Duration) -> Self {
        Self { max_retries, backoff: backoff(first) }
    }

    /// Returns how many retries there may be.
    pub(crate) fn max_retries(self) -> u32 {
        self.max_retries
    }

    /// Returns the wait after `retries` retries that did not help, where Graph `asked` for a wait; `None` where that
    /// wait is too long. A wait that Graph asks for is kept. Where it did not help, it is doubled each time, since
    /// Graph has been seen to ask for one second for as long as it throttles.
    pub(crate) fn wait(self, asked: Option<Duration>, retries: u32) -> Option<Duration> {
        let wait = match asked {
            Some(asked) if asked > LONGEST_RETRY_AFTER => return None,
            Some(asked) => asked.max(backoff(asked).nominal(retries)),
            None => self.backoff.nominal(retries),
        };
        Some(wait.max(SHORTEST_WAIT))
    }

    /// Returns the wait of one request among others. Where those were `accepted` meanwhile, its last retry counts as
    /// throttled by chance, and does not make the wait longer.
    pub(crate) fn wait_among_others(
        self,
        asked: Option<Duration>,
        retries: &mut Retries,
        accepted: bool,
    ) -> Option<Duration> {
        let may_be_chance = accepted && asked.is_some_and(|asked| asked >= SHORT);
        if may_be_chance && retries.made > 0 && retries.by_chance < THROTTLED_BY_CHANCE {
            retries.by_chance += 1;
        }
        self.wait(asked, retries.made.saturating_sub(retries.by_chance))
    }

    /// Creates the state of one request's tries, which are also counted in `metrics`.
    pub(crate) fn tries(self, safety: RetrySafety, metrics: &Arc<Metrics>) -> Tries {
        Tries {
            policy: self,
            safety,
            retries: Retries::default(),
            metrics: Arc::clone(metrics),
            others: None,
        }
    }

    /// Returns the policy's own waits, one after the other, without end.
    pub(crate) fn waits(self) -> impl Iterator<Item = Duration> {
        (0..).map(move |n| JITTER.apply(self.backoff.nominal(n).max(SHORTEST_WAIT)))
    }

    /// Returns the waits before a download that broke off begins again.
    pub(crate) fn download_waits(self) -> impl Iterator<Item = Duration> {
        self.waits().take(MAX_DOWNLOAD_REPEATS)
    }
}

/// The retries of one request that did not help.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Retries {
    pub(crate) made: u32,
    /// How many of them may have been in vain by chance.
    by_chance: u32,
}

/// The tries of one request.
#[derive(Debug)]
pub(crate) struct Tries {
    policy: Policy,
    safety: RetrySafety,
    retries: Retries,
    metrics: Arc<Metrics>,
    others: Option<Others>,
}

/// The other requests, which use the same limit.
#[derive(Debug)]
struct Others {
    state: watch::Receiver<RequestState>,
    /// How many Graph had accepted at the last look.
    accepted: u64,
}

impl Others {
    /// Whether Graph has accepted any since the last look.
    fn were_accepted(&mut self) -> bool {
        let accepted = self.state.borrow().accepted;
        std::mem::replace(&mut self.accepted, accepted) != accepted
    }
}

impl Tries {
    /// Takes into account whether Graph accepts the requests that have this `state`.
    pub(crate) fn among(self, state: watch::Receiver<RequestState>) -> Self {
        let accepted = state.borrow().accepted;
        Self { others: Some(Others { state, accepted }), ..self }
    }

    /// Returns how many retries there were.
    pub(crate) fn retries(&self) -> u32 {
        self.retries.made
    }

    /// Returns how long to wait before the next try, or `None` to give up.
    pub(crate) fn after(&mut self, failure: Failure) -> Option<Duration> {
        let may_retry = match (self.safety, failure) {
            (_, Failure::Final) => false,
            (_, Failure::Persistent) if self.retries.made >= 1 => false,
            (_, Failure::Conflict) => self.retries.made < MOST_CONFLICTS,
            (RetrySafety::Harmless, _) => true,
            (RetrySafety::OnlyIfUndone, failure) => !failure.is_indeterminate(),
            (RetrySafety::OnlyIfNotSent, failure) => failure == Failure::NotSent,
        };
        if !may_retry {
            return None;
        }
        let (reason, asked) = match failure {
            Failure::Throttled(asked) | Failure::Busy(asked) => (RetryReason::Throttled, asked),
            Failure::NotSent => (RetryReason::NotSent, None),
            Failure::Conflict => (RetryReason::Conflict, None),
            Failure::Unknown | Failure::Persistent | Failure::Final => (RetryReason::NoAnswer, None),
        };
        let others_accepted = self.others.as_mut().is_some_and(Others::were_accepted);
        let wait = self.policy.wait_among_others(asked, &mut self.retries, others_accepted)?;
        if self.retries.made >= self.policy.max_retries {
            return None;
        }
        self.retries.made += 1;
        let wait = JITTER.apply(wait);
        self.metrics.retried(reason, wait);
        Some(wait)
    }
}

/// Returns waits that double from `first` up to a minute.
fn backoff(first: Duration) -> Backoff {
    Backoff::new(first, LONGEST_BACKOFF, JITTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(failure: Failure, safety: RetrySafety) -> Vec<u64> {
        let mut tries = Policy::for_tests(10, Duration::from_secs(5)).tries(safety, &Arc::default());
        std::iter::from_fn(|| tries.after(failure)).map(|wait| wait.as_secs()).collect()
    }

    fn about(waits: &[u64], expected: &[u64]) {
        assert_eq!(waits.len(), expected.len(), "{waits:?}");
        for (wait, expected) in waits.iter().zip(expected) {
            assert!(wait >= expected && *wait <= expected + expected / 10, "{waits:?}");
        }
    }

    #[test]
    fn own_waits_double_up_to_the_cap_and_end() {
        let expected = [5, 10, 20, 40, 60, 60, 60, 60, 60, 60];
        about(&waits(Failure::Throttled(None), RetrySafety::OnlyIfUndone), &expected);
        about(&waits(Failure::Unknown, RetrySafety::Harmless), &expected);
    }

    #[test]
    fn broken_download_begins_again_three_times() {
        let policy = Policy::for_tests(10, Duration::from_secs(5));
        about(&policy.download_waits().map(|wait| wait.as_secs()).collect::<Vec<_>>(), &[5, 10, 20]);
    }

    #[test]
    fn retry_after_is_kept_and_grows_where_it_does_not_help() {
        let second = Some(Duration::from_secs(1));
        about(
            &waits(Failure::Throttled(second), RetrySafety::Harmless),
            &[1, 2, 4, 8, 16, 32, 60, 60, 60, 60],
        );
        let long = Some(Duration::from_secs(100));
        about(&waits(Failure::Throttled(long), RetrySafety::Harmless), &[100; 10]);
    }

    #[test]
    fn retry_after_grows_later_while_others_are_accepted() {
        let (state, others) = watch::channel(RequestState::default());
        let mut tries = Policy::for_tests(10, Duration::from_secs(5))
            .tries(RetrySafety::Harmless, &Arc::default())
            .among(others);
        let mut wait = |asked, accepted| {
            state.send_modify(|state| state.accepted += accepted);
            tries.after(Failure::Throttled(asked)).unwrap().as_secs()
        };
        let second = Some(Duration::from_secs(1));
        about(&[(); 6].map(|()| wait(second, 1)), &[1, 1, 1, 1, 2, 4]);
        about(&[wait(second, 0), wait(second, 1)], &[8, 16]);
    }

    #[test]
    fn short_and_own_waits_grow_at_once_while_others_are_accepted() {
        for (asked, expected) in
            [(Some(Duration::from_millis(900)), [900, 1_800, 3_600]), (None, [5_000, 10_000, 20_000])]
        {
            let (state, others) = watch::channel(RequestState::default());
            let mut tries = Policy::for_tests(10, Duration::from_secs(5))
                .tries(RetrySafety::Harmless, &Arc::default())
                .among(others);
            let waits = expected.map(|_| {
                state.send_modify(|state| state.accepted += 1);
                u64::try_from(tries.after(Failure::Throttled(asked)).unwrap().as_millis()).unwrap()
            });
            about(&waits, &expected);
        }
    }

    #[test]
    fn unknown_outcome_is_retried_only_where_harmless() {
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
    fn wait_of_hours_is_given_up() {
        assert!(waits(Failure::Throttled(Some(Duration::from_secs(7200))), RetrySafety::Harmless).is_empty());
    }
}
