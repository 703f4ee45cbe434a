//! Decides how many requests may be at work at once, and when none may.
//!
//! How many requests Graph runs at once for one application is not documented without contradiction: four in each
//! mailbox, or four altogether (two versions of the Graph page "Microsoft Graph service-specific throttling limits",
//! Outlook service limits). So the window starts in the middle, and measures:
//!
//! - It grows threefold with each round trip as long as no more requests are throttled than usual (as the slow start
//!   of RFC 5681).
//! - When more are, it shrinks to what was accepted, and looks again. Where that helped, the limit is found: the window
//!   keeps its size, and tries one request more from time to time, less often each time in vain.
//! - Where a smaller window did not help, the throttling has another cause, such as single mailboxes that are busy. The
//!   share of throttled requests is taken as usual, and the window grows again.
//! - When nearly everything is throttled, or several batches are refused as a whole, nothing is sent until the
//!   wait that Graph asked for is over. Then one request is sent first, and each further pause in a row is twice as
//!   long. Where requests that had been sent at the same time were accepted meanwhile, the window goes on with as many.
//!
//! Retries say little about Graph in general: they were throttled before. So only first tries count, or Graph's
//! response to a batch as a whole.

use std::time::Duration;

use tokio::time::Instant;

use crate::dispatch::epoch::{Care, Epoch};
use crate::dispatch::sample::Sample;
use crate::retry::Policy;

/// The window at the start.
const AT_START: usize = 64;
/// For each answer, so much is added to a window that grows.
const GROWTH: usize = 2;
/// Where the wait that Graph asks for is too long for those that wait, new ones are not sent for this time.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Pauses are doubled so often at most. Other clients of the application may leave a place free only for a moment.
const MOST_DOUBLED: u32 = 3;
/// A share below this may be chance.
const BY_CHANCE: f64 = 0.1;
/// A share above this is never taken as usual.
const MOST_USUAL: f64 = 0.35;
/// Rounds between two tries of a larger window, at first. A round is as many answers as the window has places, so all
/// clients of an application try equally often, whatever part of its limit they have.
const SHORTEST_HOLD: u32 = 16;
/// As many at most.
const LONGEST_HOLD: u32 = 32;
/// As many after another client of the application has made room for itself: its next try comes before that.
const HOLD_FOR_OTHERS: u32 = 48;
/// As many after a try that ended early, because too few requests waited.
const AFTER_UNFILLED: u32 = 4;
/// A window that is too large shrinks by this part of it, or by more.
const CUT: usize = 8;
/// The same where another client needs room: more, so that they become equal.
const CUT_FOR_OTHERS: usize = 5;
/// A batch that is refused as a whole weighs as much as so many HTTP requests that are accepted.
const REFUSED_BATCH: usize = 6;
/// From this weight on, batches are not refused by chance: two in a row, or two with few accepted in between.
const NO_CHANCE: usize = 8;

/// The reaction to a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    GoOn,
    /// Pauses did not help, as many as the retry policy has tries.
    GiveUp,
}

/// What the window does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    /// It grows threefold with each round trip.
    Growing,
    /// It is smaller, to see whether its size was the cause of throttling.
    Testing { before: usize, share: f64, then: Then },
    /// It found the limit, and tries a larger window when so many rounds are over.
    Holding { left: u32, hold: u32 },
    /// It is larger by `step` for one epoch.
    Probing { from: usize, step: usize, hold: u32 },
}

/// What follows where a smaller window helped.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Then {
    /// The larger window is tried once more, since the difference may be chance.
    Retry,
    /// The limit is near: it is approached from below.
    Climb,
    /// The limit is found.
    Hold(u32),
}

/// The time from the first answers that were throttled in general to the first that were not.
#[derive(Debug, Clone, Copy)]
struct Pause {
    began: Instant,
    /// When the first of several pauses in a row began.
    first: Instant,
    /// How many pauses came directly before, without a success in between.
    earlier: u32,
    /// Whether the one request that is sent first is under way.
    probing: bool,
    /// Since when requests had been sent that were throttled, where that is known.
    throttled_since: Option<Instant>,
    /// How many requests were accepted that had been sent since then, and before the pause began.
    accepted: usize,
}

/// The window.
#[derive(Debug)]
pub(crate) struct RequestWindow {
    policy: Policy,
    most: usize,
    size: usize,
    phase: Phase,
    epoch: Epoch,
    /// The share of throttled requests that does not depend on the window.
    usual: f64,
    /// The weight of batches that were refused as a whole.
    refused_batches: usize,
    pause: Option<Pause>,
    /// Nothing is sent before this.
    not_before: Option<Instant>,
}

impl RequestWindow {
    /// Creates a window of at most `most` requests.
    pub(crate) fn new(policy: Policy, most: usize, now: Instant) -> Self {
        let size = most.clamp(1, AT_START);
        let epoch = Epoch::of(size, now);
        Self {
            policy,
            most,
            size,
            phase: Phase::Growing,
            epoch,
            usual: 0.0,
            refused_batches: 0,
            pause: None,
            not_before: None,
        }
    }

    /// Returns how many requests may be at work.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Returns until when nothing is sent, if there is a pause.
    pub(crate) fn paused_until(&self, now: Instant) -> Option<Instant> {
        self.not_before.filter(|until| now < *until)
    }

    /// Whether there is a pause, or its first request is not answered yet.
    pub(crate) fn is_paused(&self, now: Instant) -> bool {
        self.pause.is_some() || self.paused_until(now).is_some()
    }

    /// Returns how many places are free while `taken` are not.
    pub(crate) fn room(&self, taken: usize, now: Instant) -> usize {
        let is_open = self.paused_until(now).is_none();
        match self.pause {
            Some(pause) => usize::from(is_open && !pause.probing),
            None if is_open => self.size.saturating_sub(taken),
            None => 0,
        }
    }

    /// Records that an HTTP request was sent.
    pub(crate) fn sent(&mut self) {
        if let Some(pause) = &mut self.pause {
            pause.probing = true;
        }
    }

    /// Records the outcome of an HTTP request that took `cost` places. `is_full` says whether others waited for the
    /// window meanwhile: a window that is not used does not grow. As many requests are still `at_work`.
    pub(crate) fn answered(
        &mut self,
        sample: Sample,
        cost: usize,
        is_full: bool,
        at_work: usize,
        now: Instant,
    ) -> Decision {
        if let Some(pause) = self.pause {
            return self.answered_in_pause(pause, sample, cost, now);
        }
        if sample.answers == 0 {
            return Decision::GoOn;
        }
        if sample.call_throttled {
            self.refused_batches += REFUSED_BATCH;
            if self.refused_batches >= NO_CHANCE {
                return self.throttled_in_general(sample.wait, None, self.size / 2, now);
            }
        } else if sample.throttled < sample.answers {
            self.refused_batches = self.refused_batches.saturating_sub(1);
        }
        self.epoch.count(sample, cost, is_full);
        let is_growing = self.phase == Phase::Growing && is_full && sample.throttled == 0;
        if is_growing && !self.epoch.is_more_than(self.usual, Care::Sure) {
            self.size = (self.size + GROWTH * cost).min(self.most);
        }
        if self.epoch.is_over(at_work) {
            return self.end_epoch(true, now);
        }
        match self.phase {
            Phase::Probing { .. } if self.epoch.is_lost(self.usual) => return self.end_epoch(false, now),
            // Without enough requests to fill the window, its size cannot be tried. The next try comes soon, unless
            // this one already met throttling.
            Phase::Probing { from, hold, .. } if !is_full => {
                let left = if self.epoch.throttled() == 0 { AFTER_UNFILLED.min(hold) } else { hold };
                self.start(Phase::Holding { left, hold }, from, now);
            }
            _ => {}
        }
        Decision::GoOn
    }

    fn answered_in_pause(&mut self, pause: Pause, sample: Sample, cost: usize, now: Instant) -> Decision {
        // A request that was sent before the pause began says nothing about the time after it.
        let is_stale = sample.sent_at < pause.began;
        if is_stale {
            let is_among_throttled = pause.throttled_since.is_some_and(|since| sample.sent_at >= since);
            let accepted = if is_among_throttled { (sample.answers - sample.throttled).min(cost) } else { 0 };
            let accepted = pause.accepted + accepted;
            self.pause = Some(Pause { accepted, ..pause });
        } else {
            self.pause = Some(Pause { probing: false, ..pause });
        }
        if sample.is_all_throttled() {
            return if is_stale {
                self.extend_pause(sample.wait, pause, now)
            } else {
                self.throttled_in_general(sample.wait, Some(pause), self.size / 2, now)
            };
        }
        if sample.answers > 0 && !is_stale {
            self.pause = None;
            match pause.accepted {
                // Graph worked on these while it refused the others, so it may have a limit of about as many.
                accepted @ 2.. if self.phase == Phase::Growing => {
                    let phase =
                        Phase::Testing { before: 2 * accepted, share: f64::INFINITY, then: Then::Climb };
                    self.start(phase, accepted, now);
                }
                _ => self.start(self.phase, self.size, now),
            }
        }
        Decision::GoOn
    }

    /// Judges the answers to one window's requests, or those that came first.
    fn end_epoch(&mut self, is_whole: bool, now: Instant) -> Decision {
        let epoch = std::mem::replace(&mut self.epoch, Epoch::at_limit(self.size, now));
        let share = epoch.share();
        if is_whole && epoch.is_nearly_all() {
            let decision = self.throttled_in_general(epoch.wait(), None, 1, now);
            if let Some(pause) = &mut self.pause {
                pause.throttled_since = epoch.throttled_since();
            }
            return decision;
        }
        match self.phase {
            // A smaller window did not help.
            Phase::Testing { before, share: earlier, .. }
                if epoch.throttled() > 1 && is_similar(share, earlier) =>
            {
                self.usual = share;
                self.start(Phase::Growing, before, now);
            }
            _ if epoch.is_more_than(self.usual, self.care()) => self.too_many(share, now),
            _ => {
                let weight = if matches!(self.phase, Phase::Testing { .. }) { 1.0 } else { 0.25 };
                self.usual += weight * (share.min(self.usual) - self.usual);
                self.not_too_many(&epoch, now);
            }
        }
        Decision::GoOn
    }

    fn care(&self) -> Care {
        if self.phase == Phase::Growing { Care::Sure } else { Care::Likely }
    }

    /// Reacts to more throttled requests than usual.
    fn too_many(&mut self, share: f64, now: Instant) {
        match self.phase {
            Phase::Probing { from, step, hold, .. } => {
                let hold = (hold * 2).min(LONGEST_HOLD);
                self.start(Phase::Testing { before: from + step, share, then: Then::Hold(hold) }, from, now);
            }
            Phase::Growing if share < BY_CHANCE => self.test(share, Then::Retry, now),
            Phase::Growing | Phase::Testing { .. } => self.test(share, Then::Climb, now),
            // Another client of the application needs room.
            Phase::Holding { .. } => self.make_room(share, now),
        }
    }

    /// Reacts to no more throttled requests than usual.
    fn not_too_many(&mut self, epoch: &Epoch, now: Instant) {
        match self.phase {
            Phase::Growing => self.epoch = Epoch::of(self.size, now),
            Phase::Testing { before, then: Then::Retry, .. } => {
                let (from, step) = (self.size, before - self.size);
                self.start(Phase::Probing { from, step, hold: SHORTEST_HOLD }, before, now);
            }
            Phase::Testing { then: Then::Climb, .. } => self.probe(1, SHORTEST_HOLD, now),
            Phase::Testing { then: Then::Hold(hold), .. } => self.hold(self.size, hold, now),
            Phase::Holding { .. } if !epoch.was_full() => {}
            Phase::Holding { left, hold } => match left.saturating_sub(epoch.rounds(self.size)) {
                0 => self.probe(1, hold, now),
                left => self.phase = Phase::Holding { left, hold },
            },
            Phase::Probing { step, hold, .. } => {
                self.probe((step * 2).min(self.size / 2), (hold / 2).max(SHORTEST_HOLD), now);
            }
        }
    }

    /// Shrinks to what was accepted, and at least by one [`CUT`]th, to see whether that helps.
    fn test(&mut self, share: f64, then: Then, now: Instant) {
        self.shrink(share, (self.size / CUT).max(1), then, now);
    }

    /// The same for another client: by one [`CUT_FOR_OTHERS`]th at least.
    fn make_room(&mut self, share: f64, now: Instant) {
        self.shrink(share, self.size.div_ceil(CUT_FOR_OTHERS), Then::Hold(HOLD_FOR_OTHERS), now);
    }

    fn shrink(&mut self, share: f64, by: usize, then: Then, now: Instant) {
        let before = self.size;
        let smaller = scaled(before, 1.0 - share).min(before - by);
        self.start(Phase::Testing { before, share, then }, smaller, now);
    }

    fn hold(&mut self, size: usize, hold: u32, now: Instant) {
        self.start(Phase::Holding { left: hold, hold }, size, now);
    }

    fn probe(&mut self, step: usize, hold: u32, now: Instant) {
        let (from, step) = (self.size, step.max(1));
        self.start(Phase::Probing { from, step, hold }, from + step, now);
    }

    fn start(&mut self, phase: Phase, size: usize, now: Instant) {
        self.phase = phase;
        self.size = size.clamp(1, self.most);
        self.epoch = match phase {
            Phase::Holding { .. } => Epoch::at_limit(self.size, now),
            Phase::Growing | Phase::Testing { .. } | Phase::Probing { .. } => Epoch::of(self.size, now),
        };
    }

    fn throttled_in_general(
        &mut self,
        asked: Option<Duration>,
        before: Option<Pause>,
        size: usize,
        now: Instant,
    ) -> Decision {
        let first = before.map_or(now, |pause| pause.first);
        let earlier = before.map_or(0, |pause| pause.earlier + 1);
        let pause = Pause { began: now, first, earlier, probing: false, throttled_since: None, accepted: 0 };
        self.refused_batches = 0;
        self.pause = Some(pause);
        // A larger window is tried step by step, unless nearly nothing is left of it.
        let hold = SHORTEST_HOLD;
        let phase = if size > 1 { Phase::Holding { left: hold, hold } } else { Phase::Growing };
        self.start(phase, size, now);
        self.extend_pause(asked, pause, now)
    }

    fn extend_pause(&mut self, asked: Option<Duration>, pause: Pause, now: Instant) -> Decision {
        let Some(wait) = self.policy.wait(asked, pause.earlier.min(MOST_DOUBLED)) else {
            self.not_before = self.not_before.max(Some(now + LONGEST_PAUSE));
            return Decision::GiveUp;
        };
        self.not_before = self.not_before.max(Some(now + wait));
        let tries = 0..=self.policy.max_retries();
        let patience = tries.filter_map(|retry| self.policy.wait(asked, retry)).sum();
        if now - pause.first > patience { Decision::GiveUp } else { Decision::GoOn }
    }
}

/// Whether two small shares differ by no more than chance may explain.
fn is_similar(share: f64, earlier: f64) -> bool {
    share <= MOST_USUAL && share >= earlier / 3.0 && share <= earlier.mul_add(1.5, 0.02)
}

/// Returns `share` of `size`, rounded.
fn scaled(size: usize, share: f64) -> usize {
    // Both are small and positive.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let scaled = (size as f64 * share).round() as usize;
    scaled
}

#[cfg(test)]
mod tests;
