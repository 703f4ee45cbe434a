//! What can be wrong with `app.config`, in words that say where, what, and what would be right. The value of an
//! option that may hold a secret is in none of them.

use std::fmt;
use std::path::PathBuf;

use super::NoHome;
use super::ini::{Fault, FaultKind};

/// No settings, and why.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is no such file, or it cannot be read.
    #[error("cannot read the configuration file {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file can be read and does not do. All that is wrong with it.
    #[error("the configuration file {} has {}:{}", path.display(), counted(problems.len()), listed(problems))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Never empty.
        problems: Vec<Problem>,
    },
}

impl LoadError {
    /// What is wrong within the file; empty where the file itself is the matter.
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Unreadable { .. } => &[],
            Self::Invalid { problems, .. } => problems,
        }
    }
}

impl From<NoHome> for LoadError {
    fn from(no_home: NoHome) -> Self {
        let reason = format!("its path {}; {}", no_home.wrong(), no_home.right());
        Self::Unreadable { path: no_home.path, reason }
    }
}

fn counted(problems: usize) -> String {
    if problems == 1 { "a problem".to_owned() } else { format!("{problems} problems") }
}

fn listed(problems: &[Problem]) -> String {
    problems.iter().fold(String::new(), |list, problem| list + "\n  " + &problem.to_string())
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub location: Location,
    /// What is wrong there.
    pub wrong: String,
    /// What would be right.
    pub right: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}; {}", self.location, self.wrong, self.right)
    }
}

/// One thing that works, and that somebody should know about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Where.
    pub location: Location,
    /// What to know.
    pub text: String,
}

impl Warning {
    pub(super) const UNKNOWN_VARIABLE: &str =
        "has a $NAME that is no variable of the environment; it is taken as it is written";

    /// Whether the value names a variable of the environment that is not there.
    pub fn is_of_unknown_variable(&self) -> bool {
        self.text == Self::UNKNOWN_VARIABLE
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.location, self.text)
    }
}

/// A place in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A line of the file, counted from 1, for what is wrong with its form.
    Line {
        /// The line.
        line: usize,
        /// The section it is in.
        section: Option<String>,
        /// The option it is about.
        key: Option<String>,
    },
    /// A file beside the configuration file.
    File(PathBuf),
    /// A section.
    Section(String),
    /// An option of a section.
    Option {
        /// The section.
        section: String,
        /// The option.
        key: String,
        /// The environment variable that the value came from, instead of the file.
        variable: Option<String>,
    },
}

impl Location {
    /// The section, where there is one.
    pub fn section(&self) -> Option<&str> {
        match self {
            Self::Line { section, .. } => section.as_deref(),
            Self::File(_) => None,
            Self::Section(section) | Self::Option { section, .. } => Some(section),
        }
    }

    /// The option, where there is one.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Line { key, .. } => key.as_deref(),
            Self::Section(_) | Self::File(_) => None,
            Self::Option { key, .. } => Some(key),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { line, section: Some(section), key: Some(key) } => {
                write!(f, "line {line}, [{section}] {key}:")
            }
            Self::Line { line, section: Some(section), .. } => write!(f, "line {line}, in [{section}]:"),
            Self::Line { line, .. } => write!(f, "line {line}:"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Section(section) => write!(f, "[{section}]"),
            Self::Option { section, key, variable: None } => write!(f, "[{section}] {key}"),
            Self::Option { section, key, variable: Some(variable) } => {
                write!(f, "[{section}] {key} (from the environment: {variable})")
            }
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let (key, wrong, right) = match fault.kind {
            FaultKind::BeforeAnySection => {
                (None, "text stands before the first section", "begin with a line [resilient]")
            }
            FaultKind::DuplicateSection => (
                None,
                "the section is there a second time",
                "move its options to where it is first, and delete this header",
            ),
            FaultKind::DuplicateOption(key) => {
                (Some(key), "the option is set a second time in this section", "keep one of the lines")
            }
            FaultKind::NotAnOption => (
                None,
                "neither an option, a section header nor a comment",
                "write name = value, or begin the line with # to make it a comment, or with a blank to \
                 continue the value above",
            ),
            FaultKind::NoName => (None, "no option's name stands before = or :", "write name = value"),
        };
        Self {
            location: Location::Line { line: fault.line, section: fault.section, key },
            wrong: wrong.to_owned(),
            right: right.to_owned(),
        }
    }
}
