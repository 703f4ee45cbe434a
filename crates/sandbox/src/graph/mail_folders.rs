//! "List mailFolders", "List childFolders", "Get mailFolder".

use serde_json::json;

use super::folder::Folder;
use super::json::{Object, string};
use super::listing::next_link;
use super::message::Item;
use super::query::{Query, encode};
use super::refusal::GraphResult;
use super::request::GraphRequest;
use super::response::written;
use super::state::State;

/// The page size that the service chooses.
const DEFAULT_PAGE: usize = 10;

/// Lists the folders in `parent`; without one, those at the top.
pub(super) fn list(
    state: &State,
    user: &str,
    parent: Option<&str>,
    request: &GraphRequest,
    query: &Query,
) -> GraphResult {
    let mailbox = state.mailbox(user)?;
    let parent = state.folder(mailbox, parent)?.unwrap_or(Folder::ROOT);
    let items = state.items(mailbox, None);
    let (skipped, top) = (query.skip.unwrap_or(0), query.top.unwrap_or(DEFAULT_PAGE));
    let children: Vec<Folder> = parent.children(query.include_hidden_folders).collect();
    let next =
        (children.len() > skipped + top).then(|| next_link(state, &request.path, query, skipped + top));
    Ok(written(200, |out| {
        let mut object = Object::begin(out);
        let context = format!("{}/$metadata#users('{}')/mailFolders", state.base.root, encode(user));
        object.text("@odata.context", &context);
        let value = object.key("value");
        value.push(b'[');
        for (nth, folder) in children.iter().skip(skipped).take(top).enumerate() {
            if nth > 0 {
                value.push(b',');
            }
            write(value, state, mailbox, *folder, &items);
        }
        value.push(b']');
        if let Some(next) = &next {
            object.text("@odata.nextLink", next);
        }
        object.end();
    }))
}

pub(super) fn get(state: &State, user: &str, folder: &str) -> GraphResult {
    let mailbox = state.mailbox(user)?;
    let folder = state.folder_named(mailbox, folder)?;
    let items = state.items(mailbox, Some(folder));
    Ok(written(200, |out| write(out, state, mailbox, folder, &items)))
}

fn write(out: &mut Vec<u8>, state: &State, mailbox: u32, folder: Folder, items: &[Item]) {
    let ids = state.base.ids;
    let mut object = Object::begin(out);
    object.text("id", &folder.id(ids, mailbox));
    string(object.key("displayName"), folder.display_name());
    object.text("parentFolderId", &folder.parent().id(ids, mailbox));
    let count = items.iter().filter(|item| item.folder == folder).count();
    let children = folder.children(false).count();
    object.raw("childFolderCount", &json!(children).to_string());
    object.raw("totalItemCount", &json!(count).to_string());
    object.boolean("isHidden", folder == Folder::HIDDEN);
    object.end();
}
