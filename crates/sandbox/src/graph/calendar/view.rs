//! How a request wants events to be shown: `$select`, `$filter`, the form of ids and the time zone.

use chrono_tz::Tz;
use serde_json::{Map, Value};

use super::create::{in_zone, response_zone};
use super::event::{Event, identified};
use crate::graph::base::Base;
use crate::graph::cursor::Cursor;
use crate::graph::expand::Expand;
use crate::graph::extended_property::{PropertyId, PropertyTest};
use crate::graph::identifier::IdForm;
use crate::graph::query::Query;
use crate::graph::refusal::Refusal;
use crate::graph::request::GraphRequest;

const KIND: &str = "microsoft.graph.event";

/// The properties of an event that a request can select. `id` is always there.
const PROPERTY: [&str; 38] = [
    "createdDateTime",
    "lastModifiedDateTime",
    "changeKey",
    "categories",
    "transactionId",
    "originalStartTimeZone",
    "originalEndTimeZone",
    "iCalUId",
    "reminderMinutesBeforeStart",
    "isReminderOn",
    "hasAttachments",
    "subject",
    "bodyPreview",
    "importance",
    "sensitivity",
    "isAllDay",
    "isCancelled",
    "isOrganizer",
    "responseRequested",
    "seriesMasterId",
    "showAs",
    "type",
    "webLink",
    "onlineMeetingUrl",
    "isOnlineMeeting",
    "onlineMeetingProvider",
    "allowNewTimeProposals",
    "responseStatus",
    "body",
    "start",
    "end",
    "location",
    "locations",
    "recurrence",
    "attendees",
    "organizer",
    "onlineMeeting",
    "hideAttendees",
];

/// How a request wants events to be shown.
pub(super) struct EventView {
    /// `None` is all.
    select: Option<Vec<&'static str>>,
    /// The extended properties to show.
    properties: Vec<PropertyId>,
    form: IdForm,
    zone: Option<(String, Tz)>,
}

impl EventView {
    pub(super) fn of(request: &GraphRequest, query: &Query) -> Result<Self, Refusal> {
        let named = |name: &str| {
            let property = PROPERTY.into_iter().find(|property| property.eq_ignore_ascii_case(name));
            property.ok_or_else(|| Refusal::no_property(name, KIND))
        };
        let select = |list: &str| {
            let names = list.split(',').map(str::trim).filter(|name| !name.eq_ignore_ascii_case("id"));
            names.map(named).collect()
        };
        let select = query.select.as_deref().map(select).transpose()?;
        let properties = Expand::properties_of(query.expand.as_deref(), KIND)?;
        Ok(Self { select, properties, form: request.id_form(), zone: response_zone(request)? })
    }

    pub(super) fn show(&self, base: &Base, mailbox: u32, number: u32, event: &Event) -> Map<String, Value> {
        let object = in_zone(&identified(base, self.form, mailbox, number, event), self.zone.as_ref());
        let Value::Object(mut object) = object else { return Map::new() };
        if let Some(select) = &self.select {
            object.retain(|key, _| {
                ["id", "@odata.etag"].contains(&key.as_str()) || select.contains(&key.as_str())
            });
        }
        let properties = event.properties.shown(&self.properties);
        if !properties.is_empty() {
            object.insert("singleValueExtendedProperties".to_owned(), Value::Array(properties));
        }
        object
    }
}

/// A `$filter` of events: alternatives, each of conditions that all must hold.
pub(in crate::graph) struct EventFilter(Vec<Vec<Condition>>);

enum Condition {
    Uid(String),
    Subject(String),
    Organizer(bool),
    Cancelled(bool),
    Property(PropertyTest),
}

impl EventFilter {
    pub(in crate::graph) fn parse(text: &str) -> Result<Self, Refusal> {
        let mut cursor = Cursor::new(text);
        let mut alternatives = Vec::new();
        loop {
            let mut conditions = vec![Condition::parse(&mut cursor)?];
            while cursor.keyword(" and ") {
                conditions.push(Condition::parse(&mut cursor)?);
            }
            alternatives.push(conditions);
            if !cursor.keyword(" or ") {
                break;
            }
        }
        if cursor.rest().trim().is_empty() {
            Ok(Self(alternatives))
        } else {
            Err(cursor.error("'and' expected"))
        }
    }

    /// Each condition, as its property and comparison, and its value.
    pub(in crate::graph) fn conditions(&self) -> Vec<(String, String)> {
        self.0.iter().flatten().map(Condition::parts).collect()
    }

    pub(super) fn holds(&self, event: &Event) -> bool {
        self.0.iter().any(|conditions| conditions.iter().all(|condition| condition.holds(event)))
    }
}

impl Condition {
    /// The property and comparison, and the value.
    fn parts(&self) -> (String, String) {
        let (name, value) = match self {
            Self::Uid(uid) => ("iCalUId", uid.clone()),
            Self::Subject(subject) => ("subject", subject.clone()),
            Self::Organizer(wanted) => ("isOrganizer", wanted.to_string()),
            Self::Cancelled(wanted) => ("isCancelled", wanted.to_string()),
            Self::Property(test) => return (test.comparison().to_owned(), test.operands()),
        };
        (format!("{name} eq"), value)
    }

    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, Refusal> {
        if cursor.keyword("singleValueExtendedProperties/Any") {
            return Ok(Self::Property(PropertyTest::parse(cursor)?));
        }
        let name = cursor.word();
        // "UId does not support filtering yet" (microsoft-graph-docs issue 8640).
        if name == "uid" {
            return Err(Refusal::new(
                400,
                "UnsupportedEntityExpression",
                "'x => (x.Uid == ...)' is not a supported filter expression.",
            ));
        }
        if !["iCalUId", "subject", "isOrganizer", "isCancelled"].contains(&name) {
            return Err(Refusal::no_property(name, KIND));
        }
        cursor.expect(" eq ")?;
        Ok(match name {
            "iCalUId" => Self::Uid(cursor.string()?),
            "subject" => Self::Subject(cursor.string()?.to_lowercase()),
            "isOrganizer" => Self::Organizer(cursor.boolean()?),
            _ => Self::Cancelled(cursor.boolean()?),
        })
    }

    fn holds(&self, event: &Event) -> bool {
        match self {
            Self::Uid(uid) => event.text("iCalUId") == uid,
            Self::Subject(subject) => event.text("subject").to_lowercase() == *subject,
            Self::Organizer(wanted) => event.is_true("isOrganizer") == *wanted,
            Self::Cancelled(wanted) => event.is_true("isCancelled") == *wanted,
            Self::Property(test) => test.holds(&event.properties),
        }
    }
}
