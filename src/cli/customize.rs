//! `customize`: writes the file that makes our functions, rules and workflows known to a SOAR.

use std::fs;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};

use super::Failure;
use crate::customize::{ScriptLanguage, export_text};

/// The file could not be made or written.
const FAILED: u8 = 1;

/// What can be chosen.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Write the import file here; - is standard output. SOAR imports it under Administrator Settings.
    #[arg(long, value_name = "FILE")]
    export: PathBuf,

    /// The language SOAR runs the scripts in: python3, or python for a SOAR older than 38.2.
    #[arg(long, value_enum, value_name = "LANGUAGE", default_value = "python3", hide_possible_values = true)]
    script_language: ScriptLanguage,
}

/// Writes the import file.
pub(super) fn customize(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { export: path, script_language } = arguments;
    let text = export_text(*script_language).map_err(|error| Failure::new(FAILED, &error))?;
    let written =
        if path == Path::new("-") { stdout().write_all(text.as_bytes()) } else { fs::write(path, text) };
    written.map_err(|error| Failure::new(FAILED, &format!("cannot write {}: {error}", path.display())))
}
