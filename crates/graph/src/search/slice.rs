//! A part of the search of one mailbox.

use chrono::NaiveDate;

use super::days::Days;

/// The sizes of pages that a mailbox is asked for, where it cannot answer larger ones. One corrupt message breaks each
/// page that holds it (docs-contrib issues 6538 and 7758).
const PAGE_SIZES: [usize; 4] = [100, 25, 5, 1];
/// The size of the pages in a range that was divided.
const PAGE_OF_HALF: usize = 25;

/// A range of days, and the size of the pages that it is asked for in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) days: Days,
    pub(super) page: usize,
    /// Whether it is a part of the range that was asked for.
    is_half: bool,
}

/// The lengths of the ranges that a mailbox was asked for, in days.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spans {
    /// The longest that it answered.
    pub(super) answered: i64,
    /// The shortest that it could not answer.
    pub(super) failed: Option<i64>,
}

impl Slice {
    /// The whole search, with pages of `page` messages.
    pub(super) fn whole(days: Days, page: usize) -> Self {
        Self { days, page, is_half: false }
    }

    /// What to ask for where the slice cannot be answered, the last part first: smaller pages, and where these do not
    /// help, half the time. Halves are divided further at once; only a single day is asked for in the smallest pages.
    pub(super) fn smaller(self, today: NaiveDate) -> Vec<Self> {
        let smaller = PAGE_SIZES.into_iter().find(|size| *size < self.page);
        match (smaller, self.halves(today)) {
            (Some(page), None) => vec![Self { page, ..self }],
            (Some(page), Some(_)) if !self.is_half => vec![Self { page, ..self }],
            (_, Some(halves)) => halves,
            (None, None) => Vec::new(),
        }
    }

    /// Returns the halves of a half that is not worth a request: a range of `days` has failed, and none that is so long
    /// was answered.
    pub(super) fn halves_unasked(self, spans: Spans, today: NaiveDate) -> Option<Vec<Self>> {
        let days = self.days.number(today);
        if !self.is_half || days < spans.failed.unwrap_or(i64::MAX) || days <= spans.answered {
            return None;
        }
        self.halves(today)
    }

    fn halves(self, today: NaiveDate) -> Option<Vec<Self>> {
        let [later, earlier] = self.days.halves(today)?;
        let half = |days| Self { days, page: PAGE_OF_HALF, is_half: true };
        Some([earlier, later].map(half).to_vec())
    }

    /// What to ask for after a `$search` that may have been cut off, with `oldest` its oldest hit: the days from that
    /// hit down. Hits are sorted by date, the newest first (Graph page "Use the $search query parameter"). `is_new` says
    /// whether there was a hit that was not known before.
    pub(super) fn below(self, oldest: NaiveDate, is_new: bool) -> Option<Self> {
        let until = |last| Days { last: Some(last), ..self.days };
        match self.days.last {
            // Graph does not keep to the days, so nothing more can be found by them.
            Some(last) if last < oldest && !is_new => None,
            // All hits are of the last day. Only older ones can still be found.
            Some(last) if last <= oldest => {
                let before =
                    last.pred_opt().filter(|day| self.days.first.is_none_or(|first| first <= *day))?;
                Some(Self { days: until(before), ..self })
            }
            _ => Some(Self { days: until(oldest), ..self }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 1, day).unwrap()
    }

    fn slice(first: u32, last: u32, page: usize) -> Slice {
        Slice::whole(Days { first: Some(day(first)), last: Some(day(last)) }, page)
    }

    #[test]
    fn pages_become_smaller_before_the_time_does() {
        let mut sizes = vec![500];
        let mut now = slice(1, 8, 500);
        while let [smaller] = now.smaller(day(20))[..] {
            assert_eq!(smaller.days, now.days);
            sizes.push(smaller.page);
            now = smaller;
        }
        assert_eq!(sizes, [500, 100, 25, 5, 1]);
        let [earlier, later] = now.smaller(day(20))[..] else { panic!() };
        assert_eq!((earlier.days, later.days), (slice(1, 4, 1).days, slice(5, 8, 1).days));
        assert_eq!((earlier.page, later.page), (25, 25));
    }

    #[test]
    fn search_that_was_cut_off_goes_on_below_its_oldest_hit() {
        let all = Slice::whole(Days { first: None, last: None }, 250);
        let below = all.below(day(9), true).unwrap();
        assert_eq!(below.days.last, Some(day(9)));
        let before = below.below(day(9), false).unwrap();
        assert_eq!(before.days.last, Some(day(8)));
        assert_eq!(before.below(day(9), false), None, "Graph ignores the days");
        assert_eq!(slice(9, 9, 250).below(day(9), true), None, "there is no day before");
    }

    #[test]
    fn range_that_is_surely_too_long_is_divided_unasked() {
        let [_, later] = slice(1, 16, 1).smaller(day(20))[..] else { panic!() };
        let halves = |answered, failed| later.halves_unasked(Spans { answered, failed }, day(20));
        assert!(halves(0, Some(8)).is_some());
        assert!(halves(0, None).is_none() && halves(0, Some(9)).is_none() && halves(8, Some(8)).is_none());
        assert!(slice(1, 16, 1).halves_unasked(Spans { answered: 0, failed: Some(1) }, day(20)).is_none());
    }

    #[test]
    fn half_is_divided_at_once_and_single_day_ends_with_single_messages() {
        let [earlier, _] = slice(1, 4, 1).smaller(day(20))[..] else { panic!() };
        let [first, _] = earlier.smaller(day(20))[..] else { panic!() };
        assert_eq!(first.days, slice(1, 1, 1).days);
        let [five] = first.smaller(day(20))[..] else { panic!() };
        let [one] = five.smaller(day(20))[..] else { panic!() };
        assert_eq!((five.page, one.page), (5, 1));
        assert!(one.smaller(day(20)).is_empty());
    }
}
