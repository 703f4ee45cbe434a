//! What an import would change: object by object, and part by part.

use std::collections::BTreeMap;

use serde_json::Value;

use super::kind::Kind;
use super::line_diff::{Line, differing};
use super::part::{Form, Part, Row};
use super::parts::parts;
use super::shipped::is_shipped;

/// What an import would change about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// SOAR does not have the object.
    New,
    /// SOAR has a different version, which would be overwritten.
    Modified(Vec<Difference>),
    /// SOAR has the object, but does not show what is needed for a comparison.
    Unknown,
    /// SOAR has the same version.
    None,
}

/// A part of an object that an import would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The part, such as `tooltip`.
    pub what: String,
    /// What becomes of it.
    pub edit: Edit,
    /// Whether the value in SOAR is none that this program or the older app has brought.
    pub is_foreign: bool,
}

/// What becomes of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// SOAR does not have it.
    Added,
    /// Only SOAR has it.
    Removed,
    /// Another value.
    Value {
        /// SOAR's value.
        old: String,
        /// The value in the import file.
        new: String,
    },
    /// Other entries of a list.
    Entries(Vec<Line>),
    /// Another text.
    Text {
        /// How many lines SOAR's text has.
        old: usize,
        /// How many lines the text in the import file has.
        new: usize,
        /// The lines that differ.
        lines: Vec<Line>,
    },
    /// It differs in a way that a person would not read.
    Opaque,
}

/// Names of objects and options, by their uuids.
#[derive(Debug, Default)]
pub struct Names(BTreeMap<String, String>);

impl Names {
    /// The names in an import file, or in other objects of SOAR.
    pub fn of(file: &Value) -> Self {
        let mut names = BTreeMap::new();
        collect(file, &mut names);
        Self(names)
    }

    fn name<'n>(&'n self, uuid: &'n str) -> &'n str {
        self.0.get(uuid).map_or(uuid, String::as_str)
    }

    /// Replaces the uuid at the end of `text`, or in each of its words.
    fn in_text(&self, text: &str) -> String {
        let word = |word: &str| self.name(word.trim_matches('"')).to_owned();
        text.split(' ').map(word).collect::<Vec<_>>().join(" ")
    }
}

fn collect(value: &Value, names: &mut BTreeMap<String, String>) {
    match value {
        Value::Array(all) => all.iter().for_each(|one| collect(one, names)),
        Value::Object(object) => {
            let name = ["name", "label"].iter().find_map(|key| object.get(*key)?.as_str());
            if let (Some(uuid), Some(name)) = (object.get("uuid").and_then(Value::as_str), name) {
                names.insert(uuid.to_owned(), name.to_owned());
            }
            object.values().for_each(|one| collect(one, names));
        }
        _ => {}
    }
}

impl Kind {
    /// Compares `ours` with the object in SOAR, if there is one.
    pub fn change(self, ours: &Value, theirs: Option<&Value>, names: &Names) -> Change {
        let Some(theirs) = theirs else { return Change::New };
        let name = self.name(ours);
        let (our_parts, their_parts) = (parts(self, ours), parts(self, theirs));
        let mut differences: Vec<Difference> = Vec::new();
        let mut is_unknown = false;
        for our in &our_parts {
            let their = their_parts.iter().find(|their| their.path == our.path);
            if their.is_some_and(|their| their.value == our.value) {
                continue;
            }
            if their.is_some_and(|their| !their.is_given) || is_hidden(self, our, theirs) {
                is_unknown = true;
                continue;
            }
            let added = our.owner.as_ref().filter(|owner| !has_owner(&their_parts, owner));
            if let Some(owner) = added {
                if !differences.iter().any(|one| one.what == *owner) {
                    let what = owner.clone();
                    differences.push(Difference { what, edit: Edit::Added, is_foreign: false });
                }
                continue;
            }
            let edit = their.map_or(Edit::Added, |their| edit(our, their, names));
            let is_foreign = their.is_some_and(|their| {
                their.path != "diagram"
                    && takes_away(&edit)
                    && !is_shipped(self, name, &their.path, &their.value)
            });
            differences.push(Difference { what: names.in_text(&our.path), edit, is_foreign });
        }
        let of_objects = |part: &&Part| part.owner.is_none() && !part.value.is_null();
        for their in their_parts.iter().filter(of_objects) {
            if !our_parts.iter().any(|our| our.path == their.path) {
                let is_foreign = !is_shipped(self, name, &their.path, &their.value);
                let what = names.in_text(&their.path);
                differences.push(Difference { what, edit: Edit::Removed, is_foreign });
            }
        }
        match (differences.is_empty(), is_unknown) {
            (false, _) => Change::Modified(differences),
            (true, true) => Change::Unknown,
            (true, false) => Change::None,
        }
    }

    /// Whether `theirs`, from a list of SOAR, lacks parts that the whole object may have.
    pub fn is_incomplete(self, ours: &Value, theirs: &Value) -> bool {
        let their_parts = parts(self, theirs);
        parts(self, ours).iter().filter(|our| !our.value.is_null()).any(|our| {
            let their = their_parts.iter().find(|their| their.path == our.path);
            their.is_some_and(|their| !their.is_given) || is_hidden(self, our, theirs)
        })
    }
}

/// Whether SOAR does not show the columns, fields or scripts among which this part would be.
fn is_hidden(kind: Kind, our: &Part, theirs: &Value) -> bool {
    match kind {
        Kind::DataTable => our.owner.is_some() && theirs["fields"].is_null(),
        Kind::Playbook if our.owner.is_some() => theirs["fields_type"]["fields"].is_null(),
        Kind::Playbook if our.path.starts_with("script ") => theirs["local_scripts"].is_null(),
        Kind::Workflow | Kind::Playbook if our.path.starts_with("step ") => {
            theirs["content"]["xml"].is_null()
        }
        _ => false,
    }
}

fn has_owner(parts: &[Part], owner: &str) -> bool {
    parts.iter().any(|part| part.owner.as_deref() == Some(owner))
}

/// Whether an edit loses anything that SOAR has.
fn takes_away(edit: &Edit) -> bool {
    match edit {
        Edit::Added => false,
        Edit::Value { old, .. } => old != NOTHING,
        Edit::Entries(lines) | Edit::Text { lines, .. } => {
            lines.iter().any(|line| matches!(line, Line::Removed(_)))
        }
        Edit::Removed | Edit::Opaque => true,
    }
}

/// How an empty value is shown.
pub const NOTHING: &str = "(none)";

fn edit(our: &Part, their: &Part, names: &Names) -> Edit {
    match our.form {
        Form::Opaque => Edit::Opaque,
        Form::Value => Edit::Value { old: shown(&their.value, names), new: shown(&our.value, names) },
        Form::Rows(row) => {
            let rows = |value: &Value| -> Vec<String> {
                value.as_array().into_iter().flatten().map(|one| shown_row(row, one, names)).collect()
            };
            Edit::Entries(differing(&rows(&their.value), &rows(&our.value)))
        }
        Form::Text => {
            let (old, new) =
                (their.value.as_str().unwrap_or_default(), our.value.as_str().unwrap_or_default());
            let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
            Edit::Text { old: old.len(), new: new.len(), lines: differing(&old, &new) }
        }
    }
}

fn shown(value: &Value, names: &Names) -> String {
    match value {
        Value::Null => NOTHING.to_owned(),
        Value::Array(all) => all.iter().map(|one| shown(one, names)).collect::<Vec<_>>().join(" "),
        Value::String(text) if names.0.contains_key(text) => names.name(text).to_owned(),
        other => other.to_string(),
    }
}

fn shown_row(row: Row, value: &Value, names: &Names) -> String {
    let cell = |index: usize| value[index].as_str().unwrap_or_default();
    match row {
        Row::FormItem if cell(0) == "field_uuid" => names.name(cell(1)).to_owned(),
        Row::FormItem => format!("text {}", value[1]),
        Row::Option if value[1] == true => format!("{} (default)", cell(0)),
        Row::Option => cell(0).to_owned(),
        Row::Condition => format!("{} {} {}", cell(0), cell(1), value[2]),
        Row::Automation => format!("{} {}", cell(0), value[1]),
    }
}
