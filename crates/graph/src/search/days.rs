//! Ranges of days, into which a search is divided.

use chrono::{NaiveDate, TimeDelta};

/// A range of days. Both ends are included; a missing end is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Days {
    pub(crate) first: Option<NaiveDate>,
    pub(crate) last: Option<NaiveDate>,
}

/// A range without a beginning is first divided this long before its end: most searches are for recent mail.
const RECENT: TimeDelta = TimeDelta::days(30);
/// Nothing in Exchange Online is older.
const OLDEST_YEAR: i32 = 1990;
/// Nothing is received later than this after today: a mailbox may hold mail from the future if a clock was wrong.
const LATEST: TimeDelta = TimeDelta::days(366);

impl Days {
    /// Divides the range in two without a gap, the later half first; `None` where it is a single day, or nothing can be
    /// in it. The halves have both ends, since a mailbox that cannot answer for a long time cannot answer for an open
    /// range.
    pub(super) fn halves(self, today: NaiveDate) -> Option<[Self; 2]> {
        let (first, last) = self.bounds(today)?;
        let middle = if self.first.is_none() {
            first.max(last.min(today) - RECENT)
        } else {
            first + TimeDelta::days(((last - first).num_days() - 1) / 2)
        };
        let later = Self { first: Some(middle.succ_opt()?), last: Some(last) };
        (first < last).then_some([later, Self { first: Some(first), last: Some(middle) }])
    }

    /// Returns how many days the range has.
    pub(super) fn number(self, today: NaiveDate) -> i64 {
        self.bounds(today).map_or(0, |(first, last)| (last - first).num_days() + 1)
    }

    /// The first and the last day on which there can be mail.
    fn bounds(self, today: NaiveDate) -> Option<(NaiveDate, NaiveDate)> {
        let oldest = NaiveDate::from_ymd_opt(OLDEST_YEAR, 1, 1)?;
        Some((self.first.unwrap_or(oldest), self.last.unwrap_or(today + LATEST)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: i64) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 1, 1).unwrap() + TimeDelta::days(day - 1)
    }

    fn days(first: Option<i64>, last: Option<i64>) -> Days {
        Days { first: first.map(day), last: last.map(day) }
    }

    fn halves(first: Option<i64>, last: Option<i64>) -> Option<[Days; 2]> {
        days(first, last).halves(day(100))
    }

    #[test]
    fn range_is_divided_without_gap_down_to_one_day() {
        assert_eq!(halves(Some(1), Some(9)), Some([days(Some(5), Some(9)), days(Some(1), Some(4))]));
        assert_eq!(halves(Some(4), Some(5)), Some([days(Some(5), Some(5)), days(Some(4), Some(4))]));
        assert_eq!(halves(Some(4), Some(4)), None);
        assert_eq!(halves(Some(9), Some(4)), None);
    }

    #[test]
    fn open_range_is_divided_near_today() {
        let oldest = NaiveDate::from_ymd_opt(OLDEST_YEAR, 1, 1);
        let earlier = |last| Days { first: oldest, last: Some(day(last)) };
        assert_eq!(halves(None, None), Some([days(Some(71), Some(466)), earlier(70)]));
        assert_eq!(halves(None, Some(70)), Some([days(Some(41), Some(70)), earlier(40)]));
        assert_eq!(halves(Some(464), None), Some([days(Some(465), Some(466)), days(Some(464), Some(464))]));
        assert_eq!(halves(Some(466), None), None);
        assert_eq!(
            (days(Some(3), Some(9)).number(day(100)), days(Some(3), Some(3)).number(day(100))),
            (7, 1)
        );
    }

    #[test]
    fn dividing_an_open_range_ends() {
        for later in [true, false] {
            let mut range = Days { first: None, last: None };
            for _ in 0..20 {
                let Some([one, other]) = range.halves(day(100)) else { break };
                range = if later { one } else { other };
            }
            assert_eq!(range.number(day(100)), 1);
        }
    }
}
