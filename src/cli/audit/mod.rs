//! `audit`: reads the trails of one or several daemons, verifies them, and lists acts that began and have no outcome.

mod csv;
mod table;

use std::path::PathBuf;

use serde_json::{Value, json};

use super::common::Common;
use super::terminal::{print, say};
use super::{ExitCode, Failure};
use crate::audit::reader::{FileReport, Line, Start, TrailReport, read};
use crate::config::Settings;

/// Options of the command.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The trails [default: audit_file of the configuration file]. Rotated files may be named as well.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// The form of the output.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    /// As --format json.
    #[arg(long, conflicts_with = "format")]
    json: bool,

    /// Show only acts that began and have no outcome: they may be under way, or may have been cut off.
    #[arg(long)]
    open: bool,
}

/// The forms of the output.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// Columns for people.
    Table,
    /// Comma-separated values, in which no cell is a formula.
    Csv,
    /// One JSON object with files, lines and open acts.
    Json,
}

/// The outcome that is shown for an act without one.
const NO_OUTCOME: &str = "no outcome";

/// Reads and verifies trails.
pub(super) async fn audit(arguments: Arguments, common: &Common) -> Result<(), Failure> {
    let files = if arguments.files.is_empty() { vec![of_settings(common).await?] } else { arguments.files };
    let report = read(&files).map_err(|(path, error)| {
        Failure::new(ExitCode::Failed, &format!("cannot read the audit trail {}: {error}", path.display()))
    })?;
    let format = if arguments.json { Format::Json } else { arguments.format };
    let text = match format {
        Format::Json => json(&report, arguments.open),
        Format::Csv => csv::of(&rows(&report, arguments.open)),
        Format::Table => table::of(&rows(&report, arguments.open)),
    };
    print(&text)?;
    for file in &report.files {
        say(&verdict(file));
    }
    if !report.open.is_empty() {
        say(&format!(
            "{} began and have no outcome (--open): they are under way, or their process ended before.",
            if report.open.len() == 1 { "1 act".to_owned() } else { format!("{} acts", report.open.len()) }
        ));
    }
    let broken = report.files.iter().filter(|file| !file.breaks.is_empty()).count();
    if broken > 0 {
        return Err(Failure::new(
            ExitCode::Failed,
            &format!("the chain of {broken} of {} audit trails is broken", report.files.len()),
        ));
    }
    Ok(())
}

/// The trail that the configuration file names.
async fn of_settings(common: &Common) -> Result<PathBuf, Failure> {
    let source = common.source(&common.environment(Vec::new())).await;
    let loaded = source
        .and_then(|(file, environment)| Settings::load(&file, &environment))
        .map_err(|error| Failure::new(ExitCode::BadConfiguration, &error))?;
    loaded.settings.audit.file.ok_or_else(|| {
        Failure::new(
            ExitCode::BadConfiguration,
            &"the settings name no audit trail (audit_file); name the file: audit FILE",
        )
    })
}

/// The lines to show. An act without an outcome has one that says so.
fn rows(report: &TrailReport, only_open: bool) -> Vec<Line> {
    let mut rows = if only_open { Vec::new() } else { report.lines.clone() };
    rows.extend(report.open.iter().cloned().map(|mut line| {
        line.insert("outcome".to_owned(), NO_OUTCOME.into());
        line
    }));
    rows.sort_by_key(|row| cell(row, "time"));
    rows
}

/// What a line says of `column`, as text.
fn cell(line: &Line, column: &str) -> String {
    match line.get(column) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn json(report: &TrailReport, only_open: bool) -> String {
    let file = |file: &FileReport| {
        let breaks = file.breaks.iter().map(|it| json!({"line": it.line, "what": it.kind.to_string()}));
        let (start, before) = match &file.start {
            Start::Here => ("here", None),
            Start::After(path) => ("after", Some(path.display().to_string())),
            Start::Elsewhere(hash) => ("elsewhere", Some(hash.clone())),
        };
        json!({
            "file": file.path.display().to_string(), "lines": file.lines, "unchained": file.unchained,
            "start": start, "after": before, "head": file.head, "cut": file.cut, "breaks": breaks.collect::<Vec<_>>(),
        })
    };
    let files: Vec<_> = report.files.iter().map(file).collect();
    let lines: &[Line] = if only_open { &[] } else { &report.lines };
    format!("{:#}\n", json!({"files": files, "lines": lines, "open": report.open}))
}

/// What the chain of a file says, for people.
fn verdict(file: &FileReport) -> String {
    let start = match &file.start {
        Start::Here => String::new(),
        Start::After(path) => format!(", continues {}", path.display()),
        Start::Elsewhere(_) => ", continues a file that was not read".to_owned(),
    };
    let unchained = match file.unchained {
        0 => String::new(),
        lines => format!(", the first {lines} without hashes"),
    };
    let cut = match file.cut {
        0 => String::new(),
        lines => format!(", {lines} cut off"),
    };
    let whole = if file.breaks.is_empty() { ", the chain is whole" } else { "" };
    let mut lines =
        vec![format!("{}: {} lines{unchained}{cut}{start}{whole}", file.path.display(), file.lines)];
    lines.extend(file.breaks.iter().map(|broken| format!("  line {}: {}", broken.line, broken.kind)));
    lines.extend(file.head.iter().map(|head| format!("  hash of the last line: {head}")));
    lines.join("\n")
}
