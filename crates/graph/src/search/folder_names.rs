//! The names of the folders in which messages were found (Graph page "Get mailFolder").

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::criteria::RECOVERABLE_ITEMS;
use super::target::Target;
use crate::client::{Client, Dispatch};
use crate::error::Error;
use crate::path::Path;
use crate::request::Request;

/// The folders that a result names by their kind, whatever the language of the mailbox.
const KINDS: [&str; 2] = ["deleteditems", RECOVERABLE_ITEMS];
/// The messages of more folders of one mailbox are left without the folder's name.
const MOST_FOLDERS: usize = 50;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Folder {
    id: String,
    display_name: Option<String>,
}

/// A folder as a result names it.
struct Named {
    name: Option<String>,
    kind: Option<&'static str>,
}

/// Adds to each message the name of its folder, and its kind where it is one of the deleted items. A folder that cannot
/// be read leaves its messages as they are: they were found.
pub(super) async fn name_folders(
    client: &Client,
    dispatch: &Dispatch,
    mailbox: &Target,
    messages: Vec<Box<RawValue>>,
) -> Vec<Box<RawValue>> {
    let mut folders: HashMap<String, Named> = HashMap::new();
    for kind in KINDS {
        if let Ok(folder) = read(client, dispatch, mailbox, kind).await {
            folders.insert(folder.id, Named { name: folder.display_name, kind: Some(kind) });
        }
    }
    let mut named = Vec::with_capacity(messages.len());
    for message in messages {
        let Ok(mut object) = serde_json::from_str::<Map<String, Value>>(message.get()) else {
            named.push(message);
            continue;
        };
        if let Some(id) = object.get("parentFolderId").and_then(Value::as_str).map(str::to_owned) {
            if !folders.contains_key(&id) && folders.len() < MOST_FOLDERS {
                let name =
                    read(client, dispatch, mailbox, &id).await.ok().and_then(|folder| folder.display_name);
                folders.insert(id.clone(), Named { name, kind: None });
            }
            if let Some(Named { name, kind }) = folders.get(&id) {
                object.insert("parentFolderName".to_owned(), json!(name));
                object.insert("parentFolderKind".to_owned(), json!(kind));
            }
        }
        named.push(serde_json::value::to_raw_value(&object).unwrap_or(message));
    }
    named
}

async fn read(client: &Client, dispatch: &Dispatch, mailbox: &Target, folder: &str) -> Result<Folder, Error> {
    let path = Path::mail_folder(mailbox.user(), folder)?.option("$select", "id,displayName");
    let request = Request::get(path).in_mailbox(&mailbox.name);
    client.send_by(dispatch, &request).await?.response.parse()
}
