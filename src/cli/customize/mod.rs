//! `customize`: imports the functions, rules and workflows into SOAR, or writes the import file.
//!
//! Messages go to standard error and the question to standard output, as with SOAR's own tool.

mod import;
mod preview;

use std::fs;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};

use super::{ExitCode, Failure};
use crate::customize::{ScriptLanguage, export_text};

/// Options of the command.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Import without asking.
    #[arg(short = 'y', long)]
    yes: bool,

    /// Show what an import would change, without changing anything.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,

    /// Write the import file without contacting SOAR; - is standard output. SOAR imports it under Administrator
    /// Settings.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["yes", "dry_run", "packages"])]
    export: Option<PathBuf>,

    /// The language SOAR runs the scripts in: python3, or python for a SOAR older than 38.2.
    #[arg(long, value_enum, value_name = "LANGUAGE", default_value = "python3", hide_possible_values = true)]
    script_language: ScriptLanguage,

    /// The packages to import. The only package is fn_exchange_online.
    #[arg(short = 'l', value_name = "PACKAGE", num_args = 1..)]
    packages: Vec<String>,
}

/// Imports or exports the customizations.
pub(super) async fn customize(arguments: Arguments, config_file: Option<&Path>) -> Result<(), Failure> {
    match &arguments.export {
        Some(path) => write(path, arguments.script_language),
        None => import::import(&arguments, config_file).await,
    }
}

/// Writes the import file.
fn write(path: &Path, language: ScriptLanguage) -> Result<(), Failure> {
    let text = export_text(language).map_err(|error| Failure::new(ExitCode::Failed, &error))?;
    let written =
        if path == Path::new("-") { stdout().write_all(text.as_bytes()) } else { fs::write(path, text) };
    written
        .map_err(|error| Failure::new(ExitCode::Failed, &format!("cannot write {}: {error}", path.display())))
}
