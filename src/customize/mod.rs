//! What a SOAR administrator imports to have our functions in the house: the message destination, the functions
//! with their input fields, the data table, and the example rules and workflows with their scripts.
//!
//! The sources are in `customize/`, one thing a file, and part of the program. [`export`] makes of them the one file
//! that SOAR imports: what SOAR calls an export, format version 2. The same sources always make the same bytes, and
//! every object has the uuid and the name it has in the older app, so that an import updates and never duplicates.

mod bpmn;
mod diff;
mod objects;
mod sources;

use clap::ValueEnum;
use serde_json::{Value, json};

pub use diff::{Change, Kind};
use objects::Assembly;
use sources::Sources;

/// The language SOAR runs the scripts in. Their text is the same in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScriptLanguage {
    /// Python 3, which SOAR has since version 38.2.
    Python3,
    /// SOAR's older script language, a Python 2.7 on Java.
    Python,
}

impl ScriptLanguage {
    /// SOAR's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Python3 => "python3",
            Self::Python => "python",
        }
    }

    /// The version of SOAR that the file says it is from. SOAR imports no file from a version newer than its own.
    fn server_version(self) -> Value {
        match self {
            Self::Python3 => json!({"major": 38, "minor": 2, "build_number": 0, "version": "38.2.0"}),
            Self::Python => json!({"major": 37, "minor": 0, "build_number": 5832, "version": "37.0.5832"}),
        }
    }
}

/// The sources do not make an import file. It is the program that is wrong then, not what it is given.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A source is not what its kind of source should be.
    #[error("customize/{file} cannot be read: {source}")]
    Source {
        /// The file, under `customize/`.
        file: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A source refers to something that no source defines.
    #[error("{by} uses {what} {name}, which is nowhere in customize/")]
    Undefined {
        /// What refers to it.
        by: String,
        /// The kind of what is missing.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// JSON could not be written.
    #[error("the import file cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// When the sources changed last, in milliseconds since 1970: 2026-11-23T00:00:00Z. A date of its own for each file
/// written would make the same sources different bytes.
const DATE: u64 = 1_795_392_000_000;

/// Without an incident field and an incident type SOAR refuses an import. These two, which SOAR's own tool adds for
/// the same reason, are known to every SOAR and change nothing.
const INTERNAL_FIELD: &str = "bfeec2d4-3770-11e8-ad39-4a0004044aa1";
const INTERNAL_TYPE: &str = "bfeec2d4-3770-11e8-ad39-4a0004044aa0";

/// The import file, as JSON.
///
/// # Errors
/// The sources are not as they should be; a test sees to it that they are.
pub fn export(language: ScriptLanguage) -> Result<Value, Error> {
    let sources = Sources::read()?;
    let mut assembly = Assembly::new(&sources, language);
    let mut fields = vec![internal_field()];
    fields.extend(assembly.function_fields());
    fields.extend(assembly.activity_fields());
    Ok(json!({
        "export_format_version": 2,
        "server_version": language.server_version(),
        "export_date": DATE,
        "id": 1,
        "fields": fields,
        "functions": assembly.functions()?,
        "actions": assembly.rules()?,
        "workflows": assembly.workflows()?,
        "scripts": assembly.scripts()?,
        "types": [assembly.data_table()],
        "message_destinations": [assembly.message_destination()],
        "incident_types": [internal_type()],
        "incident_artifact_types": [],
        "automatic_tasks": [],
        "phases": [],
        "roles": [],
        "layouts": [],
        "workspaces": [],
        "apps": [],
        "tags": [],
        "action_order": [],
        "task_order": [],
        "overrides": null,
        "geos": null,
        "groups": null,
        "industries": null,
        "locale": null,
        "notifications": null,
        "regulators": null,
        "timeframes": null,
        "inbound_mailboxes": null,
    }))
}

/// The text of the import file: the same for the same sources, byte for byte.
///
/// # Errors
/// As for [`export`].
pub fn export_text(language: ScriptLanguage) -> Result<String, Error> {
    Ok(serde_json::to_string_pretty(&export(language)?)? + "\n")
}

/// The message destination that calls of our functions come on, by its programmatic name.
///
/// # Errors
/// As for [`export`].
pub fn destination() -> Result<String, Error> {
    Ok(Sources::read()?.message_destination.name)
}

fn internal_field() -> Value {
    json!({
        "export_key": "incident/internal_customizations_field",
        "id": 0,
        "input_type": "text",
        "internal": true,
        "name": "internal_customizations_field",
        "read_only": true,
        "text": "Customizations Field (internal)",
        "type_id": 0,
        "uuid": INTERNAL_FIELD,
    })
}

fn internal_type() -> Value {
    json!({
        "name": "Customization Packages (internal)",
        "description": "Customization Packages (internal)",
        "export_key": "Customization Packages (internal)",
        "id": 0,
        "enabled": false,
        "system": false,
        "hidden": false,
        "parent_id": null,
        "create_date": DATE,
        "update_date": DATE,
        "uuid": INTERNAL_TYPE,
    })
}
