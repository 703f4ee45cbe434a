//! Decides how many batches may be under way, and when none may: the scheduler's reaction to throttling.
//!
//! The window grows by one for each round of batches without throttling and shrinks by the share of requests that
//! were throttled (additive increase, and the proportional decrease of DCTCP, RFC 8257). A few throttled mailboxes
//! among many, which is normal in a large tenant, cost nearly nothing; only their own requests wait. Where Graph
//! throttles in general, the window is halved and nothing is sent until the wait that Graph asked for is over. Then
//! one batch is sent first, and each further pause in a row is twice as long.
//!
//! Retries say little about Graph in general: they were throttled before, and share their batches with other retries.
//! So only first tries count, or Graph's response to the batch as a whole.

use std::time::Duration;

use tokio::time::Instant;

use crate::failure::Failure;
use crate::retry::Policy;

/// When a single request is throttled, that may concern its mailbox only. It delays the batches no longer than this.
const LONGEST_FOR_ONE: Duration = Duration::from_secs(60);

/// The outcome of one batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchSample {
    /// When it was sent.
    pub(crate) sent_at: Instant,
    /// How many parts were answered; 0 where the outcome of the batch is unknown.
    pub(crate) answers: usize,
    /// How many of them were throttled.
    pub(crate) throttled: usize,
    /// How many answered parts were first tries.
    pub(crate) first_tries: usize,
    /// How many of those were throttled.
    pub(crate) first_tries_throttled: usize,
    /// Whether the batch as a whole was throttled, and not only parts of it.
    pub(crate) call_throttled: bool,
    /// The longest wait that Graph asked for.
    pub(crate) wait: Option<Duration>,
}

impl BatchSample {
    /// Creates an empty sample of a batch that was sent at `sent_at`.
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

    /// Counts one part, by its failure if it failed.
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
}

/// The reaction to a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    GoOn,
    /// Pauses did not help, as many as the retry policy has tries.
    GiveUp,
}

/// The window.
#[derive(Debug)]
pub(crate) struct CongestionWindow {
    policy: Policy,
    /// This many throttled parts in a batch are a sign of throttling in general: half of a full batch.
    many: usize,
    most: f64,
    size: f64,
    pause: Option<Pause>,
    /// Nothing is sent before this.
    not_before: Option<Instant>,
}

/// The time from the first batch that was throttled in general to the first that was not.
#[derive(Debug, Clone, Copy)]
struct Pause {
    began: Instant,
    /// How many pauses came directly before, without a success in between.
    earlier: u32,
    /// Whether the one batch that is sent first is under way.
    probing: bool,
}

impl CongestionWindow {
    /// Creates a window of at most `most` batches of `batch` requests. It starts fully open.
    pub(crate) fn new(policy: Policy, batch: usize, most: usize) -> Self {
        // The setting is at most 32.
        let most = f64::from(u32::try_from(most).unwrap_or(1));
        Self { policy, many: batch.div_ceil(2), most, size: most, pause: None, not_before: None }
    }

    /// Returns how many batches may be under way.
    pub(crate) fn size(&self) -> usize {
        // It lies between one and the setting.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let size = self.size as usize;
        size
    }

    /// Returns until when nothing is sent, if there is a pause.
    pub(crate) fn paused_until(&self, now: Instant) -> Option<Instant> {
        self.not_before.filter(|until| now < *until)
    }

    /// Whether another batch may be sent while `in_flight` are under way.
    pub(crate) fn has_room(&self, in_flight: usize, now: Instant) -> bool {
        self.paused_until(now).is_none()
            && match self.pause {
                Some(pause) => !pause.probing,
                None => u32::try_from(in_flight).is_ok_and(|n| f64::from(n) < self.size.floor()),
            }
    }

    /// Records that a batch was sent.
    pub(crate) fn sent(&mut self) {
        if let Some(pause) = &mut self.pause {
            pause.probing = true;
        }
    }

    /// Records the outcome of a batch.
    pub(crate) fn answered(&mut self, sample: BatchSample, now: Instant) -> Decision {
        let stale = self.pause.is_some_and(|pause| sample.sent_at < pause.began);
        if let Some(pause) = &mut self.pause
            && !stale
        {
            pause.probing = false;
        }
        if sample.answers == 0 {
            return Decision::GoOn;
        }
        if self.is_in_general(sample) {
            return self.throttled_in_general(sample.wait, stale, now);
        }
        let share = ratio(sample.throttled, sample.answers);
        self.size = (self.size + (1.0 - share) / self.size - share / 2.0).clamp(1.0, self.most);
        // A batch that was sent before the pause began says nothing about the time after it.
        if self.pause.is_some() && !stale {
            if share < 0.5 {
                self.pause = None;
            } else {
                self.not_before =
                    self.not_before.max(self.policy.wait(sample.wait, 0).map(|wait| now + wait));
            }
        }
        Decision::GoOn
    }

    fn is_in_general(&self, sample: BatchSample) -> bool {
        sample.call_throttled
            || ratio(sample.first_tries_throttled, sample.first_tries) >= 0.5
                && (sample.throttled >= self.many || self.pause.is_some())
    }

    fn throttled_in_general(&mut self, asked: Option<Duration>, stale: bool, now: Instant) -> Decision {
        let earlier = match self.pause {
            Some(pause) if stale => pause.earlier,
            Some(pause) => pause.earlier + 1,
            None => 0,
        };
        let wait = self.policy.wait(asked, earlier);
        self.not_before = self.not_before.max(Some(now + wait.unwrap_or(LONGEST_FOR_ONE)));
        if !stale {
            self.size = (self.size / 2.0).max(1.0);
            self.pause = Some(Pause { began: now, earlier, probing: false });
        }
        if wait.is_none() || earlier > self.policy.max_retries() { Decision::GiveUp } else { Decision::GoOn }
    }

    /// Records that a request outside of the batches was throttled, and Graph asked for `wait`.
    pub(crate) fn throttled_outside(&mut self, wait: Option<Duration>, now: Instant) {
        self.size = (self.size - 0.5).max(1.0);
        self.not_before = self.not_before.max(wait.map(|wait| now + wait.min(LONGEST_FOR_ONE)));
    }
}

/// Returns the share of `part` in `whole`, or 0 where `whole` is 0.
fn ratio(part: usize, whole: usize) -> f64 {
    let number = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    number(part) / number(whole.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn window() -> CongestionWindow {
        CongestionWindow::new(Policy::for_tests(3, SECOND), 20, 8)
    }

    /// Returns a batch of 20 first tries, `throttled` of them throttled for a second.
    fn sample(sent_at: Instant, throttled: usize) -> BatchSample {
        let mut sample = BatchSample::of(sent_at);
        (0..20).for_each(|n| sample.note(true, (n < throttled).then_some(Failure::Throttled(Some(SECOND)))));
        sample
    }

    /// Returns how many batches may be under way.
    fn places(window: &CongestionWindow, now: Instant) -> usize {
        (0..100).take_while(|in_flight| window.has_room(*in_flight, now)).count()
    }

    #[test]
    fn unthrottled_rounds_widen_the_window_up_to_the_setting() {
        let now = Instant::now();
        let mut window = window();
        window.size = 2.0;
        let mut seen = Vec::new();
        for _ in 0..40 {
            window.answered(sample(now, 0), now);
            seen.push(places(&window, now));
        }
        assert!(seen.is_sorted() && seen[..4].contains(&3) && !seen[..4].contains(&4), "{seen:?}");
        assert_eq!(seen.last(), Some(&8));
    }

    #[test]
    fn window_shrinks_by_the_share_of_throttled_parts() {
        let now = Instant::now();
        for (throttled, least, most) in [(1, 8, 8), (6, 4, 5), (8, 2, 4)] {
            let mut window = window();
            for _ in 0..200 {
                assert_eq!(window.answered(sample(now, throttled), now), Decision::GoOn);
            }
            let places = places(&window, now);
            assert!((least..=most).contains(&places), "{places} with {throttled} of 20");
        }
    }

    #[test]
    fn general_throttling_halves_the_window_and_pauses() {
        let start = Instant::now();
        let mut window = window();
        // A whole round comes back throttled: one pause.
        for _ in 0..8 {
            window.answered(sample(start, 20), start + SECOND / 10);
        }
        let mut now = start + SECOND / 10;
        for wait in [1, 2, 4] {
            assert_eq!(places(&window, now + SECOND * wait - SECOND / 100), 0);
            now += SECOND * wait;
            assert!(window.has_room(0, now));
            window.sent();
            assert_eq!(places(&window, now), 0, "one goes first");
            if wait < 4 {
                window.answered(sample(now, 20), now);
            }
        }
        window.answered(sample(now, 0), now);
        assert_eq!(places(&window, now), 2, "halved by each pause, and a little wider");
    }

    #[test]
    fn batches_sent_before_the_pause_do_not_change_it() {
        let start = Instant::now();
        let mut window = window();
        window.answered(sample(start, 20), start + SECOND / 10);
        window.answered(sample(start, 0), start + SECOND / 5);
        assert_eq!(places(&window, start + SECOND), 0);
        let after = start + SECOND + SECOND / 5;
        assert!(window.has_room(0, after));
        window.sent();
        assert!(!window.has_room(0, after), "still in the pause: one goes first");
    }

    #[test]
    fn throttled_retries_alone_do_not_pause() {
        let now = Instant::now();
        let mut window = window();
        let mut again = BatchSample::of(now);
        (0..20).for_each(|_| again.note(false, Some(Failure::Throttled(Some(SECOND)))));
        assert_eq!(window.answered(again, now), Decision::GoOn);
        assert_eq!(places(&window, now), 7);
        again.call_throttled = true;
        window.answered(again, now);
        assert_eq!(places(&window, now), 0, "unless Graph says it of the whole");
    }

    #[test]
    fn pauses_that_do_not_help_end_in_giving_up() {
        let mut now = Instant::now();
        let mut window = window();
        let mut decisions = Vec::new();
        for _ in 0..6 {
            window.sent();
            decisions.push(window.answered(sample(now, 20), now));
            now += SECOND * 60;
        }
        let first = decisions.iter().position(|decision| *decision == Decision::GiveUp);
        assert_eq!(first, Some(4), "after three repeats of the pause: {decisions:?}");
        let mut endless = BatchSample::of(now);
        endless.note(true, Some(Failure::Throttled(Some(SECOND * 7200))));
        endless.call_throttled = true;
        assert_eq!(self::window().answered(endless, now), Decision::GiveUp);
    }

    #[test]
    fn batch_with_unknown_outcome_only_frees_its_turn() {
        let start = Instant::now();
        let mut window = window();
        window.answered(sample(start, 20), start + SECOND / 10);
        let now = start + SECOND * 2;
        window.sent();
        window.answered(BatchSample::of(now), now);
        assert_eq!((window.has_room(0, now), window.size.to_string().as_str()), (true, "4"));
    }
}
