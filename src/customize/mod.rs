//! The customizations for SOAR: the message destination, the functions with their input fields, the data table, and
//! examples of their use with scripts: rules and workflows, or playbooks.
//!
//! The program embeds the sources in `customize/`, one object per file. [`export`] assembles the file that SOAR
//! imports (an export of format version 2). The file is reproducible, and every object keeps the uuid and the name
//! that it has in the older app, so that an import updates objects and does not duplicate them.

mod bpmn;
mod embedded;
mod keep;
mod kind;
mod line_diff;
mod objects;
mod pack;
mod part;
mod parts;
mod plan;
mod playbooks;
mod samples;
mod selection;
mod shipped;
mod sources;
mod steps;

use clap::ValueEnum;
use serde_json::{Value, json};

pub use keep::Existing;
pub use kind::Kind;
pub use line_diff::Line;
use objects::Assembly;
pub use pack::Pack;
pub use plan::{Change, Difference, Edit, NOTHING, Names};
pub use shipped::unlisted;
use sources::Sources;

/// The language in which SOAR runs the scripts. Their text is the same in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScriptLanguage {
    /// Python 3, which SOAR has since version 38.2.
    Python3,
    /// SOAR's older script language, a Python 2.7 on Java.
    Python,
}

impl ScriptLanguage {
    /// SOAR's name of the language.
    pub fn name(self) -> &'static str {
        match self {
            Self::Python3 => "python3",
            Self::Python => "python",
        }
    }
}

/// The examples in the import file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Examples {
    /// Rules and workflows, with scripts in this language.
    Workflows(ScriptLanguage),
    /// Playbooks. Their scripts are in Python 3.
    Playbooks,
}

/// The first version of SOAR that gets playbooks: the one whose export ours follows.
const FIRST_WITH_PLAYBOOKS: u32 = 46;

impl From<ScriptLanguage> for Examples {
    fn from(language: ScriptLanguage) -> Self {
        Self::Workflows(language)
    }
}

impl Examples {
    /// What a SOAR of this version gets, unless a user chooses otherwise: playbooks since 46, before that rules and
    /// workflows. The same where the version is not a number.
    pub fn of_server(version: &str) -> Self {
        let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        if major.is_some_and(|major| major >= FIRST_WITH_PLAYBOOKS) {
            Self::Playbooks
        } else {
            Self::Workflows(ScriptLanguage::Python3)
        }
    }

    /// The version of SOAR that the file claims to be from. SOAR does not import files from versions newer than its
    /// own.
    fn server_version(self) -> Value {
        match self {
            Self::Workflows(ScriptLanguage::Python) => {
                json!({"major": 37, "minor": 0, "build_number": 5832, "version": "37.0.5832"})
            }
            Self::Workflows(ScriptLanguage::Python3) => {
                json!({"major": 38, "minor": 2, "build_number": 0, "version": "38.2.0"})
            }
            Self::Playbooks => {
                json!({"major": 46, "minor": 0, "build_number": 8131, "version": "46.0.8131"})
            }
        }
    }

    /// The language of the scripts.
    fn language(self) -> ScriptLanguage {
        match self {
            Self::Workflows(language) => language,
            Self::Playbooks => ScriptLanguage::Python3,
        }
    }
}

/// The embedded sources are not valid: an error in the program, not in its input.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A source does not have the structure of its kind.
    #[error("customize/{file} cannot be read: {source}")]
    Source {
        /// The file, under `customize/`.
        file: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A source refers to something that no source defines.
    #[error("{by} uses {what} {name}, which is not defined in customize/")]
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

/// The date of the last change of the sources, in milliseconds since 1970: 2026-11-29T00:00:00Z. The time of the export
/// would make it irreproducible.
const DATE: u64 = 1_795_910_400_000;

/// SOAR rejects an import without an incident field and an incident type. Every SOAR has these two, which SOAR's own
/// tool adds for the same reason, so they change nothing.
const INTERNAL_FIELD: &str = "bfeec2d4-3770-11e8-ad39-4a0004044aa1";
const INTERNAL_TYPE: &str = "bfeec2d4-3770-11e8-ad39-4a0004044aa0";

/// The import file with all packs, as JSON.
///
/// # Errors
/// The embedded sources are not valid; a test makes sure that they are.
pub fn export(examples: impl Into<Examples>) -> Result<Value, Error> {
    export_packs(examples, &Pack::ALL)
}

/// The import file with these packs, as JSON.
///
/// # Errors
/// As for [`export`].
pub fn export_packs(examples: impl Into<Examples>, packs: &[Pack]) -> Result<Value, Error> {
    let examples = examples.into();
    let mut sources = Sources::read()?;
    sources.keep(packs);
    let mut assembly = Assembly::new(&sources, examples);
    let mut fields = vec![internal_field()];
    fields.extend(assembly.function_fields());
    let mut file = json!({
        "export_format_version": 2,
        "server_version": examples.server_version(),
        "export_date": DATE,
        "id": 1,
        "fields": [],
        "functions": assembly.functions()?,
        "actions": [],
        "workflows": [],
        "scripts": assembly.scripts()?,
        "types": [],
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
    });
    match examples {
        Examples::Workflows(_) => {
            fields.extend(assembly.activity_fields());
            file["actions"] = json!(assembly.rules()?);
            file["workflows"] = json!(assembly.workflows()?);
            file["types"] = json!([assembly.data_table()]);
        }
        Examples::Playbooks => {
            file["types"] = json!([assembly.data_table()]);
            file["playbooks"] = json!(assembly.playbooks()?);
            file["inbound_destinations"] = json!([]);
            file["export_type"] = Value::Null;
        }
    }
    file["fields"] = json!(fields);
    if examples == Examples::Playbooks {
        assembly.tag_what_playbooks_share(&mut file)?;
    }
    Ok(file)
}

/// The text of the import file with all packs.
///
/// # Errors
/// As for [`export`].
pub fn export_text(examples: impl Into<Examples>) -> Result<String, Error> {
    export_packs_text(examples, &Pack::ALL)
}

/// The text of the import file with these packs.
///
/// # Errors
/// As for [`export`].
pub fn export_packs_text(examples: impl Into<Examples>, packs: &[Pack]) -> Result<String, Error> {
    Ok(serde_json::to_string_pretty(&export_packs(examples, packs)?)? + "\n")
}

/// The programmatic name of the message destination on which calls arrive.
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
