//! An organisation's customizations (message destinations, functions, fields, data tables, rules, workflows,
//! playbooks and scripts), and the effect of an import on them.

mod artifact_types;
mod bpmn;
mod json;
mod numbers;
mod older_app;
mod playbooks;
mod rules;
mod sections;
mod table;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

pub(super) use self::artifact_types::ARTIFACT_TYPES;
pub(super) use self::bpmn::{BPMN, SOAR};
pub(super) use self::json::major;
use self::json::{list, objects, text};
pub use self::older_app::{older_app, older_app_with_playbooks};
pub use self::rules::check;
pub(super) use self::rules::check_beside;
pub(super) use self::sections::complete_export;
pub(super) use self::table::Table;

/// A kind of object: its key in an import file, the key that holds its name, and the one that holds its number.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    section: &'static str,
    name: &'static str,
    number: &'static str,
}

const fn kind(section: &'static str, name: &'static str, number: &'static str) -> Kind {
    Kind { section, name, number }
}

pub(super) const DESTINATIONS: Kind = kind("message_destinations", "programmatic_name", "id");
pub(super) const FUNCTIONS: Kind = kind("functions", "name", "id");
pub(super) const FIELDS: Kind = kind("fields", "export_key", "id");
pub(super) const TYPES: Kind = kind("types", "type_name", "id");
pub(super) const RULES: Kind = kind("actions", "name", "id");
pub(super) const WORKFLOWS: Kind = kind("workflows", "programmatic_name", "workflow_id");
pub(super) const PLAYBOOKS: Kind = kind("playbooks", "name", "id");
pub(super) const SCRIPTS: Kind = kind("scripts", "name", "id");
pub(super) const INCIDENT_TYPES: Kind = kind("incident_types", "name", "id");

const KINDS: [Kind; 9] =
    [DESTINATIONS, FUNCTIONS, FIELDS, TYPES, RULES, WORKFLOWS, PLAYBOOKS, SCRIPTS, INCIDENT_TYPES];

/// Functions with these names on a message destination, and nothing else: the minimum for calls. A SOAR can start with
/// it; an import would refuse it.
pub fn functions_only<'n>(destination: &str, functions: impl IntoIterator<Item = &'n str>) -> Value {
    let function = |name: &str| {
        json!({
            "name": name,
            "display_name": name,
            "destination_handle": destination,
            "view_items": [],
            "workflows": []
        })
    };
    json!({
        DESTINATIONS.section: [{
            "name": destination,
            "programmatic_name": destination,
            "destination_type": 0,
            "expect_ack": true,
            "users": [],
            "api_keys": []
        }],
        FUNCTIONS.section: functions.into_iter().map(function).collect::<Vec<_>>()
    })
}

/// All objects of an organisation, as in an export.
#[derive(Debug, Default)]
pub(crate) struct Customizations(BTreeMap<&'static str, Vec<Value>>);

impl Customizations {
    /// Applies an import file: an object that exists, by its uuid or name, is updated and keeps its number; any other
    /// object is added with a number from `next_id`. Nothing is deleted. The file must have been checked.
    pub(super) fn import(&mut self, file: &Value, mut next_id: impl FnMut() -> i64) {
        for kind in &KINDS {
            let there = self.0.entry(kind.section).or_default();
            for object in list(file, kind.section) {
                let mut object = object.clone();
                let old = there.iter_mut().find(|one| is_same(one, &object, kind));
                numbers::number(&mut object, old.as_deref(), kind, &mut next_id);
                if let Some(old) = old {
                    object[kind.number] = old[kind.number].clone();
                    keep(old, &mut object, kind);
                    *old = object;
                } else {
                    object[kind.number] = json!(next_id());
                    if *kind == DESTINATIONS {
                        object["version"] = json!(1);
                    }
                    there.push(object);
                }
            }
        }
    }

    /// Returns two objects that one object of the file matches, one by its uuid and the other by its name.
    pub(super) fn torn(&self, file: &Value) -> Option<String> {
        KINDS.iter().find_map(|kind| {
            let torn = |object: &&Value| self.all(kind).filter(|one| is_same(one, object, kind)).count() > 1;
            let object = list(file, kind.section).iter().find(torn)?;
            Some(format!("{} has the name of one object and the uuid of another", object[kind.name]))
        })
    }

    pub(super) fn all(&self, kind: &Kind) -> impl Iterator<Item = &Value> + use<'_> {
        self.0.get(kind.section).into_iter().flatten()
    }

    /// An object, by its name or number.
    pub(super) fn get(&self, kind: &Kind, handle: &str) -> Option<&Value> {
        self.all(kind).find(|one| is_called(one, kind, handle))
    }

    pub(super) fn get_mut(&mut self, kind: &Kind, handle: &str) -> Option<&mut Value> {
        self.0.get_mut(kind.section)?.iter_mut().find(|one| is_called(one, kind, handle))
    }

    pub(super) fn all_mut(&mut self, kind: &Kind) -> impl Iterator<Item = &mut Value> + use<'_> {
        self.0.get_mut(kind.section).into_iter().flatten()
    }

    /// An object, by the key of its kind and its name.
    pub(super) fn object_mut(&mut self, section: &str, name: &str) -> Option<&mut Value> {
        let kind = KINDS.iter().find(|kind| kind.section == section)?;
        self.get_mut(kind, name)
    }

    pub(super) fn remove(&mut self, kind: &Kind, name: &str) {
        if let Some(there) = self.0.get_mut(kind.section) {
            there.retain(|one| text(one, kind.name) != name);
        }
    }

    /// The fields of a type: of rules, of functions, or the columns of a data table.
    pub(super) fn fields_of(&self, type_name: &str) -> Option<Vec<&Value>> {
        if let Some(table) = self.all(&TYPES).find(|one| text(one, TYPES.name) == type_name) {
            return Some(objects(&table["fields"]).collect());
        }
        let prefix = format!("{type_name}/");
        ["incident", "actioninvocation", "__function"]
            .contains(&type_name)
            .then(|| self.all(&FIELDS).filter(|one| text(one, FIELDS.name).starts_with(&prefix)).collect())
    }

    /// The incident types of imports.
    pub(super) fn incident_types(&self) -> impl Iterator<Item = &Value> + use<'_> {
        self.all(&INCIDENT_TYPES)
    }

    /// The data tables, by their names.
    pub(super) fn types(&self) -> Value {
        let tables = self.all(&TYPES).map(|table| (text(table, TYPES.name).to_owned(), table.clone()));
        tables.collect::<Map<_, _>>().into()
    }

    /// Everything, in the form of an export.
    pub(super) fn export(&self) -> Value {
        let there = self.0.iter().filter(|(_, all)| !all.is_empty());
        there.map(|(section, all)| ((*section).to_owned(), json!(all))).collect::<Map<_, _>>().into()
    }
}

fn is_same(one: &Value, other: &Value, kind: &Kind) -> bool {
    let same = |key| one[key].is_string() && one[key] == other[key];
    same("uuid") || same(kind.name)
}

fn is_called(one: &Value, kind: &Kind, handle: &str) -> bool {
    text(one, kind.name) == handle || handle.parse().is_ok_and(|number: i64| one[kind.number] == number)
}

/// The parts of an existing object that an import does not change: the readers of a message destination, and columns
/// and fields of a playbook's form that are not in the file.
fn keep(old: &Value, new: &mut Value, kind: &Kind) {
    if *kind == DESTINATIONS {
        for key in ["users", "api_keys"] {
            new[key] = old[key].clone();
        }
        new["version"] = json!(old["version"].as_i64().unwrap_or_default() + 1);
    }
    let (old_fields, new_fields) = match *kind {
        TYPES => (&old["fields"], &mut new["fields"]),
        PLAYBOOKS => (&old["fields_type"]["fields"], &mut new["fields_type"]["fields"]),
        _ => return,
    };
    for (name, field) in old_fields.as_object().into_iter().flatten() {
        if new_fields.get(name).is_none() {
            new_fields[name] = field.clone();
        }
    }
}
