//! How far SOAR's clock differs from this machine's, measured from the `Date` header of SOAR's answers (RFC 9110,
//! 6.6.1).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use parking_lot::Mutex;
use tokio::time::Instant;

/// A `Date` names whole seconds: the time was this much later at most.
const RESOLUTION: TimeDelta = TimeDelta::seconds(1);

/// How long a measurement holds. Clocks drift, and are corrected.
const HOLDS_FOR: Duration = Duration::from_secs(600);

/// A difference above which the log warns.
const LARGE: TimeDelta = TimeDelta::minutes(1);

/// How far SOAR's clock is ahead of this machine's: at least and at most. Negative if it is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockDifference {
    /// The smallest possible difference.
    pub least: TimeDelta,
    /// The largest possible difference.
    pub most: TimeDelta,
}

impl ClockDifference {
    /// What one answer tells: it was written between the two times, when SOAR's clock showed `date`.
    fn from_answer(date: DateTime<Utc>, sent: DateTime<Utc>, received: DateTime<Utc>) -> Self {
        Self { least: date - received, most: date + RESOLUTION - sent }
    }

    /// The difference that agrees with both measurements, if there is one.
    fn and(self, other: Self) -> Option<Self> {
        let both = Self { least: self.least.max(other.least), most: self.most.min(other.most) };
        (both.least <= both.most).then_some(both)
    }

    /// Whether the clocks are certainly more than a minute apart.
    pub fn is_large(self) -> bool {
        self.least > LARGE || self.most < -LARGE
    }
}

/// The newest measurement, and whether the log has the warning.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    measured: Mutex<Option<(ClockDifference, Instant)>>,
    warned: AtomicBool,
}

impl Clock {
    /// Takes a measurement from an answer. Several that agree narrow the difference down.
    pub(crate) fn measure(&self, date: Option<&str>, sent: DateTime<Utc>, received: DateTime<Utc>) {
        let Some(date) = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok()) else { return };
        // No clock shows another year, and sums with it could overflow.
        if !(1970..10_000).contains(&date.year()) {
            return;
        }
        let newest = ClockDifference::from_answer(date.with_timezone(&Utc), sent, received);
        let difference = {
            let mut measured = self.measured.lock();
            let (difference, since) = (*measured)
                .filter(|(_, since)| since.elapsed() < HOLDS_FOR)
                .and_then(|(known, since)| Some((known.and(newest)?, since)))
                .unwrap_or_else(|| (newest, Instant::now()));
            *measured = Some((difference, since));
            difference
        };
        if difference.is_large() && !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                soar_is_ahead_s = difference.least.num_seconds(),
                "the clocks of SOAR and of this machine differ by more than a minute; synchronize both (NTP)"
            );
        }
    }

    pub(crate) fn difference(&self) -> Option<ClockDifference> {
        self.measured.lock().map(|(difference, _)| difference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_800_000_000_000 + millis).unwrap()
    }

    /// Measures an answer that SOAR wrote at `soar` of its clock, between two times of ours.
    fn measure(clock: &Clock, soar: i64, sent: i64, received: i64) {
        let date = at(soar).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        clock.measure(Some(&date), at(sent), at(received));
    }

    fn known(clock: &Clock) -> (i64, i64) {
        let ClockDifference { least, most } = clock.difference().unwrap();
        (least.num_milliseconds(), most.num_milliseconds())
    }

    #[test]
    fn answers_narrow_the_difference_down() {
        let clock = Clock::default();
        assert_eq!(clock.difference(), None);
        // SOAR is 400 ms ahead.
        measure(&clock, 500, 50, 150);
        assert_eq!(known(&clock), (-150, 950));
        measure(&clock, 1050, 600, 700);
        assert_eq!(known(&clock), (300, 950));
        measure(&clock, 1980, 1540, 1600);
        assert_eq!(known(&clock), (300, 460));
    }

    #[test]
    fn clock_that_was_corrected_is_measured_again() {
        let clock = Clock::default();
        measure(&clock, 90_500, 50, 150);
        measure(&clock, 2050, 2000, 2100);
        assert_eq!(known(&clock), (-100, 1000));
    }

    #[tokio::test(start_paused = true)]
    async fn old_measurement_is_replaced() {
        let clock = Clock::default();
        measure(&clock, 500, 50, 150);
        tokio::time::advance(HOLDS_FOR).await;
        measure(&clock, 500, 0, 200);
        assert_eq!(known(&clock), (-200, 1000));
    }

    #[test]
    fn only_more_than_a_minute_is_large() {
        let is_large = |least, most| {
            ClockDifference { least: TimeDelta::seconds(least), most: TimeDelta::seconds(most) }.is_large()
        };
        assert!(is_large(61, 63) && is_large(-63, -61));
        assert!(!is_large(59, 63) && !is_large(-63, -59) && !is_large(0, 1));
    }

    #[test]
    fn answer_without_a_readable_date_measures_nothing() {
        let clock = Clock::default();
        for date in [
            None,
            Some(""),
            Some("yesterday"),
            Some("31 Dec 262142 23:59:59 +0000"),
            Some("31 Dec 1969 23:59:59 +0000"),
        ] {
            clock.measure(date, at(0), at(1));
        }
        assert_eq!(clock.difference(), None);
    }
}
