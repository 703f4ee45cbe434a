//! The events of one calendar.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::graph::base::Base;
use crate::graph::extended_property::Properties;
use crate::graph::identifier::{IdForm, Ids, Key, Named};
use crate::graph::refusal::Refusal;
use crate::graph::rng::mix;

/// An event in a user's calendar.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its id for the tenant's own methods.
    pub id: String,
    /// The client's key that prevents a second creation, if it sent one.
    pub transaction_id: Option<String>,
    /// The event object as Graph shows it, without `@odata.context`.
    pub object: Value,
    /// The object it was created from, with the times and zones of the request. Empty if no client created it.
    pub asked: Map<String, Value>,
    /// The number of the series that it is an exception of.
    pub(super) master: Option<u32>,
    pub(super) properties: Properties,
}

impl Event {
    pub(super) fn text(&self, key: &str) -> &str {
        self.object[key].as_str().unwrap_or_default()
    }

    pub(super) fn is_true(&self, key: &str) -> bool {
        self.object[key] == true
    }

    /// The address of the organizer.
    pub(super) fn organizer(&self) -> &str {
        self.object.pointer("/organizer/emailAddress/address").and_then(Value::as_str).unwrap_or_default()
    }

    /// The addresses of the attendees.
    pub(super) fn attendees(&self) -> Vec<String> {
        let attendees = self.object["attendees"].as_array().into_iter().flatten();
        let addresses = attendees.filter_map(|attendee| attendee.pointer("/emailAddress/address")?.as_str());
        addresses.filter(|address| !address.trim().is_empty()).map(str::to_owned).collect()
    }
}

/// A user's calendar.
#[derive(Debug, Default)]
pub(in crate::graph) struct Calendar {
    events: BTreeMap<u32, Event>,
    next: u32,
    /// Whether nothing processes invitations when they arrive.
    pub(super) unattended: bool,
}

impl Calendar {
    /// The number of the event that is added next.
    pub(super) fn next(&self) -> u32 {
        self.next
    }

    /// Adds an event, whose id names its number.
    pub(super) fn add(
        &mut self,
        base: &Base,
        mailbox: u32,
        event: impl FnOnce(String) -> Event,
    ) -> (u32, &Event) {
        let number = self.next;
        self.next += 1;
        let event = event(event_id(base, base.id_form, mailbox, number));
        (number, self.events.entry(number).or_insert(event))
    }

    /// Removes all events. Their numbers are not used again.
    pub(in crate::graph) fn clear(&mut self) {
        self.events.clear();
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Event)> {
        self.events.iter().map(|(number, event)| (*number, event))
    }

    pub(in crate::graph) fn events(&self) -> impl Iterator<Item = &Event> {
        self.events.values()
    }

    pub(super) fn get(&self, number: u32) -> Option<&Event> {
        self.events.get(&number)
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Event> {
        self.events.get_mut(&number)
    }

    /// The event with this `iCalUId`.
    pub(super) fn find(&self, uid: &str) -> Option<u32> {
        self.iter().find(|(_, event)| event.text("iCalUId") == uid).map(|(number, _)| number)
    }

    /// Removes an event, and with a series its exceptions.
    pub(super) fn remove(&mut self, number: u32) -> Option<Event> {
        self.events.retain(|_, event| event.master != Some(number));
        self.events.remove(&number)
    }
}

fn ids(base: &Base) -> Ids {
    Ids { seed: mix(base.generator.seed, 0xE4E7, 0), ..base.ids }
}

pub(super) fn event_id(base: &Base, form: IdForm, mailbox: u32, number: u32) -> String {
    match form {
        IdForm::Default => ids(base).message(mailbox, Key::Added(number)),
        IdForm::Immutable => ids(base).immutable(mailbox, Key::Added(number)),
    }
}

/// The number of the event that an id names, in either form.
pub(super) fn number(base: &Base, mailbox: u32, id: &str) -> Result<u32, Refusal> {
    let named = ids(base).named(mailbox, id).map_err(|_| Refusal::malformed_id())?;
    match named {
        Some(Named::Place(Key::Added(number)) | Named::Root(Key::Added(number))) => Ok(number),
        _ => Err(Refusal::item_not_found()),
    }
}

/// An event with its ids in this form.
pub(super) fn identified(base: &Base, form: IdForm, mailbox: u32, number: u32, event: &Event) -> Value {
    let mut object = event.object.clone();
    object["id"] = json!(event_id(base, form, mailbox, number));
    if let Some(master) = event.master {
        object["seriesMasterId"] = json!(event_id(base, form, mailbox, master));
    }
    object
}
