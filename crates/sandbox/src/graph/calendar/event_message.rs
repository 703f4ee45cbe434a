//! Messages about meetings as Graph shows them ("eventMessage resource type", "eventMessageRequest resource type").

use serde_json::{Value, json};

use super::attendant::MeetingMail;
use super::create::point;
use super::event::identified;
use super::meeting::MeetingNews;
use super::shown;
use super::view::EventView;
use crate::graph::changes::Changes;
use crate::graph::identifier::IdForm;
use crate::graph::json::Object;
use crate::graph::message::Item;
use crate::graph::path::Place;
use crate::graph::query::Query;
use crate::graph::refusal::{GraphResult, Refusal};
use crate::graph::request::GraphRequest;
use crate::graph::state::State;

/// The properties of an `eventMessage`, followed by those of an `eventMessageRequest` and of an `eventMessageResponse`.
const PROPERTY: [&str; 16] = [
    "meetingMessageType",
    "type",
    "isOutOfDate",
    "isAllDay",
    "isDelegated",
    "startDateTime",
    "endDateTime",
    "location",
    "recurrence",
    "allowNewTimeProposals",
    "responseRequested",
    "previousStartDateTime",
    "previousEndDateTime",
    "previousLocation",
    "proposedNewTime",
    "responseType",
];
const OF_ALL: std::ops::Range<usize> = 0..9;
const OF_REQUESTS: std::ops::Range<usize> = 9..14;
const OF_RESPONSES: std::ops::Range<usize> = 14..16;

/// The properties of messages about meetings that a request selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::graph) struct MeetingSelect(u16);

impl MeetingSelect {
    pub(in crate::graph) const ALL: Self = Self(u16::MAX);
    pub(in crate::graph) const NONE: Self = Self(0);

    /// Adds a property that is named with a cast to its type, as in `microsoft.graph.eventMessage/type`: messages in
    /// general do not have it. Returns `false` if there is no such property.
    pub(in crate::graph) fn add(&mut self, name: &str) -> bool {
        let Some((kind, property)) = name.split_once('/') else { return false };
        let own = match kind {
            "microsoft.graph.eventMessage" => 0..0,
            "microsoft.graph.eventMessageRequest" => OF_REQUESTS,
            "microsoft.graph.eventMessageResponse" => OF_RESPONSES,
            _ => return false,
        };
        let place = PROPERTY.iter().position(|known| known.eq_ignore_ascii_case(property));
        let place = place.filter(|place| OF_ALL.contains(place) || own.contains(place));
        if let Some(place) = place {
            self.0 |= 1 << place;
        }
        place.is_some()
    }
}

/// Appends the properties that a message about a meeting has in addition to those of every message.
pub(in crate::graph) fn write_properties(
    object: &mut Object<'_>,
    mail: &MeetingMail,
    out_of_date: bool,
    select: MeetingSelect,
) {
    let MeetingMail { message, previous } = mail;
    let meeting = &message.meeting;
    let own = match message.news {
        MeetingNews::Request => OF_REQUESTS,
        MeetingNews::Cancellation => 0..0,
        MeetingNews::Response(_) => OF_RESPONSES,
    };
    for place in OF_ALL.chain(own).filter(|place| select.0 & 1 << place != 0) {
        let property = PROPERTY[place];
        let value = match property {
            "meetingMessageType" => json!(message.news.message_type()),
            "type" => json!(message.kind()),
            "isOutOfDate" => json!(out_of_date),
            "isAllDay" => json!(meeting.all_day),
            "isDelegated" => json!(false),
            "startDateTime" => point(meeting.start),
            "endDateTime" => point(meeting.end),
            "location" => json!({"displayName": meeting.location}),
            "recurrence" => json!(meeting.recurrence),
            "allowNewTimeProposals" | "responseRequested" => json!(true),
            "responseType" => match message.news {
                MeetingNews::Response(response) => json!(response.name()),
                _ => Value::Null,
            },
            other => previous.get(other).cloned().unwrap_or_default(),
        };
        object.raw(property, &value.to_string());
    }
}

/// The calendar entry that a message is about, as JSON. `None` is a message that is not about a meeting.
pub(in crate::graph) fn associated(
    state: &State,
    changes: &Changes,
    mailbox: u32,
    item: &Item,
    form: IdForm,
) -> Option<Value> {
    let uid = item.meeting()?.message.uid();
    let calendar = &changes.mailboxes.get(&mailbox)?.calendar;
    let event = calendar.find(&uid).and_then(|number| Some((number, calendar.get(number)?)));
    Some(event.map_or(Value::Null, |(number, event)| identified(&state.base, form, mailbox, number, event)))
}

/// `GET …/messages/{id}/microsoft.graph.eventMessage/event`
pub(in crate::graph) fn event_of_message(
    state: &State,
    place: &Place,
    request: &GraphRequest,
    query: &Query,
) -> GraphResult {
    let mailbox = state.mailbox(&place.user)?;
    let folder = state.folder(mailbox, place.folder.as_deref())?;
    let view = EventView::of(request, query)?;
    let item = state.item(mailbox, folder, &place.id)?;
    let mail = item.meeting().ok_or_else(|| Refusal::no_segment("microsoft.graph.eventMessage"))?;
    let changes = state.changes();
    let calendar = changes.mailboxes.get(&mailbox).map(|own| &own.calendar);
    let found = calendar.and_then(|calendar| {
        let number = calendar.find(&mail.message.uid())?;
        Some((number, calendar.get(number)?))
    });
    let (number, event) = found.ok_or_else(Refusal::item_not_found)?;
    Ok(shown(state, 200, &place.user, view.show(&state.base, mailbox, number, event)))
}
