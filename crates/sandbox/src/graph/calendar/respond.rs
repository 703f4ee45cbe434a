//! How owners answer invitations, and how events are deleted and cancelled.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::attendant::process;
use super::event::Event;
use super::meeting::{Meeting, MeetingMessage, MeetingNews, MeetingResponse};
use super::outbox::{Outgoing, OutgoingKind};
use crate::graph::changes::Changes;
use crate::graph::folder::Folder;
use crate::graph::message::{Text, Written, date_time};
use crate::graph::options::Address;
use crate::graph::refusal::{GraphResult, Refusal};
use crate::graph::request::GraphRequest;
use crate::graph::response::GraphResponse;
use crate::graph::state::State;

/// The parameters of "event: accept".
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Acceptance {
    #[serde(alias = "Comment", rename = "comment")]
    _comment: Option<String>,
    #[serde(alias = "SendResponse", default = "yes")]
    send_response: bool,
}

/// The parameters of "event: tentativelyAccept" and "event: decline".
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Doubt {
    #[serde(alias = "Comment", rename = "comment")]
    _comment: Option<String>,
    #[serde(alias = "SendResponse", default = "yes")]
    send_response: bool,
    #[serde(alias = "ProposedNewTime")]
    proposed_new_time: Option<Value>,
}

/// The parameters of "event: cancel".
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Comment {
    #[serde(alias = "Comment", rename = "comment")]
    _comment: Option<String>,
}

fn yes() -> bool {
    true
}

pub(super) fn respond(
    state: &State,
    mailbox: u32,
    number: u32,
    response: MeetingResponse,
    request: &GraphRequest,
) -> GraphResult {
    let send = if response == MeetingResponse::Accepted {
        request.json::<Acceptance>()?.send_response
    } else {
        let Doubt { send_response, proposed_new_time, .. } = request.json()?;
        if proposed_new_time.is_some() && !send_response {
            return Err(invalid("A new time can only be proposed in a response that is sent."));
        }
        send_response
    };
    answer(state, &mut state.changes(), mailbox, number, response, send)?;
    Ok(GraphResponse::empty(202))
}

/// Answers an invitation.
pub(super) fn answer(
    state: &State,
    changes: &mut Changes,
    mailbox: u32,
    number: u32,
    response: MeetingResponse,
    send: bool,
) -> Result<(), Refusal> {
    let own = changes.mailboxes.entry(mailbox).or_default();
    let event = own.calendar.get_mut(number).ok_or_else(Refusal::item_not_found)?;
    if event.is_true("isOrganizer") {
        return Err(invalid(
            "Your request can't be completed. You can't respond to this meeting because you're the meeting organizer.",
        ));
    }
    let now = date_time(Utc::now().timestamp());
    event.object["responseStatus"] = json!({"response": response.name(), "time": now});
    event.object["showAs"] = json!(response.show_as());
    let event = event.clone();
    if response == MeetingResponse::Declined {
        own.calendar.remove(number);
    }
    // The request has served its purpose: it goes to Deleted Items, as in Outlook.
    let uid = event.text("iCalUId");
    let is_request = |text: &Text| matches!(text, Text::Written(written) if written.is_request_for(uid));
    let requests = own.added.values().filter(|item| item.folder == Folder::INBOX && is_request(&item.text));
    for item in requests.cloned().collect::<Vec<_>>() {
        own.relocate(item, Folder::DELETED);
    }
    if send {
        let to = event.organizer().to_owned();
        send_news(state, changes, mailbox, &event, &to, MeetingNews::Response(response));
    }
    Ok(())
}

/// Deletes an event. "If the event is a meeting, deleting the event on the organizer's calendar sends a cancellation
/// message to the meeting attendees" ("Delete event"); deleting an attendee's copy sends nothing.
pub(super) fn delete(state: &State, changes: &mut Changes, mailbox: u32, number: u32) -> Result<(), Refusal> {
    let calendar = &mut changes.mailboxes.entry(mailbox).or_default().calendar;
    let event = calendar.remove(number).ok_or_else(Refusal::item_not_found)?;
    if event.is_true("isOrganizer") {
        for attendee in event.attendees() {
            send_news(state, changes, mailbox, &event, &attendee, MeetingNews::Cancellation);
        }
    }
    Ok(())
}

pub(super) fn cancel(state: &State, mailbox: u32, number: u32, request: &GraphRequest) -> GraphResult {
    let _: Comment = request.json()?;
    let mut changes = state.changes();
    let calendar = changes.mailboxes.get(&mailbox).map(|own| &own.calendar);
    let event = calendar.and_then(|calendar| calendar.get(number)).ok_or_else(Refusal::item_not_found)?;
    if !event.is_true("isOrganizer") {
        return Err(invalid(
            "Your request can't be completed. You need to be an organizer to cancel a meeting.",
        ));
    }
    delete(state, &mut changes, mailbox, number)?;
    Ok(GraphResponse::empty(202))
}

fn invalid(message: &'static str) -> Refusal {
    Refusal::new(400, "ErrorInvalidRequest", message)
}

/// Puts a message about an event into the outbox. An answer arrives in the organizer's inbox if that is in the tenant;
/// all others only leave.
pub(super) fn send_news(
    state: &State,
    changes: &mut Changes,
    mailbox: u32,
    event: &Event,
    to: &str,
    news: MeetingNews,
) {
    let directory = &state.base.directory;
    let sender = directory.user(mailbox);
    let message = MeetingMessage { meeting: meeting_of(event), news, occurrence: None };
    changes.outbox.push(Outgoing {
        from: sender.user_principal_name.clone(),
        to: to.to_owned(),
        kind: OutgoingKind::from(news),
        subject: message.subject(),
    });
    let MeetingNews::Response(response) = news else { return };
    let Some(organizer) = directory.find_address(to).filter(|number| directory.has_mailbox(*number)) else {
        return;
    };
    let from = sender.mail.unwrap_or(sender.user_principal_name);
    let own = changes.mailboxes.entry(organizer).or_default();
    if let Some(event) = own.calendar.find(event.text("iCalUId")).and_then(|at| own.calendar.get_mut(at)) {
        for attendee in event.object["attendees"].as_array_mut().into_iter().flatten() {
            let address = attendee.pointer("/emailAddress/address").and_then(Value::as_str);
            if address.is_some_and(|address| address.eq_ignore_ascii_case(&from)) {
                attendee["status"]["response"] = json!(response.name());
            }
        }
    }
    changes.written += 1;
    let recipient = directory.user(organizer);
    let written = Written {
        subject: message.subject(),
        from: Some(Address::new(sender.display_name, from)),
        to: vec![Address::new(recipient.display_name, to)],
        number: changes.written,
        meeting: Some(Arc::new(process(&state.base, changes, organizer, message))),
        ..Written::default()
    };
    let now = Utc::now().timestamp();
    let own = changes.mailboxes.entry(organizer).or_default();
    own.add(now, Folder::INBOX, Text::Written(Arc::new(written)));
}

/// The meeting that an event is the entry of.
fn meeting_of(event: &Event) -> Meeting {
    let moment = |key: &str| {
        let text = event.object[key]["dateTime"].as_str().unwrap_or_default();
        DateTime::parse_from_rfc3339(&format!("{text}Z")).unwrap_or_default().to_utc()
    };
    let name = event.object.pointer("/organizer/emailAddress/name").and_then(Value::as_str);
    let organizer = Address::new(name.unwrap_or_default(), event.organizer());
    Meeting {
        uid: event.text("iCalUId").to_owned(),
        end: moment("end"),
        location: event.object["location"]["displayName"].as_str().unwrap_or_default().to_owned(),
        all_day: event.is_true("isAllDay"),
        recurrence: Some(event.object["recurrence"].clone()).filter(|recurrence| !recurrence.is_null()),
        ..Meeting::new("", organizer, event.text("subject"), moment("start"))
    }
}
