//! "Create event": once for each `transactionId`, refused where Outlook would refuse it.

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use super::event::Event;
use super::meeting::{MeetingNews, global_object_id};
use super::respond::send_news;
use super::shown;
use super::view::EventView;
use crate::graph::extended_property::Properties;
use crate::graph::message::date_time;
use crate::graph::query::{Query, encode};
use crate::graph::refusal::{GraphResult, Refusal};
use crate::graph::request::GraphRequest;
use crate::graph::rng::mix;
use crate::graph::state::State;
use crate::graph::zones;

/// How Outlook writes the time of an event.
const DATE_TIME: &str = "%Y-%m-%dT%H:%M:%S.0000000";

/// Creates an event and sends an invitation to each attendee. The invitations are in the outbox; they do not arrive in
/// mailboxes of the tenant.
pub(in crate::graph) fn create(state: &State, user: &str, request: &GraphRequest) -> GraphResult {
    let mailbox = state.mailbox(user)?;
    let mut asked: Map<String, Value> = request.json()?;
    let properties =
        asked.remove("singleValueExtendedProperties").map(stated).transpose()?.unwrap_or_default();
    let transaction_id = asked.get("transactionId").and_then(Value::as_str).map(str::to_owned);
    let times = check(&asked)?;
    let view = EventView::of(request, &Query::default())?;
    let owner = state.base.directory.user(mailbox);
    let mut changes = state.changes();
    let calendar = &mut changes.mailboxes.entry(mailbox).or_default().calendar;
    let known =
        calendar.iter().find(|(_, event)| transaction_id.is_some() && event.transaction_id == transaction_id);
    if let Some((number, event)) = known {
        if event.asked != asked {
            return Err(Refusal::new(
                409,
                "ErrorDuplicateTransactionId",
                "Your request can't be completed. The TransactionId specified in the request has already been used \
                 to create a different event.",
            ));
        }
        return Ok(shown(state, 201, &owner.id, view.show(&state.base, mailbox, number, event)));
    }
    let uid = global_object_id(mix(state.base.generator.seed, mailbox.into(), calendar.next().into()));
    let organizer = owner.mail.as_deref().unwrap_or(&owner.user_principal_name);
    let organizer = json!({"emailAddress": {"name": owner.display_name, "address": organizer}});
    let (number, event) = calendar.add(&state.base, mailbox, |id| Event {
        object: object(&asked, times, &id, &uid, &organizer, &date_time(state.base.generator.now)),
        id,
        transaction_id,
        asked,
        master: None,
        properties,
    });
    let event = event.clone();
    for attendee in event.attendees() {
        send_news(state, &mut changes, mailbox, &event, &attendee, MeetingNews::Request);
    }
    Ok(shown(state, 201, &owner.id, view.show(&state.base, mailbox, number, &event)))
}

/// What of an event must be right, and what of it exists ("event resource type").
fn check(asked: &Map<String, Value>) -> Result<[DateTime<Utc>; 2], Refusal> {
    const KNOWN: [&str; 21] = [
        "subject",
        "body",
        "start",
        "end",
        "location",
        "locations",
        "attendees",
        "transactionId",
        "isOnlineMeeting",
        "onlineMeetingProvider",
        "allowNewTimeProposals",
        "importance",
        "sensitivity",
        "showAs",
        "isAllDay",
        "isReminderOn",
        "reminderMinutesBeforeStart",
        "responseRequested",
        "hideAttendees",
        "categories",
        "recurrence",
    ];
    // Annotations such as `@odata.type` are not properties; Microsoft's clients send them.
    let unknown = |key: &&String| !key.starts_with("@odata.") && !KNOWN.contains(&key.as_str());
    if let Some(unknown) = asked.keys().find(unknown) {
        return Err(Refusal::bad_request(format!(
            "The property '{unknown}' does not exist on type 'microsoft.graph.event'."
        )));
    }
    let (start, end) = (moment(asked.get("start"), "start")?, moment(asked.get("end"), "end")?);
    if start > end {
        return Err(Refusal::new(
            400,
            "ErrorCalendarEndDateIsEarlierThanStartDate",
            "The EndDate is earlier than the StartDate.",
        ));
    }
    for attendee in asked.get("attendees").and_then(Value::as_array).into_iter().flatten() {
        let address = attendee.pointer("/emailAddress/address").and_then(Value::as_str).unwrap_or_default();
        // Graph accepts an attendee without an address, and sends no invitation for it.
        if !address.trim().is_empty() && !address.contains('@') {
            return Err(Refusal::invalid_recipients());
        }
        let kind = attendee.get("type").and_then(Value::as_str).unwrap_or("required");
        if !["required", "optional", "resource"].contains(&kind) {
            return Err(Refusal::bad_request(format!(
                "Requested value '{kind}' was not found in microsoft.graph.attendeeType."
            )));
        }
    }
    if asked.get("recurrence").is_some_and(|recurrence| !is_recurrence(recurrence)) {
        return Err(Refusal::new(
            400,
            "ErrorPropertyValidationFailure",
            "At least one property failed validation: Recurrence.",
        ));
    }
    if let Some(kind) = asked.get("body").and_then(|body| body.get("contentType")).and_then(Value::as_str)
        && !["html", "text"].contains(&kind.to_ascii_lowercase().as_str())
    {
        return Err(Refusal::bad_request(format!(
            "Requested value '{kind}' was not found in microsoft.graph.bodyType."
        )));
    }
    Ok([start, end])
}

/// Whether it is null, or a `patternedRecurrence` with its two parts.
fn is_recurrence(value: &Value) -> bool {
    let text = |pointer: &str| value.pointer(pointer).is_some_and(Value::is_string);
    value.is_null() || ["/pattern/type", "/range/type", "/range/startDate"].into_iter().all(text)
}

fn stated(properties: Value) -> Result<Properties, Refusal> {
    let stated = serde_json::from_value(properties)
        .map_err(|_| Refusal::bad_request("Unable to read the singleValueExtendedProperties."))?;
    Properties::of(stated)
}

/// Reads a `dateTimeTimeZone`: a local time without an offset, and a time zone that Outlook accepts.
fn moment(value: Option<&Value>, key: &str) -> Result<DateTime<Utc>, Refusal> {
    let invalid = || {
        Refusal::new(
            400,
            "ErrorPropertyValidationFailure",
            format!("At least one property failed validation: {key}."),
        )
    };
    let value = value.ok_or_else(invalid)?;
    let zone = value.get("timeZone").and_then(Value::as_str).unwrap_or("UTC");
    let zone = zones::named(zone).ok_or_else(|| unknown_zone(zone))?;
    let text = value.get("dateTime").and_then(Value::as_str).ok_or_else(invalid)?;
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").map_err(|_| invalid())?;
    Ok(zones::to_utc(local, zone))
}

fn unknown_zone(zone: &str) -> Refusal {
    let message = format!(
        "A valid TimeZone value must be specified. The following TimeZone value is not supported: '{zone}'."
    );
    Refusal::new(400, "TimeZoneNotSupportedException", message)
}

/// The zone that a request prefers for the times of its response.
pub(super) fn response_zone(request: &GraphRequest) -> Result<Option<(String, Tz)>, Refusal> {
    let Some(name) = request.preference("outlook.timezone") else { return Ok(None) };
    let zone = zones::named(&name).ok_or_else(|| unknown_zone(&name))?;
    Ok(Some((name, zone)))
}

/// An event as a response shows it: with its times in UTC, unless the request prefers a zone ("event resource type":
/// "By default, the start time is in UTC").
pub(super) fn in_zone(event: &Value, zone: Option<&(String, Tz)>) -> Value {
    let mut event = event.clone();
    if let Some((name, zone)) = zone {
        for key in ["start", "end"] {
            if let Ok(moment) = moment(event.get(key), key) {
                event[key] = json!({
                    "dateTime": moment.with_timezone(zone).format(DATE_TIME).to_string(),
                    "timeZone": name,
                });
            }
        }
    }
    event
}

fn object(
    asked: &Map<String, Value>,
    [start, end]: [DateTime<Utc>; 2],
    id: &str,
    uid: &str,
    organizer: &Value,
    now: &str,
) -> Value {
    let given = |key: &str, otherwise: Value| asked.get(key).cloned().unwrap_or(otherwise);
    let zone =
        |key: &str| asked.get(key).and_then(|point| point.get("timeZone")).cloned().unwrap_or(json!("UTC"));
    let attendees: Vec<Value> = asked
        .get("attendees")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|attendee| {
            let address = attendee.pointer("/emailAddress/address").cloned().unwrap_or_default();
            let name = attendee.pointer("/emailAddress/name").cloned().unwrap_or_else(|| address.clone());
            json!({
                "type": attendee.get("type").cloned().unwrap_or(json!("required")),
                "status": {"response": "none", "time": "0001-01-01T00:00:00Z"},
                "emailAddress": {"name": name, "address": address},
            })
        })
        .collect();
    let body = given("body", json!({"contentType": "html", "content": ""}));
    let preview = body.get("content").cloned().unwrap_or_default();
    let location = given("location", json!({"displayName": ""}));
    let recurrence = given("recurrence", Value::Null);
    let change_key = uid.get(80..).unwrap_or_default();
    json!({
        "@odata.etag": format!("W/\"{change_key}\""),
        "id": id,
        "createdDateTime": now,
        "lastModifiedDateTime": now,
        "changeKey": change_key,
        "categories": given("categories", json!([])),
        "transactionId": given("transactionId", Value::Null),
        "originalStartTimeZone": zone("start"),
        "originalEndTimeZone": zone("end"),
        "iCalUId": uid,
        "reminderMinutesBeforeStart": given("reminderMinutesBeforeStart", json!(15)),
        "isReminderOn": given("isReminderOn", json!(true)),
        "hasAttachments": false,
        "subject": given("subject", json!("")),
        "bodyPreview": preview,
        "importance": given("importance", json!("normal")),
        "sensitivity": given("sensitivity", json!("normal")),
        "isAllDay": given("isAllDay", json!(false)),
        "isCancelled": false,
        "isOrganizer": true,
        "responseRequested": given("responseRequested", json!(true)),
        "seriesMasterId": null,
        "showAs": given("showAs", json!("busy")),
        "type": if recurrence.is_null() { "singleInstance" } else { "seriesMaster" },
        "webLink": web_link(id),
        "onlineMeetingUrl": null,
        "isOnlineMeeting": given("isOnlineMeeting", json!(false)),
        "onlineMeetingProvider": given("onlineMeetingProvider", json!("unknown")),
        "allowNewTimeProposals": given("allowNewTimeProposals", json!(true)),
        "responseStatus": {"response": "organizer", "time": "0001-01-01T00:00:00Z"},
        "body": body,
        "start": point(start),
        "end": point(end),
        "location": location,
        "locations": [location],
        "recurrence": recurrence,
        "attendees": attendees,
        "organizer": organizer,
        "onlineMeeting": null,
    })
}

/// A moment as Graph writes it in an event: in UTC.
pub(super) fn point(moment: DateTime<Utc>) -> Value {
    json!({"dateTime": moment.format(DATE_TIME).to_string(), "timeZone": "UTC"})
}

/// The URL at which a browser shows the event.
pub(super) fn web_link(id: &str) -> String {
    format!("https://outlook.office365.com/owa/?itemid={}&exvsurl=1&path=/calendar/item", encode(id))
}
