//! Keeps in an import file what SOAR has beyond it, so that an import never takes anything away: inputs of functions,
//! options, lines of forms, columns. Nothing becomes required, and what was switched off stays off.
//!
//! A function that lost an input would break the playbooks that set it: those of a newer version of the older app, and
//! an administrator's own.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::kind::Kind;
use super::shipped::is_shipped_heading;

/// The objects that SOAR has, by kind. A kind that SOAR does not show is absent.
#[derive(Debug, Default)]
pub struct Existing(BTreeMap<Kind, Vec<Value>>);

/// How the fields begin that the forms of the older app's playbooks have. They have no effect in a playbook of this
/// program, whose scripts read fields of other names.
const OF_OLDER_APPS_FORMS: &str = "exchange_online_";

/// What an administrator sets of a rule, and no release of this program changes.
const SETTINGS: [&str; 2] = ["enabled", "timeout_seconds"];
/// The samples of a function's results.
const SAMPLES: [&str; 3] = ["output_json_example", "output_json_schema", "output_description"];

impl Existing {
    /// Adds all objects of a kind.
    pub fn insert(&mut self, kind: Kind, objects: Vec<Value>) {
        self.0.insert(kind, objects);
    }

    /// The objects of a kind; `None` if SOAR does not show them.
    pub fn of(&self, kind: Kind) -> Option<&[Value]> {
        self.0.get(&kind).map(Vec::as_slice)
    }

    fn counterpart(&self, kind: Kind, ours: &Value) -> Option<&Value> {
        kind.counterpart(ours, self.of(kind)?)
    }

    /// The objects as JSON, to look for names.
    pub fn to_json(&self) -> Value {
        self.0.values().cloned().map(Value::Array).collect()
    }

    /// Adds to the import file what SOAR has beyond it.
    ///
    /// # Errors
    /// The file is not JSON any more; a test makes sure that it is.
    pub fn keep_in(&self, file: Value) -> Result<Value, serde_json::Error> {
        let mut file = self.with_uuids(file)?;
        let mut numbers = Numbers::after(&file);
        for kind in [Kind::FunctionField, Kind::RuleField] {
            for field in kind.of_mut(&mut file) {
                if let Some(theirs) = self.counterpart(kind, field) {
                    keep_of_field(field, theirs, &mut numbers);
                }
            }
        }
        for (kind, fields) in [(Kind::Function, Kind::FunctionField), (Kind::Rule, Kind::RuleField)] {
            let mut kept = Vec::new();
            for object in kind.of_mut(&mut file) {
                let Some(theirs) = self.counterpart(kind, object) else { continue };
                kept.extend(keep_items(kind, object, theirs, |_| true));
                for key in SETTINGS {
                    keep_value(object, theirs, key);
                }
                keep_samples(object, theirs);
            }
            self.add_fields(fields, &kept, &mut file, &mut numbers);
        }
        for table in Kind::DataTable.of_mut(&mut file) {
            if let Some(theirs) = self.counterpart(Kind::DataTable, table) {
                keep_columns(table, theirs, &mut numbers);
            }
        }
        for playbook in Kind::Playbook.of_mut(&mut file) {
            if let Some(theirs) = self.counterpart(Kind::Playbook, playbook) {
                keep_of_form(playbook, theirs, &mut numbers);
                keep_value(playbook, theirs, "status");
            }
        }
        Ok(file)
    }

    /// Gives objects the uuids by which SOAR knows them, where it has one of the same name with another uuid: the older
    /// app's version 1.5.0 has added an input and a column, too.
    fn with_uuids(&self, file: Value) -> Result<Value, serde_json::Error> {
        let mut others = Vec::new();
        for kind in Kind::ALL {
            for ours in kind.of(&file) {
                if let Some(theirs) = self.counterpart(kind, ours) {
                    other_uuids(ours, theirs, &mut others);
                }
            }
        }
        if others.is_empty() {
            return Ok(file);
        }
        let mut text = file.to_string();
        for (ours, theirs) in others {
            text = text.replace(&ours, &theirs);
            // So they are in the handles of playbooks.
            text = text.replace(&ours.replace('-', "_"), &theirs.replace('-', "_"));
        }
        serde_json::from_str(&text)
    }

    /// Adds the fields with these uuids to the file, unless they are in it.
    fn add_fields(&self, kind: Kind, uuids: &[Value], file: &mut Value, numbers: &mut Numbers) {
        let theirs = self.of(kind).into_iter().flatten().filter(|field| uuids.contains(&field["uuid"]));
        for field in theirs {
            let is_there = kind.of(file).iter().any(|ours| ours["uuid"] == field["uuid"]);
            if let (false, Some(fields)) = (is_there, file["fields"].as_array_mut()) {
                fields.push(numbers.renumbered(field));
            }
        }
    }
}

/// Collects pairs of uuids: ours, and that of SOAR's object of the same name. Looks into columns, forms, scripts and
/// options, too.
fn other_uuids(ours: &Value, theirs: &Value, found: &mut Vec<(String, String)>) {
    if let (Some(our), Some(their)) = (ours["uuid"].as_str(), theirs["uuid"].as_str())
        && our != their
        && Uuid::parse_str(their).is_ok()
    {
        found.push((our.to_owned(), their.to_owned()));
    }
    for key in ["fields_type", "tag"] {
        if ours[key].is_object() {
            other_uuids(&ours[key], &theirs[key], found);
        }
    }
    for (name, field) in ours["fields"].as_object().into_iter().flatten() {
        other_uuids(field, &theirs["fields"][name], found);
    }
    for (key, name) in [("values", "label"), ("local_scripts", "name")] {
        for one in ours[key].as_array().into_iter().flatten() {
            let theirs = theirs[key].as_array().into_iter().flatten().find(|other| other[name] == one[name]);
            if let Some(theirs) = theirs {
                other_uuids(one, theirs, found);
            }
        }
    }
}

/// The numbers of fields and options, which are unique in a file. The importing SOAR assigns its own.
struct Numbers {
    field: u64,
    option: u64,
}

impl Numbers {
    /// Numbers that the file does not use.
    fn after(file: &Value) -> Self {
        let mut numbers = Self { field: 0, option: 0 };
        numbers.see(file);
        numbers
    }

    fn see(&mut self, value: &Value) {
        match value {
            Value::Array(all) => all.iter().for_each(|one| self.see(one)),
            Value::Object(object) => {
                let number = |key: &str| object.get(key).and_then(Value::as_u64).unwrap_or_default();
                self.field = self.field.max(number("id"));
                self.option = self.option.max(number("value"));
                object.values().for_each(|one| self.see(one));
            }
            _ => {}
        }
    }

    /// A field of SOAR with numbers of the file, and without tags, which name things that are not in the file. Whatever
    /// is not an object stays as it is.
    fn renumbered(&mut self, field: &Value) -> Value {
        let mut field = field.clone();
        self.field += 1;
        set(&mut field, "id", json!(self.field));
        set(&mut field, "tags", json!([]));
        for option in field.get_mut("values").and_then(Value::as_array_mut).into_iter().flatten() {
            self.option += 1;
            set(option, "value", json!(self.option));
        }
        field
    }
}

/// Sets a value of an object. What SOAR sends in place of an object is left alone.
fn set(object: &mut Value, key: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}

fn keep_of_field(ours: &mut Value, theirs: &Value, numbers: &mut Numbers) {
    if theirs.get("required").is_none_or(Value::is_null)
        && let Some(field) = ours.as_object_mut()
    {
        field.remove("required");
    }
    let Some(options) = ours["values"].as_array_mut() else { return };
    for their in theirs["values"].as_array().into_iter().flatten() {
        let same = |our: &&mut Value| our["uuid"] == their["uuid"] || our["label"] == their["label"];
        if let Some(our) = options.iter_mut().find(same) {
            keep_value(our, their, "enabled");
            keep_value(our, their, "hidden");
        } else {
            numbers.option += 1;
            let mut option = their.clone();
            set(&mut option, "value", json!(numbers.option));
            options.push(option);
        }
    }
}

/// Leaves the value of this key as SOAR has it.
fn keep_value(ours: &mut Value, theirs: &Value, key: &str) {
    if let (Some(our), Some(their)) = (ours.get_mut(key), theirs.get(key).filter(|value| !value.is_null())) {
        *our = their.clone();
    }
}

/// Keeps the samples of a function's results, which an import file with workflows does not have.
fn keep_samples(ours: &mut Value, theirs: &Value) {
    let Some(ours) = ours.as_object_mut() else { return };
    for key in SAMPLES {
        if let Some(their) = theirs.get(key).filter(|value| !value.is_null()) {
            ours.entry(key).or_insert_with(|| their.clone());
        }
    }
}

/// Adds to a form the fields that only SOAR's form has, and its lines of text that were written in SOAR, each after the
/// line that it follows in SOAR. Returns the uuids of the fields.
fn keep_items(kind: Kind, object: &mut Value, theirs: &Value, stays: impl Fn(&str) -> bool) -> Vec<Value> {
    let name = kind.name(object).to_owned();
    let path = if kind == Kind::Playbook { "/manual_settings/view_items" } else { "/view_items" };
    let their_items = theirs.pointer(path).and_then(Value::as_array);
    let Some(ours) = object.pointer_mut(path).and_then(Value::as_array_mut) else { return Vec::new() };
    let mut next = None;
    let mut kept = Vec::new();
    for item in their_items.into_iter().flatten() {
        let content = &item["content"];
        let same = |our: &Value| our["element"] == item["element"] && our["content"] == *content;
        if let Some(place) = ours.iter().position(same) {
            next = Some(place + 1);
            continue;
        }
        let is_field = item["element"] == "field_uuid";
        let keeps = match content.as_str() {
            Some(uuid) if is_field => stays(uuid),
            _ => !is_shipped_heading(kind, &name, content),
        };
        if keeps {
            let place = next.unwrap_or(ours.len());
            ours.insert(place, item.clone());
            next = Some(place + 1);
            if is_field {
                kept.push(content.clone());
            }
        }
    }
    kept
}

fn keep_columns(table: &mut Value, theirs: &Value, numbers: &mut Numbers) {
    let (Some(ours), Some(theirs)) = (table["fields"].as_object_mut(), theirs["fields"].as_object()) else {
        return;
    };
    let mut order = theirs.values().filter_map(|column| column["order"].as_u64()).max();
    for (name, our) in ours.iter_mut() {
        match (theirs.get(name), &mut order) {
            (Some(their), _) => {
                keep_of_field(our, their, numbers);
                keep_value(our, their, "order");
                keep_value(our, their, "width");
            }
            // A new column is the last one.
            (None, Some(order)) => {
                *order = order.saturating_add(1);
                our["order"] = json!(order);
            }
            (None, None) => {}
        }
    }
    keep_fields(ours, theirs, |_| true, numbers);
}

fn keep_fields(
    ours: &mut Map<String, Value>,
    theirs: &Map<String, Value>,
    stays: impl Fn(&Value) -> bool,
    numbers: &mut Numbers,
) {
    for (name, their) in theirs {
        if !ours.contains_key(name) && stays(their) {
            ours.insert(name.clone(), numbers.renumbered(their));
        }
    }
}

/// Keeps what a playbook's form has beyond ours, except for the fields of the older app's form.
fn keep_of_form(playbook: &mut Value, theirs: &Value, numbers: &mut Numbers) {
    let none = Map::new();
    let their_fields = theirs["fields_type"]["fields"].as_object().unwrap_or(&none);
    let is_of_older_app = |uuid: &str| {
        let field = their_fields.iter().find(|(_, field)| field["uuid"] == uuid);
        field.is_some_and(|(name, _)| name.starts_with(OF_OLDER_APPS_FORMS))
    };
    let kept = keep_items(Kind::Playbook, playbook, theirs, |uuid| !is_of_older_app(uuid));
    let Some(our_fields) = playbook["fields_type"]["fields"].as_object_mut() else { return };
    for (name, our) in our_fields.iter_mut() {
        if let Some(their) = their_fields.get(name) {
            keep_of_field(our, their, numbers);
        }
    }
    keep_fields(our_fields, their_fields, |their| kept.contains(&their["uuid"]), numbers);
}
