//! Events on their way out of a calendar and back, with all that they hold. A series takes its exceptions along, which
//! Exchange keeps within it.

use serde_json::{Map, Value, json};

use super::event::{Calendar, Event, event_id, number};
use crate::graph::base::Base;
use crate::graph::extended_property::Properties;
use crate::graph::identifier::IdForm;
use crate::graph::refusal::Refusal;

/// The change key of the event that a default id names, and all that it holds.
pub(in crate::graph) fn export(
    base: &Base,
    calendar: Option<&Calendar>,
    mailbox: u32,
    id: &str,
) -> Result<(String, Value), Refusal> {
    let number = number(base, mailbox, id)?;
    if event_id(base, IdForm::Default, mailbox, number) != id {
        return Err(Refusal::malformed_id());
    }
    let calendar = calendar.ok_or_else(Refusal::item_not_found)?;
    let event = calendar.get(number).ok_or_else(Refusal::item_not_found)?;
    let exceptions: Vec<Value> = calendar
        .events()
        .filter(|exception| exception.master == Some(number))
        .map(|exception| exception.object.clone())
        .collect();
    let item = json!({"event": event.object, "exceptions": exceptions});
    Ok((event.text("changeKey").to_owned(), item))
}

/// Makes a new event of an exported one, which has another id. An event that is there already stays: it is there twice
/// then. Returns the default id and the change key.
pub(in crate::graph) fn import(
    base: &Base,
    calendar: &mut Calendar,
    mailbox: u32,
    item: &Value,
) -> (String, String) {
    let mut add = |object: &Value, master| {
        let (number, event) = calendar.add(base, mailbox, |id| {
            let mut object = object.clone();
            object["id"] = json!(id);
            Event {
                id,
                transaction_id: None,
                object,
                asked: Map::new(),
                master,
                properties: Properties::default(),
            }
        });
        (number, event.text("changeKey").to_owned())
    };
    let (number, change_key) = add(&item["event"], None);
    for exception in item["exceptions"].as_array().into_iter().flatten() {
        add(exception, Some(number));
    }
    (event_id(base, IdForm::Default, mailbox, number), change_key)
}
