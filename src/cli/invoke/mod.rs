//! `invoke`: runs one function from the command line, bypassing the SOAR broker.
//!
//! Standard output has only the results; progress and messages go to standard error.

pub(super) mod inputs;
mod list;
pub(super) mod progress;
mod question;

use std::borrow::Cow;
use std::io::{IsTerminal, Write, stdout};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser};
use serde_json::Value;
use serde_json::value::to_raw_value;
use tokio::signal::ctrl_c;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::warn;

use self::inputs::Given;
use self::progress::ProgressDisplay;
use super::{ExitCode, Failure};
use crate::audit::{Initiator, Trail};
use crate::cli::common::Common;
use crate::cli::terminal::log_look;
use crate::config::{Environment, LogLevel, Settings};
use crate::functions::{Call, Context, Function, IncidentSink, Inputs, Lease, Outcome, Progress, Status};
use crate::guard::{ChangePolicy, DeletionCount, Guard};
use crate::log::Log;
use net::untrusted::text::escape_json;
use soar::Results;

/// How long the audit trail may take for its last lines.
pub(super) const LAST_LINES: Duration = Duration::from_secs(5);

/// Options of the command.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The function; the prefix `exchange_online_` may be there.
    #[arg(required_unless_present = "list", value_parser = functions(), hide_possible_values = true)]
    function: Option<String>,

    /// An input: a time as 2026-11-23T08:00:00Z or in milliseconds since 1970, yes/no/unknown, or the label of a
    /// choice. Several labels are separated by commas, or the option is repeated.
    #[arg(long = "input", value_name = "NAME=VALUE", value_parser = inputs::pair)]
    given: Vec<Given>,

    /// A file with a JSON object of inputs, as SOAR encodes them; - is standard input. --input takes precedence.
    #[arg(long = "inputs", value_name = "FILE.json")]
    file: Option<PathBuf>,

    /// The incident to write to (the input incident_id). Without it nothing is written to SOAR: notes are shown,
    /// messages are saved as files in the current directory, and attachments cannot be sent.
    #[arg(long, value_name = "NUMBER")]
    incident: Option<i64>,

    /// Delete without a question. It is asked only on a terminal: a script without one deletes at once.
    #[arg(short = 'y', long)]
    yes: bool,

    /// Change no mailbox; the results say what would have been done. As the setting dry_run.
    #[arg(long)]
    dry_run: bool,

    /// What to write to standard output: the results as SOAR gets them, or only their content.
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = Output::Results)]
    output: Output,

    /// Show the functions and their inputs.
    #[arg(long)]
    list: bool,

    /// Write the list as JSON. Results are always JSON.
    #[arg(long, requires = "list")]
    json: bool,
}

/// What goes to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// The results as SOAR gets them, with the content in three forms, inputs and metrics.
    Results,
    /// The content only.
    Content,
}

/// The names of functions: the short ones in suggestions and completions, and those of SOAR.
pub(super) fn functions() -> PossibleValuesParser {
    PossibleValuesParser::new(Function::ALL.map(|function| {
        let short = function.name().strip_prefix("exchange_online_").unwrap_or(function.name());
        PossibleValue::new(short).alias(function.name()).help(function.spec().summary)
    }))
}

/// Runs one function.
pub(super) async fn invoke(arguments: Arguments, common: &Common) -> Result<(), Failure> {
    let function = arguments.function.as_deref().map(named).transpose()?;
    let function = match (function, arguments.list) {
        (Some(function), false) => function,
        (one, _) => return list::show(one.as_slice(), arguments.json),
    };
    if arguments.dry_run && !function.spec().changes_mailbox {
        let message = format!("{} changes no mailbox; leave --dry-run out", function.name());
        return Err(Failure::new(ExitCode::BadConfiguration, &message));
    }
    let values = inputs::read(function, arguments.given, arguments.file.as_deref(), arguments.incident)?;

    let mut display = ProgressDisplay::on_stderr();
    let environment = common.environment(Vec::new());
    let (mut settings, _log) = load(common, &environment, &display).await?;
    settings.guard.dry_run |= arguments.dry_run;
    if !arguments.yes && !settings.guard.dry_run {
        question::ask(function, &values, settings.guard.deletion)?;
    }
    let (mut sink, mut reports) = IncidentSink::local(Path::new("."));
    if arguments.incident.is_some() {
        let connected = soar::Client::connect(&settings.soar).await;
        sink = connected.map_err(|error| Failure::new(ExitCode::of_soar(&error), &error))?.into();
    }
    let graph = graph::Client::new(&settings.graph)
        .map_err(|error| Failure::new(ExitCode::BadConfiguration, &error))?;
    let raw_inputs =
        to_raw_value(&values).map_err(|error| Failure::new(ExitCode::BadConfiguration, &error))?;
    let inputs = Inputs::new(values);
    let (status, mut statuses) = Status::channel();
    let progress = status.progress();
    let (call, lease) = (Call::by_hand(), Lease::undisputed());
    let asker = Initiator {
        principal: Some(by_hand(&environment)),
        incident: inputs.incident(),
        correlation_id: Some(call.id.clone()),
        function: Some(function.name().to_owned()),
        ..Initiator::default()
    };
    let trail = Trail::at(settings.audit.clone());
    let guard =
        Guard::new(&ChangePolicy::new(settings.guard), trail.clone(), DeletionCount::default(), asker);
    let (limits, zip_password) = (settings.limits, settings.zip_password);
    let context = Context { graph, sink, call, guard, lease, limits, zip_password, status };

    let started = Instant::now();
    let run = Box::pin(function.run(&context, &inputs));
    let ended = watch(run, &mut statuses, progress.clone(), &mut display).await;
    while let Ok(report) = reports.try_recv() {
        display.report(&report);
    }
    // The result of the call is shown before a failure of the audit trail.
    let on_record = trail.flush(LAST_LINES).await.map_err(|failure| {
        let message = format!("the lines above are the only record of what was changed: {failure}");
        Failure::new(ExitCode::Failed, &message)
    });
    let Some(ended) = ended else {
        let total = progress.borrow().map(|progress| progress.total);
        let message = question::interrupted(function, trail.changes(), total, settings.audit.file.as_deref());
        return Err(Failure::new(ExitCode::Interrupted, &message));
    };

    let Outcome { success, reason, content, pretty, .. } =
        ended.map_err(|error| Failure::new(ExitCode::Failed, &error))?;
    match arguments.output {
        Output::Content => write(content.get().as_bytes())?,
        Output::Results => {
            let results = Results {
                success,
                reason: reason.as_deref(),
                content: &content,
                pretty: pretty.as_deref(),
                inputs: &raw_inputs,
                execution_time: started.elapsed(),
            };
            write(&results.to_json())?;
        }
    }
    let reason = reason.unwrap_or_default();
    // A dry run that was asked for has done what it should.
    let is_rehearsed = arguments.dry_run && trail.changes().rehearsed > 0;
    if !success && !is_rehearsed {
        return Err(Failure::new(ExitCode::Failed, &reason));
    }
    if !reason.is_empty() {
        display.line(&reason);
    }
    on_record
}

/// Waits for the end of a call, and shows its status messages and its progress meanwhile. `None`: Ctrl-C ended it.
async fn watch<T>(
    run: impl Future<Output = T>,
    statuses: &mut UnboundedReceiver<String>,
    mut progress: watch::Receiver<Option<Progress>>,
    display: &mut ProgressDisplay,
) -> Option<T> {
    let interrupted = ctrl_c();
    tokio::pin!(run, interrupted);
    let ended = loop {
        tokio::select! {
            biased;
            ended = &mut run => break ended,
            _ = &mut interrupted => {
                display.clear();
                return None;
            }
            Some(text) = statuses.recv() => display.status(&text),
            Ok(()) = progress.changed() => {
                let progress = *progress.borrow_and_update();
                if let Some(progress) = progress {
                    display.update(progress);
                }
            }
        }
    };
    while let Ok(text) = statuses.try_recv() {
        display.status(&text);
    }
    display.clear();
    Some(ended)
}

/// Who makes the call: the user name in the environment, which anyone can set, and the user ID that the system knows.
pub(super) fn by_hand(environment: &Environment) -> String {
    let user = ["LOGNAME", "USER"].into_iter().find_map(|name| environment.get_filled(name));
    let uid = std::fs::metadata("/proc/self").map_or("unknown".to_owned(), |own| own.uid().to_string());
    format!("{} (by hand, uid {uid})", user.unwrap_or("unknown user"))
}

/// The function of this name, with or without the prefix. Only [`functions`] are accepted, so there is one.
pub(super) fn named(name: &str) -> Result<Function, Failure> {
    let function = Function::named(name).or_else(|| Function::named(&format!("exchange_online_{name}")));
    let unknown = || Failure::new(ExitCode::BadConfiguration, &format!("there is no function {name:?}"));
    function.ok_or_else(unknown)
}

/// Loads the settings. Logs only warnings unless `LOGLEVEL` is set, and does not touch the daemon's log file.
pub(super) async fn load(
    common: &Common,
    environment: &Environment,
    display: &ProgressDisplay,
) -> Result<(Settings, Log), Failure> {
    let (file, environment) = common.source(environment).await?;
    let loaded = Settings::load(&file, &environment)?;
    let level = common.level(&environment, loaded.settings.log.level, LogLevel::Warning);
    let log = Log::of_command(level, log_look(), Some(display.bar().clone()))
        .map_err(|error| Failure::new(ExitCode::Failed, &error))?;
    for warning in &loaded.warnings {
        warn!("{warning}");
    }
    Ok((loaded.settings, log))
}

/// Writes the results: indented to a terminal, otherwise on one line. A mail cannot move the cursor.
pub(super) fn write(results: &[u8]) -> Result<(), Failure> {
    let mut out = stdout().lock();
    let indented = out.is_terminal().then(|| {
        serde_json::from_slice::<Value>(results).and_then(|value| serde_json::to_string_pretty(&value))
    });
    let text = match indented {
        Some(Ok(indented)) => Cow::Owned(indented),
        _ => String::from_utf8_lossy(results),
    };
    let written = out.write_all(escape_json(&text).as_bytes());
    written.and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()).map_err(|error| {
        Failure::new(ExitCode::Failed, &format!("the results could not be written: {error}"))
    })
}
