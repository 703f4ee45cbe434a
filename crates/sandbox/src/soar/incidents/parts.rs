//! The parts of an incident.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::Author;

/// An object that has notes and attachments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The incident of this number.
    Incident(i64),
    /// The task of this number.
    Task(i64),
}

/// The format of a note's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteFormat {
    /// HTML, as rich text.
    Html,
    /// Plain text.
    Text,
}

/// A note of an incident or a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Its number.
    pub id: i64,
    /// The incident or task that has it.
    pub owner: Owner,
    /// The note that it answers.
    pub parent: Option<i64>,
    /// The format of its text.
    pub format: NoteFormat,
    /// Its text, as it was written.
    pub content: String,
    /// Who wrote it.
    pub author: Author,
    /// When it was written, in milliseconds since 1970.
    pub created: i64,
    /// When it was changed last, in milliseconds since 1970.
    pub modified: i64,
}

/// An attachment. Its bytes are in a file that lives as long as the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its number.
    pub id: i64,
    /// The incident or task that has it.
    pub owner: Owner,
    /// Its file name.
    pub name: String,
    /// Its MIME type.
    pub content_type: String,
    /// Its description; may be empty.
    pub description: String,
    /// Its size in bytes.
    pub size: u64,
    /// Who attached it.
    pub author: Author,
    /// When it was attached, in milliseconds since 1970.
    pub created: i64,
    /// The path of the file with its bytes.
    pub path: PathBuf,
}

impl Attachment {
    /// Reads all of its bytes.
    pub async fn bytes(&self) -> std::io::Result<Vec<u8>> {
        tokio::fs::read(&self.path).await
    }
}

/// An artifact to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewArtifact {
    /// The name of its type, for instance `Email Sender`.
    pub kind: String,
    /// Its value.
    pub value: String,
    /// What it is; may be empty.
    pub description: String,
}

/// An artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Its number.
    pub id: i64,
    /// The name of its type, for instance `Email Sender`.
    pub kind: String,
    /// Its value.
    pub value: String,
    /// What it is; may be empty.
    pub description: String,
    /// Who added it.
    pub author: Author,
    /// When it was added, in milliseconds since 1970.
    pub created: i64,
    /// When it was changed last, in milliseconds since 1970.
    pub modified: i64,
}

/// A row of a data table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its number.
    pub id: i64,
    /// The name of its table.
    pub table: String,
    /// Its cells by the names of their columns. A column without a value is left out.
    pub cells: Map<String, Value>,
    /// The number of its version.
    pub version: i64,
    /// When it was added, in milliseconds since 1970.
    pub created: i64,
    /// When it was changed last, in milliseconds since 1970.
    pub modified: i64,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// What is to be done; may be empty.
    pub instructions: String,
    /// Whether it is still to be done.
    pub active: bool,
    /// Who closed it, if it is closed.
    pub closed_by: Option<Author>,
    /// When it was added, in milliseconds since 1970.
    pub created: i64,
}
