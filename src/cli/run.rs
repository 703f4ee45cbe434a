//! `run`: the daemon.

use super::Failure;
use super::common::Common;
use super::framework_arguments::FrameworkArguments;
use crate::daemon;
use crate::exit_code::ExitCode;

/// Options of `run`.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Arguments {
    /// Reload a changed configuration. Always on; accepted for compatibility with scripts.
    #[arg(short = 'r', long = "auto-restart", alias = "reload")]
    _auto_restart: bool,

    #[command(flatten)]
    framework: FrameworkArguments,
}

/// Runs until SIGTERM or SIGINT.
pub(super) async fn run(arguments: Arguments, common: &Common) -> Result<(), Failure> {
    let environment = common.environment(arguments.framework.into_given());
    let file = common.file(&environment).map_err(|error| Failure::new(ExitCode::BadConfiguration, &error))?;
    daemon::run(file, environment).await
}
