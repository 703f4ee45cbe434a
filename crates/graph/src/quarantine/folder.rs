//! The quarantine folder of a mailbox.

use serde::Deserialize;
use serde_json::json;

use crate::change::ChangePermit;
use crate::client::{Client, Dispatch};
use crate::error::{Effect, Error};
use crate::expected::Expected;
use crate::list::ListReader;
use crate::own_property::{Properties, property};
use crate::path::{Path, literal};
use crate::request::Request;

/// The name of the folder.
pub const QUARANTINE: &str = "fn-exchange-online quarantine";

/// What distinguishes the folder from one of the same name that the owner has made.
const PROPERTY: &str = property!("fn-exchange-online-quarantine");
const VALUE: &str = "1";
/// A listing with more pages does not end. Pages may be empty while Graph looks for matches.
const MOST_PAGES: usize = 100;
/// No mailbox has more quarantine folders. It has several where one was renamed.
const MOST_FOLDERS: usize = 100;

/// A quarantine folder, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MadeFolder {
    /// It was made. Holds its id.
    New(String),
    /// It existed. Holds its id.
    Existing(String),
    /// The owner has a folder of the name, which is left alone.
    OfOwner,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Folder {
    id: String,
    #[serde(default)]
    single_value_extended_properties: Properties,
}

/// Makes the quarantine folder of `mailbox`, or finds the one that exists. Two processes that do so at the same time
/// get the same folder, because Exchange gives a name to one folder only.
pub async fn make_quarantine_folder(
    client: &Client,
    dispatch: &Dispatch,
    mailbox: &str,
    permit: &(impl ChangePermit + ?Sized),
) -> Result<MadeFolder, Error> {
    let path = Path::user(mailbox)?.then("mailFolders");
    let body = json!({
        "displayName": QUARANTINE,
        "isHidden": true,
        "singleValueExtendedProperties": [{"id": PROPERTY, "value": VALUE}],
    });
    let request = Request::post(path, body.to_string().into(), permit)
        .idempotent()
        .expecting(Expected::Entity)
        .in_mailbox(mailbox);
    match client.send_by(dispatch, &request).await {
        Ok(made) => {
            let made = made.response.parse::<Folder>();
            made.map(|folder| MadeFolder::New(folder.id))
                .map_err(|error| error.with_effect(Effect::Indeterminate))
        }
        Err(failed) if is_there(&failed.error) => {
            let existing = find_quarantine_folders(client, dispatch, mailbox).await?.into_iter().next();
            Ok(existing.map_or(MadeFolder::OfOwner, MadeFolder::Existing))
        }
        Err(failed) => Err(failed.error),
    }
}

/// Whether a folder of the name exists.
fn is_there(error: &Error) -> bool {
    error.refusal().is_some_and(|refusal| refusal.status == 409 || refusal.code == "ErrorFolderExists")
}

/// Returns the ids of the quarantine folders of `mailbox`, by their property: the owner may have renamed one.
pub async fn find_quarantine_folders(
    client: &Client,
    dispatch: &Dispatch,
    mailbox: &str,
) -> Result<Vec<String>, Error> {
    let filter = format!(
        "singleValueExtendedProperties/Any(ep: ep/id eq {} and ep/value eq {})",
        literal(PROPERTY),
        literal(VALUE)
    );
    let path = Path::user(mailbox)?
        .then("mailFolders")
        .option("includeHiddenFolders", "true")
        .option("$select", "id")
        .option("$filter", &filter)
        .option("$expand", &format!("singleValueExtendedProperties($filter=id eq {})", literal(PROPERTY)));
    let mut lists = ListReader::new(client, mailbox, MOST_PAGES).by(dispatch);
    let folders = lists.read::<Folder, MOST_FOLDERS>(path).await?;
    // A filter that Graph did not apply would make each folder a quarantine.
    Ok(folders.into_iter().filter(Folder::is_quarantine).map(|folder| folder.id).collect())
}

impl Folder {
    fn is_quarantine(&self) -> bool {
        self.single_value_extended_properties.value(PROPERTY) == Some(VALUE)
    }
}
