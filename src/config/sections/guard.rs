//! The guard rails, which limit and record what the program changes and reads: `max_deletions`,
//! `max_deletions_per_hour`, `max_plan_messages`, `plan_lifetime`, `four_eyes`, `approval_required`,
//! `mailboxes_allowed`, `mailboxes_denied`, `mailboxes_denied_reading`, `deletion`, `dry_run`, `hold`, `audit_file` and
//! `audit_fsync` of `[fn_exchange_online]`.
//!
//! A misread guard rail protects nothing, so a doubtful value is a problem here where it would be a warning elsewhere.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use url::Url;

use crate::config::definitions::{APP, Definition, Opt, SECTIONS, app as opt};
use crate::config::options::Options;
use crate::config::{
    AddressPattern, AuditSettings, Deletion, GuardSettings, Location, LogSettings, Patterns, Problem, Warning,
};

/// Hosts of Graph in the national clouds, which have no `permanentDelete` (Graph page "message: permanentDelete").
const NATIONAL: [&str; 4] =
    ["graph.microsoft.us", "dod-graph.microsoft.us", "graph.microsoft.de", "microsoftgraph.chinacloudapi.cn"];

/// Parts of unknown names that suggest a guard rail.
const LIKE_A_GUARD_RAIL: [&str; 12] = [
    "allow",
    "approv",
    "audit",
    "delet",
    "deni",
    "deny",
    "dry",
    "eyes",
    "hold",
    "mailbox",
    "permanent",
    "plan_",
];

/// The options that are guard rails.
static GUARD_RAILS: [&dyn Definition; 14] = [
    &opt::MAX_DELETIONS,
    &opt::MAX_DELETIONS_PER_HOUR,
    &opt::MAX_PLAN_MESSAGES,
    &opt::PLAN_LIFETIME,
    &opt::FOUR_EYES,
    &opt::APPROVAL_REQUIRED,
    &opt::MAILBOXES_ALLOWED,
    &opt::MAILBOXES_DENIED,
    &opt::MAILBOXES_DENIED_READING,
    &opt::DELETION,
    &opt::DRY_RUN,
    &opt::HOLD,
    &opt::AUDIT_FILE,
    &opt::AUDIT_FSYNC,
];

/// The symbolic links that Linux follows in one path, and the longest path in bytes that it accepts.
const MOST_LINKS: usize = 40;
const LONGEST_PATH: usize = 4096;

/// The guard rails. `max_messages` is the default of `max_deletions`, since no query lists more.
pub(in crate::config) fn guard(
    options: &mut Options<'_>,
    graph: Option<&Url>,
    max_messages: usize,
) -> GuardSettings {
    for opt in GUARD_RAILS.map(Definition::opt) {
        if options.is_void(opt) {
            let wrong =
                "names an environment variable that is not set, or is empty, so it would protect nothing";
            options.problem(opt, wrong, "set the variable, write the value itself, or delete the line");
            // The problem is noted; reading the value would only add another one.
            options.sections.entry(APP.to_owned()).or_default().remove(opt.key);
        }
    }
    GuardSettings {
        max_deletions: options.number_if_set(&opt::MAX_DELETIONS).unwrap_or(max_messages),
        max_deletions_per_hour: options.number_if_set(&opt::MAX_DELETIONS_PER_HOUR),
        max_plan_messages: options.number(&opt::MAX_PLAN_MESSAGES),
        plan_lifetime: Duration::from_secs(options.number(&opt::PLAN_LIFETIME)),
        // A wrong value is noted as a problem, so its reading does not matter.
        four_eyes: options.choice(&opt::FOUR_EYES).unwrap_or(true),
        approval_required: options.choice(&opt::APPROVAL_REQUIRED).unwrap_or(true),
        allowed: allowed(options),
        denied: patterns(options, &opt::MAILBOXES_DENIED).unwrap_or_default(),
        denied_reading: patterns(options, &opt::MAILBOXES_DENIED_READING).unwrap_or_default(),
        deletion: deletion(options, graph),
        dry_run: options.choice(&opt::DRY_RUN).unwrap_or(true),
        hold: options.choice(&opt::HOLD).unwrap_or(true),
    }
}

pub(in crate::config) fn audit(options: &mut Options<'_>, log: &LogSettings) -> AuditSettings {
    // A wrong value is noted as a problem, so its reading does not matter.
    AuditSettings {
        file: audit_file(options, log),
        fsync: options.choice(&opt::AUDIT_FSYNC).unwrap_or_default(),
    }
}

/// The file of the audit trail. A relative path, and the default, are in the directory of the log.
fn audit_file(options: &mut Options<'_>, log: &LogSettings) -> Option<PathBuf> {
    let file = match options.path(&opt::AUDIT_FILE) {
        Some(file) => log.directory.join(file),
        None if options.is_there(&opt::AUDIT_FILE) => return None,
        None => log.path().map(|_| log.directory.join(opt::AUDIT_FILE.default_text()))?,
    };
    if log.path().is_some_and(|log| is_of_log(&file, &log)) {
        options.problem(
            &opt::AUDIT_FILE,
            "is the log file, or one that it is rotated to, which the log would overwrite or delete",
            "name a file of its own",
        );
    }
    Some(file)
}

/// Whether `file` is the log file, or one that the log is rotated to, also by links.
fn is_of_log(file: &Path, log: &Path) -> bool {
    // Hard links are two names of one file.
    let inode = |path: &Path| path.metadata().map(|it| (it.dev(), it.ino())).ok();
    let is_same = inode(file).is_some_and(|file| inode(log) == Some(file));
    // Either path may be a symbolic link to the other, or to a file that the log is rotated to.
    let names = |path: &Path| [in_real_directory(path), real(path)];
    is_same || names(log).iter().any(|log| names(file).iter().any(|file| is_named_as_log(file, log)))
}

/// Whether `file` has the name of `log`, or of one that it is rotated to.
fn is_named_as_log(file: &Path, log: &Path) -> bool {
    let (file, log) = (file.as_os_str().as_encoded_bytes(), log.as_os_str().as_encoded_bytes());
    file.strip_prefix(log).is_some_and(|rest| match rest {
        [] => true,
        [b'.', number @ ..] => number.iter().all(u8::is_ascii_digit),
        _ => false,
    })
}

/// Resolves links, `.` and `..` in `path`, as far as it exists. The rest, which the log or the trail creates, is
/// unchanged.
fn real(path: &Path) -> PathBuf {
    let Ok(path) = std::path::absolute(path) else { return path.to_owned() };
    // The system cannot open a longer path.
    if path.as_os_str().len() > LONGEST_PATH {
        return path;
    }
    let mut real = PathBuf::new();
    let mut ahead = parts(&path);
    let mut links = 0;
    while let Some(part) = ahead.pop() {
        if part == ".." {
            real.pop();
            continue;
        }
        // An absolute target starts again at the root.
        real.push(part);
        if links < MOST_LINKS
            && let Ok(target) = real.read_link()
        {
            links += 1;
            real.pop();
            ahead.extend(parts(&target));
        }
    }
    real
}

/// The parts of `path` without `.`, the last first.
fn parts(path: &Path) -> Vec<OsString> {
    let parts = path.components().rev().filter(|part| *part != Component::CurDir);
    parts.map(|part| part.as_os_str().to_owned()).collect()
}

/// Resolves the directory of `path`, but not a link in its last part.
fn in_real_directory(path: &Path) -> PathBuf {
    match (path.parent(), path.file_name()) {
        (Some(directory), Some(name)) => real(&Path::new(".").join(directory)).join(name),
        _ => real(path),
    }
}

/// The advice for a wrong list of patterns.
const PATTERNS: &str = "give addresses, one a line or separated by commas, in which * stands for any characters and ? for \
                        one, for instance *@example.com";

/// `mailboxes_allowed`. An empty list is a problem, since without one every mailbox is allowed.
fn allowed(options: &mut Options<'_>) -> Option<Patterns> {
    let opt = &opt::MAILBOXES_ALLOWED;
    let allowed = patterns(options, opt);
    if allowed.is_none() && options.is_there(opt) && !options.is_set(opt) {
        options.problem(opt, "names no mailbox", PATTERNS);
    }
    allowed
}

fn patterns(options: &mut Options<'_>, opt: &Opt) -> Option<Patterns> {
    let text = options.several_lines(opt)?;
    let (mut patterns, noted) = (Vec::new(), options.problems.len());
    for entry in text.split([',', '\n', '\r']).map(str::trim).filter(|entry| !entry.is_empty()) {
        // A pattern that no address can match would protect nothing.
        match AddressPattern::parse(entry) {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => {
                options.problem(
                    opt,
                    format!("has {entry:?} in it, {error}"),
                    format!("{}; {PATTERNS}", error.right()),
                );
            }
        }
    }
    if patterns.is_empty() && options.problems.len() == noted {
        options.problem(opt, "names no mailbox", PATTERNS);
    }
    Some(Patterns(patterns))
}

fn deletion(options: &mut Options<'_>, graph: Option<&Url>) -> Deletion {
    let deletion = options.choice(&opt::DELETION).unwrap_or_default();
    let is_national = graph.and_then(Url::host_str).is_some_and(|host| NATIONAL.contains(&host));
    if deletion == Deletion::Permanent && is_national {
        options.problem(
            &opt::DELETION.opt,
            "is permanent, which Microsoft Graph offers in the global cloud only, and microsoft_graph_url names another",
            "give recoverable or deleted_items",
        );
    }
    deletion
}

/// Notes options that look like a guard rail and are not one of this program: an unknown option is ignored with a
/// warning, but a misspelt guard rail protects nothing, so it is a problem. In sections of other apps a guard rail's
/// name is a warning, since those sections may hold anything.
pub(in crate::config) fn misspelt(options: &mut Options<'_>) {
    for section in SECTIONS {
        let suspects: Vec<String> = options
            .sections
            .get(section.name)
            .into_iter()
            .flat_map(|keys| keys.keys())
            .filter(|key| !section.knows(key) && looks_like_a_guard_rail(section.name, key))
            .cloned()
            .collect();
        options.problems.extend(suspects.into_iter().map(|key| Problem {
            location: Location::Option { section: section.name.to_owned(), key, source: None },
            wrong: "is not an option of this program, and may be meant to protect something".to_owned(),
            right: "see the guard rails in the section fn_exchange_online of --print-config, or delete the line"
                .to_owned(),
        }));
    }
    let elsewhere: Vec<(String, &str)> = options
        .sections
        .iter()
        .filter(|(name, _)| SECTIONS.iter().all(|section| section.name != *name))
        .flat_map(|(section, keys)| {
            let names = GUARD_RAILS.iter().map(|definition| definition.opt().key);
            names.filter(|key| keys.contains_key(*key)).map(|key| (section.clone(), key))
        })
        .collect();
    options.warnings.extend(elsewhere.into_iter().map(|(section, key)| Warning {
        location: Location::Option { section, key: key.to_owned(), source: None },
        text: "is a guard rail of this program, which does not read it in this section".to_owned(),
    }));
}

fn looks_like_a_guard_rail(section: &str, key: &str) -> bool {
    let like = |part: &&str| if section == APP { key.contains(*part) } else { key.starts_with(*part) };
    LIKE_A_GUARD_RAIL.iter().any(like) || GUARD_RAILS.iter().any(|definition| definition.opt().key == key)
}
