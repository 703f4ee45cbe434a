//! The preview of an import: what it would change, object by object and field by field.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::customize::{Change, Difference, Edit, Existing, Kind, Line, NOTHING, Names};
use net::untrusted::text::{escape_json, sanitize_line};

/// The widest line that shows an old and a new value side by side.
const WIDTH: usize = 110;

/// The changes of an import, by kind of object.
pub(super) struct Preview(Vec<(Kind, Vec<(String, Change)>)>);

impl Preview {
    /// Compares the import file with what SOAR has.
    pub(super) fn new(file: &Value, existing: &Existing) -> Self {
        let names = Names::of(&Value::Array(vec![existing.to_json(), file.clone()]));
        let kinds = Kind::ALL.into_iter().filter_map(|kind| {
            let ours = kind.of(file);
            let change = |ours: &&Value| {
                let change = match existing.of(kind) {
                    Some(theirs) => kind.change(ours, kind.counterpart(ours, theirs), &names),
                    None => Change::Unknown,
                };
                (kind.name(ours).to_owned(), change)
            };
            (!ours.is_empty()).then(|| (kind, ours.iter().map(change).collect()))
        });
        Self(kinds.collect())
    }

    fn changes(&self) -> impl Iterator<Item = &Change> {
        self.0.iter().flat_map(|(_, objects)| objects).map(|(_, change)| change)
    }

    /// Whether SOAR has all objects in the same form.
    pub(super) fn is_empty(&self) -> bool {
        self.changes().all(|change| *change == Change::None)
    }

    /// How many objects would lose what was changed in SOAR.
    pub(super) fn foreign(&self) -> usize {
        let foreign = |change: &&Change| match change {
            Change::Modified(differences) => differences.iter().any(|one| one.is_foreign),
            _ => false,
        };
        self.changes().filter(foreign).count()
    }

    /// How many objects SOAR does not show.
    pub(super) fn unknown(&self) -> usize {
        self.changes().filter(|change| **change == Change::Unknown).count()
    }

    /// The preview as text.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (kind, objects) in &self.0 {
            line(&mut text, 0, title(*kind));
            for (name, change) in objects {
                show(&mut text, name, change);
            }
            let unchanged = objects.iter().filter(|(_, change)| *change == Change::None).count();
            if unchanged > 0 {
                line(&mut text, 1, &format!("= {unchanged} unchanged"));
            }
        }
        line(&mut text, 0, &self.summary());
        text
    }

    /// The preview for programs, with the message destination and whether SOAR lets the key or account read it.
    pub(super) fn json(&self, organisation: &str, destination: &str, has_access: bool) -> String {
        let objects = self.0.iter().flat_map(|(kind, objects)| {
            objects.iter().map(|(name, change)| {
                let (change, differences) = match change {
                    Change::None => ("none", &[][..]),
                    Change::New => ("add", &[][..]),
                    Change::Unknown => ("unknown", &[][..]),
                    Change::Modified(differences) => ("change", differences.as_slice()),
                };
                let differences = differences
                    .iter()
                    .map(|one| json!({"what": one.what, "foreign": one.is_foreign, "edit": edit(&one.edit)}));
                let differences = differences.collect::<Vec<_>>();
                json!({"kind": title(*kind), "name": name, "change": change, "differences": differences})
            })
        });
        let plan = json!({
            "organisation": organisation,
            "message_destination": destination,
            "has_access": has_access,
            "is_up_to_date": self.is_empty() && has_access,
            "objects": objects.collect::<Vec<_>>(),
        });
        escape_json(&format!("{plan:#}\n"))
    }

    fn summary(&self) -> String {
        let count = |is: fn(&Change) -> bool| self.changes().filter(|change| is(change)).count();
        let mut summary = format!(
            "Plan: {} to add, {} to change, {} unchanged",
            count(|change| *change == Change::New),
            count(|change| matches!(change, Change::Modified(_))),
            count(|change| *change == Change::None),
        );
        if self.unknown() > 0 {
            let _ = write!(summary, ", {} that SOAR does not show", self.unknown());
        }
        summary.push('.');
        if self.unknown() > 0 {
            summary.push_str(" What these have beyond the import is not kept.");
        }
        if self.foreign() > 0 {
            let _ = write!(
                summary,
                "\n! marks what neither this program nor version 1.3.0 of the older app has brought: it was changed in \
                 SOAR,\n  or comes from another version of the older app. It would be overwritten in {}.",
                objects(self.foreign())
            );
        }
        summary
    }
}

/// Returns "1 object", "2 objects".
pub(super) fn objects(count: usize) -> String {
    format!("{count} object{}", if count == 1 { "" } else { "s" })
}

fn show(text: &mut String, name: &str, change: &Change) {
    match change {
        Change::None => {}
        Change::New => line(text, 1, &format!("+ {name}")),
        Change::Unknown => {
            line(text, 1, &format!("? {name}: SOAR does not show it; it would be written again"));
        }
        Change::Modified(differences) => {
            line(text, 1, &format!("~ {name}"));
            for difference in differences {
                show_difference(text, difference);
            }
        }
    }
}

fn show_difference(text: &mut String, Difference { what, edit, is_foreign }: &Difference) {
    let mark = if *is_foreign { '!' } else { ' ' };
    let head = format!("{mark} {what}:");
    match edit {
        Edit::Added => line(text, 2, &format!("+ {what}")),
        Edit::Removed => line(text, 2, &format!("{mark} {what}: only SOAR has it")),
        Edit::Opaque => line(text, 2, &format!("{head} differs")),
        Edit::Value { old, new } => {
            let short = format!("{head} {old} -> {new}");
            if old == NOTHING || short.chars().count() <= WIDTH {
                line(text, 2, &short);
            } else {
                line(text, 2, &head);
                line(text, 4, &format!("- {old}"));
                line(text, 4, &format!("+ {new}"));
            }
        }
        Edit::Entries(lines) => {
            line(text, 2, &head);
            show_lines(text, lines);
        }
        Edit::Text { old, new, lines } => {
            line(text, 2, &format!("{head} {old} lines -> {new} lines"));
            // Who has changed a script in SOAR wants to see what would be lost.
            if *is_foreign {
                show_lines(text, lines);
            }
        }
    }
}

/// An edit, as `json` shows it. Lines of a script are not in it.
fn edit(edit: &Edit) -> Value {
    match edit {
        Edit::Added => json!({"kind": "added"}),
        Edit::Removed => json!({"kind": "only in SOAR"}),
        Edit::Opaque => json!({"kind": "differs"}),
        Edit::Value { old, new } => json!({"kind": "value", "old": old, "new": new}),
        Edit::Entries(lines) => {
            let of = |is: fn(&Line) -> Option<&String>| lines.iter().filter_map(is).collect::<Vec<_>>();
            let removed = of(|line| if let Line::Removed(text) = line { Some(text) } else { None });
            let added = of(|line| if let Line::Added(text) = line { Some(text) } else { None });
            json!({"kind": "entries", "removed": removed, "added": added})
        }
        Edit::Text { old, new, .. } => json!({"kind": "text", "old_lines": old, "new_lines": new}),
    }
}

fn show_lines(text: &mut String, lines: &[Line]) {
    for one in lines {
        match one {
            Line::Removed(content) => line(text, 4, &format!("- {content}")),
            Line::Added(content) => line(text, 4, &format!("+ {content}")),
        }
    }
}

/// Adds a line, or several of a text of this program. What SOAR says stays on its line.
fn line(text: &mut String, level: usize, content: &str) {
    let indented = if level == 0 { content.to_owned() } else { sanitize_line(content) };
    // Writing to a String does not fail.
    let _ = writeln!(text, "{:1$}{indented}", "", 2 * level);
}

fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::MessageDestination => "message destination",
        Kind::Function => "functions",
        Kind::FunctionField => "inputs of functions",
        Kind::DataTable => "data table",
        Kind::Rule => "rules",
        Kind::RuleField => "fields of forms",
        Kind::Workflow => "workflows",
        Kind::Playbook => "playbooks",
        Kind::Script => "script",
    }
}
