//! The store of incidents: what an incident has (notes, attachments, artifacts, rows of data tables and tasks), who
//! wrote it, and when.
//!
//! [`Incidents`] is a handle that can be cloned; all clones show the same incidents. Readers get copies, and
//! [`Incidents::changes`] says when to read again. Rows are not compared with the columns of their table here, because
//! tables are customizations: [`super::rest::Rest::add_row`] does that.

mod author;
mod files;
mod incident;
mod parts;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::Utc;
use serde_json::{Map, Value};
use tokio::sync::watch;

pub use self::author::{Author, AuthorKind};
pub use self::incident::Incident;
pub use self::parts::{Artifact, Attachment, NewArtifact, Note, NoteFormat, Owner, Row, Task};
use crate::observed::Observed;

/// The object that a change concerns does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Unable to find {what} {id}")]
pub struct Missing {
    /// What kind of object it is.
    pub what: &'static str,
    /// Its number.
    pub id: i64,
}

/// All incidents of the organisation.
#[derive(Debug, Clone)]
pub struct Incidents {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Observed<State>,
    /// The directory of the attachments' bytes.
    directory: PathBuf,
}

#[derive(Debug, Default)]
struct State {
    incidents: BTreeMap<i64, Incident>,
    last_id: i64,
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.directory) {
            tracing::warn!(%error, "sandbox: cannot remove SOAR's attachments");
        }
    }
}

/// The time of SOAR's clock, in milliseconds since 1970.
fn now() -> i64 {
    Utc::now().timestamp_millis()
}

impl State {
    fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    fn incident(&mut self, id: i64) -> Result<&mut Incident, Missing> {
        self.incidents.get_mut(&id).ok_or(Missing { what: "incident", id })
    }

    /// The incident that `owner` is or belongs to.
    fn owning(&self, owner: Owner) -> Result<i64, Missing> {
        match owner {
            Owner::Incident(id) if self.incidents.contains_key(&id) => Ok(id),
            Owner::Incident(id) => Err(Missing { what: "incident", id }),
            Owner::Task(id) => {
                let has = |incident: &&Incident| incident.tasks.iter().any(|task| task.id == id);
                let found = self.incidents.values().find(has);
                found.map(|incident| incident.id).ok_or(Missing { what: "task", id })
            }
        }
    }
}

impl Incidents {
    /// A store without incidents. The bytes of attachments go to `directory`, which is removed with the store.
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { shared: Arc::new(Shared { state: Observed::default(), directory }) }
    }

    /// Counts the changes; it changes after each change of an incident or of one of its parts.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.state.subscribe()
    }

    fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        self.shared.state.look(look)
    }

    /// Changes an incident, and marks it as modified.
    fn change<T>(
        &self,
        incident: i64,
        change: impl FnOnce(&mut Incident, i64) -> Result<T, Missing>,
    ) -> Result<T, Missing> {
        self.shared.state.change(|state| {
            let id = state.next_id();
            let incident = state.incident(incident)?;
            let changed = change(incident, id)?;
            incident.modified = now();
            Ok(changed)
        })
    }

    /// The numbers of all incidents, the lowest first.
    pub fn ids(&self) -> Vec<i64> {
        self.look(|state| state.incidents.keys().copied().collect())
    }

    /// All incidents with everything they have, the lowest number first.
    pub fn all(&self) -> Vec<Incident> {
        self.look(|state| state.incidents.values().cloned().collect())
    }

    /// An incident with everything it has.
    pub fn get(&self, id: i64) -> Option<Incident> {
        self.look(|state| state.incidents.get(&id).cloned())
    }

    /// The incident that `owner` is or belongs to.
    pub fn of(&self, owner: Owner) -> Result<Incident, Missing> {
        self.look(|state| {
            let id = state.owning(owner)?;
            state.incidents.get(&id).cloned().ok_or(Missing { what: "incident", id })
        })
    }

    /// Opens an incident. Its number is `id`, or the next one. `fields` are its other fields by their names in SOAR; a
    /// field that is left out has SOAR's default.
    pub fn open(&self, id: Option<i64>, name: &str, fields: Map<String, Value>, by: &Author) -> Incident {
        self.shared.state.change(|state| {
            let next = state.incidents.keys().next_back().map_or(1, |last| last + 1);
            let incident = Incident::new(id.unwrap_or(next), name, fields, by.clone());
            state.incidents.insert(incident.id, incident.clone());
            incident
        })
    }

    /// Sets fields of an incident, by their names in SOAR. `properties` holds the fields that an administrator added.
    pub fn set_fields(&self, id: i64, fields: Map<String, Value>) -> Result<Incident, Missing> {
        self.change(id, |incident, _| {
            incident.set_fields(fields);
            Ok(incident.clone())
        })
    }

    /// Removes an incident and its attachments.
    pub fn remove(&self, id: i64) -> Result<(), Missing> {
        let gone = self.shared.state.change(|state| state.incidents.remove(&id));
        let gone = gone.ok_or(Missing { what: "incident", id })?;
        files::remove(gone.attachments);
        Ok(())
    }

    /// Adds a task. Its number is `id`, or the next one.
    pub fn add_task(&self, incident: i64, id: Option<i64>, name: &str) -> Result<Task, Missing> {
        self.shared.state.change(|state| {
            let tasks = state.incidents.values().flat_map(|incident| &incident.tasks);
            let next = tasks.map(|task| task.id).max().unwrap_or_default() + 1;
            let incident = state.incident(incident)?;
            let task = Task {
                id: id.unwrap_or(next),
                name: name.to_owned(),
                instructions: String::new(),
                active: true,
                closed_by: None,
                created: now(),
            };
            incident.tasks.push(task.clone());
            Ok(task)
        })
    }

    /// Changes a task.
    pub fn change_task(&self, id: i64, change: impl FnOnce(&mut Task)) -> Result<Task, Missing> {
        let incident = self.look(|state| state.owning(Owner::Task(id)))?;
        self.change(incident, |incident, _| {
            let task = incident.tasks.iter_mut().find(|task| task.id == id);
            let task = task.ok_or(Missing { what: "task", id })?;
            change(task);
            Ok(task.clone())
        })
    }

    /// Closes a task.
    pub fn close_task(&self, id: i64, by: &Author) -> Result<Task, Missing> {
        self.change_task(id, |task| {
            task.active = false;
            task.closed_by.get_or_insert_with(|| by.clone());
        })
    }

    /// All tasks, each with the number of its incident.
    pub fn tasks(&self) -> Vec<(i64, Task)> {
        self.look(|state| {
            let of = |incident: &Incident| {
                incident.tasks.iter().map(|task| (incident.id, task.clone())).collect::<Vec<_>>()
            };
            state.incidents.values().flat_map(of).collect()
        })
    }

    /// Removes a task with its notes and attachments.
    pub fn remove_task(&self, id: i64) -> Result<(), Missing> {
        let owner = Owner::Task(id);
        let incident = self.look(|state| state.owning(owner))?;
        let gone: Vec<_> = self.change(incident, |incident, _| {
            incident.tasks.retain(|task| task.id != id);
            incident.notes.retain(|note| note.owner != owner);
            Ok(incident.attachments.extract_if(.., |attachment| attachment.owner == owner).collect())
        })?;
        files::remove(gone);
        Ok(())
    }

    /// Adds a note to an incident or to one of its tasks, which may answer another note.
    pub fn add_note(
        &self,
        to: Owner,
        parent: Option<i64>,
        format: NoteFormat,
        content: &str,
        by: &Author,
    ) -> Result<Note, Missing> {
        let incident = self.look(|state| state.owning(to))?;
        self.change(incident, |incident, id| {
            if let Some(parent) = parent {
                incident.note(parent)?;
            }
            let note = Note {
                id,
                owner: to,
                parent,
                format,
                content: content.to_owned(),
                author: by.clone(),
                created: now(),
                modified: now(),
            };
            incident.notes.push(note.clone());
            Ok(note)
        })
    }

    /// Replaces the text of a note.
    pub fn change_note(
        &self,
        incident: i64,
        note: i64,
        format: NoteFormat,
        content: &str,
    ) -> Result<Note, Missing> {
        self.change(incident, |incident, _| {
            let note = incident.note(note)?;
            (note.format, note.modified) = (format, now());
            content.clone_into(&mut note.content);
            Ok(note.clone())
        })
    }

    /// Removes a note and the answers to it.
    pub fn remove_note(&self, incident: i64, note: i64) -> Result<(), Missing> {
        self.change(incident, |incident, _| {
            incident.note(note)?;
            incident.notes.retain(|one| one.id != note && one.parent != Some(note));
            Ok(())
        })
    }

    /// Adds an artifact. An artifact of the same type and value is there once; SOAR returns the existing one.
    pub fn add_artifact(&self, incident: i64, new: NewArtifact, by: &Author) -> Result<Artifact, Missing> {
        self.change(incident, |incident, id| {
            let same = |one: &&Artifact| one.kind == new.kind && one.value == new.value;
            if let Some(there) = incident.artifacts.iter().find(same) {
                return Ok(there.clone());
            }
            let NewArtifact { kind, value, description } = new;
            let artifact = Artifact {
                id,
                kind,
                value,
                description,
                author: by.clone(),
                created: now(),
                modified: now(),
            };
            incident.artifacts.push(artifact.clone());
            Ok(artifact)
        })
    }

    /// Changes an artifact.
    pub fn change_artifact(
        &self,
        incident: i64,
        id: i64,
        change: impl FnOnce(&mut Artifact),
    ) -> Result<Artifact, Missing> {
        self.change(incident, |incident, _| {
            let artifact = incident.artifacts.iter_mut().find(|one| one.id == id);
            let artifact = artifact.ok_or(Missing { what: "artifact", id })?;
            change(artifact);
            artifact.modified = now();
            Ok(artifact.clone())
        })
    }

    /// Removes an artifact.
    pub fn remove_artifact(&self, incident: i64, id: i64) -> Result<(), Missing> {
        self.change(incident, |incident, _| {
            let there = incident.artifacts.len();
            incident.artifacts.retain(|one| one.id != id);
            if incident.artifacts.len() < there { Ok(()) } else { Err(Missing { what: "artifact", id }) }
        })
    }

    /// Adds a row to the data table with the name `table`.
    pub(super) fn add_row(
        &self,
        incident: i64,
        table: &str,
        cells: Map<String, Value>,
    ) -> Result<Row, Missing> {
        self.change(incident, |incident, id| {
            let row = Row { id, table: table.to_owned(), cells, version: 1, created: now(), modified: now() };
            incident.rows.push(row.clone());
            Ok(row)
        })
    }

    /// Sets cells of a row; the other cells stay.
    pub(super) fn change_row(
        &self,
        incident: i64,
        table: &str,
        id: i64,
        cells: Map<String, Value>,
    ) -> Result<Row, Missing> {
        self.change(incident, |incident, _| {
            let row = incident.rows.iter_mut().find(|row| row.id == id && row.table == table);
            let row = row.ok_or(Missing { what: "row", id })?;
            row.cells.extend(cells);
            (row.version, row.modified) = (row.version + 1, now());
            Ok(row.clone())
        })
    }

    /// Removes a row.
    pub fn remove_row(&self, incident: i64, table: &str, id: i64) -> Result<(), Missing> {
        self.change(incident, |incident, _| {
            let there = incident.rows.len();
            incident.rows.retain(|row| row.id != id || row.table != table);
            if incident.rows.len() < there { Ok(()) } else { Err(Missing { what: "row", id }) }
        })
    }

    /// Removes all rows of a data table.
    pub fn remove_rows(&self, incident: i64, table: &str) -> Result<(), Missing> {
        self.change(incident, |incident, _| {
            incident.rows.retain(|row| row.table != table);
            Ok(())
        })
    }
}
