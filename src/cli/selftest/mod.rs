//! `selftest`: whether everything the daemon needs is there and lets it in, in words for who set it up, and as JSON
//! for programs. Nothing is changed and no call is taken: it may run beside a running daemon.

mod broker;
mod check;
mod environment;
mod graph;
mod human;
mod json;
mod report;
mod settings;
mod soar;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use futures_util::future::join;

use self::check::{Check, Section};
use self::report::Report;
use crate::config::{Environment, LoadError, Loaded, LogLevel, Settings};
use crate::exit_code::{ExitCode, Failure};
use crate::functions::Function;
use crate::log::Log;

/// Our package, as `-l` names it.
const PACKAGE: &str = env!("CARGO_CRATE_NAME");

/// What can be chosen.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Write the outcome as JSON.
    #[arg(long)]
    json: bool,

    /// Show what of the environment the program looks at, too; secrets are left out.
    #[arg(long)]
    print_env: bool,

    /// A mailbox to look into: the id of one message is asked for, and nothing of its content.
    #[arg(long, value_name = "ADDRESS")]
    mailbox: Option<String>,

    /// The packages to check beside the connections; this program knows one, fn_exchange_online.
    #[arg(short = 'l', long = "list", value_name = "PACKAGE", num_args = 1..)]
    packages: Vec<String>,
}

impl Arguments {
    /// Whether the app itself is to be checked, and not only the way to SOAR.
    fn with_app(&self) -> bool {
        self.packages.is_empty() || self.packages.iter().any(|name| is_ours(name))
    }

    /// A word about packages that nobody knows; SOAR's own tool does not take them for a failure either.
    fn packages(&self) -> Option<Section> {
        let unknown: Vec<&str> =
            self.packages.iter().map(String::as_str).filter(|name| !is_ours(name)).collect();
        let check = Check::warning(
            "packages",
            "--list",
            format!("there is no package {}; nothing is checked for it", unknown.join(", ")),
            format!("This program knows one package, {PACKAGE}."),
        );
        (!unknown.is_empty()).then(|| Section::new("Packages", vec![check]))
    }
}

fn is_ours(name: &str) -> bool {
    name.replace('-', "_") == PACKAGE
}

/// Checks everything and reports; gives the exit code, which is that of the first failure.
pub(super) async fn selftest(arguments: &Arguments, config_file: Option<&Path>) -> Result<ExitCode, Failure> {
    let environment = Environment::of_process();
    let found = environment.config_file(config_file, Path::new("."));
    let file = found.as_ref().unwrap_or_else(|no_home| &no_home.path).clone();
    let mut report = Report::start(arguments.json, &file);
    if arguments.print_env {
        report.environment(environment::shown(&environment));
    }
    if let Some(section) = arguments.packages() {
        report.add(section);
    }
    let loaded = found.map_err(LoadError::from).and_then(|file| Settings::load(&file, &environment));
    let _log = start_log(&loaded, &environment)?;
    report.add(settings::check(&file, &loaded));
    match &loaded {
        Ok(loaded) => connections(loaded, arguments, &mut report).await,
        Err(_) => {
            for (title, id) in [("SOAR", "soar"), ("Message broker", "broker"), ("Microsoft Graph", "graph")]
            {
                let check = Check::skipped(id, "connection", "the settings have to be right first");
                report.add(Section::new(title, vec![check]));
            }
        }
    }
    Ok(report.finish())
}

/// The log is for what nobody expects, unless `LOGLEVEL` asks for more: the report tells the rest.
fn start_log(loaded: &Result<Loaded, LoadError>, environment: &Environment) -> Result<Log, Failure> {
    let level = match loaded {
        Ok(loaded) if environment.get_filled("LOGLEVEL").is_some() => loaded.settings.log.level,
        _ => LogLevel::Error,
    };
    Log::of_command(level, None).map_err(|error| Failure::new(ExitCode::Failed, &error))
}

/// SOAR and then its broker, which it has to be asked about; Graph beside them, which has nothing to do with either.
async fn connections(loaded: &Loaded, arguments: &Arguments, report: &mut Report) {
    let Loaded { settings, warnings, .. } = loaded;
    let blamed = |mut section: Section, sections: &[&str]| {
        settings::blame_unknown_variables(&mut section, sections, warnings);
        section
    };
    let graph = async {
        if !arguments.with_app() {
            return None;
        }
        let section = graph::check(settings, arguments.mailbox.as_deref()).await;
        Some(blamed(section, &[PACKAGE, "integrations"]))
    };
    let soar_and_broker = async {
        let (section, queues) = soar::check(settings).await;
        report.add(blamed(section, &["resilient"]));
        report.add(blamed(broker::check(settings, queues.as_ref()).await, &["resilient"]));
    };
    let (graph, ()) = join(graph, soar_and_broker).await;
    if let Some(section) = graph {
        report.add(section);
    }
}

/// The function's name without what all of them have in common, as `invoke` takes it, too.
fn short(function: Function) -> &'static str {
    let name = function.name();
    name.strip_prefix("exchange_online_").unwrap_or(name)
}

/// What makes the functions known to SOAR.
const IMPORT: &str = "Import the customizations: run `fn-exchange-online customize` with the same app.config, by an API key \
                      that may import; or `fn-exchange-online customize --export FILE`, and have an administrator of \
                      SOAR import the file. On App Host, installing the app does it.";

/// The queues that calls arrive in.
type Queues = BTreeSet<String>;

/// What `work` brings, or what to say of it where it takes longer than `bound`.
async fn within<T>(bound: Duration, work: impl Future<Output = T>) -> Result<T, String> {
    tokio::time::timeout(bound, work)
        .await
        .map_err(|_| format!("no answer within {} s (selftest_timeout)", bound.as_secs()))
}
