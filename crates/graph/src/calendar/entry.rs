//! A calendar entry.

use net::untrusted::json::Bounded;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// No entry has more categories.
const MOST_CATEGORIES: usize = 1000;

/// The properties that are read of an entry.
pub(super) const SELECT: &str = "id,iCalUId,isOrganizer,seriesMasterId,type,responseStatus,subject,body,start,end,\
                                 originalStartTimeZone,location,isAllDay,recurrence,reminderMinutesBeforeStart,\
                                 isReminderOn,showAs,categories,importance,sensitivity";

/// An entry of a calendar.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CalendarEntry {
    /// Its id.
    pub id: String,
    /// The identifier that all calendars share.
    #[serde(rename = "iCalUId")]
    pub uid: String,
    /// Whether the calendar's owner invited. Its deletion would send cancellations.
    pub is_organizer: bool,
    /// The id of the series that it is an occurrence of.
    #[serde(default)]
    pub series_master_id: Option<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    response_status: Option<Response>,
    /// Its text.
    #[serde(default)]
    pub body: Option<EntryText>,
    /// What else it says.
    #[serde(flatten)]
    pub details: EntryDetails,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Response {
    #[serde(default)]
    response: Option<String>,
}

/// The text of an entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryText {
    /// `html` or `text`.
    pub content_type: String,
    /// The text.
    pub content: String,
}

/// A time of an entry: local time without an offset, and its zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ZonedTime {
    /// The local time.
    pub date_time: String,
    /// The zone.
    pub time_zone: String,
}

/// What an entry says, without its text and those who take part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryDetails {
    /// Its subject.
    #[serde(default)]
    pub subject: Option<String>,
    /// When it, or the first one of a series, starts.
    pub start: ZonedTime,
    /// When it ends.
    pub end: ZonedTime,
    /// The zone in which the organizer chose the times.
    #[serde(default)]
    pub original_start_time_zone: Option<String>,
    /// The place.
    #[serde(default)]
    pub location: Option<Location>,
    /// Whether it lasts all day.
    #[serde(default)]
    pub is_all_day: bool,
    /// How it repeats, as a `patternedRecurrence`.
    #[serde(default)]
    pub recurrence: Option<Value>,
    /// How many minutes before the start the reminder comes.
    #[serde(default)]
    pub reminder_minutes_before_start: Option<i64>,
    /// Whether there is a reminder.
    #[serde(default)]
    pub is_reminder_on: Option<bool>,
    /// Whether the time is shown as busy.
    #[serde(default)]
    pub show_as: Option<String>,
    /// Its categories.
    #[serde(default, deserialize_with = "categories")]
    pub categories: Vec<String>,
    /// How important it is.
    #[serde(default)]
    pub importance: Option<String>,
    /// How private it is.
    #[serde(default)]
    pub sensitivity: Option<String>,
}

/// Where a meeting takes place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Location {
    /// The name of the place.
    #[serde(default)]
    pub display_name: Option<String>,
}

fn categories<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let categories = Option::<Bounded<String, MOST_CATEGORIES>>::deserialize(deserializer)?;
    Ok(categories.map_or_else(Vec::new, |categories| categories.0))
}

impl CalendarEntry {
    /// How the calendar's owner answered: `notResponded`, `accepted`, `tentativelyAccepted`, `declined`, `none`.
    pub fn response(&self) -> &str {
        self.response_status.as_ref().and_then(|status| status.response.as_deref()).unwrap_or("none")
    }

    /// Whether it is a series, with all its occurrences.
    pub fn is_series(&self) -> bool {
        self.kind.as_deref() == Some("seriesMaster")
    }
}
