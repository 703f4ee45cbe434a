//! A check and its outcome.

use std::fmt;

use crate::exit_code::ExitCode;
use net::untrusted::text::is_unsafe_to_display;

/// The checks of one system.
pub(super) struct Section {
    pub(super) title: String,
    pub(super) checks: Vec<Check>,
}

impl Section {
    pub(super) fn new(title: impl Into<String>, checks: Vec<Check>) -> Self {
        Self { title: title.into(), checks }
    }
}

/// One check.
pub(super) struct Check {
    /// The identifier for programs, which is documented and stable.
    pub(super) id: String,
    /// The name for people.
    pub(super) name: String,
    /// Its outcome.
    pub(super) outcome: Outcome,
    /// What was found, as text.
    pub(super) found: String,
    /// The advice for the operator.
    pub(super) advice: Option<String>,
}

/// The outcome of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    /// It works, with a reservation that the operator should know.
    Warning,
    /// It does not work; the exit code of the failure.
    Failed(ExitCode),
    /// It was not tried, because an earlier check failed.
    Skipped,
}

impl Outcome {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Warning => "warning",
            Self::Failed(_) => "failed",
            Self::Skipped => "skipped",
        }
    }

    pub(super) fn exit_code(self) -> Option<ExitCode> {
        match self {
            Self::Failed(code) => Some(code),
            _ => None,
        }
    }
}

impl Check {
    pub(super) fn passed(id: impl Into<String>, name: impl Into<String>, found: impl fmt::Display) -> Self {
        Self::new(id, name, Outcome::Passed, &found, None)
    }

    pub(super) fn warning(
        id: impl Into<String>,
        name: impl Into<String>,
        found: impl fmt::Display,
        advice: impl Into<Option<String>>,
    ) -> Self {
        Self::new(id, name, Outcome::Warning, &found, advice.into())
    }

    pub(super) fn failed(
        id: impl Into<String>,
        name: impl Into<String>,
        code: ExitCode,
        found: impl fmt::Display,
        advice: impl Into<String>,
    ) -> Self {
        Self::new(id, name, Outcome::Failed(code), &found, Some(advice.into()))
    }

    pub(super) fn skipped(id: impl Into<String>, name: impl Into<String>, why: impl fmt::Display) -> Self {
        Self::new(id, name, Outcome::Skipped, &why, None)
    }

    /// What others write, and we quote, is_unsafe_to_display no cursor and fills no screen.
    fn new(
        id: impl Into<String>,
        name: impl Into<String>,
        outcome: Outcome,
        found: &dyn fmt::Display,
        advice: Option<String>,
    ) -> Self {
        let harmless = |c: char| if is_unsafe_to_display(c) { '\u{FFFD}' } else { c };
        let found = found.to_string().chars().map(harmless).collect();
        Self { id: id.into(), name: name.into(), outcome, found, advice }
    }
}
