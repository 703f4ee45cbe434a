//! What the service's answer to one HTTP request says about its limits.

use std::time::Duration;

use tokio::time::Instant;

use crate::failure::Failure;

/// The outcome of one HTTP request: a single request, or a batch with its parts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// When it was sent.
    pub(crate) sent_at: Instant,
    /// How many requests were answered; 0 where the outcome is unknown.
    pub(crate) answers: usize,
    /// How many of them were throttled.
    pub(crate) throttled: usize,
    /// How many answered requests were first tries.
    pub(crate) first_tries: usize,
    /// How many of those were throttled.
    pub(crate) first_tries_throttled: usize,
    /// Whether a batch as a whole was throttled, and not only parts of it.
    pub(crate) call_throttled: bool,
    /// The longest wait that Graph asked for.
    pub(crate) wait: Option<Duration>,
}

impl Sample {
    /// Creates an empty sample of an HTTP request that was sent at `sent_at`.
    pub(crate) fn of(sent_at: Instant) -> Self {
        Self {
            sent_at,
            answers: 0,
            throttled: 0,
            first_tries: 0,
            first_tries_throttled: 0,
            call_throttled: false,
            wait: None,
        }
    }

    /// Counts one request, by its failure if it failed.
    pub(crate) fn note(&mut self, first_try: bool, failure: Option<Failure>) {
        let throttled = match failure {
            Some(Failure::NotSent | Failure::Unknown) => return,
            Some(Failure::Throttled(wait) | Failure::Busy(wait)) => {
                self.wait = self.wait.max(wait);
                true
            }
            Some(Failure::Conflict | Failure::Persistent | Failure::Final) | None => false,
        };
        self.answers += 1;
        self.throttled += usize::from(throttled);
        self.first_tries += usize::from(first_try);
        self.first_tries_throttled += usize::from(first_try && throttled);
    }

    /// Whether all that was answered was throttled.
    pub(crate) fn is_all_throttled(&self) -> bool {
        self.answers > 0 && self.throttled == self.answers
    }
}
