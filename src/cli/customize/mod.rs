//! `customize`: imports the functions, with playbooks or with rules and workflows, into SOAR, or writes the import
//! file.
//!
//! What would change and the question go to standard output, messages to standard error, as with SOAR's own tool.

mod existing;
mod import;
mod preview;

use std::fs;
use std::path::{Path, PathBuf};

use super::{ExitCode, Failure};
use crate::cli::common::Common;
use crate::cli::examples::ExamplesArguments;
use crate::cli::terminal::{print, say};
use crate::customize::{Examples, Pack, export_packs_text};

/// Options of the command.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Import without asking.
    #[arg(short = 'y', long)]
    yes: bool,

    /// Show what an import would change, without changing anything.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,

    /// Write what an import would change as JSON.
    #[arg(long, requires = "dry_run")]
    json: bool,

    /// Write the import file without contacting SOAR; - is standard output. SOAR imports it under Administrator
    /// Settings.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["yes", "dry_run", "packages"])]
    export: Option<PathBuf>,

    #[command(flatten)]
    examples: ExamplesArguments,

    /// The packages to import. The only package is fn_exchange_online.
    #[arg(short = 'l', long = "list", value_name = "PACKAGE", num_args = 1..)]
    packages: Vec<String>,
}

/// Imports or exports the customizations.
pub(super) async fn customize(arguments: Arguments, common: &Common) -> Result<(), Failure> {
    match &arguments.export {
        Some(path) => write(path, arguments.examples.chosen_without_a_server(), arguments.examples.packs()),
        None => import::import(&arguments, common).await,
    }
}

/// Writes the import file.
fn write(path: &Path, examples: Examples, packs: &[Pack]) -> Result<(), Failure> {
    let text = export_packs_text(examples, packs).map_err(|error| Failure::new(ExitCode::Failed, &error))?;
    if path == Path::new("-") {
        return print(&text);
    }
    fs::write(path, text).map_err(|error| {
        Failure::new(ExitCode::Failed, &format!("cannot write {}: {error}", path.display()))
    })?;
    say(&format!(
        "The import file is {}. An administrator imports it in SOAR under Administrator Settings, Organization, Import.",
        path.display()
    ));
    Ok(())
}
