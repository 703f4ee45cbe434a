//! Reads dates: SOAR's milliseconds since 1970, and the other forms in which scripts and people give them.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Utc};
use serde_json::Value;

use super::text::trim;

/// What a day without a time of day stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DayMeans {
    /// Its first moment, for a start.
    Begin,
    /// Its last second, for an end: the day is included.
    End,
}

/// Mail is younger than this, so an earlier time is a mistake, usually seconds in place of milliseconds.
const EARLIEST_YEAR: i32 = 1990;
/// The last year that Graph and every calendar can compute with.
const LATEST_YEAR: i32 = 9998;

/// Reads a date and time; `None` if it is not one.
pub(super) fn time(value: &Value, day: DayMeans) -> Option<DateTime<Utc>> {
    match value {
        Value::Number(number) => of_number(number.as_i64().or_else(|| whole(number.as_f64()?))?, day),
        Value::String(text) => of_text(trim(text), day),
        _ => None,
    }
}

/// Reads a date and time from a text: an ISO 8601 day or time, or a number. A time without a zone is in UTC.
fn of_text(text: &str, day: DayMeans) -> Option<DateTime<Utc>> {
    if let Ok(number) = text.parse::<i64>() {
        return of_number(number, day);
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        let time = match day {
            DayMeans::Begin => date.and_hms_opt(0, 0, 0),
            DayMeans::End => date.and_hms_opt(23, 59, 59),
        };
        return in_range(time?.and_utc());
    }
    let upper = text.to_ascii_uppercase();
    // The zone may follow after a space: "2026-11-28 10:00:00 +01:00", "… UTC".
    let without_utc =
        upper.strip_suffix("UTC").or_else(|| upper.strip_suffix("GMT")).or_else(|| upper.strip_suffix('Z'));
    let zoned = without_utc.map_or_else(|| upper.clone(), |local| format!("{}+00:00", local.trim_end()));
    let zoned =
        ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M%#z"]
            .into_iter()
            .find_map(|format| DateTime::parse_from_str(&zoned, format).ok())
            .or_else(|| DateTime::parse_from_str(&zoned, "%Y-%m-%d %H:%M:%S%.f %#z").ok())
            .or_else(|| DateTime::parse_from_rfc2822(text).ok());
    let local = || {
        ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"]
            .into_iter()
            .find_map(|format| NaiveDateTime::parse_from_str(&upper, format).ok())
    };
    in_range(zoned.map(|time| time.to_utc()).or_else(|| local().map(|local| local.and_utc()))?)
}

/// Reads milliseconds, or seconds where only these give a time that can be meant.
fn of_number(number: i64, day: DayMeans) -> Option<DateTime<Utc>> {
    // Scripts write 0 or 1 for a search from the beginning.
    if matches!(number, 0 | 1) && day == DayMeans::Begin {
        return DateTime::from_timestamp_millis(number);
    }
    DateTime::from_timestamp_millis(number).and_then(in_range).or_else(|| {
        let seconds = DateTime::from_timestamp(number, 0)?;
        (2000..2100).contains(&seconds.year()).then_some(seconds)
    })
}

/// Scripts turn whole numbers into floats, and Python's `time.time()` has a fraction, which does not matter here.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
fn whole(number: f64) -> Option<i64> {
    (number.abs() < (1_i64 << 53) as f64).then_some(number.trunc() as i64)
}

fn in_range(time: DateTime<Utc>) -> Option<DateTime<Utc>> {
    (EARLIEST_YEAR..=LATEST_YEAR).contains(&time.year()).then_some(time)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[allow(clippy::needless_pass_by_value)] // so that tests can write `read(json!(1))`
    fn read(value: Value) -> Option<String> {
        time(&value, DayMeans::Begin).map(|time| time.to_rfc3339())
    }

    #[test]
    fn numbers_are_milliseconds_or_certainly_seconds() {
        let expected = Some("2023-11-14T22:13:20+00:00".to_owned());
        for value in [
            json!(1_700_000_000_000_i64),
            json!(1_700_000_000_000.0),
            json!(1_700_000_000),
            json!(1_700_000_000.0),
            json!(1_700_000_000.7),
            json!("1700000000000"),
            json!(" 1700000000 \u{200b}"),
        ] {
            assert_eq!(read(value.clone()), expected, "{value}");
        }
        for value in
            [json!(5), json!(-1), json!(20_261_128), json!(i64::MAX), json!(1e300), json!("20261128")]
        {
            assert_eq!(read(value.clone()), None, "{value}");
        }
    }

    #[test]
    fn iso_texts_are_times() {
        for text in [
            "2026-11-28T10:00:00Z",
            "2026-11-28t10:00:00z",
            "2026-11-28T10:00:00.000Z",
            "2026-11-28T11:00:00+01:00",
            "2026-11-28T11:00:00+0100",
            "2026-11-28T11:00+01",
            "2026-11-28T10:00Z",
            "2026-11-28T10:00:00",
            "2026-11-28T10:00",
            "2026-11-28 10:00:00",
            "2026-11-28 10:00",
            "2026-11-28 10:00:00 UTC",
            "2026-11-28 11:00:00 +0100",
            "Sat, 28 Nov 2026 10:00:00 +0000",
        ] {
            assert_eq!(read(json!(text)), Some("2026-11-28T10:00:00+00:00".to_owned()), "{text}");
        }
        for text in ["28.11.2026", "11/28/2026", "2026-02-30", "tomorrow", "2026-11", "1601-01-01T00:00:00Z"]
        {
            assert_eq!(read(json!(text)), None, "{text}");
        }
    }

    #[test]
    fn day_is_its_begin_or_its_end() {
        assert_eq!(read(json!("2026-11-28")), Some("2026-11-28T00:00:00+00:00".to_owned()));
        assert_eq!(read(json!(0)), Some("1970-01-01T00:00:00+00:00".to_owned()));
        assert_eq!(time(&json!(0), DayMeans::End), None);
        let end = time(&json!("2026-11-28"), DayMeans::End).map(|time| time.to_rfc3339());
        assert_eq!(end, Some("2026-11-28T23:59:59+00:00".to_owned()));
    }
}
