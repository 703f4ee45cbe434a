//! Reads, lists, moves and changes messages as far as their removal and their restoration need it.

use serde_json::json;

use super::mark::{Mark, PROPERTY};
use super::state::{Answer, MessageState, StateChange};
use crate::calendar::MEETING_PROPERTY;
use crate::change::ChangePermit;
use crate::client::{Client, Dispatch, SendError};
use crate::error::{Effect, Error};
use crate::expected::Expected;
use crate::list::ListReader;
use crate::path::{Path, literal};
use crate::request::Request;

/// The properties that are read.
const SELECT: &str =
    "id,parentFolderId,isRead,flag,categories,internetMessageId,receivedDateTime,subject,from";
/// Messages on one page.
const PAGE: &str = "250";
/// A listing with more pages does not end. Pages may be empty while Graph looks for matches.
const MOST_PAGES: usize = 1000;
/// No job has more messages in one mailbox.
const MOST_MARKED: usize = 100_000;

/// Reads the state of a message.
pub async fn read_state(
    client: &Client,
    dispatch: &Dispatch,
    mailbox: &str,
    folder: Option<&str>,
    id: &str,
) -> Result<MessageState, Error> {
    let path = with_state(Path::message(mailbox, folder, id)?);
    let request = Request::get(path).expecting(Expected::Entity).in_mailbox(mailbox);
    let answer = client.send_by(dispatch, &request).await.map_err(|SendError { error, .. }| error)?;
    Ok(answer.response.parse::<Answer>()?.into())
}

/// Asks for the state of what is at `path`.
fn with_state(path: Path) -> Path {
    let expand = format!(
        "singleValueExtendedProperties($filter=id eq {} or id eq {})",
        literal(PROPERTY),
        literal(MEETING_PROPERTY)
    );
    path.option("$select", SELECT).option("$expand", &expand)
}

/// Lists the messages with the mark of `job`, in one folder of a mailbox or in all of it.
pub async fn marked_messages(
    client: &Client,
    dispatch: &Dispatch,
    mailbox: &str,
    folder: Option<&str>,
    job: &str,
) -> Result<Vec<MessageState>, Error> {
    let filter = format!(
        "singleValueExtendedProperties/Any(ep: ep/id eq {} and contains(ep/value, {}))",
        literal(PROPERTY),
        literal(job)
    );
    let path = with_state(Path::messages(mailbox, folder)?).option("$filter", &filter).option("$top", PAGE);
    let mut lists = ListReader::new(client, mailbox, MOST_PAGES).by(dispatch);
    let messages = lists.read::<Answer, MOST_MARKED>(path).await?;
    // The filter finds the job anywhere in the mark, and Graph may not apply it.
    let is_of_job = |state: &MessageState| state.mark.as_ref().is_some_and(|mark| mark.job == job);
    Ok(messages.into_iter().map(MessageState::from).filter(is_of_job).collect())
}

/// Moves a message to the folder `to`, from the folder `from` where it is given, and returns its state there. The
/// request is not sent again once it may have reached Graph.
pub async fn move_message(
    client: &Client,
    dispatch: &Dispatch,
    mailbox: &str,
    (id, from): (&str, Option<&str>),
    to: &str,
    permit: &(impl ChangePermit + ?Sized),
) -> Result<MessageState, Error> {
    let path = Path::message(mailbox, from, id)?.then("move");
    let body = json!({"destinationId": to}).to_string();
    let request = Request::post(path, body.into(), permit)
        .expecting(Expected::Entity)
        .retry_if_unsent()
        .in_mailbox(mailbox);
    let moved = client.send_by(dispatch, &request).await?;
    // Graph moved the message, whatever is wrong with its answer.
    let moved = moved.response.parse::<Answer>().map_err(|error| error.with_effect(Effect::Indeterminate))?;
    Ok(moved.into())
}

/// Sets what a message's owner can set as well, and the mark where one is given.
pub async fn change_state(
    client: &Client,
    dispatch: &Dispatch,
    mailbox: &str,
    id: &str,
    change: &StateChange,
    mark: Option<&Mark>,
    permit: &(impl ChangePermit + ?Sized),
) -> Result<(), Error> {
    let path = Path::message(mailbox, None, id)?;
    let mut body = json!(change);
    if let Some(mark) = mark {
        body["singleValueExtendedProperties"] = json!([mark.property()]);
    }
    let request = Request::patch(path, body.to_string().into(), permit).in_mailbox(mailbox);
    client.send_by(dispatch, &request).await?;
    Ok(())
}

/// Returns the id of the folder that `name` names: an id, or a well-known name.
pub async fn folder_id(
    client: &Client,
    dispatch: &Dispatch,
    mailbox: &str,
    name: &str,
) -> Result<String, Error> {
    #[derive(serde::Deserialize)]
    struct Folder {
        id: String,
    }
    let path = Path::mail_folder(mailbox, name)?.option("$select", "id");
    let request = Request::get(path).expecting(Expected::Entity).in_mailbox(mailbox);
    let answer = client.send_by(dispatch, &request).await.map_err(|SendError { error, .. }| error)?;
    Ok(answer.response.parse::<Folder>()?.id)
}
