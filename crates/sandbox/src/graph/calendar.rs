//! Events: created once for each `transactionId`, refused where Outlook would refuse them.

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use super::changes::Event;
use super::identifier::{Ids, Key};
use super::message::date_time;
use super::query::encode;
use super::refusal::{GraphResult, Refusal};
use super::request::GraphRequest;
use super::response::GraphResponse;
use super::rng::{guid, mix};
use super::state::State;
use super::zones;

/// How Outlook writes the time of an event.
const DATE_TIME: &str = "%Y-%m-%dT%H:%M:%S.0000000";

pub(super) fn create(state: &State, user: &str, request: &GraphRequest) -> GraphResult {
    let mailbox = state.mailbox(user)?;
    let asked: Map<String, Value> = request.json()?;
    let transaction_id = asked.get("transactionId").and_then(Value::as_str).map(str::to_owned);
    let times = check(&asked)?;
    let zone = response_zone(request)?;
    let owner = state.base.directory.user(mailbox);
    let mut changes = state.changes();
    let events = &mut changes.mailboxes.entry(mailbox).or_default().events;
    let known =
        events.iter().find(|event| transaction_id.is_some() && event.transaction_id == transaction_id);
    let event = if let Some(event) = known {
        if event.asked != asked {
            return Err(Refusal::new(
                409,
                "ErrorDuplicateTransactionId",
                "Your request can't be completed. The TransactionId specified in the request has already been used \
                 to create a different event.",
            ));
        }
        event.clone()
    } else {
        let nth = u32::try_from(events.len()).unwrap_or(u32::MAX);
        let seed = state.base.generator.seed;
        let ids = Ids { seed: mix(seed, 0xE4E7, 0), ..state.base.ids };
        let id = ids.message(mailbox, Key::Added(nth));
        let organizer = owner.mail.as_deref().unwrap_or(&owner.user_principal_name);
        let organizer = json!({"emailAddress": {"name": owner.display_name, "address": organizer}});
        let uid = guid(mix(seed, mailbox.into(), nth.into()), mix(seed, nth.into(), mailbox.into()));
        let object = object(&asked, times, &id, &uid, &organizer, &date_time(state.base.generator.now));
        let event = Event { id, transaction_id, object, asked };
        events.push(event.clone());
        event
    };
    drop(changes);
    let context =
        format!("{}/$metadata#users('{}')/calendar/events/$entity", state.base.root, encode(&owner.id));
    let mut body = Map::from_iter([("@odata.context".to_owned(), Value::String(context))]);
    if let Value::Object(object) = in_zone(&event.object, zone.as_ref()) {
        body.extend(object);
    }
    Ok(GraphResponse::json(201, Value::Object(body).to_string()))
}

pub(super) fn list(state: &State, user: &str, request: &GraphRequest) -> GraphResult {
    let mailbox = state.mailbox(user)?;
    let zone = response_zone(request)?;
    let changes = state.changes();
    let events: Vec<Value> = changes
        .mailboxes
        .get(&mailbox)
        .map(|changed| changed.events.iter().map(|event| in_zone(&event.object, zone.as_ref())).collect())
        .unwrap_or_default();
    let context = format!("{}/$metadata#users('{}')/calendar/events", state.base.root, encode(user));
    Ok(GraphResponse::json(200, json!({"@odata.context": context, "value": events}).to_string()))
}

/// What of an event must be right, and what of it exists ("event resource type").
fn check(asked: &Map<String, Value>) -> Result<[DateTime<Utc>; 2], Refusal> {
    const KNOWN: [&str; 20] = [
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
    if let Some(kind) = asked.get("body").and_then(|body| body.get("contentType")).and_then(Value::as_str)
        && !["html", "text"].contains(&kind.to_ascii_lowercase().as_str())
    {
        return Err(Refusal::bad_request(format!(
            "Requested value '{kind}' was not found in microsoft.graph.bodyType."
        )));
    }
    Ok([start, end])
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
fn response_zone(request: &GraphRequest) -> Result<Option<(String, Tz)>, Refusal> {
    let Some(name) = request.preference("outlook.timezone") else { return Ok(None) };
    let zone = zones::named(&name).ok_or_else(|| unknown_zone(&name))?;
    Ok(Some((name, zone)))
}

/// An event as a response shows it: with its times in UTC, unless the request prefers a zone ("event resource type":
/// "By default, the start time is in UTC").
fn in_zone(event: &Value, zone: Option<&(String, Tz)>) -> Value {
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
    json!({
        "@odata.etag": format!("W/\"{}\"", uid.replace('-', "")),
        "id": id,
        "createdDateTime": now,
        "lastModifiedDateTime": now,
        "changeKey": uid.replace('-', ""),
        "categories": given("categories", json!([])),
        "transactionId": given("transactionId", Value::Null),
        "originalStartTimeZone": zone("start"),
        "originalEndTimeZone": zone("end"),
        "iCalUId": format!("040000008200E00074C5B7101A82E008{}", uid.replace('-', "").to_uppercase()),
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
        "type": "singleInstance",
        "webLink": format!("https://outlook.office365.com/owa/?itemid={}&exvsurl=1&path=/calendar/item", encode(id)),
        "onlineMeetingUrl": null,
        "isOnlineMeeting": given("isOnlineMeeting", json!(false)),
        "onlineMeetingProvider": given("onlineMeetingProvider", json!("unknown")),
        "allowNewTimeProposals": given("allowNewTimeProposals", json!(true)),
        "responseStatus": {"response": "organizer", "time": "0001-01-01T00:00:00Z"},
        "body": body,
        "start": {"dateTime": start.format(DATE_TIME).to_string(), "timeZone": "UTC"},
        "end": {"dateTime": end.format(DATE_TIME).to_string(), "timeZone": "UTC"},
        "location": location,
        "locations": [location],
        "recurrence": null,
        "attendees": attendees,
        "organizer": organizer,
        "onlineMeeting": null,
    })
}
