//! The command line: one file per command.

mod atomic_write;
mod audit;
mod common;
mod config_file;
mod customize;
mod examples;
mod framework_arguments;
mod invoke;
mod list;
mod package;
mod package_filter;

mod run;
#[cfg(feature = "sandbox")]
mod sandbox;
mod selftest;
mod soar_session;
mod terminal;

use std::io::{Write, stderr, stdout};

use clap::{Parser, Subcommand};

use self::common::Common;
use crate::config;
pub use crate::exit_code::{ExitCode, Failure};
use net::untrusted::text::sanitize_terminal;

/// Runs IBM SOAR's Exchange Online functions through Microsoft Graph.
///
/// Without a command it runs as a daemon: it signs in to SOAR, takes function calls from its message destination,
/// carries them out through Microsoft Graph, and sends the results back, until it is stopped.
#[derive(Debug, Parser)]
#[command(name = "fn-exchange-online", version, about, max_term_width = 110)]
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
    /// Check the settings, SOAR, its broker and Microsoft Graph, with advice for every failure.
    Selftest(selftest::Arguments),
    /// Run one function from the command line, bypassing the SOAR broker.
    Invoke(invoke::Arguments),
    /// Write a configuration file to fill in, or add missing sections to one.
    Config(config_file::Arguments),
    /// Import the functions, with playbooks or rules and workflows, into SOAR, or write the import file.
    Customize(customize::Arguments),
    /// Build the app package that SOAR installs and App Host runs.
    Package(package::Arguments),
    /// Read audit trails, verify their chains, and list acts that began and have no outcome.
    Audit(audit::Arguments),
    /// Show the functions, their message destination and the version.
    List,
    /// Try the program with an embedded SOAR and Microsoft Graph tenant, without accounts or network.
    #[cfg(feature = "sandbox")]
    Sandbox(sandbox::Arguments),
}

impl Cli {
    /// Runs the command and returns the exit code.
    pub async fn execute(self) -> ExitCode {
        let done = match self.command {
            _ if self.print_config => {
                // Ignores a closed pipe.
                let _ = stdout().write_all(config::template().as_bytes());
                Ok(())
            }
            None => run::run(run::Arguments::default(), &self.common).await,
            Some(Command::Run(arguments)) => run::run(*arguments, &self.common).await,
            Some(Command::Selftest(arguments)) => match selftest::selftest(&arguments, &self.common).await {
                Ok(code) => return code,
                Err(failure) => Err(failure),
            },
            Some(Command::Invoke(arguments)) => Box::pin(invoke::invoke(arguments, &self.common)).await,
            Some(Command::Config(arguments)) => {
                config_file::write(&arguments, self.common.config_file.as_deref())
            }
            Some(Command::Package(arguments)) => package::write(&arguments, &self.common).await,
            Some(Command::Customize(arguments)) => customize::customize(arguments, &self.common).await,
            Some(Command::Audit(arguments)) => audit::audit(arguments, &self.common).await,
            Some(Command::List) => list::list(self.common.verbose),
            #[cfg(feature = "sandbox")]
            Some(Command::Sandbox(arguments)) => sandbox::sandbox(arguments).await,
        };
        match done {
            Ok(()) => ExitCode::Success,
            Err(Failure { code, message }) => {
                let _ = writeln!(stderr(), "fn-exchange-online: {}", sanitize_terminal(&message));
                code
            }
        }
    }
}
