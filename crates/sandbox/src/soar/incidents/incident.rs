//! An incident with everything it has.

use serde_json::{Map, Value, json};

use super::{Artifact, Attachment, Author, Missing, Note, Owner, Row, Task, now};

/// An incident.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Its other fields by their names in SOAR, for instance `description` and `severity_code`. Those that an
    /// administrator added are in `properties`.
    pub fields: Map<String, Value>,
    /// Who opened it.
    pub author: Author,
    /// When it was opened, in milliseconds since 1970.
    pub created: i64,
    /// When it or one of its parts was changed last, in milliseconds since 1970.
    pub modified: i64,
    /// The number of the version of its fields.
    pub version: i64,
    /// Its notes and those of its tasks, the oldest first.
    pub notes: Vec<Note>,
    /// Its attachments and those of its tasks, the oldest first.
    pub attachments: Vec<Attachment>,
    /// Its artifacts, the oldest first.
    pub artifacts: Vec<Artifact>,
    /// The rows of its data tables, the oldest first.
    pub rows: Vec<Row>,
    /// Its tasks, the oldest first.
    pub tasks: Vec<Task>,
}

impl Incident {
    pub(super) fn new(id: i64, name: &str, fields: Map<String, Value>, author: Author) -> Self {
        let now = now();
        let mut incident = Self {
            id,
            name: name.to_owned(),
            fields: Map::new(),
            author,
            created: now,
            modified: now,
            version: 0,
            notes: Vec::new(),
            attachments: Vec::new(),
            artifacts: Vec::new(),
            rows: Vec::new(),
            tasks: Vec::new(),
        };
        if let Value::Object(defaults) = json!({
            "description": null,
            "discovered_date": now,
            "start_date": null,
            "end_date": null,
            "due_date": null,
            "plan_status": "A",
            "severity_code": null,
            "owner_id": null,
            "phase_id": null,
            "incident_type_ids": [],
            "resolution_id": null,
            "resolution_summary": null,
            "confirmed": false,
            "members": [],
            "properties": {},
        }) {
            incident.set_fields(defaults);
        }
        incident.set_fields(fields);
        incident.version = 1;
        incident
    }

    /// Sets fields; those that an administrator added one by one, so that the others stay.
    pub(super) fn set_fields(&mut self, fields: Map<String, Value>) {
        for (field, value) in fields {
            match (field.as_str(), value) {
                ("name", Value::String(name)) => self.name = name,
                ("properties", Value::Object(new)) => match self.fields.get_mut("properties") {
                    Some(Value::Object(old)) => old.extend(new),
                    _ => {
                        self.fields.insert(field, Value::Object(new));
                    }
                },
                (_, value) => {
                    self.fields.insert(field, value);
                }
            }
        }
        self.version += 1;
    }

    pub(super) fn note(&mut self, id: i64) -> Result<&mut Note, Missing> {
        self.notes.iter_mut().find(|note| note.id == id).ok_or(Missing { what: "comment", id })
    }

    /// The notes of the incident or of one of its tasks.
    pub fn notes_of(&self, owner: Owner) -> impl Iterator<Item = &Note> {
        self.notes.iter().filter(move |note| note.owner == owner)
    }

    /// The attachments of the incident or of one of its tasks.
    pub fn attachments_of(&self, owner: Owner) -> impl Iterator<Item = &Attachment> {
        self.attachments.iter().filter(move |attachment| attachment.owner == owner)
    }

    /// The rows of the data table with the name `table`.
    pub fn rows_of<'i>(&'i self, table: &'i str) -> impl Iterator<Item = &'i Row> {
        self.rows.iter().filter(move |row| row.table == table)
    }
}
