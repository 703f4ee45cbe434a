//! Messages and folders: get, MIME, delete, move, change.

use serde::Deserialize;

use super::changes::{Deleted, Moved};
use super::folder::Folder;

use super::message::{Item, Property};
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
    Ok(shown(state, 200, mailbox, &item, view))
}

/// The response that shows one message.
pub(super) fn shown(state: &State, status: u16, mailbox: u32, item: &Item, view: View) -> GraphResponse {
    let user = state.base.directory.user(mailbox).id;
    let context = format!("{}/$metadata#users('{user}')/messages/$entity", state.base.root);
    written(status, |out| state.look(mailbox, item).write(out, view, Some(&context)))
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

/// The properties that a client may change in a received message.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Change {
    single_value_extended_properties: Vec<Property>,
}

pub(super) fn change(state: &State, place: &Place, request: &GraphRequest) -> GraphResult {
    let mailbox = state.mailbox(&place.user)?;
    let folder = state.folder(mailbox, place.folder.as_deref())?;
    let Change { single_value_extended_properties: properties } = request.json()?;
    let mut changes = state.changes();
    let item = state.item_in(&changes, mailbox, folder, &place.id)?;
    let own = changes.mailboxes.entry(mailbox).or_default();
    for Property { id, value } in properties {
        own.mark(item.key, id, value);
    }
    drop(changes);
    Ok(shown(state, 200, mailbox, &item, View::of(request, &Query::default())?))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Destination {
    #[serde(alias = "DestinationId")]
    destination_id: String,
}

pub(super) fn move_to(state: &State, place: &Place, request: &GraphRequest) -> GraphResult {
    let mailbox = state.mailbox(&place.user)?;
    let folder = state.folder(mailbox, place.folder.as_deref())?;
    let Destination { destination_id } = request.json()?;
    let destination = state.folder_named(mailbox, &destination_id)?;
    let mut changes = state.changes();
    let item = state.item_in(&changes, mailbox, folder, &place.id)?;
    let id = state.look(mailbox, &item).own_id();
    let from = item.folder.name();
    let moved = changes.mailboxes.entry(mailbox).or_default().relocate(item, destination);
    let owner = state.base.directory.user(mailbox).user_principal_name;
    let new_id = state.look(mailbox, &moved).own_id();
    changes.moved.push(Moved { mailbox: owner, id, new_id, from, folder: destination.name() });
    drop(changes);
    Ok(shown(state, 201, mailbox, &moved, View::of(request, &Query::default())?))
}
