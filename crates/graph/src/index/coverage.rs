//! Which time a query of an index looked at, and which not.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};

/// A span of time, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The first moment.
    pub from: DateTime<Utc>,
    /// The last moment.
    pub to: DateTime<Utc>,
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |time: &DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        write!(f, "{} to {}", text(&self.from), text(&self.to))
    }
}

/// A span that was not looked at, or not completely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The span.
    pub span: Span,
    /// Why.
    pub reason: GapReason,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.span, self.reason)
    }
}

/// Why a span was not looked at completely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GapReason {
    /// The index does not go back so far. Holds the days that it keeps.
    TooOld(i64),
    /// The index does not know the most recent mail yet.
    TooRecent,
    /// The time for the query ended.
    OutOfTime,
    /// More rows than a query may return.
    TooManyRows(usize),
    /// Some rows had no recipient or time that could be read.
    Unreadable(usize),
    /// The index failed. Holds its error.
    Failed(String),
}

impl fmt::Display for GapReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooOld(days) => write!(f, "the index keeps {days} days"),
            Self::TooRecent => f.write_str("the index does not know the most recent mail yet"),
            Self::OutOfTime => f.write_str("the time for the query ended before it was looked at"),
            Self::TooManyRows(most) => write!(f, "more than {most} rows match; the rest was not read"),
            Self::Unreadable(rows) => write!(f, "{rows} row(s) could not be read"),
            Self::Failed(error) => f.write_str(error),
        }
    }
}

/// The spans that a query looked at, and those that it did not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// What was looked at completely, in order and without overlaps.
    pub searched: Vec<Span>,
    /// What was not, in order.
    pub gaps: Vec<Gap>,
}

impl Coverage {
    /// Whether everything that was asked for was looked at.
    pub fn is_complete(&self) -> bool {
        self.gaps.is_empty()
    }

    /// Adds a span that was looked at.
    pub(crate) fn add(&mut self, span: Span) {
        self.searched.push(span);
        self.searched.sort();
        let mut merged: Vec<Span> = Vec::new();
        for span in self.searched.drain(..) {
            match merged.last_mut() {
                Some(last) if span.from <= last.to => last.to = last.to.max(span.to),
                _ => merged.push(span),
            }
        }
        self.searched = merged;
    }

    /// Adds a gap, unless it is known.
    pub(crate) fn miss(&mut self, span: Span, reason: GapReason) {
        let gap = Gap { span, reason };
        if !self.gaps.contains(&gap) {
            self.gaps.push(gap);
            self.gaps.sort_by_key(|gap| gap.span);
        }
    }
}

/// Cuts the time that was asked for to what the index knows, from `oldest` to `newest`. Also notes what is cut off.
/// `None` where nothing is left.
pub(crate) fn cut(
    (from, to): (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    (oldest, newest): (DateTime<Utc>, DateTime<Utc>),
    days: i64,
    coverage: &mut Coverage,
) -> Option<Span> {
    if let Some(from) = from
        && from < oldest
    {
        let to = to.map_or(oldest, |to| to.min(oldest));
        coverage.miss(Span { from, to }, GapReason::TooOld(days));
    }
    if let Some(to) = to
        && to > newest
    {
        let from = from.map_or(newest, |from| from.max(newest));
        coverage.miss(Span { from, to }, GapReason::TooRecent);
    }
    let span = Span {
        from: from.map_or(oldest, |from| from.max(oldest)),
        to: to.map_or(newest, |to| to.min(newest)),
    };
    (span.from <= span.to).then_some(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_772_359_200 + hour * 3_600, 0).unwrap()
    }

    fn span(from: i64, to: i64) -> Span {
        Span { from: at(from), to: at(to) }
    }

    #[test]
    fn spans_that_touch_become_one() {
        let mut coverage = Coverage::default();
        for searched in [span(5, 7), span(0, 2), span(2, 4)] {
            coverage.add(searched);
        }
        assert_eq!(coverage.searched, [span(0, 4), span(5, 7)]);
    }

    #[test]
    fn what_lies_outside_of_the_index_is_a_gap() {
        let gaps = |from: Option<i64>, to: Option<i64>| {
            let mut coverage = Coverage::default();
            let known = (at(0), at(10));
            (cut((from.map(at), to.map(at)), known, 90, &mut coverage), coverage.gaps.len())
        };
        assert_eq!(gaps(None, None), (Some(span(0, 10)), 0));
        assert_eq!(gaps(Some(-5), Some(12)), (Some(span(0, 10)), 2));
        assert_eq!(gaps(Some(-5), Some(-1)), (None, 1));
        assert_eq!(gaps(Some(2), Some(3)), (Some(span(2, 3)), 0));
    }
}
