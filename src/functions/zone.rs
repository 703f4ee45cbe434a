//! Time zones of events.

use chrono::{DateTime, TimeZone, Utc};
use chrono_tz::Tz;
use windows_timezones::WindowsTimezone;

/// A time zone, under the name that Graph gave it.
pub(super) struct Zone {
    pub(super) name: String,
    pub(super) rules: Tz,
}

impl Zone {
    pub(super) fn utc() -> Self {
        Self { name: "UTC".to_owned(), rules: Tz::UTC }
    }

    /// Reads a zone's name: a Windows name, an IANA name, or one that only the mailbox knows ("Customized Time Zone"),
    /// which becomes UTC.
    pub(super) fn named(name: &str) -> Self {
        let iana = name.parse::<WindowsTimezone>().map_or(name, |zone| zone.tzdb_id());
        iana.parse().map_or_else(|_| Self::utc(), |rules| Self { name: name.to_owned(), rules })
    }

    pub(super) fn is_utc(&self) -> bool {
        // Windows' UTC is Etc/UTC there.
        self.rules == Tz::UTC || self.rules == Tz::Etc__UTC
    }

    /// Whether `time` has a local time of its own. In the hour in which clocks go back, two times have the same local
    /// time, and Graph may take the wrong one.
    pub(super) fn is_unambiguous(&self, time: DateTime<Utc>) -> bool {
        let local = time.with_timezone(&self.rules).naive_local();
        self.rules.from_local_datetime(&local).single().is_some()
    }
}

/// Whether Graph refused an event for the time zone of its times, or for one of its other properties.
pub(super) fn is_zone_refused(error: &graph::Error) -> bool {
    error.refusal().is_some_and(|refusal| {
        refusal.status == 400
            && matches!(&*refusal.code, "TimeZoneNotSupportedException" | "ErrorPropertyValidationFailure")
    })
}
