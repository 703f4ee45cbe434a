//! Time zones that Outlook accepts: Windows names, and IANA names of the form `Area/Place` ("dateTimeTimeZone resource
//! type").

use chrono::{DateTime, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use windows_timezones::WindowsTimezone;

/// The time zone with this name, if Outlook accepts it.
pub(super) fn named(name: &str) -> Option<Tz> {
    let iana = match name.parse::<WindowsTimezone>() {
        Ok(zone) => zone.tzdb_id(),
        Err(_) => Some(name).filter(|name| name.contains('/'))?,
    };
    iana.parse().ok()
}

/// The moment that clocks in `zone` show as `local`. A time that a clock skips counts as one hour later.
pub(super) fn to_utc(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    let resolved = zone.from_local_datetime(&local).earliest();
    let resolved = resolved.or_else(|| zone.from_local_datetime(&(local + TimeDelta::hours(1))).earliest());
    resolved.map_or_else(|| local.and_utc(), |moment| moment.to_utc())
}
