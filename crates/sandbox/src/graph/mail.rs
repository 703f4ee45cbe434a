//! Messages and folders: list, search, get, MIME, delete, move.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::json;

use super::changes::{Deleted, Moved};
use super::faults::Faults;
use super::filter::Filter;
use super::folder::Folder;
use super::json::{Object, string};
use super::message::{Item, Property, Select};
use super::mime;
use super::path::Place;
use super::query::{Query, encode};
use super::refusal::{GraphResult, Refusal};
use super::request::GraphRequest;
use super::response::{GraphResponse, Payload, written};
use super::search::{MOST_HITS, Search};
use super::state::State;

/// Page sizes of "List messages".
const DEFAULT_PAGE: usize = 10;
const LARGEST_PAGE: usize = 1_000;

pub(super) fn list(
    state: &State,
    faults: &Faults,
    user: &str,
    folder: Option<&str>,
    query: &Query,
    path: &str,
) -> GraphResult {
    let mailbox = state.mailbox(user)?;
    let folder = state.folder(mailbox, folder)?;
    let select = query.select.as_deref().map_or(Ok(Select::ALL), Select::parse)?;
    let top = query.top.unwrap_or(DEFAULT_PAGE);
    if !(1..=LARGEST_PAGE).contains(&top) {
        return Err(Refusal::new(
            400,
            "ErrorInvalidUrlQuery",
            format!("The value '{top}' of $top is out of range: it must be between 1 and {LARGEST_PAGE}."),
        ));
    }
    let top = faults.page(top);
    let (found, skipped) = match &query.search {
        Some(search) => (search_for(state, mailbox, folder, search, query)?, search_offset(query)?),
        None => (filtered(state, mailbox, folder, query)?, query.skip.unwrap_or(0)),
    };
    let page = found.get(skipped..).unwrap_or_default();
    let next = (page.len() > top).then(|| next_link(state, path, query, skipped + top));
    Ok(written(200, |out| {
        let mut object = Object::begin(out);
        let selection = query.select.as_deref().map_or(String::new(), |list| format!("({list})"));
        let context = format!("{}/$metadata#users('{}')/messages{selection}", state.base.root, encode(user));
        object.text("@odata.context", &context);
        let value = object.key("value");
        value.push(b'[');
        for (nth, item) in page.iter().take(top).enumerate() {
            if nth > 0 {
                value.push(b',');
            }
            state.look(mailbox, item).write(value, select, None);
        }
        value.push(b']');
        if let Some(next) = &next {
            object.text("@odata.nextLink", next);
        }
        object.end();
    }))
}

fn filtered(
    state: &State,
    mailbox: u32,
    folder: Option<Folder>,
    query: &Query,
) -> Result<Vec<Item>, Refusal> {
    if query.skip_token.is_some() {
        return Err(Refusal::new(400, "ErrorInvalidUrlQuery", "The $skiptoken is not valid here."));
    }
    let filter = query.filter.as_deref().map(Filter::parse).transpose()?;
    let order = query.order_by.as_deref().map(order).transpose()?;
    if let (Some(filter), Some(order)) = (&filter, &order) {
        let properties: Vec<&str> = order.iter().map(|(property, _)| *property).collect();
        if !filter.allows_order(&properties) {
            return Err(Refusal::new(
                400,
                "InefficientFilter",
                "The restriction or sort order is too complex for this operation.",
            ));
        }
    }
    let mut items = state.items(mailbox, folder);
    if let Some(filter) = filter {
        items.retain(|item| filter.matches(&state.look(mailbox, item)));
    }
    for (property, descending) in order.into_iter().flatten().rev() {
        if property == "subject" {
            items.sort_by_cached_key(|item| state.look(mailbox, item).subject().to_lowercase());
        } else {
            items.sort_by_key(|item| item.received);
        }
        if descending {
            items.reverse();
        }
    }
    Ok(items)
}

/// The properties to sort by, and whether downwards.
fn order(text: &str) -> Result<Vec<(&'static str, bool)>, Refusal> {
    text.split(',')
        .map(|part| {
            let (property, direction) = part.trim().split_once(' ').unwrap_or((part.trim(), "asc"));
            let property = ["receivedDateTime", "subject"].into_iter().find(|known| *known == property);
            match (property, direction.trim()) {
                (Some(property), "asc") => Ok((property, false)),
                (Some(property), "desc") => Ok((property, true)),
                _ => Err(Refusal::bad_request(format!("Invalid $orderby clause: '{text}'."))),
            }
        })
        .collect()
}

fn search_for(
    state: &State,
    mailbox: u32,
    folder: Option<Folder>,
    search: &str,
    query: &Query,
) -> Result<Vec<Item>, Refusal> {
    let refuse = |code, option| {
        let message = format!("The query parameter '{option}' is not supported with '$search'.");
        Err(Refusal::new(400, code, message))
    };
    if query.filter.is_some() {
        return refuse("SearchWithFilter", "$filter");
    }
    if query.order_by.is_some() {
        return refuse("SearchWithOrderBy", "$orderBy");
    }
    if query.skip.is_some() {
        return refuse("SearchWithSkip", "$skip");
    }
    let search = Search::parse(search)?;
    Ok(state
        .items(mailbox, folder)
        .into_iter()
        .filter(|item| search.matches(&state.look(mailbox, item)))
        .take(MOST_HITS)
        .collect())
}

fn search_offset(query: &Query) -> Result<usize, Refusal> {
    match &query.skip_token {
        None => Ok(0),
        Some(token) => token
            .strip_prefix("s-")
            .and_then(|offset| offset.parse().ok())
            .ok_or_else(|| Refusal::new(400, "ErrorInvalidUrlQuery", "The $skiptoken is not valid.")),
    }
}

/// The absolute URL of the next page: what was asked, from further down.
fn next_link(state: &State, path: &str, query: &Query, offset: usize) -> String {
    let mut link = format!("{}/{}?", state.base.root, path.strip_prefix('/').unwrap_or(path));
    for (name, value) in [
        ("select", &query.select),
        ("filter", &query.filter),
        ("search", &query.search),
        ("orderby", &query.order_by),
    ] {
        if let Some(value) = value {
            let _ = write!(link, "%24{name}={}&", encode(value));
        }
    }
    if let Some(top) = query.top {
        let _ = write!(link, "%24top={top}&");
    }
    if query.search.is_some() {
        let _ = write!(link, "%24skiptoken=s-{offset}");
    } else {
        let _ = write!(link, "%24skip={offset}");
    }
    link
}

pub(super) fn get(state: &State, place: &Place, query: &Query) -> GraphResult {
    let mailbox = state.mailbox(&place.user)?;
    let folder = state.folder(mailbox, place.folder.as_deref())?;
    let select = query.select.as_deref().map_or(Ok(Select::ALL), Select::parse)?;
    let item = state.item(mailbox, folder, &place.id)?;
    Ok(shown(state, 200, mailbox, &item, select))
}

/// The answer that shows one message.
pub(super) fn shown(state: &State, status: u16, mailbox: u32, item: &Item, select: Select) -> GraphResponse {
    let user = state.base.directory.user(mailbox).id;
    let context = format!("{}/$metadata#users('{user}')/messages/$entity", state.base.root);
    written(status, |out| state.look(mailbox, item).write(out, select, Some(&context)))
}

pub(super) fn mime(state: &State, place: &Place) -> GraphResult {
    let mailbox = state.mailbox(&place.user)?;
    let folder = state.folder(mailbox, place.folder.as_deref())?;
    let item = state.item(mailbox, folder, &place.id)?;
    Ok(GraphResponse {
        status: 200,
        headers: Vec::new(),
        content: Payload::Stream("text/plain", Box::new(mime::chunks(state, mailbox, &item))),
    })
}

pub(super) fn delete(state: &State, place: &Place, permanently: bool) -> GraphResult {
    let mailbox = state.mailbox(&place.user)?;
    let folder = state.folder(mailbox, place.folder.as_deref())?;
    let mut changes = state.changes();
    let item = state.item_in(&changes, mailbox, folder, &place.id)?;
    let subject = state.look(mailbox, &item).subject().into_owned();
    let own = changes.mailboxes.entry(mailbox).or_default();
    own.remove(item.key);
    // A deleted message can be recovered for some days; deleted once more, it is gone.
    if !permanently && item.folder != Folder::RECOVERABLE {
        own.add(item.received, Folder::RECOVERABLE, item.text);
    }
    let owner = state.base.directory.user(mailbox).user_principal_name;
    changes.deleted.push(Deleted { mailbox: owner, id: place.id.clone(), subject, permanently });
    Ok(GraphResponse::empty(204))
}

/// What can be changed of a message that is no draft, as far as it is needed here.
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
    Ok(shown(state, 200, mailbox, &item, Select::ALL))
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
    let destination = Folder::named(&destination_id, state.base.generator.seed, mailbox)?;
    let mut changes = state.changes();
    let item = state.item_in(&changes, mailbox, folder, &place.id)?;
    let own = changes.mailboxes.entry(mailbox).or_default();
    own.remove(item.key);
    let moved = own.add(item.received, destination, item.text);
    for (id, value) in item.properties {
        own.mark(moved.key, id, value);
    }
    let owner = state.base.directory.user(mailbox).user_principal_name;
    let new_id = state.look(mailbox, &moved).id();
    changes.moved.push(Moved { mailbox: owner, id: place.id.clone(), new_id, folder: destination.name() });
    drop(changes);
    Ok(shown(state, 201, mailbox, &moved, Select::ALL))
}

pub(super) fn folders(state: &State, user: &str) -> GraphResult {
    let mailbox = state.mailbox(user)?;
    let items = state.items(mailbox, None);
    Ok(written(200, |out| {
        let mut object = Object::begin(out);
        let context = format!("{}/$metadata#users('{}')/mailFolders", state.base.root, encode(user));
        object.text("@odata.context", &context);
        let value = object.key("value");
        value.push(b'[');
        for (nth, folder) in Folder::all().take(6).enumerate() {
            if nth > 0 {
                value.push(b',');
            }
            write_folder(value, state, mailbox, folder, &items);
        }
        value.push(b']');
        object.end();
    }))
}

pub(super) fn folder(state: &State, user: &str, folder: &str) -> GraphResult {
    let mailbox = state.mailbox(user)?;
    let folder = Folder::named(folder, state.base.generator.seed, mailbox)?;
    let items = state.items(mailbox, Some(folder));
    Ok(written(200, |out| write_folder(out, state, mailbox, folder, &items)))
}

fn write_folder(out: &mut Vec<u8>, state: &State, mailbox: u32, folder: Folder, items: &[Item]) {
    let seed = state.base.generator.seed;
    let mut object = Object::begin(out);
    object.text("id", &folder.id(seed, mailbox));
    string(object.key("displayName"), folder.display_name());
    object.text("parentFolderId", &Folder::ROOT.id(seed, mailbox));
    let count = items.iter().filter(|item| item.folder == folder).count();
    object.raw("childFolderCount", "0").raw("totalItemCount", &json!(count).to_string());
    object.end();
}
