//! Calendars: events of organizers and of attendees, the messages about meetings, and what leaves a mailbox.

mod attendant;
mod create;
mod event;
mod event_message;
mod meeting;
mod outbox;
mod owner;
mod respond;
mod transfer;
mod view;

use serde_json::{Map, Value, json};

pub(super) use self::attendant::{MeetingMail, process};
pub(super) use self::create::create;
pub(super) use self::event::Calendar;
pub use self::event::Event;
pub(super) use self::event_message::{MeetingSelect, associated, event_of_message, write_properties};
pub use self::meeting::{Meeting, MeetingMessage, MeetingNews, MeetingResponse};
pub use self::outbox::{Outgoing, OutgoingKind};
pub use self::owner::CalendarEntry;
pub(super) use self::transfer::{export, import};
pub(super) use self::view::EventFilter;
use self::view::EventView;
use super::faults::Faults;
use super::listing::next_link;
use super::path::EventPart;
use super::query::{Query, encode};
use super::refusal::{GraphResult, Refusal};
use super::request::GraphRequest;
use super::response::GraphResponse;
use super::state::State;

/// Page sizes of "List events".
const DEFAULT_PAGE: usize = 10;
const LARGEST_PAGE: usize = 1_000;

/// "The list contains single instance meetings and series masters" ("List events").
pub(super) fn list(
    state: &State,
    faults: &Faults,
    user: &str,
    request: &GraphRequest,
    query: &Query,
) -> GraphResult {
    let mailbox = state.mailbox(user)?;
    let view = EventView::of(request, query)?;
    let filter = query.filter.as_deref().map(EventFilter::parse).transpose()?;
    if query.search.is_some() || query.order_by.is_some() {
        return Err(Refusal::bad_request("This sandbox knows no $search and no $orderby of events."));
    }
    let top = faults.page(query.page_size(DEFAULT_PAGE, LARGEST_PAGE)?);
    let skipped = query.skip.unwrap_or(0);
    let changes = state.changes();
    let events: Vec<_> = changes
        .mailboxes
        .get(&mailbox)
        .into_iter()
        .flat_map(|own| own.calendar.iter())
        .filter(|(_, event)| ["singleInstance", "seriesMaster"].contains(&event.text("type")))
        .filter(|(_, event)| filter.as_ref().is_none_or(|filter| filter.holds(event)))
        .collect();
    let next = faults.next_page(top, skipped, events.len());
    let page = events.into_iter().skip(skipped).take(top);
    let value: Vec<Value> =
        page.map(|(number, event)| Value::Object(view.show(&state.base, mailbox, number, event))).collect();
    let context = format!("{}/$metadata#users('{}')/calendar/events", state.base.root, encode(user));
    let mut answer = json!({"@odata.context": context, "value": value});
    if let Some(offset) = next {
        answer["@odata.nextLink"] = json!(next_link(state, &request.path, query, offset));
    }
    Ok(GraphResponse::json(200, answer.to_string()))
}

/// A request to one event.
pub(super) fn event(
    state: &State,
    faults: &Faults,
    user: &str,
    id: &str,
    part: EventPart,
    request: &GraphRequest,
    query: &Query,
) -> GraphResult {
    let mailbox = state.mailbox(user)?;
    let number = event::number(&state.base, mailbox, id)?;
    match part {
        EventPart::Itself if request.method == axum::http::Method::GET => {
            let view = EventView::of(request, query)?;
            let changes = state.changes();
            let calendar = changes.mailboxes.get(&mailbox).map(|own| &own.calendar);
            let event =
                calendar.and_then(|calendar| calendar.get(number)).ok_or_else(Refusal::item_not_found)?;
            Ok(shown(state, 200, user, view.show(&state.base, mailbox, number, event)))
        }
        EventPart::PermanentDelete if faults.is_national() => Err(Refusal::no_segment("permanentDelete")),
        // Whether `permanentDelete` of an organizer's event sends cancellations is not documented. Here it does.
        EventPart::Itself | EventPart::PermanentDelete => {
            respond::delete(state, &mut state.changes(), mailbox, number)?;
            Ok(GraphResponse::empty(204))
        }
        EventPart::Respond(response) => respond::respond(state, mailbox, number, response, request),
        EventPart::Cancel => respond::cancel(state, mailbox, number, request),
    }
}

/// The response that shows one event.
fn shown(state: &State, status: u16, user: &str, event: Map<String, Value>) -> GraphResponse {
    let context = format!("{}/$metadata#users('{}')/calendar/events/$entity", state.base.root, encode(user));
    let mut body = Map::from_iter([("@odata.context".to_owned(), Value::String(context))]);
    body.extend(event);
    GraphResponse::json(status, Value::Object(body).to_string())
}
