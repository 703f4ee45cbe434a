//! `run`: the daemon.

use super::Failure;
use super::common::Common;
use super::framework_arguments::FrameworkArguments;
use super::terminal::log_look;
use crate::daemon;

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
    let file = common.file(&environment)?;
    Box::pin(daemon::run(file, environment, log_look())).await
}
