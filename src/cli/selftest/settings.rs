//! `app.config`, and the log's place.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

use uuid::Uuid;

use super::check::{Check, Section};
use crate::config::{LoadError, Loaded, LogSettings};
use crate::exit::BAD_CONFIGURATION;

pub(super) fn check(file: &Path, loaded: &Result<Loaded, LoadError>) -> Section {
    const FILE: (&str, &str) = ("settings.file", "app.config");
    let shown = file.display();
    let mut checks = Vec::new();
    match loaded {
        Ok(Loaded { settings, warnings, .. }) => {
            checks.push(Check::passed(FILE.0, FILE.1, format!("{shown} can be used")));
            checks.extend(warnings.iter().map(|warning| {
                Check::warning("settings.option", warning.place.to_string(), &warning.text, None)
            }));
            checks.push(log(&settings.log));
        }
        Err(LoadError::Unreadable { reason, .. }) => checks.push(Check::failed(
            FILE.0,
            FILE.1,
            BAD_CONFIGURATION,
            format!("{shown} cannot be read: {reason}"),
            "Name the file by --config-file or APP_CONFIG_FILE; config --create writes one to fill in.",
        )),
        Err(LoadError::Invalid { problems, .. }) => {
            let found = format!("{shown} cannot be used as it is");
            checks.push(Check::failed(
                FILE.0,
                FILE.1,
                BAD_CONFIGURATION,
                found,
                "Correct what is listed here.",
            ));
            checks.extend(problems.iter().map(|problem| {
                let name = problem.place.to_string();
                let advice = capitalized(&problem.right);
                Check::failed("settings.option", name, BAD_CONFIGURATION, &problem.wrong, advice)
            }));
        }
    }
    Section::new("Settings", checks)
}

/// The daemon does not start without its log file. Its place is looked at; the file itself is left alone.
fn log(settings: &LogSettings) -> Check {
    const LOG: (&str, &str) = ("settings.log", "log");
    let Some(path) = settings.path() else { return Check::passed(LOG.0, LOG.1, "to stderr only") };
    let shown = path.display();
    match writable(&path, &settings.directory) {
        Ok(()) => Check::passed(LOG.0, LOG.1, format!("{shown} can be written")),
        Err(error) => Check::failed(
            LOG.0,
            LOG.1,
            BAD_CONFIGURATION,
            format!("{shown} cannot be written: {error}"),
            "Create its directory (logdir, or APP_LOG_DIR) and make it writable for the user that runs the \
             program, or leave logfile= empty to log to stderr only.",
        ),
    }
}

/// Whether the file can be written, or made where there is none.
fn writable(path: &Path, directory: &Path) -> io::Result<()> {
    if path.exists() {
        return OpenOptions::new().append(true).open(path).map(drop);
    }
    let trial = directory.join(format!(".{}", Uuid::new_v4().simple()));
    OpenOptions::new().write(true).create_new(true).open(&trial)?;
    fs::remove_file(&trial)
}

fn capitalized(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", rest.as_str().trim_end_matches('.'))
}
