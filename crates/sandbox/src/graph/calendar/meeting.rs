//! Meetings, and the messages by which organizers and attendees tell each other of them.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::graph::options::Address;
use crate::graph::rng::{guid, hash, mix};

/// The first bytes of each identifier that Exchange makes: the class id of a global object id ([MS-OXOCAL] section
/// 2.2.1.27).
const GLOBAL_OBJECT_ID: &str = "040000008200E00074C5B7101A82E008";
/// Where the date of an occurrence stands in it, in hexadecimal digits. A series has zeros there.
const DATE: std::ops::Range<usize> = 32..40;

/// A meeting as its organizer's program describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meeting {
    /// The identifier by which all calendars know it (`iCalUId`). The organizer's program chooses it.
    pub uid: String,
    /// Who invites.
    pub organizer: Address,
    /// What it is about.
    pub subject: String,
    /// The text of the invitation.
    pub body: String,
    /// When it, or the first one of a series, starts.
    pub start: DateTime<Utc>,
    /// When it ends.
    pub end: DateTime<Utc>,
    /// Where.
    pub location: String,
    /// Whether it lasts all day.
    pub all_day: bool,
    /// How it repeats, as a `patternedRecurrence`.
    pub recurrence: Option<Value>,
    /// How many minutes before its start calendars remind of it.
    pub reminder_minutes: u32,
}

impl Meeting {
    /// A meeting of an hour, with an identifier as Exchange makes them, derived from `name`.
    pub fn new(name: &str, organizer: Address, subject: &str, start: DateTime<Utc>) -> Self {
        Self {
            uid: global_object_id(hash(0x6D65, name)),
            organizer,
            subject: subject.to_owned(),
            body: "Please join.".to_owned(),
            start,
            end: start + TimeDelta::hours(1),
            location: String::new(),
            all_day: false,
            recurrence: None,
            reminder_minutes: 15,
        }
    }

    /// The same meeting, so many times, once a week.
    #[must_use]
    pub fn weekly(self, times: u32) -> Self {
        let day = self.start.format("%A").to_string().to_lowercase();
        let recurrence = json!({
            "pattern": {
                "type": "weekly",
                "interval": 1,
                "month": 0,
                "dayOfMonth": 0,
                "daysOfWeek": [day],
                "firstDayOfWeek": "sunday",
                "index": "first",
            },
            "range": {
                "type": "numbered",
                "startDate": self.start.format("%Y-%m-%d").to_string(),
                "endDate": "0001-01-01",
                "recurrenceTimeZone": "UTC",
                "numberOfOccurrences": times,
            },
        });
        Self { recurrence: Some(recurrence), ..self }
    }

    /// The identifier of the occurrence on `date` ("This ID is different for each occurrence in a recurring series",
    /// Graph page "event resource type"). One of another form than Exchange's names the whole series.
    pub fn uid_on(&self, date: NaiveDate) -> String {
        let mut uid = self.uid.clone();
        if uid.starts_with(GLOBAL_OBJECT_ID) && uid.len() > DATE.end && uid.is_ascii() {
            let date = format!("{:04X}{:02X}{:02X}", date.year(), date.month(), date.day());
            uid.replace_range(DATE, &date);
        }
        uid
    }
}

/// An identifier as Exchange makes them.
pub(super) fn global_object_id(chance: u64) -> String {
    let created = mix(chance, 1, 2);
    let data = guid(mix(chance, 3, 4), mix(chance, 5, 6)).replace('-', "").to_uppercase();
    format!("{GLOBAL_OBJECT_ID}00000000{created:016X}000000000000000010000000{data}")
}

/// How an attendee answers an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeetingResponse {
    /// Yes.
    Accepted,
    /// Perhaps.
    TentativelyAccepted,
    /// No.
    Declined,
}

impl MeetingResponse {
    /// The word in `responseStatus`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::TentativelyAccepted => "tentativelyAccepted",
            Self::Declined => "declined",
        }
    }

    pub(super) fn show_as(self) -> &'static str {
        if self == Self::Accepted { "busy" } else { "tentative" }
    }
}

/// What a message says about a meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeetingNews {
    /// It takes place: the first invitation, or an update of the same meeting.
    Request,
    /// It does not take place.
    Cancellation,
    /// Its sender answers the invitation.
    Response(MeetingResponse),
}

impl MeetingNews {
    /// The value of `meetingMessageType`. The spelling of the third one is Graph's.
    pub(super) fn message_type(self) -> &'static str {
        match self {
            Self::Request => "meetingRequest",
            Self::Cancellation => "meetingCancelled",
            Self::Response(MeetingResponse::Accepted) => "meetingAccepted",
            Self::Response(MeetingResponse::TentativelyAccepted) => "meetingTenativelyAccepted",
            Self::Response(MeetingResponse::Declined) => "meetingDeclined",
        }
    }

    /// The type of the message that carries it.
    pub(in crate::graph) fn odata_type(self) -> &'static str {
        match self {
            Self::Request => "#microsoft.graph.eventMessageRequest",
            Self::Cancellation => "#microsoft.graph.eventMessage",
            Self::Response(_) => "#microsoft.graph.eventMessageResponse",
        }
    }
}

/// A message about a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingMessage {
    /// The meeting. If the message is about one occurrence, the times are those of the occurrence.
    pub meeting: Meeting,
    /// What it says.
    pub news: MeetingNews,
    /// The day for which the occurrence was planned, if it is about one occurrence of a series.
    pub occurrence: Option<NaiveDate>,
}

impl MeetingMessage {
    /// An invitation, or an update.
    pub fn request(meeting: Meeting) -> Self {
        Self { meeting, news: MeetingNews::Request, occurrence: None }
    }

    /// A cancellation.
    pub fn cancellation(meeting: Meeting) -> Self {
        Self { meeting, news: MeetingNews::Cancellation, occurrence: None }
    }

    /// The same, about the occurrence that was planned for `date`.
    #[must_use]
    pub fn on(self, date: NaiveDate) -> Self {
        Self { occurrence: Some(date), ..self }
    }

    /// The identifier of the calendar entry that it is about.
    pub(in crate::graph) fn uid(&self) -> String {
        self.occurrence.map_or_else(|| self.meeting.uid.clone(), |date| self.meeting.uid_on(date))
    }

    /// The subject of the message.
    pub fn subject(&self) -> String {
        let prefix = match self.news {
            MeetingNews::Request => "",
            MeetingNews::Cancellation => "Canceled: ",
            MeetingNews::Response(MeetingResponse::Accepted) => "Accepted: ",
            MeetingNews::Response(MeetingResponse::TentativelyAccepted) => "Tentative: ",
            MeetingNews::Response(MeetingResponse::Declined) => "Declined: ",
        };
        format!("{prefix}{}", self.meeting.subject)
    }

    /// The kind of the meeting, or of its occurrence.
    pub(super) fn kind(&self) -> &'static str {
        match (self.occurrence, &self.meeting.recurrence) {
            (Some(_), _) => "exception",
            (None, Some(_)) => "seriesMaster",
            (None, None) => "singleInstance",
        }
    }
}
