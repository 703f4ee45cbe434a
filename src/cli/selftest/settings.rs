//! Checks `app.config`, and the files of the log and of the audit trail.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;

use uuid::Uuid;

use super::check::{Check, Outcome, Section};
use super::rights;
use crate::config::{LoadError, Loaded, LogSettings, Warning};
use crate::exit_code::ExitCode;
use crate::log::cannot_rotate;
use crate::own_file;

pub(super) fn check(file: &Path, loaded: &Result<Loaded, LoadError>) -> Section {
    const FILE: (&str, &str) = ("settings.file", "app.config");
    const STORE: (&str, &str) = ("settings.password_store", "password store");
    let shown = file.display();
    let mut checks = Vec::new();
    match loaded {
        Ok(Loaded { settings, warnings, stored, .. }) => {
            checks.push(Check::passed(FILE.0, FILE.1, format!("{shown} can be used")));
            if *stored > 0 {
                let values = if *stored == 1 { "value" } else { "values" };
                checks.push(Check::passed(STORE.0, STORE.1, format!("{stored} {values} read")));
            }
            checks.extend(warnings.iter().map(odd));
            checks.push(log(&settings.log));
            let lasts = settings.audit_that_does_not_last().is_none();
            checks.extend(settings.audit.file.as_deref().map(|path| audit(path, lasts)));
        }
        Err(error @ LoadError::Store(reason)) => checks.push(Check::failed(
            STORE.0,
            STORE.1,
            ExitCode::of_load(error),
            reason.to_string(),
            "Check PAM_ADDRESS, PAM_VERIFY_SERVER_CERT, and what signs in: PAM_APP_ID and PAM_SECRET_ID, or VAULT_TOKEN.",
        )),
        Err(LoadError::Unreadable { reason, kind, .. }) => checks.push(Check::failed(
            FILE.0,
            FILE.1,
            ExitCode::BadConfiguration,
            format!("{shown} cannot be read: {reason}"),
            match kind {
                ErrorKind::PermissionDenied => rights::advice(file),
                ErrorKind::NotFound => {
                    "Name the file by --config-file or APP_CONFIG_FILE; config --create FILE writes one to fill in."
                        .to_owned()
                }
                _ => "Correct the file; config --create FILE writes one to fill in.".to_owned(),
            },
        )),
        Err(LoadError::Invalid { problems, warnings, .. }) => {
            // What is wrong in it is counted once.
            checks.push(Check::passed(FILE.0, FILE.1, format!("{shown} can be read")));
            checks.extend(problems.iter().map(|problem| {
                let name = problem.location.to_string();
                let advice = capitalized(&problem.right);
                Check::failed("settings.option", name, ExitCode::BadConfiguration, &problem.wrong, advice)
            }));
            checks.extend(warnings.iter().map(odd));
        }
    }
    Section::new("Settings", checks)
}

/// The check for a setting that can be used, and is odd.
fn odd(warning: &Warning) -> Check {
    let advice = warning.is_of_unknown_variable().then(|| SET_THE_VARIABLE.to_owned());
    Check::warning("settings.option", warning.location.to_string(), &warning.text, advice)
}

const SET_THE_VARIABLE: &str = "Set the variable in this program's environment: for the service in a file that \
                                EnvironmentFile= names (systemctl edit fn-exchange-online), for systemd-run by \
                                --property=EnvironmentFile=FILE, on App Host as a secret on the Configuration tab.";

/// Where a sign-in failed and settings of `sections` name variables that are not set, puts that first in the advice.
pub(super) fn blame_unknown_variables(report: &mut Section, sections: &[&str], warnings: &[Warning]) {
    const SIGN_INS: [&str; 3] = ["soar.sign_in", "broker.sign_in", "graph.token"];
    let unknown = warnings.iter().filter(|warning| warning.is_of_unknown_variable());
    let of_sections =
        unknown.filter(|warning| warning.location.section().is_some_and(|it| sections.contains(&it)));
    let names: Vec<String> = of_sections.map(|warning| warning.location.to_string()).collect();
    if names.is_empty() {
        return;
    }
    for check in &mut report.checks {
        if SIGN_INS.contains(&check.id.as_str())
            && let (Outcome::Failed(_), Some(advice)) = (check.outcome, &mut check.advice)
        {
            let names = names.join(", ");
            *advice = format!("{SET_THE_VARIABLE} It is missing for: {names}. Otherwise: {advice}");
        }
    }
}

/// Checks that the log file can be written, without which the daemon does not start. Does not change the file.
fn log(settings: &LogSettings) -> Check {
    const LOG: (&str, &str) = ("settings.log", "log");
    let Some(path) = settings.path() else { return Check::passed(LOG.0, LOG.1, "to stderr only") };
    let shown = path.display();
    match writable(&path, &settings.directory, own_file::open) {
        Ok(()) => match cannot_rotate(settings) {
            None => Check::passed(LOG.0, LOG.1, format!("{shown} can be written")),
            Some(error) => Check::warning(
                LOG.0,
                LOG.1,
                format!("{shown} can be written, but not rotated: {error}; it grows without limit"),
                "Make its directory (logdir, or APP_LOG_DIR) writable for the user that runs the program; or set \
                 log_max_bytes=0, and use logrotate."
                    .to_owned(),
            ),
        },
        Err(error) => Check::failed(
            LOG.0,
            LOG.1,
            ExitCode::BadConfiguration,
            format!("{shown} cannot be written: {error}"),
            "Create its directory (logdir, or APP_LOG_DIR) and make it writable for the user that runs the \
             program, or leave logfile= empty to log to stderr only.",
        ),
    }
}

/// Checks that the audit trail can be written, without which the daemon does not start.
fn audit(path: &Path, lasts: bool) -> Check {
    const AUDIT: (&str, &str) = ("settings.audit", "audit trail");
    let shown = path.display();
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    match writable(path, directory, own_file::open_record) {
        Ok(()) if !lasts => Check::warning(
            AUDIT.0,
            AUDIT.1,
            format!("{shown} can be written, but is not kept there"),
            "Put it where only this program's user writes (audit_file, or logdir): /tmp and /var/tmp are emptied at a \
             restart or now and then, for a service with PrivateTmp at each stop, and every user may create files there."
                .to_owned(),
        ),
        Ok(()) => Check::passed(AUDIT.0, AUDIT.1, format!("{shown} can be written")),
        Err(error) => Check::failed(
            AUDIT.0,
            AUDIT.1,
            ExitCode::BadConfiguration,
            format!("{shown} cannot be written: {error}"),
            "Create its directory (audit_file, or logdir) and make it writable for the user that runs the program, or \
             leave audit_file= empty to record changes in the log only.",
        ),
    }
}

/// Checks that the file can be written, or created.
fn writable(
    path: &Path,
    directory: &Path,
    open: fn(&mut OpenOptions, &Path) -> io::Result<File>,
) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok() {
        return open(OpenOptions::new().append(true), path).map(drop);
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
