//! Reads and deletes calendar entries.

use serde::Deserialize;

use super::entry::{CalendarEntry, EntryText, SELECT};
use super::mark::{MeetingMark, PROPERTY};
use crate::change::ChangePermit;
use crate::client::{Client, Dispatch, SendError};
use crate::error::Error;
use crate::expected::Expected;
use crate::list::ListReader;
use crate::own_property::Properties;
use crate::path::{Path, literal};
use crate::request::Request;

/// The kinds of messages that concern a meeting (Graph page "eventMessage resource type").
const EVENT_MESSAGE: &str = "#microsoft.graph.eventMessage";
/// A listing with more pages does not end. Pages may be empty while Graph looks for matches.
const MOST_PAGES: usize = 100;
/// No meeting has more entries in one calendar. It has several where one was imported again.
const MOST_ENTRIES: usize = 100;

/// A message, and the calendar entry that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingMessage {
    /// Its id.
    pub id: String,
    /// Its `Message-ID`; a draft may have none.
    pub internet_message_id: Option<String>,
    /// When it was received, as Graph writes it.
    pub received: Option<String>,
    /// Whether it invites to a meeting, updates, cancels or answers one.
    pub is_about_meeting: bool,
    /// The entry; `None` where there is none, or none any more.
    pub entry: Option<CalendarEntry>,
    /// What the entry was that was removed.
    pub mark: Option<MeetingMark>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(default, rename = "@odata.type")]
    kind: Option<String>,
    id: String,
    #[serde(default)]
    internet_message_id: Option<String>,
    #[serde(default)]
    received_date_time: Option<String>,
    #[serde(default)]
    event: Option<CalendarEntry>,
    #[serde(default)]
    single_value_extended_properties: Properties,
}

/// Reads a message with its calendar entry (Graph page "Get eventMessage").
pub async fn read_meeting_message(
    client: &Client,
    dispatch: &Dispatch,
    mailbox: &str,
    folder: Option<&str>,
    id: &str,
) -> Result<MeetingMessage, Error> {
    let expand = format!(
        "microsoft.graph.eventMessage/event,singleValueExtendedProperties($filter=id eq {})",
        literal(PROPERTY)
    );
    let path = Path::message(mailbox, folder, id)?
        .option("$select", "id,internetMessageId,receivedDateTime")
        .option("$expand", &expand);
    let request = Request::get(path).expecting(Expected::Entity).in_mailbox(mailbox);
    let answer: Answer = client.send_by(dispatch, &request).await?.response.parse()?;
    Ok(MeetingMessage {
        mark: MeetingMark::among(&answer.single_value_extended_properties),
        is_about_meeting: answer.kind.is_some_and(|kind| kind.starts_with(EVENT_MESSAGE)),
        id: answer.id,
        internet_message_id: answer.internet_message_id,
        received: answer.received_date_time,
        entry: answer.event,
    })
}

/// Reads the text of a message, which is that of its calendar entry.
pub async fn message_text(
    client: &Client,
    dispatch: &Dispatch,
    mailbox: &str,
    id: &str,
) -> Result<EntryText, Error> {
    #[derive(Deserialize)]
    struct Message {
        body: EntryText,
    }
    let path = Path::message(mailbox, None, id)?.option("$select", "id,body");
    let request = Request::get(path).expecting(Expected::Entity).in_mailbox(mailbox);
    Ok(client.send_by(dispatch, &request).await?.response.parse::<Message>()?.body)
}

/// Reads a calendar entry.
pub async fn read_entry(
    client: &Client,
    dispatch: &Dispatch,
    mailbox: &str,
    id: &str,
) -> Result<CalendarEntry, Error> {
    let path = Path::event(mailbox, id)?.option("$select", SELECT);
    let request = Request::get(path).expecting(Expected::Entity).in_mailbox(mailbox);
    client.send_by(dispatch, &request).await?.response.parse()
}

/// Finds the entries of the meeting with this identifier: single ones and series (Graph page "List events").
pub async fn entries_of_meeting(
    client: &Client,
    dispatch: &Dispatch,
    mailbox: &str,
    uid: &str,
) -> Result<Vec<CalendarEntry>, Error> {
    let path = Path::user(mailbox)?
        .then("events")
        .option("$select", SELECT)
        .option("$filter", &format!("iCalUId eq {}", literal(uid)));
    let mut lists = ListReader::new(client, mailbox, MOST_PAGES).by(dispatch);
    let entries = lists.read::<CalendarEntry, MOST_ENTRIES>(path).await?;
    // A filter that Graph did not apply would make each entry one of the meeting.
    Ok(entries.into_iter().filter(|entry| entry.uid.eq_ignore_ascii_case(uid)).collect())
}

/// Which request deleted an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletedEntry {
    /// One of these.
    ByUs,
    /// It was not there.
    WasGone,
}

/// Deletes an entry, which must not be the organizer's own. An attendee's entry goes without a message to anyone.
pub async fn delete_entry(
    client: &Client,
    dispatch: &Dispatch,
    mailbox: &str,
    id: &str,
    permit: &(impl ChangePermit + ?Sized),
) -> Result<DeletedEntry, Error> {
    let request = Request::delete(Path::event(mailbox, id)?, permit).in_mailbox(mailbox);
    match client.send_by(dispatch, &request).await {
        Ok(_) => Ok(DeletedEntry::ByUs),
        Err(SendError { error, repeated }) if error.is_item_gone() => {
            Ok(if repeated { DeletedEntry::ByUs } else { DeletedEntry::WasGone })
        }
        Err(SendError { error, .. }) if error.is_indeterminate() => {
            match read_entry(client, dispatch, mailbox, id).await {
                Err(gone) if gone.is_item_gone() => Ok(DeletedEntry::ByUs),
                _ => Err(error),
            }
        }
        Err(failed) => Err(failed.error),
    }
}
