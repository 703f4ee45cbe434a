//! What was measured of the mailboxes in one way.

use std::collections::BTreeMap;
use std::time::Duration;

/// How the request of one mailbox ended.
#[derive(Debug)]
pub(super) enum Answer {
    /// Graph answered. The time is that of one request: it is not known where one was sent again.
    Answered(Option<Duration>),
    /// The user has no mailbox.
    WithoutMailbox,
    /// The request failed for this reason.
    Failed(String),
}

/// The answers of the mailboxes that were asked in one way.
#[derive(Debug, Default)]
pub(super) struct Sample {
    pub(super) answered: usize,
    pub(super) without_mailbox: usize,
    /// How many failed, by reason.
    pub(super) failed: BTreeMap<String, usize>,
    /// The times of requests that were answered at the first try.
    times: Vec<Duration>,
    /// From the first request to the last answer.
    pub(super) took: Duration,
}

impl Sample {
    pub(super) fn add(&mut self, answer: Answer) {
        match answer {
            Answer::Answered(time) => {
                self.answered += 1;
                self.times.extend(time);
            }
            Answer::WithoutMailbox => self.without_mailbox += 1,
            Answer::Failed(reason) => *self.failed.entry(reason).or_default() += 1,
        }
    }

    /// How many requests failed.
    pub(super) fn failures(&self) -> usize {
        self.failed.values().sum()
    }

    /// How many mailboxes were asked and answered, or failed.
    pub(super) fn ended(&self) -> usize {
        self.answered + self.without_mailbox + self.failures()
    }

    /// How many times were measured.
    pub(super) fn timed(&self) -> usize {
        self.times.len()
    }

    /// The time within which this percentage of the requests was answered, by the nearest rank.
    pub(super) fn percentile(&self, percent: usize) -> Option<Duration> {
        let mut sorted = self.times.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100);
        sorted.get(rank.saturating_sub(1)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentile_is_a_time_that_was_measured() {
        let mut sample = Sample::default();
        assert_eq!(sample.percentile(50), None);
        for millis in (1..=20).rev() {
            sample.add(Answer::Answered(Some(Duration::from_millis(millis))));
        }
        sample.add(Answer::Answered(None));
        assert_eq!(sample.percentile(50), Some(Duration::from_millis(10)));
        assert_eq!(sample.percentile(95), Some(Duration::from_millis(19)));
        assert_eq!((sample.timed(), sample.answered), (20, 21));
    }

    #[test]
    fn failures_are_counted_by_reason() {
        let mut sample = Sample::default();
        for reason in ["a", "b", "a"] {
            sample.add(Answer::Failed(reason.to_owned()));
        }
        sample.add(Answer::WithoutMailbox);
        assert_eq!((sample.failed["a"], sample.failures(), sample.ended()), (2, 3, 4));
    }
}
