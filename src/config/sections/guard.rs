//! What limits what the program may change, and where it is put on record: `max_deletions`, `mailboxes_allowed`,
//! `mailboxes_denied`, `deletion`, `dry_run`, `audit_file` of `[fn_exchange_online]`.
//!
//! A guard rail that is misread protects nobody, so here a doubtful value is a problem where it would be a warning
//! elsewhere.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use url::Url;

use crate::config::options::{APP, INTEGRATIONS, Name, Options, RESILIENT};
use crate::config::{
    AddressPattern, Deletion, GuardSettings, Location, LogSettings, Patterns, Problem, Warning,
};

const fn option(key: &'static str) -> Name {
    (APP, key)
}

/// Hosts of Graph in the national clouds, which have no `permanentDelete` (Graph page "message: permanentDelete").
const NATIONAL: [&str; 4] =
    ["graph.microsoft.us", "dod-graph.microsoft.us", "graph.microsoft.de", "microsoftgraph.chinacloudapi.cn"];

/// What is in names, in our own section, that somebody may have meant as a guard rail.
const LIKE_A_GUARD_RAIL: [&str; 8] =
    ["allow", "audit", "delet", "deni", "deny", "dry", "mailbox", "permanent"];

/// Those there are.
const GUARD_RAILS: [&str; 6] =
    ["max_deletions", "mailboxes_allowed", "mailboxes_denied", "deletion", "dry_run", "audit_file"];

/// As many links as Linux follows in a name, and as long a name as it takes, in bytes.
const MOST_LINKS: usize = 40;
const LONGEST_PATH: usize = 4096;

pub(in crate::config) fn guard(options: &mut Options<'_>, graph: Option<&Url>) -> GuardSettings {
    for name in GUARD_RAILS.map(option) {
        if options.is_void(name) {
            let wrong =
                "names a variable of the environment that is not set, or empty, so it would protect nothing";
            options.problem(name, wrong, "set the variable, write the value itself, or delete the line");
            // It has been told; what is read of it says no more.
            options.sections.entry(APP.to_owned()).or_default().remove(name.1);
        }
    }
    GuardSettings {
        max_deletions: options.number_if_set(option("max_deletions"), 1..=1_000_000),
        allowed: patterns(options, option("mailboxes_allowed")),
        denied: patterns(options, option("mailboxes_denied")).unwrap_or_default(),
        deletion: deletion(options, graph),
        dry_run: dry_run(options),
    }
}

/// The file of the audit trail; relative to the directory of the log, in which it is where nothing is said.
pub(in crate::config) fn audit_file(options: &mut Options<'_>, log: &LogSettings) -> Option<PathBuf> {
    const FILE: Name = option("audit_file");
    let file = match options.path(FILE) {
        Some(file) => log.directory.join(file),
        None if options.is_there(FILE) => return None,
        None => log.path().map(|_| log.directory.join("audit.log"))?,
    };
    if log.path().is_some_and(|log| is_of_log(&file, &log)) {
        options.problem(
            FILE,
            "is the log file, or one that it is rotated to, which the log would overwrite or delete",
            "name a file of its own",
        );
    }
    Some(file)
}

/// Whether `file` is the log's, or one that the log is rotated to, by whatever way their names lead there.
fn is_of_log(file: &Path, log: &Path) -> bool {
    // Two names of one file (hard links).
    let inode = |path: &Path| path.metadata().map(|it| (it.dev(), it.ino())).ok();
    let is_same = inode(file).is_some_and(|file| inode(log) == Some(file));
    // A link can lead to the other's file, or stand in the place of one that the log is rotated to.
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

/// Where `path` leads: without links, `.` and `..`, as far as there is something at it already. The rest, which the log or
/// the trail makes, is as it is written.
fn real(path: &Path) -> PathBuf {
    let Ok(path) = std::path::absolute(path) else { return path.to_owned() };
    // Nothing can be opened under a longer name.
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
        // An absolute one begins anew.
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

/// The parts of `path` that lead somewhere, the last first.
fn parts(path: &Path) -> Vec<OsString> {
    let parts = path.components().rev().filter(|part| *part != Component::CurDir);
    parts.map(|part| part.as_os_str().to_owned()).collect()
}

/// `path` in the directory that its directory is in truth, but not followed itself.
fn in_real_directory(path: &Path) -> PathBuf {
    match (path.parent(), path.file_name()) {
        (Some(directory), Some(name)) => real(&Path::new(".").join(directory)).join(name),
        _ => real(path),
    }
}

fn patterns(options: &mut Options<'_>, name: Name) -> Option<Patterns> {
    const RIGHT: &str = "give addresses, one a line or separated by commas, in which * stands for any characters \
                         and ? for one, for instance *@example.com";
    let text = options.several_lines(name);
    // Without one, every mailbox is allowed: nobody writes that by an empty list.
    if text.is_none() && name.1 == "mailboxes_allowed" && options.is_there(name) && !options.is_set(name) {
        options.problem(name, "names no mailbox", RIGHT);
    }
    let text = text?;
    let mut patterns = Vec::new();
    for entry in text.split([',', '\n', '\r']).map(str::trim).filter(|entry| !entry.is_empty()) {
        // What no address can match protects nobody.
        if !can_match_an_address(entry) {
            options.problem(name, format!("has {entry:?} in it, which matches no address"), RIGHT);
        }
        patterns.push(AddressPattern::new(entry));
    }
    if patterns.is_empty() {
        options.problem(name, "names no mailbox", RIGHT);
    }
    Some(Patterns(patterns))
}

/// Whether there is an address that matches `pattern`, as far as what people write by mistake goes: a domain alone,
/// quotes, angle brackets, other separators, expressions of other languages.
fn can_match_an_address(pattern: &str) -> bool {
    let is_foreign = |c: char| c.is_control() || c.is_whitespace() || "()<>[]:;\\\"".contains(c);
    let has_both_parts = match pattern.split_once('@') {
        Some((local, domain)) => !local.is_empty() && !domain.is_empty() && !domain.contains('@'),
        None => pattern.contains('*'),
    };
    has_both_parts && !pattern.starts_with('.') && !pattern.contains(is_foreign)
}

fn deletion(options: &mut Options<'_>, graph: Option<&Url>) -> Deletion {
    const DELETION: Name = option("deletion");
    let Some(value) = options.optional(DELETION) else { return Deletion::Recoverable };
    match value.text.to_ascii_lowercase().as_str() {
        "recoverable" => Deletion::Recoverable,
        "deleted_items" => Deletion::DeletedItems,
        "permanent" => {
            if graph.and_then(Url::host_str).is_some_and(|host| NATIONAL.contains(&host)) {
                options.problem(
                    DELETION,
                    "is permanent, which Microsoft Graph offers in the global cloud only, and microsoft_graph_url \
                     names another",
                    "give recoverable or deleted_items",
                );
            }
            Deletion::Permanent
        }
        _ => {
            options.problem(
                DELETION,
                "says none of the places where a deletion can end",
                "give recoverable, deleted_items or permanent",
            );
            Deletion::Recoverable
        }
    }
}

fn dry_run(options: &mut Options<'_>) -> bool {
    const DRY_RUN: Name = option("dry_run");
    let Some(value) = options.optional(DRY_RUN) else { return false };
    match value.text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" | "on" => true,
        "false" | "no" | "0" | "off" => false,
        _ => {
            options.problem(DRY_RUN, "is neither true nor false", "give true or false");
            true
        }
    }
}

/// An option that nobody knows is ignored with a warning; one that may be a misspelt guard rail, or one that stands in
/// another section that this program reads, must not be. The sections of other apps may hold what they like, but who
/// means us should hear of it.
pub(in crate::config) fn misspelt(options: &mut Options<'_>, is_known: impl Fn(&str, &str) -> bool) {
    for section in [RESILIENT, INTEGRATIONS, APP] {
        let suspects: Vec<String> = options
            .sections
            .get(section)
            .into_iter()
            .flat_map(|keys| keys.keys())
            .filter(|key| {
                let like = |part: &&str| match section {
                    APP => key.contains(*part),
                    _ => key.starts_with(*part),
                };
                LIKE_A_GUARD_RAIL.iter().any(like) || GUARD_RAILS.contains(&key.as_str())
            })
            .filter(|key| !is_known(section, key))
            .cloned()
            .collect();
        options.problems.extend(suspects.into_iter().map(|key| Problem {
            location: Location::Option { section: section.to_owned(), key, variable: None },
            wrong: "is no option of this program, and may be meant to protect something".to_owned(),
            right: "see the guard rails in the section fn_exchange_online of --print-config, or delete the line"
                .to_owned(),
        }));
    }
    let elsewhere: Vec<(String, &str)> = options
        .sections
        .iter()
        .filter(|(section, _)| ![RESILIENT, INTEGRATIONS, APP].contains(&section.as_str()))
        .flat_map(|(section, keys)| {
            GUARD_RAILS.iter().filter(|key| keys.contains_key(**key)).map(|key| (section.clone(), *key))
        })
        .collect();
    options.warnings.extend(elsewhere.into_iter().map(|(section, key)| Warning {
        location: Location::Option { section, key: key.to_owned(), variable: None },
        text: "is a guard rail of this program, which does not read it in this section".to_owned(),
    }));
}
