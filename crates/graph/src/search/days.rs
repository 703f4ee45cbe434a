//! Ranges of days, into which a search is divided.

use chrono::NaiveDate;

/// A range of days. Both ends are included; a missing end is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Days {
    pub(crate) first: Option<NaiveDate>,
    pub(crate) last: Option<NaiveDate>,
}

impl Days {
    /// Divides the range after `middle`, or as near to it as leaves each half a day; the later half comes first.
    /// `None` where the range is one day.
    pub(crate) fn split(self, middle: NaiveDate) -> Option<[Self; 2]> {
        let middle = self.first.map_or(middle, |first| middle.max(first));
        let last = self.last.and_then(|last| last.pred_opt());
        let middle = last.map_or(middle, |last| middle.min(last));
        if self.first.is_some_and(|first| middle < first) {
            return None;
        }
        let later = Self { first: Some(middle.succ_opt()?), ..self };
        Some([later, Self { last: Some(middle), ..self }])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 3, day).unwrap()
    }

    fn days(first: Option<u32>, last: Option<u32>) -> Days {
        Days { first: first.map(day), last: last.map(day) }
    }

    #[test]
    fn range_is_divided_without_gap_down_to_one_day() {
        let cut = |first, last, middle| days(first, last).split(day(middle));
        assert_eq!(cut(None, None, 5), Some([days(Some(6), None), days(None, Some(5))]));
        assert_eq!(cut(Some(1), Some(9), 5), Some([days(Some(6), Some(9)), days(Some(1), Some(5))]));
        // Each half has at least a day, whatever the middle.
        assert_eq!(cut(Some(1), Some(9), 20), Some([days(Some(9), Some(9)), days(Some(1), Some(8))]));
        assert_eq!(cut(Some(4), Some(9), 1), Some([days(Some(5), Some(9)), days(Some(4), Some(4))]));
        assert_eq!(cut(None, Some(9), 9), Some([days(Some(9), Some(9)), days(None, Some(8))]));
        assert_eq!(cut(Some(4), None, 4), Some([days(Some(5), None), days(Some(4), Some(4))]));
        assert_eq!(cut(Some(4), Some(4), 4), None);
    }
}
