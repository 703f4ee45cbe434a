//! The times that were asked for and that an index of mail does not answer for.

use chrono::{DateTime, TimeDelta, Utc};

use crate::functions::query_emails::query::shown;
use graph::{Criteria, Gap, GapReason};

/// A message can be missing in an index for so long after its delivery: 5 to 10 minutes are usual (Microsoft page
/// "Message trace in the modern Exchange admin center").
const INDEX_LAG: TimeDelta = TimeDelta::minutes(15);
/// The mailbox may state another time than the index.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::minutes(5);

/// A time that an index does not answer for, open where a bound is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rest {
    pub(super) from: Option<DateTime<Utc>>,
    pub(super) to: Option<DateTime<Utc>>,
    why: String,
}

impl Rest {
    /// What `criteria` ask for and the index does not answer for. It keeps its rows for `days`, and has these `gaps`.
    pub(super) fn of(criteria: &Criteria, gaps: &[Gap], days: i64, now: DateTime<Utc>) -> Vec<Self> {
        let (from, to) = (criteria.received_from, criteria.received_to);
        let (oldest, recent) = (now - TimeDelta::days(days), now - INDEX_LAG);
        let mut all = Vec::new();
        if from.is_none_or(|from| from < oldest) {
            all.push(Self { from, to: Some(oldest), why: format!("it keeps {days} days") });
        }
        let unknown =
            gaps.iter().filter(|gap| !matches!(gap.reason, GapReason::TooOld(_) | GapReason::TooRecent));
        all.extend(unknown.map(|Gap { span, reason }| Self {
            from: Some(span.from),
            to: Some(span.to),
            why: reason.to_string(),
        }));
        if to.is_none_or(|to| to > recent) {
            all.push(Self { from: Some(recent), to, why: "it may not know the last 15 minutes".to_owned() });
        }
        let widened = all.into_iter().map(|rest| rest.within(from, to));
        widened.filter(|rest| rest.from.is_none_or(|from| rest.to.is_none_or(|to| from <= to))).collect()
    }

    /// Widens it by what clocks differ, within what was asked for.
    fn within(self, from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> Self {
        let earlier = self.from.and_then(|time| time.checked_sub_signed(CLOCKS_DIFFER));
        let later = self.to.and_then(|time| time.checked_add_signed(CLOCKS_DIFFER));
        Self { from: earlier.max(from), to: later.into_iter().chain(to).min(), ..self }
    }

    /// For the analyst: "before 2026-08-31T10:00:00Z: it keeps 90 days".
    pub(super) fn sentence(&self) -> String {
        let time = match (self.from, self.to) {
            (Some(from), Some(to)) => format!("{} to {}", shown(from), shown(to)),
            (Some(from), None) => format!("after {}", shown(from)),
            (None, Some(to)) => format!("before {}", shown(to)),
            (None, None) => "any time".to_owned(),
        };
        format!("{time}: {}", self.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use graph::Span;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + minute * 60, 0).unwrap()
    }

    fn rest(from: Option<i64>, to: Option<i64>, gaps: &[(i64, i64)]) -> Vec<(Option<i64>, Option<i64>)> {
        let criteria =
            Criteria { received_from: from.map(at), received_to: to.map(at), ..Criteria::default() };
        let gap = |&(from, to): &(i64, i64)| Gap {
            span: Span { from: at(from), to: at(to) },
            reason: GapReason::OutOfTime,
        };
        let gaps: Vec<Gap> = gaps.iter().map(gap).collect();
        let minutes = |time: Option<DateTime<Utc>>| time.map(|time| (time - at(0)).num_minutes());
        let all = Rest::of(&criteria, &gaps, 1, at(0));
        all.into_iter().map(|rest| (minutes(rest.from), minutes(rest.to))).collect()
    }

    #[test]
    fn rest_is_what_the_index_does_not_know_and_no_more_than_asked_for() {
        assert_eq!(rest(Some(-500), Some(-100), &[]), []);
        assert_eq!(rest(Some(-500), None, &[]), [(Some(-20), None)]);
        assert_eq!(rest(Some(-5), Some(0), &[]), [(Some(-5), Some(0))]);
        assert_eq!(rest(None, Some(-100), &[]), [(None, Some(-1435))]);
        assert_eq!(rest(None, Some(-2000), &[]), [(None, Some(-2000))], "older than all that it keeps");
        assert_eq!(rest(Some(-3000), Some(-2000), &[]), [(Some(-3000), Some(-2000))]);
        assert_eq!(rest(Some(-500), Some(-100), &[(-300, -200)]), [(Some(-305), Some(-195))]);
    }
}
