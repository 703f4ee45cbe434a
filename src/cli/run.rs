//! `run`: the daemon.

use std::path::Path;

use super::Failure;
use crate::config::{Environment, LoadError};
use crate::daemon;
use crate::exit_code::ExitCode;

/// Options of `run`.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Arguments {
    /// Reload a changed configuration. Always on; accepted for compatibility with scripts.
    #[arg(short = 'r', long = "reload")]
    _reload: bool,
}

/// Runs until SIGTERM or SIGINT.
pub(super) async fn run(file: Option<&Path>) -> Result<(), Failure> {
    let environment = Environment::of_process();
    let file = environment
        .config_file(file, Path::new("."))
        .map_err(|no_home| Failure::new(ExitCode::BadConfiguration, &LoadError::from(no_home)))?;
    daemon::run(file, environment).await
}
