//! The command line: one file per command.

mod atomic_write;
mod audit;
mod common;
mod config_file;
mod customize;
mod examples;
mod framework_arguments;
mod help;
mod invoke;
mod list;
mod measure;
mod package;
mod package_filter;
mod run;
#[cfg(feature = "sandbox")]
mod sandbox;
mod selftest;
mod shell_files;
mod soar_session;
mod terminal;

use std::ffi::OsString;
use std::io::{Write, stderr, stdout};

use clap::error::ErrorKind;
use clap::{ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use self::common::Common;
use self::terminal::{of_output, print};
use crate::config;
pub use crate::exit_code::{ExitCode, Failure};
use net::untrusted::text::sanitize_terminal;

/// The version, and the commit that the program was built from where it is known.
const VERSION: &str = env!("FN_EXCHANGE_ONLINE_VERSION");

/// Runs IBM SOAR's Exchange Online functions through Microsoft Graph.
///
/// Without a command it runs as a daemon: it signs in to SOAR, takes function calls from its message destination,
/// carries them out through Microsoft Graph, and sends the results back, until it is stopped.
#[derive(Debug, Parser)]
#[command(name = "fn-exchange-online", version = VERSION, about, max_term_width = 110)]
pub struct Cli {
    /// Print a configuration file to fill in, and exit.
    #[arg(long)]
    print_config: bool,

    #[command(flatten)]
    common: Common,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run as a daemon until stopped. This is the default command.
    Run(Box<run::Arguments>),
    /// Check settings, SOAR, its broker and Microsoft Graph, with advice for every failure.
    Selftest(selftest::Arguments),
    /// Measure how fast the tenant answers: shows the requests first, and changes nothing.
    Measure(measure::Arguments),
    /// Run one function from the command line, bypassing the SOAR broker.
    Invoke(invoke::Arguments),
    /// Write a configuration file to fill in, or add missing sections to one.
    #[command(override_usage = "fn-exchange-online config --create [FILE]\n       \
                                fn-exchange-online config --update [FILE]")]
    Config(config_file::Arguments),
    /// Import functions, and playbooks or rules and workflows, into SOAR, or write the file.
    Customize(customize::Arguments),
    /// Build the app package that SOAR installs and App Host runs.
    #[command(
        override_usage = "fn-exchange-online package --image <REF> \\\n           --output <DIR> [OPTIONS]"
    )]
    Package(package::Arguments),
    /// Read audit trails, verify their chains, and list acts without an outcome.
    Audit(audit::Arguments),
    /// Show the functions, their message destination and the version.
    List(list::Arguments),
    /// Print the completions of commands and options for a shell.
    Completions(shell_files::Completions),
    /// Write the manual pages.
    ManPages(shell_files::ManPages),
    /// Try the program with an embedded SOAR and Graph tenant, without accounts.
    #[cfg(feature = "sandbox")]
    #[command(override_usage = "fn-exchange-online sandbox [OPTIONS]\n       \
                                fn-exchange-online sandbox --serve [OPTIONS]\n       \
                                fn-exchange-online sandbox --directory <DIRECTORY> \\\n           \
                                --call <FUNCTION> [--input <NAME=VALUE>]...")]
    Sandbox(sandbox::Arguments),
}

impl Cli {
    /// Reads the command line of this process. Shows help, version and errors itself; the exit code is the error.
    pub fn of_process() -> Result<Self, ExitCode> {
        let mut program = Self::program().color(color_of(std::env::args_os()));
        let read = program.try_get_matches_from_mut(std::env::args_os());
        let read = read.and_then(|matches| Self::from_arg_matches(&matches));
        read.map_err(|error| {
            let error = error.format(&mut program);
            let shown = error.print().and_then(|()| stdout().flush()).or_else(|error| of_output(&error));
            match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                    shown.map_or_else(|failure| report(&failure), |()| ExitCode::Success)
                }
                _ => ExitCode::BadConfiguration,
            }
        })
    }

    /// The definition of the command line, with examples.
    fn program() -> clap::Command {
        help::with_examples(Self::command())
    }

    /// Runs the command and returns the exit code.
    pub async fn execute(self) -> ExitCode {
        self.common.appearance().apply();
        let done = match self.command {
            _ if self.print_config => print(config::template()),
            None => run::run(run::Arguments::default(), &self.common).await,
            Some(Command::Run(arguments)) => run::run(*arguments, &self.common).await,
            Some(Command::Selftest(arguments)) => {
                match Box::pin(selftest::selftest(&arguments, &self.common)).await {
                    Ok(code) => return code,
                    Err(failure) => Err(failure),
                }
            }
            Some(Command::Invoke(arguments)) => Box::pin(invoke::invoke(arguments, &self.common)).await,
            Some(Command::Measure(arguments)) => Box::pin(measure::measure(&arguments, &self.common)).await,
            Some(Command::Config(arguments)) => {
                config_file::write(&arguments, self.common.config_file.as_deref())
            }
            Some(Command::Package(arguments)) => match shell_files::all(&Self::program()) {
                Ok(files) => package::write(&arguments, &self.common, &files).await,
                Err(failure) => Err(failure),
            },
            Some(Command::Customize(arguments)) => customize::customize(arguments, &self.common).await,
            Some(Command::Audit(arguments)) => audit::audit(arguments, &self.common).await,
            Some(Command::List(arguments)) => list::list(&arguments, self.common.verbose),
            Some(Command::Completions(arguments)) => shell_files::completions(&arguments, Self::program()),
            Some(Command::ManPages(arguments)) => shell_files::man_pages(&arguments, Self::program()),
            #[cfg(feature = "sandbox")]
            Some(Command::Sandbox(arguments)) => sandbox::sandbox(arguments).await,
        };
        match done {
            Ok(()) => ExitCode::Success,
            Err(failure) => report(&failure),
        }
    }
}

/// Shows a failure, and returns its exit code.
fn report(Failure { code, message }: &Failure) -> ExitCode {
    let text = format!("fn-exchange-online: {}", sanitize_terminal(message));
    // Ignores a closed standard error.
    let _ = writeln!(stderr(), "{}", terminal::log_look().of_error(&text));
    *code
}

/// The choice of `--color`, which help and errors of the command line need before the command line is read. A wrong
/// choice is reported when it is. The environment is asked here, because clap shows colors on a terminal that cannot
/// show them if `CI` is set.
fn color_of(arguments: impl Iterator<Item = OsString>) -> ColorChoice {
    let arguments: Vec<String> = arguments.filter_map(|argument| argument.into_string().ok()).collect();
    let after = arguments.iter().position(|argument| argument == "--color");
    let named = after.and_then(|at| arguments.get(at + 1)).map(String::as_str);
    let joined = arguments.iter().find_map(|argument| argument.strip_prefix("--color="));
    match joined.or(named).and_then(|choice| ColorChoice::from_str(choice, false).ok()) {
        None | Some(ColorChoice::Auto) if terminal::is_without_color() => ColorChoice::Never,
        choice => choice.unwrap_or_default(),
    }
}
