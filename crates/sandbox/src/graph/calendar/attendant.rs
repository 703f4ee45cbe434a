//! The Calendar Attendant, which keeps a calendar up to date as messages about meetings arrive: "Outlook automatically
//! creates an event instance in the invitee's calendar, with the showAs property as tentative" ("eventMessage resource
//! type").

use serde_json::{Map, Value, json};

use super::create::{point, web_link};
use super::event::{Calendar, Event};
use super::meeting::{Meeting, MeetingMessage, MeetingNews};
use crate::graph::base::Base;
use crate::graph::changes::Changes;
use crate::graph::directory::User;
use crate::graph::extended_property::Properties;
use crate::graph::message::{Text, date_time};
use crate::graph::rng::hash;

/// A message about a meeting as it lies in a mailbox.
#[derive(Debug)]
pub(in crate::graph) struct MeetingMail {
    pub(in crate::graph) message: MeetingMessage,
    /// What an update changed, by the names of the message's properties.
    pub(super) previous: Map<String, Value>,
}

/// Processes a message that arrives in a mailbox, whatever folder it arrives in: no page excludes junk. Earlier
/// requests for the same meeting are out of date then.
pub(in crate::graph) fn process(
    base: &Base,
    changes: &mut Changes,
    mailbox: u32,
    message: MeetingMessage,
) -> MeetingMail {
    let own = changes.mailboxes.entry(mailbox).or_default();
    let uid = message.uid();
    if message.news == MeetingNews::Request {
        for item in own.added.values_mut() {
            let earlier = matches!(&item.text, Text::Written(written) if written.is_request_for(&uid));
            item.marks.out_of_date |= earlier;
        }
    }
    let owner = base.directory.user(mailbox);
    let previous = if own.calendar.unattended {
        Map::new()
    } else {
        match message.news {
            MeetingNews::Request => invited(base, &mut own.calendar, mailbox, &owner, &message),
            MeetingNews::Cancellation => cancelled(&mut own.calendar, &message),
            MeetingNews::Response(_) => Map::new(),
        }
    };
    MeetingMail { message, previous }
}

/// Enters a meeting, or brings its entry up to date. Returns what an update changed.
fn invited(
    base: &Base,
    calendar: &mut Calendar,
    mailbox: u32,
    owner: &User,
    message: &MeetingMessage,
) -> Map<String, Value> {
    let uid = message.uid();
    let meeting = &message.meeting;
    let Some(number) = calendar.find(&uid) else {
        // An update brings an entry back that its owner deleted.
        let master = message.occurrence.and_then(|_| calendar.find(&meeting.uid));
        calendar.add(base, mailbox, |id| Event {
            object: entry(base, owner, &id, &uid, message, master.is_some()),
            id,
            transaction_id: None,
            asked: Map::new(),
            master,
            properties: Properties::default(),
        });
        return Map::new();
    };
    let mut previous = Map::new();
    let Some(event) = calendar.get_mut(number).filter(|event| !event.is_true("isOrganizer")) else {
        return previous;
    };
    let now = [
        ("start", "previousStartDateTime", point(meeting.start)),
        ("end", "previousEndDateTime", point(meeting.end)),
        ("location", "previousLocation", json!({"displayName": meeting.location})),
    ];
    for (key, name, value) in now {
        let before = event.object[key].clone();
        if before != value {
            // The answer was to another time.
            if key != "location" {
                event.object["responseStatus"] = not_responded();
                event.object["showAs"] = json!("tentative");
            }
            event.object[key] = value;
            previous.insert(name.to_owned(), before);
        }
    }
    event.object["locations"] = json!([event.object["location"]]);
    event.object["subject"] = json!(meeting.subject);
    event.object["body"] = body(meeting);
    event.object["bodyPreview"] = json!(meeting.body);
    event.object["isCancelled"] = json!(false);
    event.object["recurrence"] = json!(meeting.recurrence);
    previous
}

/// Marks the entry of a meeting as cancelled. It stays until its owner removes it.
fn cancelled(calendar: &mut Calendar, message: &MeetingMessage) -> Map<String, Value> {
    let number = calendar.find(&message.uid());
    if let Some(event) = number.and_then(|number| calendar.get_mut(number))
        && !event.is_true("isOrganizer")
    {
        event.object["isCancelled"] = json!(true);
        event.object["subject"] = json!(message.subject());
        event.object["showAs"] = json!("free");
    }
    Map::new()
}

fn not_responded() -> Value {
    json!({"response": "notResponded", "time": "0001-01-01T00:00:00Z"})
}

fn body(meeting: &Meeting) -> Value {
    let text = meeting.body.replace('&', "&amp;").replace('<', "&lt;");
    json!({"contentType": "html", "content": format!("<html><head></head><body><p>{text}</p></body></html>")})
}

/// An attendee's entry.
fn entry(base: &Base, owner: &User, id: &str, uid: &str, message: &MeetingMessage, in_series: bool) -> Value {
    let meeting = &message.meeting;
    let address = owner.mail.as_deref().unwrap_or(&owner.user_principal_name);
    let now = date_time(base.generator.now);
    let change_key = format!("{:016X}{:016X}", hash(1, id), hash(2, uid));
    let organizer =
        json!({"emailAddress": {"name": meeting.organizer.name, "address": meeting.organizer.address}});
    let attendee = |name: &str, address: &str, response: &str| {
        json!({
            "type": "required",
            "status": {"response": response, "time": "0001-01-01T00:00:00Z"},
            "emailAddress": {"name": name, "address": address},
        })
    };
    // An attendee of one occurrence does not know the series.
    let kind = if message.occurrence.is_some() && !in_series { "singleInstance" } else { message.kind() };
    let location = json!({"displayName": meeting.location});
    json!({
        "@odata.etag": format!("W/\"{change_key}\""),
        "id": id,
        "createdDateTime": now,
        "lastModifiedDateTime": now,
        "changeKey": change_key,
        "categories": [],
        "transactionId": null,
        "originalStartTimeZone": "UTC",
        "originalEndTimeZone": "UTC",
        "iCalUId": uid,
        "reminderMinutesBeforeStart": meeting.reminder_minutes,
        "isReminderOn": true,
        "hasAttachments": false,
        "subject": meeting.subject,
        "bodyPreview": meeting.body,
        "importance": "normal",
        "sensitivity": "normal",
        "isAllDay": meeting.all_day,
        "isCancelled": false,
        "isOrganizer": false,
        "responseRequested": true,
        "seriesMasterId": null,
        "showAs": "tentative",
        "type": kind,
        "webLink": web_link(id),
        "onlineMeetingUrl": null,
        "isOnlineMeeting": false,
        "onlineMeetingProvider": "unknown",
        "allowNewTimeProposals": true,
        "responseStatus": not_responded(),
        "body": body(meeting),
        "start": point(meeting.start),
        "end": point(meeting.end),
        "location": location,
        "locations": [location],
        "recurrence": meeting.recurrence,
        "attendees": [
            attendee(&meeting.organizer.name, &meeting.organizer.address, "none"),
            attendee(&owner.display_name, address, "none"),
        ],
        "organizer": organizer,
        "onlineMeeting": null,
    })
}
