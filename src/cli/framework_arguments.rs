//! The arguments of `run` that SOAR's own framework has. [`ARGUMENTS`] says for each what it does; those that do
//! nothing are refused.

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

use crate::config::GivenArgument;
use crate::config::definitions::{ARGUMENTS, Argument};

/// The arguments that were given and that set an option.
#[derive(Debug, Default, Clone)]
pub(super) struct FrameworkArguments(Vec<GivenArgument>);

impl FrameworkArguments {
    /// The given arguments.
    pub(super) fn into_given(self) -> Vec<GivenArgument> {
        self.0
    }
}

impl Args for FrameworkArguments {
    fn augment_args(command: Command) -> Command {
        command
            .next_help_heading("Settings of [resilient], in place of those in the file")
            .args(ARGUMENTS.iter().map(arg))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// The framework spells some names with hyphens and some with underscores; both are accepted for each.
fn arg(argument: &'static Argument) -> Arg {
    let name = argument.name;
    let alias = if name.contains('-') { name.replace('-', "_") } else { name.replace('_', "-") };
    let arg = Arg::new(name).long(name);
    let arg = if alias == name { arg } else { arg.alias(alias) };
    match argument.option() {
        Some(option) => arg
            .value_name("VALUE")
            .action(ArgAction::Set)
            .allow_negative_numbers(true)
            .help(option.opt().documentation.replace('`', "")),
        None => arg.action(ArgAction::Append).num_args(0..).hide(true),
    }
}

impl FromArgMatches for FrameworkArguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut given = Vec::new();
        for argument in ARGUMENTS {
            if let Some(refusal) = argument.refusal() {
                if matches.contains_id(argument.name) {
                    let message = format!("--{} is not supported; {refusal}\n", argument.name);
                    return Err(Error::raw(ErrorKind::UnknownArgument, message));
                }
            } else if let Some(value) = matches.get_one::<String>(argument.name) {
                given.push(GivenArgument { argument, value: value.clone() });
            }
        }
        Ok(Self(given))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
