//! What is known about a function before it runs: its name, inputs, permissions and summary. Each function's file holds
//! its own [`Spec`]; `selftest`, `invoke --list`, the check of SOAR's customizations and `docs/functions.md` read it.

use super::permissions::{Permissions, Use};

/// A function's name, inputs and permissions.
#[derive(Debug)]
pub struct Spec {
    /// The API name in SOAR.
    pub name: &'static str,
    /// What the function does, in one sentence.
    pub summary: &'static str,
    /// What it takes.
    pub inputs: &'static [Input],
    /// The ways to use it, the usual one first.
    pub uses: &'static [Use],
    /// Whether it changes a mailbox, so that the guard rails apply to it.
    pub changes_mailbox: bool,
    /// What happens to a call that runs longer than `call_timeout`.
    pub(super) timeout: Timeout,
}

/// What happens to a call that runs longer than `call_timeout`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timeout {
    /// The call is dropped between two requests, and fails.
    Abort,
    /// The function watches the time itself, and reports what it did and what it did not.
    Report,
}

impl Spec {
    /// The permissions of the usual way to use the function.
    pub fn permissions(&self) -> Permissions {
        self.uses.first().map_or(Permissions(&[]), |usual| usual.permissions)
    }

    /// Whether the function reports what became of each of many things. Another one does one thing, or nothing.
    pub fn accounts_for_parts(&self) -> bool {
        self.timeout == Timeout::Report
    }

    /// Whether the function takes an input called `name`.
    pub fn has_input(&self, name: &str) -> bool {
        self.inputs.iter().any(|input| input.name == name)
    }
}

/// An input of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input {
    /// The API name.
    pub name: &'static str,
    /// What kind of value it takes.
    pub kind: InputKind,
    /// Whether the function refuses a call without it.
    pub required: bool,
    /// What it means.
    pub meaning: &'static str,
}

/// The kinds of inputs that SOAR has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputKind {
    /// Text.
    Text,
    /// A whole number.
    Number,
    /// Yes, no, or unknown, which counts as not given.
    Boolean,
    /// A point in time; in SOAR's encoding milliseconds since 1970, UTC.
    DateTime,
    /// One of these labels; a folder's id or another label is accepted as well.
    Select(&'static [&'static str]),
    /// Some of these labels.
    MultiSelect(&'static [&'static str]),
}

impl InputKind {
    /// The kind, as SOAR calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::DateTime => "datetime",
            Self::Select(_) => "select",
            Self::MultiSelect(_) => "multiselect",
        }
    }

    /// The labels to choose from; none for other kinds.
    pub fn options(self) -> &'static [&'static str] {
        match self {
            Self::Select(options) | Self::MultiSelect(options) => options,
            _ => &[],
        }
    }
}

impl Input {
    pub(super) const fn required(name: &'static str, kind: InputKind, meaning: &'static str) -> Self {
        Self { name, kind, required: true, meaning }
    }

    pub(super) const fn optional(name: &'static str, kind: InputKind, meaning: &'static str) -> Self {
        Self { name, kind, required: false, meaning }
    }
}

// Inputs that several functions share.

pub(super) const INCIDENT: Input =
    Input::required("incident_id", InputKind::Number, "number of the incident");
pub(super) const MAILBOX: Input =
    Input::required("exo_email_address", InputKind::Text, "address of the mailbox");
pub(super) const MESSAGE: Input = Input::required("exo_messages_id", InputKind::Text, "id of the message");
pub(super) const FOLDER: Input =
    Input::optional("exo_mailfolders_id", InputKind::Text, "id or name of the folder the message is in");
