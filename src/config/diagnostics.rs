//! Problems and warnings about `app.config`: each says where, what is wrong, and what would be right. They never quote
//! the value of an option that may hold a secret.

use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;

use super::NoHome;
use super::ini::{Fault, FaultKind};

/// The settings cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file does not exist, or cannot be read.
    #[error("cannot read the configuration file {}: {reason}{}", path.display(), where_to_look(*kind))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The kind of the reason.
        kind: ErrorKind,
        /// The reason.
        reason: String,
    },
    /// The file can be read, but not used. Lists all problems.
    #[error(
        "the configuration file {} has {}:{}{}",
        path.display(), counted(problems.len()), listed(problems), listed(warnings)
    )]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Never empty.
        problems: Vec<Problem>,
        /// May show what a problem comes from: an unknown option is a known one that is misspelt.
        warnings: Vec<Warning>,
    },
    /// The password store that the file names cannot be used.
    #[error("the password store (pam_type) cannot be used: {0}")]
    Store(#[from] vault::Error),
}

impl LoadError {
    /// The problems within the file; empty where the file itself cannot be read.
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Unreadable { .. } | Self::Store(_) => &[],
            Self::Invalid { problems, .. } => problems,
        }
    }
}

impl From<NoHome> for LoadError {
    fn from(no_home: NoHome) -> Self {
        let reason = format!("its path {}; {}", no_home.wrong(), no_home.right());
        Self::Unreadable { path: no_home.path, kind: ErrorKind::Other, reason }
    }
}

fn counted(problems: usize) -> String {
    if problems == 1 { "a problem".to_owned() } else { format!("{problems} problems") }
}

fn listed(lines: &[impl fmt::Display]) -> String {
    lines.iter().fold(String::new(), |list, line| list + "\n  " + &line.to_string())
}

fn where_to_look(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound => {
            ". --config-file or APP_CONFIG_FILE names the file; otherwise it is ./app.config or \
             ~/.resilient/app.config. `config --create FILE` writes one to fill in"
        }
        _ => "",
    }
}

/// A problem, which keeps the configuration from being used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The place of the problem or warning.
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

/// A warning: the configuration can be used, and the operator should know this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The place of the problem or warning.
    pub location: Location,
    /// The message, which follows the location.
    pub text: String,
}

impl Warning {
    pub(super) const UNKNOWN_VARIABLE: &str =
        "has a $NAME that is not an environment variable; it is taken as it is written";

    pub(super) const UNKNOWN_ENTRY: &str = "has a ^NAME that names no entry of a password store (^ENGINE.PATH.KEY with \
        pam_type=HashiCorpVault); it is taken as it is written";

    /// Whether the warning is about a value that names an environment variable which is not set.
    pub fn is_of_unknown_variable(&self) -> bool {
        self.text == Self::UNKNOWN_VARIABLE
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.location, self.text)
    }
}

/// A location in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A line of the file, counted from 1, for errors of syntax.
    Line {
        /// The line.
        line: usize,
        /// The section it is in.
        section: Option<String>,
        /// The option that it sets.
        key: Option<String>,
    },
    /// A file other than the configuration file.
    File(PathBuf),
    /// A variable of the environment, or a protected secret of App Host.
    Variable(&'static str),
    /// A section.
    Section(String),
    /// An option of a section.
    Option {
        /// The section.
        section: String,
        /// The option.
        key: String,
        /// The environment variable or the argument of the command line (`--name`) that the value came from, instead of
        /// the file.
        source: Option<String>,
    },
}

impl Location {
    /// The section, where there is one.
    pub fn section(&self) -> Option<&str> {
        match self {
            Self::Line { section, .. } => section.as_deref(),
            Self::File(_) | Self::Variable(_) => None,
            Self::Section(section) | Self::Option { section, .. } => Some(section),
        }
    }

    /// The option, where there is one.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Line { key, .. } => key.as_deref(),
            Self::Section(_) | Self::File(_) | Self::Variable(_) => None,
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
            Self::Variable(name) => write!(f, "the environment variable {name}"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Section(section) => write!(f, "[{section}]"),
            Self::Option { section, key, source: None } => write!(f, "[{section}] {key}"),
            Self::Option { section, key, source: Some(source) } => {
                let place = if source.starts_with("--") { "command line" } else { "environment" };
                write!(f, "[{section}] {key} (from the {place}: {source})")
            }
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let (key, wrong, right) = match fault.kind {
            FaultKind::BeforeAnySection => {
                (None, "there is text before the first section", "begin with a line [resilient]")
            }
            FaultKind::DuplicateSection => (
                None,
                "the section exists a second time",
                "move its options to the first one, and delete this header",
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
            FaultKind::NoName => (None, "the name before = or : is missing", "write name = value"),
        };
        Self {
            location: Location::Line { line: fault.line, section: fault.section, key },
            wrong: wrong.to_owned(),
            right: right.to_owned(),
        }
    }
}
