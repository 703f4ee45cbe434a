//! Export and import of calendar entries in full fidelity (Graph pages "mailbox: exportItems", "mailbox:
//! createImportSession", "Import an Exchange mailbox item"; global cloud only).

use net::untrusted::json::Bounded;
use serde::Deserialize;
use serde_json::json;

use crate::change::ChangePermit;
use crate::client::{Client, Dispatch};
use crate::error::{Effect, Error, ErrorKind};
use crate::expected::Expected;
use crate::path::{Path, literal};
use crate::request::Request;

/// The application permission to export and import items.
pub const TRANSFER_PERMISSION: &str = "MailboxItem.ImportExport.All";
/// The application permission to find the folder that an item is imported to.
pub const MAILBOX_FOLDERS_PERMISSION: &str = "MailboxFolder.Read.All";

/// What holds the events of a calendar.
const CALENDAR_FOLDER: &str = "IPF.Appointment";
/// The well-known name of the calendar that a mailbox has from the start.
const CALENDAR: &str = "calendar";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    primary_mailbox_id: String,
}

#[derive(Deserialize)]
struct Identified {
    id: String,
}

#[derive(Deserialize)]
struct Exported {
    value: Bounded<ExportedItem, 20>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExportedItem {
    item_id: String,
    #[serde(default)]
    data: Option<String>,
}

#[derive(Deserialize)]
struct Folders {
    value: Bounded<Folder, 1000>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Folder {
    id: String,
    #[serde(default)]
    well_known_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Session {
    import_url: String,
}

/// Exports the entry with this id, as an opaque text.
pub async fn export_entry(
    client: &Client,
    dispatch: &Dispatch,
    mailbox: &str,
    id: &str,
) -> Result<String, Error> {
    // Items are known by ids of before immutable ones.
    let path = Path::event(mailbox, id)?.option("$select", "id");
    let request = Request::get(path).with_mutable_ids().expecting(Expected::Entity).in_mailbox(mailbox);
    let Identified { id } = client.send_by(dispatch, &request).await?.response.parse()?;
    let path = exchange_mailbox(client, dispatch, mailbox).await?.then("exportItems");
    let body = json!({"itemIds": [id]}).to_string();
    let request = Request::query(path, body.into()).expecting(Expected::List).in_mailbox(mailbox);
    let response = client.send_by(dispatch, &request).await?.response;
    let status = response.status;
    let Exported { value } = response.parse()?;
    let data = value.0.into_iter().find(|item| item.item_id == id).and_then(|item| item.data);
    data.filter(|data| !data.is_empty())
        .ok_or_else(|| ErrorKind::NotAnAnswer { status, what: "it does not hold the item" }.into())
}

/// Imports an exported entry into the calendar of `mailbox`. A second import makes a second entry.
pub async fn import_entry(
    client: &Client,
    dispatch: &Dispatch,
    mailbox: &str,
    data: &str,
    permit: &(impl ChangePermit + ?Sized),
) -> Result<(), Error> {
    let own = exchange_mailbox(client, dispatch, mailbox).await?;
    let filter = format!("type eq {}", literal(CALENDAR_FOLDER));
    let path = own.clone().then("folders").option("$filter", &filter).option("$top", "1000");
    let request = Request::get(path).expecting(Expected::Entities).in_mailbox(mailbox);
    let response = client.send_by(dispatch, &request).await?.response;
    let status = response.status;
    let Folders { value } = response.parse()?;
    let is_calendar = |folder: &Folder| folder.well_known_name.as_deref() == Some(CALENDAR);
    let folder = value
        .0
        .into_iter()
        .find(is_calendar)
        .ok_or(ErrorKind::NotAnAnswer { status, what: "it does not hold the calendar" })?;
    let request = Request::post(own.then("createImportSession"), "{}".into(), permit)
        .idempotent()
        .expecting(Expected::Object)
        .in_mailbox(mailbox);
    let response = client.send_by(dispatch, &request).await?.response;
    let status = response.status;
    let Session { import_url } = response.parse()?;
    let to = client.transport().upload_address(&import_url).ok_or(ErrorKind::NotAnAnswer {
        status,
        what: "the address of the import is neither Graph's own nor Outlook's",
    })?;
    permit.gate().begin()?;
    let body = json!({"FolderId": folder.id, "Mode": "create", "Data": data}).to_string();
    let imported = client.transport().post_authorised(&to, body.into()).await;
    imported.map(drop).map_err(|error| {
        if error.may_have_been_applied() { error.with_effect(Effect::Indeterminate) } else { error }
    })
}

/// The mailbox by its own id, which is not that of its owner.
async fn exchange_mailbox(client: &Client, dispatch: &Dispatch, mailbox: &str) -> Result<Path, Error> {
    let path = Path::user(mailbox)?.then("settings").then("exchange");
    let request = Request::get(path).in_mailbox(mailbox);
    let Settings { primary_mailbox_id } = client.send_by(dispatch, &request).await?.response.parse()?;
    Ok(Path::exchange_mailbox(&primary_mailbox_id)?)
}
