//! "Update message": what a client may change in a message that was received.

use serde_json::{Map, Value};

use super::extended_property::{Properties, Property};
use super::faults::Faults;
use super::mail::shown;
use super::marks::{Flag, Marks};
use super::path::Place;
use super::query::Query;
use super::refusal::{GraphResult, Refusal};
use super::request::GraphRequest;
use super::state::State;
use super::view::View;

/// Properties that are "updatable only if isDraft = true", and the senders. From 2026-12-31 on Graph refuses to change
/// them in other messages (Microsoft 365 developer blog, "Graph API updates to sensitive email properties"). This
/// sandbox always does.
const SENSITIVE: [&str; 9] = [
    "bccRecipients",
    "body",
    "ccRecipients",
    "from",
    "internetMessageId",
    "replyTo",
    "sender",
    "subject",
    "toRecipients",
];

/// Properties that Graph changes and this sandbox does not, so that no client relies on it.
const UNSUPPORTED: [&str; 5] = [
    "importance",
    "inferenceClassification",
    "isDeliveryReceiptRequested",
    "isReadReceiptRequested",
    "multiValueExtendedProperties",
];

/// What a request changes.
#[derive(Default)]
struct Edit {
    read: Option<bool>,
    flag: Option<Flag>,
    categories: Option<Vec<String>>,
    properties: Properties,
    sensitive: bool,
}

impl Edit {
    fn read(object: Map<String, Value>) -> Result<Self, Refusal> {
        let mut edit = Self::default();
        for (key, value) in object {
            match key.as_str() {
                "isRead" => edit.read = Some(typed(&key, value)?),
                "flag" => edit.flag = Some(Flag::parse(&value)?),
                "categories" => edit.categories = Some(typed(&key, value)?),
                "singleValueExtendedProperties" => {
                    edit.properties = Properties::of(typed::<Vec<Property>>(&key, value)?)?;
                }
                key if SENSITIVE.contains(&key) => edit.sensitive = true,
                key if key.starts_with("@odata.") => {}
                key if UNSUPPORTED.contains(&key) => {
                    return Err(Refusal::bad_request(format!("This sandbox does not change '{key}'.")));
                }
                key => return Err(Refusal::no_property(key, "microsoft.graph.message")),
            }
        }
        Ok(edit)
    }

    fn apply(self, marks: &mut Marks) {
        marks.read = self.read.or(marks.read);
        if let Some(flag) = self.flag {
            marks.flag = flag;
        }
        if let Some(categories) = self.categories {
            marks.categories = categories;
        }
        marks.properties.extend(&self.properties);
    }
}

fn typed<T: serde::de::DeserializeOwned>(key: &str, value: Value) -> Result<T, Refusal> {
    serde_json::from_value(value)
        .map_err(|error| Refusal::bad_request(format!("Cannot convert '{key}' to its type: {error}.")))
}

pub(super) fn change(state: &State, faults: &Faults, place: &Place, request: &GraphRequest) -> GraphResult {
    let mailbox = state.mailbox(&place.user)?;
    let folder = state.folder(mailbox, place.folder.as_deref())?;
    let edit = Edit::read(request.json()?)?;
    let mut changes = state.changes();
    let item = state.item_in(&changes, mailbox, folder, &place.id)?;
    let is_draft = state.look(mailbox, &item).is_draft();
    if edit.sensitive && is_draft {
        return Err(Refusal::bad_request("This sandbox does not change the content of drafts."));
    }
    if edit.sensitive || !edit.properties.is_empty() && faults.refuses_extended_properties(mailbox) {
        return Err(Refusal::access_denied());
    }
    changes.mailboxes.entry(mailbox).or_default().mark(item.key, |marks| edit.apply(marks));
    let item = state.item_in(&changes, mailbox, folder, &place.id)?;
    drop(changes);
    Ok(shown(state, 200, mailbox, &item, &View::of(request, &Query::default())?))
}
