//! What all commands have in common: the configuration file, and how much they report.

use std::path::{Path, PathBuf};

use clap::ColorChoice;

use super::terminal::Appearance;
use crate::config::definitions::ARGUMENTS;
use crate::config::{Environment, GivenArgument, LoadError, LogLevel, PasswordStore};

/// The heading of these options in the help of each command.
const HEADING: &str = "Options of all commands";

/// The options before the command, or after it.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Common {
    /// The configuration file [default: $APP_CONFIG_FILE, ./app.config, ~/.resilient/app.config].
    #[arg(long, global = true, value_name = "FILE", help_heading = HEADING)]
    pub(super) config_file: Option<PathBuf>,

    /// Report more: log at the level DEBUG; list says also what each function does.
    #[arg(short, long, global = true, help_heading = HEADING)]
    pub(super) verbose: bool,

    /// Report less: warnings and errors only, without progress and messages.
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = HEADING)]
    quiet: bool,

    /// When to use colors: auto is on a terminal, unless NO_COLOR is set.
    #[arg(long, global = true, value_name = "WHEN", help_heading = HEADING, default_value_t = ColorChoice::Auto)]
    color: ColorChoice,
}

impl Common {
    /// How the output looks.
    pub(super) fn appearance(&self) -> Appearance {
        Appearance { color: self.color, is_quiet: self.quiet }
    }

    /// The environment of this process, with `arguments` of the command line.
    pub(super) fn environment(&self, mut arguments: Vec<GivenArgument>) -> Environment {
        const LEVEL: &str = "loglevel";
        let level = match (self.verbose, self.quiet) {
            (true, _) => Some("DEBUG"),
            (_, true) => Some("WARNING"),
            _ => None,
        };
        if let Some(level) = level.filter(|_| arguments.iter().all(|given| given.argument.name != LEVEL)) {
            let argument = ARGUMENTS.iter().filter(|argument| argument.name == LEVEL);
            arguments.extend(argument.map(|argument| GivenArgument { argument, value: level.to_owned() }));
        }
        Environment::of_process().with_arguments(arguments)
    }

    /// The path of the configuration file, and `environment` with the entries of a password store that the file names.
    pub(super) async fn source(
        &self,
        environment: &Environment,
    ) -> Result<(PathBuf, Environment), LoadError> {
        let file = self.file(environment)?;
        let environment = PasswordStore::default().fetch(&file, environment).await?;
        Ok((file, environment))
    }

    /// The path of the configuration file.
    pub(super) fn file(&self, environment: &Environment) -> Result<PathBuf, LoadError> {
        Ok(environment.config_file(self.config_file.as_deref(), Path::new("."))?)
    }

    /// The log level of a command: the settings' one only where a person asked for one, since the file's is the daemon's.
    pub(super) fn level(
        &self,
        environment: &Environment,
        of_settings: LogLevel,
        usual: LogLevel,
    ) -> LogLevel {
        let is_asked = self.verbose || environment.get_filled("LOGLEVEL").is_some();
        if is_asked { of_settings } else { usual }
    }
}
