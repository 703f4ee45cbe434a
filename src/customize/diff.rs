//! Compares the objects of the import file with those that SOAR has, to show what an import would change.
//!
//! Compares only what users of SOAR can see or change: not numbers, dates, versions and the last editor.

use serde_json::{Value, json};

/// A kind of object in the import file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The message destination.
    MessageDestination,
    /// The functions.
    Function,
    /// The functions' input fields.
    FunctionField,
    /// The data table.
    DataTable,
    /// The rules.
    Rule,
    /// The fields of the rules' forms.
    RuleField,
    /// The workflows.
    Workflow,
    /// The playbooks, with their forms and scripts.
    Playbook,
    /// The scripts.
    Script,
}

/// What an import would change about an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// SOAR does not have the object.
    New,
    /// SOAR has a different version, which would be overwritten.
    Modified,
    /// SOAR has the object, but does not return what is needed for a comparison.
    Unknown,
    /// SOAR has the same version.
    None,
}

/// A property to compare: its key, and how to normalise its value.
type Aspect = (&'static str, fn(&Value) -> Value);

/// The properties of fields and of columns.
const FIELD: &[Aspect] = &[
    ("text", plain),
    ("tooltip", plain),
    ("placeholder", plain),
    ("input_type", plain),
    ("required", plain),
    ("blank_option", plain),
    ("rich_text", plain),
    ("values", options),
];

/// The key whose absence is a value.
const ABSENT_MEANS_NO: &str = "required";

impl Kind {
    /// All kinds, in the order of the preview.
    pub const ALL: [Self; 9] = [
        Self::MessageDestination,
        Self::Function,
        Self::FunctionField,
        Self::Rule,
        Self::RuleField,
        Self::Workflow,
        Self::Playbook,
        Self::Script,
        Self::DataTable,
    ];

    /// The objects of the file that are of this kind.
    pub fn of(self, file: &Value) -> Vec<&Value> {
        let (section, prefix) = match self {
            Self::MessageDestination => ("message_destinations", ""),
            Self::Function => ("functions", ""),
            Self::FunctionField => ("fields", "__function/"),
            Self::DataTable => ("types", ""),
            Self::Rule => ("actions", ""),
            Self::RuleField => ("fields", "actioninvocation/"),
            Self::Workflow => ("workflows", ""),
            Self::Playbook => ("playbooks", ""),
            Self::Script => ("scripts", ""),
        };
        let ours = |one: &&Value| one["export_key"].as_str().is_some_and(|key| key.starts_with(prefix));
        file[section].as_array().into_iter().flatten().filter(ours).collect()
    }

    /// The name of an object of this kind.
    pub fn name(self, object: &Value) -> &str {
        object[self.name_key()].as_str().unwrap_or_default()
    }

    fn name_key(self) -> &'static str {
        match self {
            Self::MessageDestination | Self::Workflow => "programmatic_name",
            Self::DataTable => "type_name",
            Self::Function
            | Self::FunctionField
            | Self::Rule
            | Self::RuleField
            | Self::Playbook
            | Self::Script => "name",
        }
    }

    /// The object that SOAR would update: the one with the same uuid, or else with the same name.
    pub fn counterpart<'t>(self, ours: &Value, theirs: &'t [Value]) -> Option<&'t Value> {
        let with = |key: &str| theirs.iter().find(|one| ours[key].is_string() && one[key] == ours[key]);
        with("uuid").or_else(|| with(self.name_key()))
    }

    /// Compares `ours` with the object in SOAR, if there is one.
    pub fn change(self, ours: &Value, theirs: Option<&Value>) -> Change {
        let Some(theirs) = theirs else { return Change::New };
        let mut change = compare(self.aspects(), ours, theirs);
        let (our_fields, their_fields) = match self {
            Self::DataTable => (&ours["fields"], &theirs["fields"]),
            Self::Playbook => (&ours["fields_type"]["fields"], &theirs["fields_type"]["fields"]),
            _ => return change,
        };
        for (name, field) in our_fields.as_object().into_iter().flatten() {
            change = change.and(match their_fields.get(name) {
                Some(theirs) => compare(FIELD, field, theirs),
                None if their_fields.is_null() => Change::Unknown,
                None => Change::Modified,
            });
        }
        change
    }

    fn aspects(self) -> &'static [Aspect] {
        match self {
            Self::MessageDestination => {
                &[("name", plain), ("destination_type", plain), ("expect_ack", plain)]
            }
            Self::Function => &[
                ("display_name", plain),
                ("description", plain),
                ("destination_handle", plain),
                ("view_items", form),
            ],
            Self::FunctionField | Self::RuleField => FIELD,
            Self::DataTable => &[("display_name", plain)],
            Self::Rule => &[
                ("enabled", plain),
                ("object_type", plain),
                ("logic_type", plain),
                ("conditions", conditions),
                ("workflows", plain),
                ("automations", automations),
                ("view_items", form),
            ],
            Self::Workflow => {
                &[("name", plain), ("description", plain), ("object_type", plain), ("content", xml)]
            }
            Self::Playbook => &[
                ("display_name", plain),
                ("description", plain),
                ("object_type", plain),
                ("activation_type", plain),
                ("status", plain),
                ("manual_settings", activation),
                ("local_scripts", scripts),
                ("content", xml),
            ],
            Self::Script => {
                &[("description", plain), ("object_type", plain), ("language", plain), ("script_text", plain)]
            }
        }
    }
}

impl Change {
    /// Combines the changes of two parts.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::New, _) | (_, Self::New) => Self::New,
            (Self::Modified, _) | (_, Self::Modified) => Self::Modified,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::None, Self::None) => Self::None,
        }
    }
}

fn compare(aspects: &[Aspect], ours: &Value, theirs: &Value) -> Change {
    aspects.iter().fold(Change::None, |change, (key, read)| {
        let (our, their) = (read(&ours[key]), read(&theirs[key]));
        change.and(if our == their {
            Change::None
        } else if theirs.get(key).is_none() && *key != ABSENT_MEANS_NO {
            Change::Unknown
        } else {
            Change::Modified
        })
    })
}

/// Normalises a value: a text with a format becomes the text, and all kinds of empty values become null.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(object) if object.contains_key("content") => plain(&object["content"]),
        Value::String(text) if text.is_empty() => Value::Null,
        Value::Array(list) if list.is_empty() => Value::Null,
        Value::Bool(false) => Value::Null,
        other => other.clone(),
    }
}

/// Normalises these keys of each object in a list.
fn each(list: &Value, keys: &[&str]) -> Value {
    let all = list.as_array().into_iter().flatten();
    let rows: Vec<Vec<_>> = all.map(|one| keys.iter().map(|key| plain(&one[key])).collect()).collect();
    plain(&json!(rows))
}

fn form(items: &Value) -> Value {
    each(items, &["element", "content"])
}

fn options(values: &Value) -> Value {
    each(values, &["label", "default"])
}

fn conditions(conditions: &Value) -> Value {
    each(conditions, &["field_name", "method", "value"])
}

fn automations(automations: &Value) -> Value {
    each(automations, &["type", "scripts_to_run"])
}

fn activation(settings: &Value) -> Value {
    let of_conditions = &settings["activation_conditions"];
    json!([
        conditions(&of_conditions["conditions"]),
        plain(&of_conditions["logic_type"]),
        form(&settings["view_items"]),
    ])
}

fn scripts(scripts: &Value) -> Value {
    each(scripts, &["name", "script_text"])
}

fn xml(content: &Value) -> Value {
    plain(&content["xml"])
}
