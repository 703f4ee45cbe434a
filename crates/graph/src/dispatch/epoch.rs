//! The answers to the requests that were sent with one size of the window.

use std::time::Duration;

use tokio::time::Instant;

use crate::dispatch::sample::Sample;

/// Fewer answers say nothing about a share.
const FEWEST: usize = 16;
/// Near the limit a single refused request is one of few, so more answers are needed.
const FEWEST_AT_LIMIT: usize = 32;
/// From this share of throttled requests on, Graph throttles in general.
const NEARLY_ALL: f64 = 0.95;
/// Fewer throttled requests do not mean that Graph throttles in general.
const MANY: usize = 10;
/// So many refused requests, and none accepted, can be clear before an epoch is over.
const CLEAR: usize = 24;
/// A single batch says nothing in general.
const FEWEST_SAMPLES: usize = 3;

/// How sure a judgement has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Care {
    /// Chance is ruled out: a mistake makes the window small for a long time.
    Sure,
    /// A mistake costs little.
    Likely,
}

impl Care {
    /// Returns the difference of shares that is not worth a reaction, the standard deviations that chance may explain,
    /// and the fewest throttled requests that count.
    fn bounds(self) -> (f64, f64, usize) {
        match self {
            Self::Sure => (0.03, 3.0, 4),
            Self::Likely => (0.02, 2.0, 2),
        }
    }
}

/// Counts first tries, and how many of them were throttled.
#[derive(Debug)]
pub(crate) struct Epoch {
    began: Instant,
    length: usize,
    samples: usize,
    answers: usize,
    throttled: usize,
    /// The same, with each part of a batch counted.
    all_answers: usize,
    all_throttled: usize,
    /// How many came while others waited for the window.
    full: usize,
    wait: Option<Duration>,
    /// When the first request that was throttled had been sent.
    throttled_since: Option<Instant>,
}

impl Epoch {
    /// Begins an epoch of a window of `size` requests: two answers for each place.
    pub(crate) fn of(size: usize, began: Instant) -> Self {
        Self::with_length((2 * size).max(FEWEST), began)
    }

    /// Begins an epoch of a window near the limit.
    pub(crate) fn at_limit(size: usize, began: Instant) -> Self {
        Self::with_length((2 * size).max(FEWEST_AT_LIMIT), began)
    }

    fn with_length(length: usize, began: Instant) -> Self {
        Self {
            began,
            length,
            samples: 0,
            answers: 0,
            throttled: 0,
            all_answers: 0,
            all_throttled: 0,
            full: 0,
            wait: None,
            throttled_since: None,
        }
    }

    /// Counts what was sent since it began, in an HTTP request that took `places`. `is_full` says whether others waited
    /// for the window.
    pub(crate) fn count(&mut self, sample: Sample, places: usize, is_full: bool) {
        if sample.sent_at >= self.began {
            // A part of a batch that is refused lets the next part begin, which is refused at once, too. So the places
            // count, not the parts.
            let throttled = sample.first_tries_throttled.min(places);
            let answers = sample.first_tries - sample.first_tries_throttled + throttled;
            self.samples += 1;
            self.all_answers += sample.first_tries;
            self.all_throttled += sample.first_tries_throttled;
            self.answers += answers;
            self.throttled += throttled;
            self.full += if is_full { answers } else { 0 };
            self.wait = self.wait.max(sample.wait);
            if throttled > 0 {
                let first = self.throttled_since.map_or(sample.sent_at, |since| since.min(sample.sent_at));
                self.throttled_since = Some(first);
            }
        }
    }

    /// Whether there are enough answers to judge: fewer where nearly all were refused, and no more are still `at_work`.
    pub(crate) fn is_over(&self, at_work: usize) -> bool {
        let is_clear = self.is_nearly_all() && self.answers >= CLEAR.max(at_work);
        (is_clear || self.answers >= self.length) && self.samples >= FEWEST_SAMPLES
    }

    /// Whether nearly all were throttled, and many.
    pub(crate) fn is_nearly_all(&self) -> bool {
        self.all_throttled >= MANY && ratio(self.all_throttled, self.all_answers) >= NEARLY_ALL
    }

    /// Whether so many were throttled that it does not matter how the rest of the epoch goes.
    pub(crate) fn is_lost(&self, usual: f64) -> bool {
        self.answers >= FEWEST && self.is_over_share_of(self.length.max(self.answers), usual, Care::Likely)
    }

    /// Whether the window was used up most of the time.
    pub(crate) fn was_full(&self) -> bool {
        self.full * 2 >= self.answers
    }

    /// Returns how many rounds of a window of `size` places it lasted.
    pub(crate) fn rounds(&self, size: usize) -> u32 {
        u32::try_from(self.answers / size).unwrap_or(u32::MAX).max(1)
    }

    /// Returns how many first tries were throttled.
    pub(crate) fn throttled(&self) -> usize {
        self.throttled
    }

    /// Returns the longest wait that Graph asked for.
    pub(crate) fn wait(&self) -> Option<Duration> {
        self.wait
    }

    /// Returns when the first request that was throttled had been sent.
    pub(crate) fn throttled_since(&self) -> Option<Instant> {
        self.throttled_since
    }

    /// Returns the share of throttled first tries.
    pub(crate) fn share(&self) -> f64 {
        ratio(self.throttled, self.answers)
    }

    /// Whether clearly more were throttled than the share that is `usual`.
    pub(crate) fn is_more_than(&self, usual: f64, care: Care) -> bool {
        self.is_over_share_of(self.answers, usual, care)
    }

    fn is_over_share_of(&self, answers: usize, usual: f64, care: Care) -> bool {
        let (negligible, deviations, fewest) = care.bounds();
        let expected = (usual + negligible) * number(answers);
        self.throttled >= fewest && number(self.throttled) > deviations.mul_add(expected.sqrt(), expected)
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    number(part) / number(whole.max(1))
}

fn number(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}
