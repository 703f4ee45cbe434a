//! The preview of an import: the differences between the import file and SOAR, in a few lines.

use std::fmt::Write as _;

use serde_json::Value;

use crate::cli::terminal::say;
use crate::customize::{Change, Kind};
use soar::{Client, Collection, Error};

/// The width of a line of names.
const WIDTH: usize = 100;
/// The column where the names begin.
const INDENT: usize = 28;

/// The changes of an import, by kind of object.
pub(super) struct Preview(Vec<(Kind, Vec<(String, Change)>)>);

impl Preview {
    /// Reads from SOAR what it has of each kind.
    pub(super) async fn read(soar: &Client, file: &Value) -> Result<Self, Error> {
        let mut kinds = Vec::new();
        for kind in Kind::ALL {
            let ours = kind.of(file);
            if ours.is_empty() {
                continue;
            }
            let collection = match kind {
                Kind::MessageDestination => Collection::MessageDestinations,
                Kind::Function => Collection::Functions,
                Kind::FunctionField => Collection::Fields("__function"),
                Kind::DataTable => Collection::DataTable(ours.first().map_or("", |table| kind.name(table))),
                Kind::Rule => Collection::Rules,
                Kind::RuleField => Collection::Fields("actioninvocation"),
                Kind::Workflow => Collection::Workflows,
                Kind::Playbook => Collection::Playbooks,
                Kind::Script => Collection::Scripts,
            };
            let theirs = match soar.objects(collection).await {
                Ok(theirs) => theirs,
                // The key may have the permission to import objects, but not to list them. And not every version of SOAR
                // may list playbooks in the same way.
                Err(Error::Refused { status, .. }) if status == 403 || kind == Kind::Playbook => {
                    let unknown = ours.iter().map(|object| (kind.name(object).to_owned(), Change::Unknown));
                    kinds.push((kind, unknown.collect()));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let mut objects = Vec::new();
            for object in ours {
                let change = change(soar, kind, collection, object, &theirs).await?;
                objects.push((kind.name(object).to_owned(), change));
            }
            kinds.push((kind, objects));
        }
        Ok(Self(kinds))
    }

    /// Whether SOAR has all objects in the same form.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().flat_map(|(_, objects)| objects).all(|(_, change)| *change == Change::None)
    }

    /// Shows the changes. Names the objects of a kind that would change if others of that kind would not.
    pub(super) fn show(&self) {
        for (kind, objects) in &self.0 {
            let mut text = String::new();
            for change in [Change::New, Change::Modified, Change::Unknown, Change::None] {
                let names: Vec<&str> =
                    objects.iter().filter(|(_, one)| *one == change).map(|(name, _)| name.as_str()).collect();
                if names.is_empty() {
                    continue;
                }
                let line = format!("{:>3} {}", names.len(), words(change));
                let title = if text.is_empty() { title(*kind) } else { "" };
                // Writing to a String does not fail.
                let _ = writeln!(text, "  {title:<21}{line}");
                if names.len() < objects.len() && change != Change::None {
                    list(&mut text, &names);
                }
            }
            say(text.trim_end());
        }
    }
}

/// Compares one object. A list may leave out long properties; then reads the object by itself.
async fn change(
    soar: &Client,
    kind: Kind,
    collection: Collection<'_>,
    ours: &Value,
    theirs: &[Value],
) -> Result<Change, Error> {
    let counterpart = kind.counterpart(ours, theirs);
    let change = kind.change(ours, counterpart);
    let number = counterpart.and_then(|one| one["id"].as_i64().or_else(|| one["workflow_id"].as_i64()));
    let (Change::Unknown, Some(number)) = (change, number) else { return Ok(change) };
    match soar.object(collection, number).await {
        Ok(whole) => Ok(kind.change(ours, Some(&whole))),
        Err(Error::Refused { status: 403 | 404, .. }) => Ok(change),
        Err(error) => Err(error),
    }
}

fn list(text: &mut String, names: &[&str]) {
    let mut line = String::new();
    for (number, name) in (1..).zip(names) {
        let comma = if number < names.len() { "," } else { "" };
        if !line.is_empty() && INDENT + line.len() + name.len() > WIDTH {
            let _ = writeln!(text, "{:INDENT$}{}", "", line.trim_end());
            line.clear();
        }
        let _ = write!(line, "{name}{comma} ");
    }
    let _ = writeln!(text, "{:INDENT$}{}", "", line.trim_end());
}

fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::MessageDestination => "message destination",
        Kind::Function => "functions",
        Kind::FunctionField => "their inputs",
        Kind::DataTable => "data table",
        Kind::Rule => "rules",
        Kind::RuleField => "fields of their forms",
        Kind::Workflow => "workflows",
        Kind::Playbook => "playbooks",
        Kind::Script => "script",
    }
}

fn words(change: Change) -> &'static str {
    match change {
        Change::New => "new",
        Change::Modified => "will change: SOAR has a different version",
        Change::Unknown => "will be written again: SOAR does not show whether it has a different version",
        Change::None => "unchanged",
    }
}
