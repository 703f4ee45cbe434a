//! What lines on standard error look like: for a file or a pipe, for a terminal, or for systemd's journal.

use std::fs::File;
use std::io::stderr;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use crate::config::LogFormat;

/// The look of lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Look {
    /// As in the log file.
    #[default]
    Plain,
    /// The level of warnings and errors has a color.
    Colors,
    /// Each line begins with its priority, as `sd-daemon(3)` describes it (`<4>`), which the journal takes off again. Text
    /// has no time, since the journal notes it.
    Journal,
}

/// The form of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) format: LogFormat,
    pub(super) look: Look,
}

/// The level of a line, by the names that SOAR's administrators know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    Error,
    Warning,
    Info,
    Debug,
}

impl Severity {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Warning => "WARNING",
            Self::Info => "INFO",
            Self::Debug => "DEBUG",
        }
    }

    /// The prefix of a line for the journal (`sd-daemon(3)`: `SD_ERR`, `SD_WARNING`, `SD_INFO`, `SD_DEBUG`).
    fn priority(self) -> &'static str {
        match self {
            Self::Error => "<3>",
            Self::Warning => "<4>",
            Self::Info => "<6>",
            Self::Debug => "<7>",
        }
    }
}

impl Look {
    /// The look of standard error. `has_colors`: if it is not the journal, it shows colors.
    pub fn of_stderr(has_colors: bool) -> Self {
        match (is_journal(std::env::var("JOURNAL_STREAM").ok().as_deref()), has_colors) {
            (true, _) => Self::Journal,
            (false, true) => Self::Colors,
            (false, false) => Self::Plain,
        }
    }

    /// An error message outside of the log. Each of its lines is one of the journal's.
    pub fn of_error(self, text: &str) -> String {
        match self {
            Self::Plain | Self::Colors => text.to_owned(),
            Self::Journal => {
                let lines = text.lines().map(|line| format!("{}{line}", Severity::Error.priority()));
                lines.collect::<Vec<_>>().join("\n")
            }
        }
    }

    /// What stands before a line.
    pub(super) fn prefix(self, severity: Severity) -> &'static str {
        if self == Self::Journal { severity.priority() } else { "" }
    }

    /// The name of the level, as it stands in a line of text.
    pub(super) fn painted(self, severity: Severity) -> String {
        let name = severity.name();
        match (self, severity) {
            (Self::Colors, Severity::Error) => format!("\x1b[31m{name}\x1b[0m"),
            (Self::Colors, Severity::Warning) => format!("\x1b[33m{name}\x1b[0m"),
            _ => name.to_owned(),
        }
    }
}

/// Whether standard error is the stream that `JOURNAL_STREAM` names by device and inode (`systemd.exec(5)`). Another
/// process may have inherited the variable, and write elsewhere.
fn is_journal(stream: Option<&str>) -> bool {
    let Some((device, inode)) = stream.and_then(|stream| stream.split_once(':')) else { return false };
    let there = stderr().as_fd().try_clone_to_owned().and_then(|own| File::from(own).metadata());
    there.is_ok_and(|there| device.parse() == Ok(there.dev()) && inode.parse() == Ok(there.ino()))
}
