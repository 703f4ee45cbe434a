//! `run`: the daemon.

use std::path::Path;

use super::Failure;
use crate::config::{Environment, LoadError};
use crate::daemon;
use crate::exit_code::ExitCode;

/// How it runs.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Arguments {
    /// Take up a changed configuration. It always does; the option is there for scripts that are used to it.
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
