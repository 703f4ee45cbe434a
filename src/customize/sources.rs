//! The types that the embedded files of `customize/` are parsed into.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Error;
use super::embedded::{
    ACTIVITY_FIELDS, DATA_TABLE, FUNCTION_FIELDS, FUNCTIONS, MESSAGE_DESTINATION, PAYLOAD_SAMPLES, PLAYBOOKS,
    RULES, SCRIPTS, Source, TEXTS, WORKFLOWS,
};
use super::pack::Pack;

/// All parsed sources. References between them are names.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) message_destination: MessageDestination,
    pub(super) functions: Vec<Function>,
    pub(super) payload_samples: Vec<PayloadSample>,
    pub(super) function_fields: Vec<Field>,
    pub(super) activity_fields: Vec<Field>,
    pub(super) data_table: DataTable,
    pub(super) rules: Vec<Rule>,
    pub(super) workflows: Vec<Workflow>,
    pub(super) playbooks: Vec<Playbook>,
    pub(super) scripts: Vec<Script>,
}

/// The queue that calls of the functions go to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageDestination {
    pub(super) uuid: String,
    /// Its API name, and what SOAR shows.
    pub(super) name: String,
}

/// A function.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Function {
    pub(super) uuid: String,
    /// Its API name.
    pub(super) name: String,
    pub(super) display_name: String,
    pub(super) description: String,
    /// The API names of its input fields, in the order SOAR shows them.
    pub(super) inputs: Vec<String>,
    #[serde(default)]
    pub(super) pack: Pack,
}

/// A sample of what a function answers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PayloadSample {
    /// The function's API name.
    pub(super) function: String,
    /// Whether the results have the content indented for reading as well.
    pub(super) pretty: bool,
    /// The inputs, as SOAR writes them.
    pub(super) inputs: Value,
    pub(super) content: Value,
}

/// A field: a function's input, part of a form, or a column.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Field {
    pub(super) uuid: String,
    /// Its API name.
    pub(super) name: String,
    /// The label in SOAR; the API name by default.
    pub(super) label: Option<String>,
    pub(super) input_type: InputType,
    #[serde(default)]
    pub(super) required: bool,
    #[serde(default)]
    pub(super) rich_text: bool,
    /// Whether the field may be left without a choice.
    #[serde(default)]
    pub(super) blank_option: bool,
    #[serde(default)]
    pub(super) tooltip: String,
    #[serde(default)]
    pub(super) placeholder: String,
    /// The options of a choice.
    #[serde(default)]
    pub(super) options: Vec<Choice>,
}

/// The kinds of fields, by SOAR's names.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum InputType {
    Text,
    Textarea,
    Number,
    Boolean,
    Select,
    Multiselect,
    Datetimepicker,
}

/// An option of a choice.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Choice {
    pub(super) label: String,
    pub(super) uuid: String,
    #[serde(default)]
    pub(super) default: bool,
}

/// A data table of incidents.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DataTable {
    pub(super) uuid: String,
    /// Its API name.
    pub(super) name: String,
    pub(super) display_name: String,
    pub(super) columns: Vec<Column>,
}

/// A column of a data table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Column {
    /// Its width in pixels.
    pub(super) width: u32,
    pub(super) field: Field,
}

/// A rule: an entry of a menu, or what a change of an object starts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) uuid: String,
    /// The label in the menu, which also identifies the rule.
    pub(super) name: String,
    #[serde(default)]
    pub(super) activation: Activation,
    /// The kind of object that it works on: `incident`, `artifact`, `task`, or the API name of a data table.
    pub(super) object_type: String,
    #[serde(default)]
    pub(super) logic: Logic,
    /// The conditions under which the menu shows it, or a change of the object starts it; none: always.
    #[serde(default)]
    pub(super) conditions: Vec<Condition>,
    pub(super) runs: Runs,
    /// The form that it shows.
    #[serde(default)]
    pub(super) form: Vec<FormItem>,
    /// Its pack; by default that of the functions it leads to.
    #[serde(default)]
    pub(super) pack: Option<Pack>,
}

/// What starts a rule or playbook.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Activation {
    /// An analyst, from the object's menu.
    #[default]
    Manual,
    /// A change of the object that meets the conditions.
    Automatic,
}

/// How many of the conditions must hold.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Logic {
    #[default]
    All,
    Any,
}

/// A condition on the object.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Condition {
    pub(super) field: String,
    pub(super) method: String,
    pub(super) value: String,
}

/// The name of what a rule starts.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Runs {
    Workflow(String),
    Script(String),
}

/// A line of a rule's form: a field by its API name, or a line of text.
#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(super) enum FormItem {
    Field(String),
    Header { header: String },
}

/// A workflow: functions, one after the other.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Workflow {
    pub(super) uuid: String,
    /// Its API name.
    pub(super) name: String,
    pub(super) label: String,
    /// The kind of object, as in [`Rule::object_type`].
    pub(super) object_type: String,
    pub(super) description: String,
    pub(super) functions: Vec<Step>,
}

/// A function in a workflow.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    /// The function's API name.
    pub(super) function: String,
    /// The labels of inputs that the script does not set, by the API name of the field.
    #[serde(default)]
    pub(super) defaults: BTreeMap<String, Vec<String>>,
    /// The files of the script that fills the inputs; their texts follow each other.
    pub(super) pre_processing: Vec<String>,
    /// The files of the script that reads the results.
    #[serde(default)]
    pub(super) post_processing: Vec<String>,
    /// The name under which later scripts find the results.
    #[serde(default)]
    pub(super) result_name: String,
}

/// A playbook: functions and scripts, one after the other. It starts as the rule of the same purpose does.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Playbook {
    pub(super) uuid: String,
    /// The uuid of the type whose fields are those of its form.
    pub(super) form_uuid: String,
    /// The uuid of the tag that its parts carry.
    pub(super) tag_uuid: String,
    /// Its API name.
    pub(super) name: String,
    pub(super) label: String,
    /// The rule whose activation, object type, conditions and form are the playbook's.
    pub(super) rule: String,
    pub(super) description: String,
    pub(super) steps: Vec<PlaybookStep>,
}

/// A step of a playbook.
#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(super) enum PlaybookStep {
    Function {
        /// The function's API name.
        function: String,
        /// As in [`Step::defaults`].
        #[serde(default)]
        defaults: BTreeMap<String, Vec<String>>,
        /// The files of the script that fills the inputs.
        inputs: Vec<String>,
        /// The name under which later scripts find the results.
        result_name: String,
    },
    /// A script of the playbook.
    Script {
        /// Its name, which is unique in the playbook.
        script: String,
        /// The files of its text.
        text: Vec<String>,
    },
    /// A script that rules run as well, by its name.
    SharedScript { shared_script: String },
}

/// A script that rules run.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Script {
    pub(super) uuid: String,
    pub(super) name: String,
    /// The kind of object, as in [`Rule::object_type`].
    pub(super) object_type: String,
    pub(super) description: String,
    /// The files of its text.
    pub(super) text: Vec<String>,
}

impl Sources {
    /// Parses the embedded sources.
    pub(super) fn read() -> Result<Self, Error> {
        Ok(Self {
            message_destination: one(MESSAGE_DESTINATION)?,
            functions: each(FUNCTIONS)?,
            payload_samples: each(PAYLOAD_SAMPLES)?,
            function_fields: each(FUNCTION_FIELDS)?,
            activity_fields: each(ACTIVITY_FIELDS)?,
            data_table: one(DATA_TABLE)?,
            rules: each(RULES)?,
            workflows: each(WORKFLOWS)?,
            playbooks: each(PLAYBOOKS)?,
            scripts: each(SCRIPTS)?,
        })
    }
}

fn one<T: DeserializeOwned>((file, text): Source) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|source| Error::Source { file, source })
}

fn each<T: DeserializeOwned>(sources: &[Source]) -> Result<Vec<T>, Error> {
    sources.iter().copied().map(one).collect()
}

/// Returns the script that the texts of `files` make, which `by` refers to; empty without a file.
pub(super) fn script_text(files: &[String], by: &str) -> Result<String, Error> {
    let text_of = |file: &String| {
        let source = TEXTS.iter().find(|(name, _)| *name == file.as_str());
        source.map(|(_, text)| *text).ok_or_else(|| Error::Undefined {
            by: by.to_owned(),
            what: "the script",
            name: file.clone(),
        })
    };
    let texts: Vec<&str> = files.iter().map(text_of).collect::<Result<_, _>>()?;
    Ok(texts.join("\n\n"))
}
