use super::*;
use crate::failure::Failure;

const SECOND: Duration = Duration::from_secs(1);

/// A window, and the samples that it is fed.
struct Fed {
    window: RequestWindow,
    now: Instant,
}

impl Fed {
    fn new() -> Self {
        let now = Instant::now();
        Self { window: RequestWindow::new(Policy::for_tests(3, SECOND), 256, now), now }
    }

    /// Feeds the answers to `count` single requests that were sent at `sent_at`.
    fn answers(&mut self, count: usize, first_try: bool, throttled: bool, sent_at: Instant) -> Decision {
        let failure = throttled.then_some(Failure::Throttled(Some(SECOND)));
        let mut decision = Decision::GoOn;
        for _ in 0..count {
            let mut sample = Sample::of(sent_at);
            sample.note(first_try, failure);
            if self.window.answered(sample, 1, true, 0, self.now) == Decision::GiveUp {
                decision = Decision::GiveUp;
            }
        }
        decision
    }

    /// Has a whole window's requests refused, which were sent a moment before.
    fn refuse_all(&mut self) {
        let sent_at = self.now;
        self.now += SECOND / 10;
        self.answers(AT_START, true, true, sent_at);
    }

    /// Has batches of twenty refused as a whole, with such a wait.
    fn refuse_batches(&mut self, count: usize, wait: Duration) -> Decision {
        let mut sample = Sample::of(self.now);
        (0..20).for_each(|_| sample.note(true, Some(Failure::Throttled(Some(wait)))));
        sample.call_throttled = true;
        let answered = |_| self.window.answered(sample, 4, true, 0, self.now);
        (0..count).map(answered).last().unwrap_or(Decision::GoOn)
    }

    /// Lets the wait of a pause end, and has the request accepted that is sent first.
    fn end_pause(&mut self) {
        self.now += SECOND;
        self.window.sent();
        self.answers(1, true, false, self.now);
    }

    fn room(&self) -> usize {
        self.window.room(0, self.now)
    }
}

#[test]
fn unthrottled_answers_widen_the_window_up_to_the_setting() {
    let mut fed = Fed::new();
    assert_eq!(fed.room(), AT_START);
    let now = fed.now;
    fed.answers(64, true, false, now);
    assert_eq!(fed.room(), 192);
    fed.answers(1_000, true, false, now);
    assert_eq!(fed.room(), 256);
}

#[test]
fn window_that_is_not_used_does_not_grow() {
    let mut fed = Fed::new();
    let mut sample = Sample::of(fed.now);
    sample.note(true, None);
    for _ in 0..1_000 {
        fed.window.answered(sample, 1, false, 0, fed.now);
    }
    assert_eq!(fed.room(), AT_START);
}

#[test]
fn throttled_share_shrinks_the_window_to_what_was_accepted() {
    let mut fed = Fed::new();
    let now = fed.now;
    for _ in 0..8 {
        fed.answers(11, true, true, now);
        fed.answers(5, true, false, now);
    }
    assert!((18..=22).contains(&fed.room()), "{}", fed.room());
}

#[test]
fn general_throttling_pauses_and_each_pause_is_longer() {
    let mut fed = Fed::new();
    fed.refuse_all();
    for wait in [1, 2, 4, 8] {
        fed.now += SECOND * (wait - 1) + SECOND * 99 / 100;
        assert_eq!(fed.room(), 0, "{wait} s");
        fed.now += SECOND / 100;
        assert_eq!(fed.room(), 1);
        fed.window.sent();
        assert_eq!(fed.room(), 0, "one goes first");
        let sent_at = fed.now;
        if wait < 8 {
            fed.answers(1, true, true, sent_at);
        } else {
            fed.answers(1, true, false, sent_at);
        }
    }
    assert_eq!(fed.room(), 1);
    let now = fed.now;
    fed.answers(3, true, false, now);
    assert_eq!(fed.room(), 7, "and then as many as are accepted");
}

#[test]
fn answers_to_requests_sent_before_the_pause_do_not_end_it() {
    let mut fed = Fed::new();
    let start = fed.now;
    fed.refuse_all();
    fed.now += SECOND / 10;
    fed.answers(5, true, false, start);
    assert_eq!(fed.room(), 0);
    fed.now += SECOND;
    fed.window.sent();
    assert_eq!(fed.room(), 0, "still in the pause: one goes first");
}

/// The window after a pause, where four requests are accepted that had been sent so long before the refused ones.
fn window_after_pause(before: Duration) -> usize {
    let mut fed = Fed::new();
    let start = fed.now;
    fed.now += before;
    fed.refuse_all();
    fed.answers(4, true, false, start);
    fed.end_pause();
    fed.room()
}

#[test]
fn window_after_a_pause_is_what_was_accepted() {
    assert_eq!(window_after_pause(Duration::ZERO), 4);
}

#[test]
fn requests_of_before_an_outage_say_nothing_about_a_limit() {
    assert_eq!(window_after_pause(SECOND / 10), 1);
}

#[test]
fn two_refused_batches_in_a_row_pause() {
    let mut fed = Fed::new();
    fed.refuse_batches(1, SECOND);
    assert_eq!(fed.room(), AT_START);
    fed.refuse_batches(1, SECOND);
    assert_eq!(fed.room(), 0);
    fed.end_pause();
    assert_eq!(fed.room(), AT_START / 2, "half");
}

#[test]
fn larger_window_that_was_not_filled_is_soon_tried_again() {
    let mut fed = Fed::new();
    fed.refuse_batches(2, SECOND);
    fed.end_pause();
    let (now, found) = (fed.now, fed.room());
    let until_larger = |fed: &mut Fed| {
        (1..10_000).find(|_| {
            fed.answers(1, true, false, now);
            fed.room() > found
        })
    };
    let first = until_larger(&mut fed).unwrap();
    let mut sample = Sample::of(now);
    sample.note(true, None);
    fed.window.answered(sample, 1, false, 0, now);
    assert_eq!(fed.room(), found);
    let again = until_larger(&mut fed).unwrap();
    assert_eq!(again, first / 4);
}

#[test]
fn refused_batch_among_accepted_requests_does_not_pause() {
    let mut fed = Fed::new();
    let now = fed.now;
    fed.refuse_batches(1, SECOND);
    fed.answers(AT_START, true, false, now);
    fed.refuse_batches(1, SECOND);
    assert!(fed.room() >= AT_START);
}

#[test]
fn throttled_retries_alone_say_nothing() {
    let mut fed = Fed::new();
    let now = fed.now;
    fed.answers(200, false, true, now);
    assert_eq!(fed.room(), AT_START);
}

#[test]
fn pauses_that_do_not_help_end_in_giving_up() {
    let mut fed = Fed::new();
    fed.refuse_all();
    let mut decisions = Vec::new();
    for _ in 0..6 {
        fed.now += SECOND * 8;
        fed.window.sent();
        let sent_at = fed.now;
        decisions.push(fed.answers(1, true, true, sent_at));
    }
    // Three retries: 1, 2, 4 and 8 seconds of patience.
    assert_eq!(decisions[0], Decision::GoOn);
    assert_eq!(decisions[1..], [Decision::GiveUp; 5]);
    assert_eq!(Fed::new().refuse_batches(2, SECOND * 7200), Decision::GiveUp);
}

#[test]
fn unknown_outcome_only_frees_its_turn() {
    let mut fed = Fed::new();
    fed.refuse_all();
    fed.now += SECOND * 2;
    fed.window.sent();
    fed.window.answered(Sample::of(fed.now), 1, true, 0, fed.now);
    assert_eq!(fed.room(), 1);
}
