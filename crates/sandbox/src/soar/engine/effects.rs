//! What a script works on, and what it does to it.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;

use serde_json::{Map, Value, json};

use super::Request;
use super::process::Process;
use super::script::{Effects, NewTask, ScriptRun, Text};
use crate::soar::caller::Origin;
use crate::soar::customizations::{FIELDS, PLAYBOOKS};
use crate::soar::incidents::{Author, NewArtifact, NoteFormat, Owner, Row};
use crate::soar::rest::Rest;

/// The input that holds the message of a row, and the one that holds the address of a mailbox or an artifact.
const MESSAGE: &str = "exo_messages_id";
const ADDRESS: &str = "exo_email_address";

/// SOAR's number for the fields of rules' forms.
const ACTIVITY: u64 = 6;
/// The phases of an incident that every organisation has at first.
const PHASES: [&str; 5] = ["Initial", "Engage", "Detect/Analyze", "Respond", "Post-Incident"];

/// The incident of a process, and the row, artifact or task in it that the process works on.
pub(super) struct Object<'r> {
    rest: &'r Rest,
    incident: i64,
    row: Option<Row>,
    artifact: Option<Map<String, Value>>,
    task: Option<i64>,
    by: Author,
}

impl<'r> Object<'r> {
    /// Finds the object that SOAR would have started the process on: the row of the message, or an artifact with the
    /// address.
    pub(super) fn find(rest: &'r Rest, process: &Process, request: &Request) -> Result<Self, String> {
        let incident = rest.incidents().get(request.incident);
        let incident = incident.ok_or_else(|| format!("there is no incident {}", request.incident))?;
        let text = |name: &str| request.inputs.get(name).and_then(Value::as_str).unwrap_or_default();
        let started = request.started.as_ref();
        let mut object = Self {
            rest,
            incident: incident.id,
            row: None,
            artifact: None,
            task: started.and_then(|started| started.task),
            by: started.map_or_else(Author::analyst, |started| started.by.clone()),
        };
        match process.object_type.as_str() {
            "incident" => {}
            "task" if object.task.is_some() => {}
            "task" => return Err("it works on a task, and no task started it".to_owned()),
            "artifact" => {
                object.artifact =
                    json!({"value": text(ADDRESS), "type": "Email Recipient"}).as_object().cloned();
            }
            table if let Some(row) = started.and_then(|started| started.row) => {
                let found = incident.rows_of(table).find(|one| one.id == row).cloned();
                object.row = Some(found.ok_or("the row was removed")?);
            }
            table => {
                let message = text(MESSAGE);
                let of_message = |row: &&Row| row.cells.values().any(|cell| cell.as_str() == Some(message));
                let row = incident.rows_of(table).find(of_message).cloned();
                object.row =
                    Some(row.ok_or("it works on a row of the data table, and no row has this message")?);
            }
        }
        Ok(object)
    }

    /// A script of the process with these objects.
    pub(super) fn script_run<'t>(
        &self,
        script: &'t str,
        request: &Request,
        earlier: &Map<String, Value>,
        results: Option<&'t Value>,
        inputs: Option<&Map<String, Value>>,
    ) -> Result<ScriptRun<'t>, String> {
        let incident = self.rest.incidents().get(self.incident);
        let incident = incident.ok_or("the incident was removed")?;
        let mut fields = incident.fields.clone();
        fields.insert("id".to_owned(), json!(incident.id));
        fields.insert("name".to_owned(), json!(incident.name));
        fields.insert("create_date".to_owned(), json!(incident.created));
        let tables = self.rest.look_at_customizations(|all| {
            let tables = all.tables().into_iter();
            tables
                .map(|table| (table.name, table.columns.into_iter().map(|column| column.name).collect()))
                .collect()
        });
        let tables: BTreeMap<String, Vec<String>> = tables;
        let row = self.row.as_ref().map(|row| {
            let columns = tables.get(&row.table).into_iter().flatten();
            let mut cells: Map<_, _> = columns.map(|column| (column.clone(), Value::Null)).collect();
            // An earlier script of the process may have changed it.
            let now = incident.rows.iter().find(|one| one.id == row.id).unwrap_or(row);
            cells.extend(now.cells.clone());
            cells
        });
        let task = self.task.and_then(|id| incident.tasks.iter().find(|task| task.id == id)).map(|task| {
            Map::from_iter([
                ("id".to_owned(), json!(task.id)),
                ("name".to_owned(), json!(task.name)),
                ("instructions".to_owned(), json!(task.instructions)),
                ("status".to_owned(), json!(if task.active { "O" } else { "C" })),
            ])
        });
        let playbook = request.origin == Origin::Playbook;
        Ok(ScriptRun {
            script,
            playbook,
            incident: fields,
            tables,
            row,
            artifact: self.artifact.clone(),
            task,
            principal: self.by.principal(),
            inputs: inputs.cloned(),
            form: request.started.as_ref().map_or_else(|| self.empty_form(), |started| started.form.clone()),
            earlier: earlier.clone(),
            results: results.filter(|_| !playbook),
        })
    }

    /// The fields of all forms, empty.
    fn empty_form(&self) -> Map<String, Value> {
        self.rest.look_at_customizations(|all| {
            let of_rules = all.all(&FIELDS).filter(|field| field["type_id"] == ACTIVITY);
            let of_playbooks =
                all.all(&PLAYBOOKS).filter_map(|playbook| playbook["fields_type"]["fields"].as_object());
            let of_playbooks = of_playbooks.flat_map(Map::values);
            let names = of_rules.chain(of_playbooks).filter_map(|field| field["name"].as_str());
            names.map(|name| (name.to_owned(), Value::Null)).collect()
        })
    }

    /// Does what the script did, as the user who started the process.
    pub(super) fn apply(&self, effects: Effects) -> Result<Happened, String> {
        let analyst = self.by.clone();
        let refused = |error: &dyn fmt::Display| format!("SOAR refuses what its script did: {error}");
        let mut happened = Happened::default();
        for Text { format, content } in effects.notes {
            let format = if format == "html" { NoteFormat::Html } else { NoteFormat::Text };
            let owner = Owner::Incident(self.incident);
            let added = self.rest.incidents().add_note(owner, None, format, &content, &analyst);
            added.map_err(|error| refused(&error))?;
            happened.notes += 1;
        }
        for row in effects.rows {
            self.rest.add_row(self.incident, &row.table, row.cells).map_err(|error| refused(&error))?;
            happened.rows += 1;
        }
        for new in effects.artifacts {
            let new = NewArtifact { kind: new.kind, value: new.value, description: new.description };
            let added = self.rest.incidents().add_artifact(self.incident, new, &analyst);
            added.map_err(|error| refused(&error))?;
            happened.artifacts += 1;
        }
        for NewTask { name, phase, instructions } in effects.tasks {
            if !PHASES.contains(&phase.as_str()) {
                return Err(format!("SOAR refuses what its script did: there is no phase {phase}"));
            }
            let incidents = self.rest.incidents();
            let added = incidents.add_task(self.incident, None, &name).map_err(|error| refused(&error))?;
            incidents
                .change_task(added.id, |task| task.instructions = instructions)
                .map_err(|error| refused(&error))?;
            happened.tasks += 1;
        }
        if let Some(row) = self.row.as_ref().filter(|_| !effects.row.is_empty()) {
            let changed = self.rest.change_row(self.incident, &row.table, row.id, effects.row);
            changed.map_err(|error| refused(&error))?;
            happened.changed_rows += 1;
        }
        match effects.failed {
            None => Ok(happened),
            Some(why) => Err(format!("its script failed: {why}")),
        }
    }
}

/// How much scripts added to an incident.
#[derive(Debug, Default)]
pub(super) struct Happened {
    rows: usize,
    changed_rows: usize,
    notes: usize,
    artifacts: usize,
    tasks: usize,
}

impl AddAssign for Happened {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.changed_rows += other.changed_rows;
        self.notes += other.notes;
        self.artifacts += other.artifacts;
        self.tasks += other.tasks;
    }
}

impl fmt::Display for Happened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = |count: usize, what: &str| {
            (count > 0).then(|| format!("{count} {what}{}", if count == 1 { "" } else { "s" }))
        };
        let parts = [
            counted(self.rows, "row").map(|rows| format!("{rows} added")),
            counted(self.changed_rows, "row").map(|rows| format!("{rows} changed")),
            counted(self.notes, "note").map(|notes| format!("{notes} added")),
            counted(self.artifacts, "artifact").map(|artifacts| format!("{artifacts} added")),
            counted(self.tasks, "task").map(|tasks| format!("{tasks} added")),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        if parts.is_empty() {
            f.write_str("no row, note or artifact added")
        } else {
            f.write_str(&parts.join(", "))
        }
    }
}
