//! The users and API keys that write to incidents.

use serde_json::{Value, json};

/// What kind of principal an author is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorKind {
    /// A person with an account.
    User,
    /// A program with an API key.
    ApiKey,
}

/// A user or an API key, as the author of what it writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// The number of the principal.
    pub id: i64,
    /// A user or an API key.
    pub kind: AuthorKind,
    /// The e-mail address of a user, or the id of an API key.
    pub name: String,
    /// The name that people see.
    pub display_name: String,
}

impl Author {
    /// The analyst who starts workflows and playbooks in the sandbox. What their scripts write is theirs.
    pub fn analyst() -> Self {
        Self {
            id: 2,
            kind: AuthorKind::User,
            name: "analyst@sandbox.example".to_owned(),
            display_name: "Ada Analyst".to_owned(),
        }
    }

    /// The first and the last name that people see.
    pub fn names(&self) -> (&str, &str) {
        self.display_name.split_once(' ').unwrap_or((&self.display_name, ""))
    }

    /// The author as SOAR describes a principal.
    pub fn principal(&self) -> Value {
        let kind = match self.kind {
            AuthorKind::User => "user",
            AuthorKind::ApiKey => "apikey",
        };
        json!({"id": self.id, "type": kind, "name": self.name, "display_name": self.display_name})
    }
}
