//! What an import would do, read from SOAR and told in a few lines.

use std::fmt::Write as _;

use serde_json::Value;

use crate::cli::terminal::say;
use crate::customize::{Kind, Standing};
use soar::{Client, Collection, Error};

/// How long a line of names gets.
const WIDTH: usize = 100;
/// Where the names begin.
const INDENT: usize = 28;

/// What an import would do, kind by kind.
pub(super) struct Preview(Vec<(Kind, Vec<(String, Standing)>)>);

impl Preview {
    /// Asks SOAR for what it has of each kind. Nothing but reading.
    pub(super) async fn read(soar: &Client, file: &Value) -> Result<Self, Error> {
        let mut kinds = Vec::new();
        for kind in Kind::ALL {
            let ours = kind.of(file);
            let collection = match kind {
                Kind::MessageDestination => Collection::MessageDestinations,
                Kind::Function => Collection::Functions,
                Kind::FunctionField => Collection::Fields("__function"),
                Kind::DataTable => Collection::DataTable(ours.first().map_or("", |table| kind.name(table))),
                Kind::Rule => Collection::Rules,
                Kind::RuleField => Collection::Fields("actioninvocation"),
                Kind::Workflow => Collection::Workflows,
                Kind::Script => Collection::Scripts,
            };
            let theirs = match soar.objects(collection).await {
                Ok(theirs) => theirs,
                // The key may be let import what it may not list.
                Err(Error::Refused { status: 403, .. }) => {
                    let untold = ours.iter().map(|object| (kind.name(object).to_owned(), Standing::Untold));
                    kinds.push((kind, untold.collect()));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let mut objects = Vec::new();
            for object in ours {
                let standing = standing(soar, kind, collection, object, &theirs).await?;
                objects.push((kind.name(object).to_owned(), standing));
            }
            kinds.push((kind, objects));
        }
        Ok(Self(kinds))
    }

    /// Whether SOAR has all of it like this.
    pub(super) fn all_the_same(&self) -> bool {
        self.0.iter().flat_map(|(_, objects)| objects).all(|(_, standing)| *standing == Standing::Same)
    }

    /// Tells it. Where a kind stands in more than one way, what differs is named.
    pub(super) fn show(&self) {
        for (kind, objects) in &self.0 {
            let mut text = String::new();
            for standing in [Standing::New, Standing::Changed, Standing::Untold, Standing::Same] {
                let names: Vec<&str> = objects
                    .iter()
                    .filter(|(_, one)| *one == standing)
                    .map(|(name, _)| name.as_str())
                    .collect();
                if names.is_empty() {
                    continue;
                }
                let line = format!("{:>3} {}", names.len(), words(standing));
                let title = if text.is_empty() { title(*kind) } else { "" };
                // Writing to a String does not fail.
                let _ = writeln!(text, "  {title:<21}{line}");
                if names.len() < objects.len() && standing != Standing::Same {
                    list(&mut text, &names);
                }
            }
            say(text.trim_end());
        }
    }
}

/// How one object stands. A list may leave out what is long; then the object is read by itself.
async fn standing(
    soar: &Client,
    kind: Kind,
    collection: Collection<'_>,
    ours: &Value,
    theirs: &[Value],
) -> Result<Standing, Error> {
    let counterpart = kind.counterpart(ours, theirs);
    let standing = kind.standing(ours, counterpart);
    let number = counterpart.and_then(|one| one["id"].as_i64().or_else(|| one["workflow_id"].as_i64()));
    let (Standing::Untold, Some(number)) = (standing, number) else { return Ok(standing) };
    match soar.object(collection, number).await {
        Ok(whole) => Ok(kind.standing(ours, Some(&whole))),
        Err(Error::Refused { status: 403 | 404, .. }) => Ok(standing),
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
        Kind::Script => "script",
    }
}

fn words(standing: Standing) -> &'static str {
    match standing {
        Standing::New => "new",
        Standing::Changed => "will change: SOAR has it otherwise",
        Standing::Untold => "will be written anew: SOAR does not tell whether it has it otherwise",
        Standing::Same => "the same already",
    }
}
