//! The embedded files of `customize/`, and the types they are parsed into.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Error;

/// A file under `customize/`: its name and its text.
type Source = (&'static str, &'static str);

macro_rules! source {
    ($file:literal) => {
        ($file, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/customize/", $file)))
    };
}

macro_rules! sources {
    ($($file:literal,)*) => { &[$(source!($file)),*] };
}

const MESSAGE_DESTINATION: Source = source!("message_destination.json");
const DATA_TABLE: Source = source!("data_table.json");

/// The functions, in alphabetical order.
const FUNCTIONS: &[Source] = sources![
    "functions/exchange_online_create_meeting.json",
    "functions/exchange_online_delete_email.json",
    "functions/exchange_online_delete_messages_from_query_results.json",
    "functions/exchange_online_get_email_user_profile.json",
    "functions/exchange_online_get_message.json",
    "functions/exchange_online_move_message_to_folder.json",
    "functions/exchange_online_query_emails.json",
    "functions/exchange_online_send_message.json",
    "functions/exchange_online_write_message_as_attachment.json",
];

/// The functions' input fields.
const FUNCTION_FIELDS: &[Source] = sources![
    "function_fields/exo_attachment_name.json",
    "function_fields/exo_attachment_names.json",
    "function_fields/exo_custom_folder_name.json",
    "function_fields/exo_destination_mailfolder_id.json",
    "function_fields/exo_email_address.json",
    "function_fields/exo_email_address_sender.json",
    "function_fields/exo_end_date.json",
    "function_fields/exo_has_attachments.json",
    "function_fields/exo_mail_folders.json",
    "function_fields/exo_mailfolders_id.json",
    "function_fields/exo_meeting_body.json",
    "function_fields/exo_meeting_email_address.json",
    "function_fields/exo_meeting_end_time.json",
    "function_fields/exo_meeting_location.json",
    "function_fields/exo_meeting_optional_attendees.json",
    "function_fields/exo_meeting_required_attendees.json",
    "function_fields/exo_meeting_start_time.json",
    "function_fields/exo_meeting_subject.json",
    "function_fields/exo_message_body.json",
    "function_fields/exo_message_subject.json",
    "function_fields/exo_messages_id.json",
    "function_fields/exo_query_messages_results.json",
    "function_fields/exo_query_output_format.json",
    "function_fields/exo_recipients.json",
    "function_fields/exo_start_date.json",
    "function_fields/incident_id.json",
    "function_fields/task_id.json",
];

/// The fields of the forms that rules show.
const ACTIVITY_FIELDS: &[Source] = sources![
    "activity_fields/exo_attachment_name.json",
    "activity_fields/exo_attachment_names.json",
    "activity_fields/exo_destination_mailfolder_id.json",
    "activity_fields/exo_email_address_list.json",
    "activity_fields/exo_email_address_sender.json",
    "activity_fields/exo_end_date.json",
    "activity_fields/exo_has_attachments.json",
    "activity_fields/exo_mailfolder_id.json",
    "activity_fields/exo_meeting_body.json",
    "activity_fields/exo_meeting_email_address.json",
    "activity_fields/exo_meeting_end_time.json",
    "activity_fields/exo_meeting_location.json",
    "activity_fields/exo_meeting_optional_attendees.json",
    "activity_fields/exo_meeting_required_attendees.json",
    "activity_fields/exo_meeting_start_time.json",
    "activity_fields/exo_meeting_subject.json",
    "activity_fields/exo_message_body.json",
    "activity_fields/exo_message_recipients.json",
    "activity_fields/exo_message_send_body.json",
    "activity_fields/exo_message_sender_address.json",
    "activity_fields/exo_message_subject.json",
    "activity_fields/exo_query_output_format.json",
    "activity_fields/exo_start_date.json",
];

/// The rules.
const RULES: &[Source] = sources![
    "rules/create_artifacts.json",
    "rules/create_meeting.json",
    "rules/delete_message.json",
    "rules/delete_messages_from_query_results.json",
    "rules/get_user_profile.json",
    "rules/move_message_to_folder.json",
    "rules/query_messages.json",
    "rules/query_messages_on_artifact.json",
    "rules/send_message.json",
    "rules/write_message_eml_as_attachment.json",
    "rules/write_message_json_as_note.json",
];

/// The workflows.
const WORKFLOWS: &[Source] = sources![
    "workflows/example_exchange_online_create_meeting/workflow.json",
    "workflows/example_exchange_online_delete_email/workflow.json",
    "workflows/example_exchange_online_delete_messages_from_query_results/workflow.json",
    "workflows/example_exchange_online_get_message/workflow.json",
    "workflows/example_exchange_online_get_user_profile/workflow.json",
    "workflows/example_exchange_online_move_message_to_folder/workflow.json",
    "workflows/example_exchange_online_query_emails/workflow.json",
    "workflows/example_exchange_online_query_messages_of_a_group/workflow.json",
    "workflows/example_exchange_online_send_message/workflow.json",
    "workflows/example_exchange_online_write_message_as_attachment/workflow.json",
];

/// The scripts that rules run.
const SCRIPTS: &[Source] = sources!["scripts/create_artifacts_from_message.json",];

/// The texts of all scripts.
const TEXTS: &[Source] = sources![
    "prelude.py",
    "workflows/query_artifact.py",
    "workflows/query_form.py",
    "workflows/query_mailboxes.py",
    "workflows/query_rows.py",
    "workflows/example_exchange_online_create_meeting/post_processing.py",
    "workflows/example_exchange_online_create_meeting/pre_processing.py",
    "workflows/example_exchange_online_delete_email/post_processing.py",
    "workflows/example_exchange_online_delete_email/pre_processing.py",
    "workflows/example_exchange_online_delete_messages_from_query_results/delete_post_processing.py",
    "workflows/example_exchange_online_delete_messages_from_query_results/delete_pre_processing.py",
    "workflows/example_exchange_online_get_message/post_processing.py",
    "workflows/example_exchange_online_get_message/pre_processing.py",
    "workflows/example_exchange_online_get_user_profile/post_processing.py",
    "workflows/example_exchange_online_get_user_profile/pre_processing.py",
    "workflows/example_exchange_online_move_message_to_folder/post_processing.py",
    "workflows/example_exchange_online_move_message_to_folder/pre_processing.py",
    "workflows/example_exchange_online_send_message/post_processing.py",
    "workflows/example_exchange_online_send_message/pre_processing.py",
    "workflows/example_exchange_online_write_message_as_attachment/pre_processing.py",
    "scripts/create_artifacts_from_message.py",
];

/// All parsed sources. References between them are names.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) message_destination: MessageDestination,
    pub(super) functions: Vec<Function>,
    pub(super) function_fields: Vec<Field>,
    pub(super) activity_fields: Vec<Field>,
    pub(super) data_table: DataTable,
    pub(super) rules: Vec<Rule>,
    pub(super) workflows: Vec<Workflow>,
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
}

/// A field: a function's input, part of a rule's form, or a column.
#[derive(Debug, Deserialize)]
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
#[derive(Debug, Deserialize)]
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

/// A rule: an entry of a menu.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) uuid: String,
    /// The label in the menu, which also identifies the rule.
    pub(super) name: String,
    /// The kind of object whose menu has the rule: `incident`, `artifact`, or the API name of a data table.
    pub(super) object_type: String,
    #[serde(default)]
    pub(super) logic: Logic,
    /// The conditions under which the menu shows it; none: always.
    #[serde(default)]
    pub(super) conditions: Vec<Condition>,
    pub(super) runs: Runs,
    /// The form that it shows.
    #[serde(default)]
    pub(super) form: Vec<FormItem>,
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
            function_fields: each(FUNCTION_FIELDS)?,
            activity_fields: each(ACTIVITY_FIELDS)?,
            data_table: one(DATA_TABLE)?,
            rules: each(RULES)?,
            workflows: each(WORKFLOWS)?,
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
