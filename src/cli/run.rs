//! `run`: the daemon.

use std::path::Path;

use super::Failure;
use crate::config::Environment;
use crate::daemon;

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
    let file = environment.config_file(file, Path::new("."));
    daemon::run(file, environment).await
}
