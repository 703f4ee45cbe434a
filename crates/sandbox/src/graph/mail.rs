//! Single messages: get, MIME, delete, move.

use serde::Deserialize;

use super::changes::{Deleted, Moved};
use super::folder::Folder;
use super::message::Item;
use super::mime;
use super::path::Place;
use super::query::Query;
use super::refusal::{GraphResult, Refusal};
use super::request::GraphRequest;
use super::response::{GraphResponse, Payload, written};
use super::state::State;
use super::view::View;

pub(super) fn get(state: &State, place: &Place, request: &GraphRequest, query: &Query) -> GraphResult {
    let mailbox = state.mailbox(&place.user)?;
    let folder = state.folder(mailbox, place.folder.as_deref())?;
    let view = View::of(request, query)?;
    let item = state.item(mailbox, folder, &place.id)?;
    Ok(shown(state, 200, mailbox, &item, &view))
}

/// The response that shows one message.
pub(super) fn shown(state: &State, status: u16, mailbox: u32, item: &Item, view: &View) -> GraphResponse {
    let user = state.base.directory.user(mailbox).id;
    let context = format!("{}/$metadata#users('{user}')/messages/$entity", state.base.root);
    written(status, |out| state.write(out, mailbox, item, view, Some(&context)))
}

pub(super) fn mime(state: &State, place: &Place) -> GraphResult {
    let mailbox = state.mailbox(&place.user)?;
    let folder = state.folder(mailbox, place.folder.as_deref())?;
    let item = state.item(mailbox, folder, &place.id)?;
    Ok(GraphResponse {
        status: 200,
        headers: Vec::new(),
        content: Payload::Stream("text/plain".into(), Box::new(mime::chunks(state, mailbox, &item))),
    })
}

pub(super) fn delete(state: &State, place: &Place, permanently: bool) -> GraphResult {
    let mailbox = state.mailbox(&place.user)?;
    let folder = state.folder(mailbox, place.folder.as_deref())?;
    let mut changes = state.changes();
    let item = state.item_in(&changes, mailbox, folder, &place.id)?;
    let subject = state.look(mailbox, &item).subject().into_owned();
    let id = state.look(mailbox, &item).own_id();
    let own = changes.mailboxes.entry(mailbox).or_default();
    // A deleted message can be recovered for some days. It cannot be deleted a second time (docs issue 2894).
    if item.folder == Folder::RECOVERABLE && !permanently {
        return Err(Refusal::undeletable());
    }
    if permanently {
        own.remove(item.key);
    } else {
        own.relocate(item, Folder::RECOVERABLE);
    }
    let owner = state.base.directory.user(mailbox).user_principal_name;
    changes.deleted.push(Deleted { mailbox: owner, id, subject, permanently });
    Ok(GraphResponse::empty(204))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Destination {
    #[serde(alias = "DestinationId")]
    destination_id: String,
}

/// Moves a message. Graph does not document what happens in the folder where it is already; here it gets a new default
/// id, as after every move.
pub(super) fn move_to(state: &State, place: &Place, request: &GraphRequest) -> GraphResult {
    let mailbox = state.mailbox(&place.user)?;
    let folder = state.folder(mailbox, place.folder.as_deref())?;
    let Destination { destination_id } = request.json()?;
    let mut changes = state.changes();
    let destination = state.folder_named_in(&changes, mailbox, &destination_id)?;
    let item = state.item_in(&changes, mailbox, folder, &place.id)?;
    let id = state.look(mailbox, &item).own_id();
    let folders = changes.folders(mailbox);
    let (from, to) = (folders.name(item.folder), folders.name(destination));
    let moved = changes.mailboxes.entry(mailbox).or_default().relocate(item, destination);
    let owner = state.base.directory.user(mailbox).user_principal_name;
    let new_id = state.look(mailbox, &moved).own_id();
    changes.moved.push(Moved { mailbox: owner, id, new_id, from, folder: to });
    drop(changes);
    Ok(shown(state, 201, mailbox, &moved, &View::of(request, &Query::default())?))
}
