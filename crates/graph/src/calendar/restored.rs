//! Entries that take the place of removed ones: appointments without attendees, so nothing is sent.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::entry::{EntryDetails, EntryText, Location, ZonedTime};
use crate::change::ChangePermit;
use crate::client::{Client, Dispatch};
use crate::error::{Effect, Error};
use crate::expected::Expected;
use crate::list::ListReader;
use crate::own_property::{Properties, property};
use crate::path::{Path, literal};
use crate::request::Request;

/// The identifier of the meeting that an entry takes the place of.
const PROPERTY: &str = property!("fn-exchange-online-restored-meeting");
/// A listing with more pages does not end. Pages may be empty while Graph looks for matches.
const MOST_PAGES: usize = 100;
/// No meeting has more entries in one calendar.
const MOST_ENTRIES: usize = 100;

/// An entry that takes the place of a removed one.
#[derive(Debug)]
pub struct NewEntry<'a> {
    /// The identifier of the removed one.
    pub uid: &'a str,
    /// Graph creates one entry for one such id.
    pub transaction_id: Uuid,
    /// What it says.
    pub details: &'a EntryDetails,
    /// When it starts and ends, in the zone that it is to have.
    pub times: [ZonedTime; 2],
    /// Its text.
    pub text: Option<&'a EntryText>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Asked<'a> {
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a EntryText>,
    start: &'a ZonedTime,
    end: &'a ZonedTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<&'a Location>,
    is_all_day: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    recurrence: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reminder_minutes_before_start: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_reminder_on: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    show_as: Option<&'a str>,
    categories: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    importance: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sensitivity: Option<&'a str>,
    transaction_id: String,
    single_value_extended_properties: [Property<'a>; 1],
}

#[derive(Serialize)]
struct Property<'a> {
    id: &'static str,
    value: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    id: String,
    #[serde(default)]
    single_value_extended_properties: Properties,
}

/// Creates the entry, and returns its id.
pub async fn create_entry(
    client: &Client,
    dispatch: &Dispatch,
    mailbox: &str,
    new: &NewEntry<'_>,
    permit: &(impl ChangePermit + ?Sized),
) -> Result<String, Error> {
    let NewEntry { uid, transaction_id, details, times: [start, end], text } = new;
    let asked = Asked {
        subject: details.subject.as_deref().unwrap_or_default(),
        body: *text,
        start,
        end,
        location: details.location.as_ref(),
        is_all_day: details.is_all_day,
        recurrence: details.recurrence.as_ref(),
        reminder_minutes_before_start: details.reminder_minutes_before_start,
        is_reminder_on: details.is_reminder_on,
        show_as: details.show_as.as_deref(),
        categories: &details.categories,
        importance: details.importance.as_deref(),
        sensitivity: details.sensitivity.as_deref(),
        transaction_id: transaction_id.to_string(),
        single_value_extended_properties: [Property { id: PROPERTY, value: uid }],
    };
    let body = serde_json::to_vec(&asked).unwrap_or_default();
    let path = Path::user(mailbox)?.then("events");
    let request =
        Request::post(path, body.into(), permit).idempotent().expecting(Expected::Entity).in_mailbox(mailbox);
    let created = client.send_by(dispatch, &request).await?.response.parse::<Created>();
    created.map(|created| created.id).map_err(|error| error.with_effect(Effect::Indeterminate))
}

/// Finds the entries that took the place of the removed one with this identifier.
pub async fn restored_entries(
    client: &Client,
    dispatch: &Dispatch,
    mailbox: &str,
    uid: &str,
) -> Result<Vec<String>, Error> {
    let filter = format!(
        "singleValueExtendedProperties/Any(ep: ep/id eq {} and ep/value eq {})",
        literal(PROPERTY),
        literal(uid)
    );
    let path = Path::user(mailbox)?
        .then("events")
        .option("$select", "id")
        .option("$filter", &filter)
        .option("$expand", &format!("singleValueExtendedProperties($filter=id eq {})", literal(PROPERTY)));
    let mut lists = ListReader::new(client, mailbox, MOST_PAGES).by(dispatch);
    let entries = lists.read::<Created, MOST_ENTRIES>(path).await?;
    let is_it = |entry: &Created| {
        let value = entry.single_value_extended_properties.value(PROPERTY);
        value.is_some_and(|value| value.eq_ignore_ascii_case(uid))
    };
    // A filter that Graph did not apply would make each entry a restored one.
    Ok(entries.into_iter().filter(is_it).map(|entry| entry.id).collect())
}
