//! `selftest`: checks everything the daemon needs, and reports in text for people or in JSON for programs. Changes
//! nothing and takes no calls, so it may run while a daemon does.

mod broker;
mod check;
mod environment;
mod graph;
mod human;
mod json;
mod patterns;
mod proxies;
mod report;
mod rights;
mod settings;
mod soar;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use futures_util::future::join;

use self::check::{Check, Section};
use self::report::Report;
use crate::cli::common::Common;
use crate::cli::terminal::log_look;
use crate::config::{Environment, LoadError, Loaded, LogLevel, Settings};
use crate::exit_code::{ExitCode, Failure};
use crate::functions::Function;
use crate::log::Log;

/// The package of this program, as `-l` names it.
const PACKAGE: &str = env!("CARGO_CRATE_NAME");

/// Options of the command.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Write the report as JSON.
    #[arg(long)]
    json: bool,

    /// Show also the environment variables that the program reads, except secrets.
    #[arg(long)]
    print_env: bool,

    /// A mailbox to test: reads the id of one message, and nothing of its content.
    #[arg(long, value_name = "ADDRESS")]
    mailbox: Option<String>,

    /// The packages to check in addition to the connections. The only package is fn_exchange_online.
    #[arg(short = 'l', long = "list", value_name = "PACKAGE", num_args = 1..)]
    packages: Vec<String>,
}

impl Arguments {
    /// Whether to check the app itself, and not only the connections to SOAR.
    fn with_app(&self) -> bool {
        self.packages.is_empty() || self.packages.iter().any(|name| is_ours(name))
    }

    /// A warning about unknown packages, which are not a failure in SOAR's own tool either.
    fn packages(&self) -> Option<Section> {
        let unknown: Vec<&str> =
            self.packages.iter().map(String::as_str).filter(|name| !is_ours(name)).collect();
        let check = Check::warning(
            "packages",
            "--list",
            format!("unknown package {}; nothing is checked for it", unknown.join(", ")),
            format!("The only package is {PACKAGE}."),
        );
        (!unknown.is_empty()).then(|| Section::new("Packages", vec![check]))
    }
}

fn is_ours(name: &str) -> bool {
    name.replace('-', "_") == PACKAGE
}

/// Checks everything and reports. Returns the exit code of the first failure.
pub(super) async fn selftest(arguments: &Arguments, common: &Common) -> Result<ExitCode, Failure> {
    let environment = common.environment(Vec::new());
    let found = environment.config_file(common.config_file.as_deref(), Path::new("."));
    let file = found.as_ref().unwrap_or_else(|no_home| &no_home.path).clone();
    let mut report = Report::start(arguments.json, &file)?;
    if arguments.print_env {
        report.environment(environment::shown(&environment))?;
    }
    if let Some(section) = arguments.packages() {
        report.add(section)?;
    }
    let loaded = match common.source(&environment).await {
        Ok((file, environment)) => Settings::load(&file, &environment),
        Err(error) => Err(error),
    };
    let _log = start_log(&loaded, common, &environment)?;
    report.add(settings::check(&file, &loaded))?;
    match &loaded {
        Ok(loaded) => connections(loaded, arguments, &mut report).await?,
        Err(_) => {
            for (title, id) in [("SOAR", "soar"), ("Message broker", "broker"), ("Microsoft Graph", "graph")]
            {
                let check = Check::skipped(id, "connection", "not checked: the settings have problems");
                report.add(Section::new(title, vec![check]))?;
            }
        }
    }
    report.finish()
}

/// Logs errors only, unless `LOGLEVEL` is set, since the report says the rest.
fn start_log(
    loaded: &Result<Loaded, LoadError>,
    common: &Common,
    environment: &Environment,
) -> Result<Log, Failure> {
    let level = match loaded {
        Ok(loaded) => common.level(environment, loaded.settings.log.level, LogLevel::Error),
        Err(_) => LogLevel::Error,
    };
    Log::of_command(level, log_look(), None).map_err(|error| Failure::new(ExitCode::Failed, &error))
}

/// Checks SOAR and then its broker, whose queues SOAR names; and Graph at the same time, which is independent of both.
async fn connections(loaded: &Loaded, arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
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
        report.add(blamed(section, &["resilient"]))?;
        report.add(blamed(broker::check(settings, queues.as_ref()).await, &["resilient"]))
    };
    let (graph, written) = join(graph, soar_and_broker).await;
    written?;
    graph.map_or(Ok(()), |section| report.add(section))
}

/// The function's name without its prefix, as `invoke` accepts it.
fn short(function: Function) -> &'static str {
    let name = function.name();
    name.strip_prefix("exchange_online_").unwrap_or(name)
}

/// The advice where SOAR does not have the functions.
const IMPORT: &str = "Import the customizations: run `fn-exchange-online customize` with the same app.config, by an API key \
                      that may import; or `fn-exchange-online customize --export FILE`, and have an administrator of \
                      SOAR import the file. On App Host, installing the app does it.";

/// The queues in which calls arrive.
type Queues = BTreeSet<String>;

/// Returns the result of `work`, or a message if it takes longer than `bound`.
async fn within<T>(bound: Duration, work: impl Future<Output = T>) -> Result<T, String> {
    tokio::time::timeout(bound, work)
        .await
        .map_err(|_| format!("no answer within {} s (selftest_timeout)", bound.as_secs()))
}
