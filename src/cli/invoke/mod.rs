//! `invoke`: one function, run by hand, straight at Microsoft Graph and without SOAR's broker.
//!
//! Standard output has the results and nothing else; what a person reads meanwhile is on standard error.

pub(super) mod inputs;
mod list;
pub(super) mod progress;

use std::io::{IsTerminal, Write, stdout};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use serde_json::value::to_raw_value;
use tokio::signal::ctrl_c;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::warn;

use self::inputs::Given;
use self::progress::ProgressDisplay;
use super::Failure;
use crate::audit::{Initiator, Trail};
use crate::config::{Environment, LoadError, LogLevel, Settings};
use crate::functions::{Call, Context, Function, IncidentSink, Inputs, Lease, Outcome, Status};
use crate::guard::Guard;
use crate::log::Log;
use soar::Results;

/// A call that cannot be made as it was typed, and a configuration that cannot be used.
const USAGE: u8 = 2;
/// The call failed, or did not do what it was asked.
const NOT_DONE: u8 = 1;
/// Ended by Ctrl-C, as shells count it.
const INTERRUPTED: u8 = 130;

/// What can be chosen.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The function; `exchange_online_` at its beginning may be left out.
    #[arg(required_unless_present = "list")]
    function: Option<String>,

    /// An input, in plain words: a time as 2026-11-23T08:00:00Z or in milliseconds since 1970, yes/no/unknown,
    /// the label of a choice. Several labels are separated by commas or given one by one.
    #[arg(long = "input", value_name = "NAME=VALUE", value_parser = inputs::pair)]
    given: Vec<Given>,

    /// A JSON object of inputs, as SOAR encodes them; - is standard input. Those of --input win.
    #[arg(long = "inputs", value_name = "FILE.json")]
    file: Option<PathBuf>,

    /// The incident to write to; it becomes the input incident_id. Without it nothing is written to SOAR: a note
    /// is shown, a message is kept as a file in this directory, and no attachments can be sent.
    #[arg(long, value_name = "NUMBER")]
    incident: Option<i64>,

    /// Show the functions with their inputs.
    #[arg(long)]
    list: bool,
}

/// Runs one function.
pub(super) async fn invoke(arguments: Arguments, config_file: Option<&Path>) -> Result<(), Failure> {
    let function = arguments.function.as_deref().map(named).transpose()?;
    let function = match (function, arguments.list) {
        (Some(function), false) => function,
        (one, _) => {
            list::show(one.as_slice());
            return Ok(());
        }
    };
    let values = inputs::read(function, arguments.given, arguments.file.as_deref(), arguments.incident)?;

    let mut display = ProgressDisplay::on_stderr();
    let environment = Environment::of_process();
    let (settings, _log) = load(config_file, &environment, display.is_live())?;
    let (mut sink, mut reports) = IncidentSink::local(Path::new("."));
    if arguments.incident.is_some() {
        let connected = soar::Client::connect(&settings.soar).await;
        sink = connected.map_err(|error| Failure::new(error.exit_code(), &error))?.into();
    }
    let graph = graph::Client::new(&settings.graph).map_err(|error| Failure::new(USAGE, &error))?;
    let raw_inputs = to_raw_value(&values).map_err(|error| Failure::new(USAGE, &error))?;
    let inputs = Inputs::new(values);
    let (status, mut statuses) = Status::channel();
    let progress_changes = status.progress();
    let (call, lease) = (Call::by_hand(), Lease::undisputed());
    let asker = Initiator {
        principal: Some(by_hand(&environment)),
        incident: inputs.incident(),
        correlation_id: Some(call.id.clone()),
        function: Some(function.name().to_owned()),
        ..Initiator::default()
    };
    let trail = Trail::at(settings.audit_file);
    let guard = Guard::new(Arc::new(settings.guard), trail.clone(), asker);
    let context = Context { graph, sink, call, lease, guard, limits: settings.limits, status };

    let started = Instant::now();
    let mut frames = interval(progress::FRAME);
    frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let run = function.run(&context, &inputs);
    let interrupted = ctrl_c();
    tokio::pin!(run, interrupted);
    let ended = loop {
        tokio::select! {
            biased;
            ended = &mut run => break ended,
            _ = &mut interrupted => {
                display.clear();
                return Err(Failure::new(INTERRUPTED, &"interrupted; what was done until then is done"));
            }
            Some(text) = statuses.recv() => display.status(&text),
            _ = frames.tick(), if display.is_live() => display.draw(*progress_changes.borrow()),
        }
    };
    while let Ok(text) = statuses.try_recv() {
        display.status(&text);
    }
    display.clear();
    while let Ok(report) = reports.try_recv() {
        display.report(&report);
    }
    // What was done is told first.
    let on_record = trail.flush().map_err(|failure| {
        Failure::new(NOT_DONE, &format!("what was done is on record in the lines above only: {failure}"))
    });

    let Outcome { success, reason, content, pretty, .. } =
        ended.map_err(|error| Failure::new(NOT_DONE, &error))?;
    let results = Results {
        success,
        reason: reason.as_deref(),
        content: &content,
        pretty: pretty.as_deref(),
        inputs: &raw_inputs,
        execution_time: started.elapsed(),
    };
    write(&results.to_json())?;
    let reason = reason.unwrap_or_default();
    if !success {
        return Err(Failure::new(NOT_DONE, &reason));
    }
    if !reason.is_empty() {
        display.line(&reason);
    }
    on_record
}

/// Who makes the call: as whom the environment has them, which anybody can set, and as whom the system has them.
fn by_hand(environment: &Environment) -> String {
    let user = ["LOGNAME", "USER"].into_iter().find_map(|name| environment.get_filled(name));
    let uid = std::fs::metadata("/proc/self").map_or("unknown".to_owned(), |own| own.uid().to_string());
    format!("{} (by hand, uid {uid})", user.unwrap_or("somebody"))
}

pub(super) fn named(name: &str) -> Result<Function, Failure> {
    Function::named(name).or_else(|| Function::named(&format!("exchange_online_{name}"))).ok_or_else(|| {
        Failure::new(USAGE, &format!("there is no function {name:?}; invoke --list shows those there are"))
    })
}

/// Reads the settings. A person waits, so only what is out of order is logged, unless `LOGLEVEL` asks for more;
/// the daemon's log file is left alone.
fn load(
    file: Option<&Path>,
    environment: &Environment,
    over_progress: bool,
) -> Result<(Settings, Log), Failure> {
    let loaded = environment
        .config_file(file, Path::new("."))
        .map_err(LoadError::from)
        .and_then(|file| Settings::load(&file, environment))
        .map_err(|error| Failure::new(USAGE, &error))?;
    let asked = environment.get_filled("LOGLEVEL").is_some();
    let level = if asked { loaded.settings.log.level } else { LogLevel::Warning };
    let log = Log::of_command(level, over_progress).map_err(|error| Failure::new(NOT_DONE, &error))?;
    for warning in &loaded.warnings {
        warn!("{warning}");
    }
    Ok((loaded.settings, log))
}

/// Writes the results: for a program as they are, for a person indented.
pub(super) fn write(results: &[u8]) -> Result<(), Failure> {
    let mut out = stdout().lock();
    let indented = out.is_terminal().then(|| {
        serde_json::from_slice::<Value>(results).and_then(|value| serde_json::to_vec_pretty(&value))
    });
    let written = match indented {
        Some(Ok(indented)) => out.write_all(&indented),
        _ => out.write_all(results),
    };
    written
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush())
        .map_err(|error| Failure::new(NOT_DONE, &format!("the results could not be written: {error}")))
}
