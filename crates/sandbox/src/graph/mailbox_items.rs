//! Export and import of mailbox items in full fidelity, for events ("Overview of the mailbox import and export APIs",
//! "mailbox: exportItems", "mailbox: createImportSession", "Import an Exchange mailbox item").

use std::time::{Duration, Instant};

use axum::http::{HeaderMap, Method};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Value, json};

use super::calendar::{export, import};
use super::cursor::Cursor;
use super::folder::Folder;
use super::message::date_time;
use super::path::{ItemsPart, mailbox_owner};
use super::query::{Query, encode};
use super::refusal::{GraphResult, Refusal};
use super::request::GraphRequest;
use super::response::GraphResponse;
use super::rng::{guid, hash, mix};
use super::state::State;

/// The path of import URLs, outside of Graph's version root, as on outlook.office365.com.
pub(super) const PATH: &str = "/api/gv1.0/Mailboxes(";

/// Items in one request.
const MOST_ITEMS: usize = 20;
/// How long an import URL works. The pages do not say; the example's is an hour.
const LIFETIME: Duration = Duration::from_secs(3_600);

/// A session that imports items.
#[derive(Debug)]
pub(super) struct ImportSession {
    mailbox: u32,
    since: Instant,
}

/// `GET /users/{id}/settings/exchange`
pub(super) fn settings(state: &State, user: &str) -> GraphResult {
    let mailbox = state.mailbox(user)?;
    let context =
        format!("{}/$metadata#users('{}')/settings/exchange/$entity", state.base.root, encode(user));
    let id = mailbox_id(state, mailbox);
    Ok(GraphResponse::json(200, json!({"@odata.context": context, "primaryMailboxId": id}).to_string()))
}

/// A mailbox's id, which is not that of its owner.
fn mailbox_id(state: &State, mailbox: u32) -> String {
    let seed = state.base.generator.seed;
    let tenant = guid(mix(seed, 1, 1), mix(seed, 1, 2));
    format!("MBX:{}@{tenant}", state.base.directory.user(mailbox).id)
}

/// The mailbox that has this id.
fn mailbox(state: &State, id: &str) -> Result<u32, Refusal> {
    let owner = mailbox_owner(id).and_then(|owner| state.base.directory.find(owner));
    owner
        .filter(|mailbox| state.base.directory.has_mailbox(*mailbox) && mailbox_id(state, *mailbox) == id)
        .ok_or_else(|| Refusal::new(404, "ErrorMailboxNotFound", "The mailbox was not found."))
}

/// A request to a mailbox that is named by its own id.
pub(super) fn answer(
    state: &State,
    id: &str,
    part: ItemsPart,
    request: &GraphRequest,
    query: &Query,
) -> GraphResult {
    let mailbox = mailbox(state, id)?;
    match (&request.method, part) {
        (&Method::POST, ItemsPart::Export) => export_items(state, mailbox, request),
        (&Method::POST, ItemsPart::ImportSession) => Ok(create_session(state, mailbox, id)),
        (&Method::GET, ItemsPart::Folders) => folders(state, mailbox, id, query),
        _ => Err(Refusal::method_not_allowed()),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Export {
    item_ids: Vec<String>,
}

/// Exports events. The pages do not say that an item's id is that of the event: here it is the default one, and no
/// immutable one.
fn export_items(state: &State, mailbox: u32, request: &GraphRequest) -> GraphResult {
    let Export { item_ids } = request.json()?;
    if item_ids.is_empty() || item_ids.len() > MOST_ITEMS {
        return Err(Refusal::bad_request(format!(
            "Between 1 and {MOST_ITEMS} items can be exported at once."
        )));
    }
    let changes = state.changes();
    let calendar = changes.mailboxes.get(&mailbox).map(|own| &own.calendar);
    let exported = |id: &String| match export(&state.base, calendar, mailbox, id) {
        Ok((change_key, item)) => {
            json!({"itemId": id, "changeKey": change_key, "data": packed(state, &item)})
        }
        Err(refusal) => json!({
            "itemId": id,
            "changeKey": null,
            "data": null,
            "error": {"code": refusal.code, "message": refusal.message},
        }),
    };
    let value: Vec<Value> = item_ids.iter().map(exported).collect();
    let context = format!("{}/$metadata#Collection(microsoft.graph.exportItemResponse)", state.base.root);
    Ok(GraphResponse::json(200, json!({"@odata.context": context, "value": value}).to_string()))
}

/// An item as an opaque stream, which cannot be changed.
fn packed(state: &State, item: &Value) -> String {
    let text = item.to_string();
    STANDARD.encode(format!("{:016x}{text}", hash(state.base.generator.seed, &text)))
}

fn unpacked(state: &State, data: &str) -> Option<Value> {
    let text = String::from_utf8(STANDARD.decode(data).ok()?).ok()?;
    let (sum, text) = text.split_at_checked(16)?;
    let whole = sum == format!("{:016x}", hash(state.base.generator.seed, text));
    serde_json::from_str(text).ok().filter(|_| whole)
}

fn create_session(state: &State, mailbox: u32, id: &str) -> GraphResponse {
    let mut changes = state.changes();
    changes.written += 1;
    let token = guid(mix(state.base.generator.seed, 0x1396, changes.written), mix(changes.written, 7, 7));
    changes.imports.insert(token.clone(), ImportSession { mailbox, since: Instant::now() });
    drop(changes);
    let ends = state.base.present() / 1_000 + i64::try_from(LIFETIME.as_secs()).unwrap_or(0);
    let body = json!({
        "@odata.context": format!("{}/$metadata#microsoft.graph.mailboxItemImportSession", state.base.root),
        "importUrl": format!("{}{PATH}'{id}')/importItem?authtoken={token}", state.base.origin),
        "expirationDateTime": date_time(ends),
    });
    GraphResponse::json(200, body.to_string())
}

/// "List folders", for the folders at the top and the calendar. Only a filter on the type is known here.
fn folders(state: &State, mailbox: u32, id: &str, query: &Query) -> GraphResult {
    let wanted = query.filter.as_deref().map(folder_type).transpose()?;
    let top = query.page_size(10, 1_000)?;
    let ids = state.base.ids;
    let changes = state.changes();
    let own = changes.mailboxes.get(&mailbox);
    let events = own.map_or(0, |own| own.calendar.events().count());
    let items = state.all_items(mailbox, own);
    let folder = |folder_id: &str, name: &str, kind: &str, well_known: Option<&str>, count: usize| {
        json!({
            "@odata.type": "#microsoft.graph.mailboxFolder",
            "id": folder_id,
            "displayName": name,
            "parentFolderId": Folder::ROOT.id(ids, mailbox),
            "parentMailboxUrl": format!("{}/admin/exchange/mailboxes/{id}", state.base.root),
            "childFolderCount": 0,
            "totalItemCount": count,
            "wellKnownName": well_known,
            "type": kind,
        })
    };
    let calendar = Folder::CALENDAR.id(ids, mailbox);
    let mut all = vec![folder(&calendar, "Calendar", "IPF.Appointment", Some("calendar"), events)];
    all.extend(changes.folders(mailbox).children(Folder::ROOT, true).map(|(at, record)| {
        let count = items.iter().filter(|item| item.folder == at).count();
        folder(&at.id(ids, mailbox), &record.name, "IPF.Note", at.well_known_name(), count)
    }));
    all.retain(|folder| wanted.as_ref().is_none_or(|wanted| folder["type"] == *wanted.as_str()));
    let page: Vec<Value> = all.into_iter().skip(query.skip.unwrap_or(0)).take(top).collect();
    let context = format!("{}/$metadata#admin/exchange/mailboxes/{id}/folders", state.base.root);
    Ok(GraphResponse::json(200, json!({"@odata.context": context, "value": page}).to_string()))
}

fn folder_type(filter: &str) -> Result<String, Refusal> {
    let mut cursor = Cursor::new(filter);
    if cursor.word() != "type" {
        return Err(Refusal::bad_request("This sandbox filters folders by 'type' only."));
    }
    cursor.expect(" eq ")?;
    cursor.string()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Import {
    folder_id: String,
    mode: String,
    data: String,
}

/// A request to an import URL, which needs no token and refuses one.
pub(super) fn at(
    state: &State,
    method: &Method,
    path: &str,
    query: &str,
    headers: &HeaderMap,
    body: &Bytes,
) -> GraphResult {
    if *method != Method::POST {
        return Err(Refusal::method_not_allowed());
    }
    if headers.contains_key("authorization") {
        return Err(Refusal::new(
            401,
            "InvalidAudience",
            "The audience claim value is invalid: an import URL is pre-authenticated.",
        ));
    }
    let path = percent_decode_str(path).decode_utf8_lossy();
    let changed =
        || Refusal::new(401, "InvalidAuthenticationToken", "The import URL was changed, or has expired.");
    let token = query.strip_prefix("authtoken=").ok_or_else(changed)?;
    let mut changes = state.changes();
    let session = changes.imports.get(token).filter(|session| session.since.elapsed() < LIFETIME);
    let mailbox = session.map(|session| session.mailbox).ok_or_else(changed)?;
    if path != format!("{PATH}'{}')/importItem", mailbox_id(state, mailbox)) {
        return Err(changed());
    }
    let Import { folder_id, mode, data } = serde_json::from_slice(body)
        .map_err(|error| Refusal::bad_request(format!("Unable to read JSON request payload: {error}")))?;
    if mode != "create" {
        return Err(Refusal::bad_request("This sandbox imports in the mode 'create' only."));
    }
    if folder_id != Folder::CALENDAR.id(state.base.ids, mailbox) {
        return Err(Refusal::item_not_found());
    }
    let item = unpacked(state, &data)
        .ok_or_else(|| Refusal::new(400, "ErrorInvalidImportData", "The data is not an exported item."))?;
    let calendar = &mut changes.mailboxes.entry(mailbox).or_default().calendar;
    let (id, change_key) = import(&state.base, calendar, mailbox, &item);
    let context =
        format!("{}/api/gv1.0/$metadata#microsoft.graph.importMailboxItemResponse", state.base.origin);
    let body = json!({"@odata.context": context, "itemId": id, "changeKey": change_key});
    Ok(GraphResponse::json(200, body.to_string()))
}
