//! The times of an entry that takes the place of a removed one.

use chrono::{NaiveDateTime, TimeZone};

use crate::functions::zone::Zone;
use graph::{EntryDetails, ZonedTime};

const UTC: &str = "UTC";

/// The times in the zone in which the organizer chose them, so that a series keeps to its hour where clocks change.
/// `None` where Graph's own are to be used: those of another zone than UTC, of whole days, and those that are no clear
/// times in that zone.
pub(super) fn in_original_zone(details: &EntryDetails) -> Option<[ZonedTime; 2]> {
    let zone = Zone::named(details.original_start_time_zone.as_deref()?);
    if zone.is_utc() || details.is_all_day {
        return None;
    }
    Some([in_zone(&details.start, &zone)?, in_zone(&details.end, &zone)?])
}

fn in_zone(time: &ZonedTime, zone: &Zone) -> Option<ZonedTime> {
    if time.time_zone != UTC {
        return None;
    }
    let utc = NaiveDateTime::parse_from_str(&time.date_time, "%Y-%m-%dT%H:%M:%S%.f").ok()?.and_utc();
    zone.is_unambiguous(utc).then(|| ZonedTime {
        date_time: zone.rules.from_utc_datetime(&utc.naive_utc()).format("%Y-%m-%dT%H:%M:%S").to_string(),
        time_zone: zone.name.clone(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn details(zone: &str, start: &str, all_day: bool) -> EntryDetails {
        let time = json!({"dateTime": start, "timeZone": "UTC"});
        let object = json!({"start": time, "end": time, "originalStartTimeZone": zone, "isAllDay": all_day});
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn times_are_written_in_the_original_zone() {
        let times =
            in_original_zone(&details("W. Europe Standard Time", "2026-07-02T14:00:00.0000000", false));
        let expected = ZonedTime {
            date_time: "2026-07-02T16:00:00".to_owned(),
            time_zone: "W. Europe Standard Time".to_owned(),
        };
        assert_eq!(times, Some([expected.clone(), expected]));
    }

    #[test]
    fn times_without_a_clear_zone_stay() {
        for (zone, start, all_day) in [
            ("UTC", "2026-07-02T14:00:00.0000000", false),
            ("tzone://Microsoft/Custom", "2026-07-02T14:00:00.0000000", false),
            ("W. Europe Standard Time", "2026-07-02T00:00:00.0000000", true),
            ("W. Europe Standard Time", "2026-10-25T00:30:00.0000000", false),
            ("W. Europe Standard Time", "tomorrow", false),
        ] {
            assert_eq!(in_original_zone(&details(zone, start, all_day)), None, "{zone} {start}");
        }
    }
}
