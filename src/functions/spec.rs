//! What each function takes: its inputs with their kinds and meanings, and what it does in a sentence. For who
//! types a call by hand; what a function does with its inputs is in its own file.

use super::Function;

/// An input of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input {
    /// Its API name.
    pub name: &'static str,
    /// What kind of value it takes.
    pub kind: InputKind,
    /// Whether the function does nothing without it.
    pub required: bool,
    /// What it means.
    pub meaning: &'static str,
}

/// The kinds of inputs that SOAR has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputKind {
    /// Text.
    Text,
    /// A whole number.
    Number,
    /// Yes, no, or unknown, which counts as not given.
    Boolean,
    /// A point in time; in SOAR's encoding milliseconds since 1970, UTC.
    DateTime,
    /// One of these labels; others are taken as well.
    Select(&'static [&'static str]),
    /// Some of these labels.
    MultiSelect(&'static [&'static str]),
}

impl InputKind {
    /// The kind, as SOAR calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::DateTime => "datetime",
            Self::Select(_) => "select",
            Self::MultiSelect(_) => "multiselect",
        }
    }

    /// What can be chosen, where it is a choice.
    pub fn options(self) -> &'static [&'static str] {
        match self {
            Self::Select(options) | Self::MultiSelect(options) => options,
            _ => &[],
        }
    }
}

/// Graph's names of the folders every mailbox may have (Graph page "mailFolder resource type").
const FOLDERS: &[&str] = &[
    "archive",
    "clutter",
    "conflicts",
    "conversationhistory",
    "deleteditems",
    "drafts",
    "inbox",
    "junkemail",
    "localfailures",
    "msgfolderroot",
    "outbox",
    "recoverableitemsdeletions",
    "scheduled",
    "searchfolders",
    "sentitems",
];
const OUTPUTS: &[&str] = &["Exchange Online data table", "Incident attachment", "Incident note"];

const fn required(name: &'static str, kind: InputKind, meaning: &'static str) -> Input {
    Input { name, kind, required: true, meaning }
}

const fn optional(name: &'static str, kind: InputKind, meaning: &'static str) -> Input {
    Input { name, kind, required: false, meaning }
}

use InputKind::{Boolean, DateTime, MultiSelect, Number, Select, Text};

const INCIDENT: Input = required("incident_id", Number, "number of the incident");
const MAILBOX: Input = required("exo_email_address", Text, "address of the mailbox");
const MESSAGE: Input = required("exo_messages_id", Text, "id of the message");
const FOLDER: Input = optional("exo_mailfolders_id", Text, "id or name of the folder the message is in");

const PROFILE_INPUTS: &[Input] = &[required("exo_email_address", Text, "address of the user")];

const MESSAGE_INPUTS: &[Input] = &[MAILBOX, MESSAGE];

const ATTACHMENT_INPUTS: &[Input] = &[
    INCIDENT,
    optional("task_id", Number, "number of the task that gets the file, instead of the incident"),
    MAILBOX,
    MESSAGE,
    optional("exo_attachment_name", Text, "name of the file [default: message-ADDRESS-ID.eml]"),
];

const MOVE_INPUTS: &[Input] = &[
    MAILBOX,
    MESSAGE,
    FOLDER,
    required("exo_destination_mailfolder_id", Select(FOLDERS), "folder the message goes to"),
];

const SEND_INPUTS: &[Input] = &[
    required("exo_email_address", Text, "address of the sender"),
    required("exo_recipients", Text, "addresses of the recipients, separated by commas"),
    optional("exo_message_subject", Text, "subject"),
    optional("exo_message_body", Text, "text, as HTML"),
    optional(
        "exo_attachment_names",
        Text,
        "names of the incident's attachments to send, separated by commas",
    ),
    optional("incident_id", Number, "number of the incident; required with exo_attachment_names"),
];

const MEETING_INPUTS: &[Input] = &[
    required("exo_meeting_email_address", Text, "address of the organizer"),
    required("exo_meeting_start_time", DateTime, "start, in the future"),
    required("exo_meeting_end_time", DateTime, "end, after the start"),
    required("exo_meeting_subject", Text, "subject"),
    required("exo_meeting_body", Text, "text of the invitation, as HTML"),
    optional(
        "exo_meeting_required_attendees",
        Text,
        "addresses of those who should come, separated by commas",
    ),
    optional("exo_meeting_optional_attendees", Text, "addresses of those who may come, separated by commas"),
    optional("exo_meeting_location", Text, "where"),
];

const DELETE_INPUTS: &[Input] = &[MAILBOX, MESSAGE, FOLDER];

const QUERY_INPUTS: &[Input] = &[
    INCIDENT,
    required(
        "exo_email_address",
        Text,
        "mailboxes: addresses separated by commas, \"all\", or \"all:\" and the beginning of a user name",
    ),
    optional("exo_mail_folders", Text, "id or name of the one folder to search"),
    optional("exo_email_address_sender", Text, "criterion: address of the sender"),
    optional("exo_start_date", DateTime, "criterion: received at this time or later"),
    optional("exo_end_date", DateTime, "criterion: received at this time or earlier"),
    optional("exo_has_attachments", Boolean, "criterion: with attachments (yes) or without (no)"),
    optional("exo_message_subject", Text, "criterion: text in the subject"),
    optional("exo_message_body", Text, "criterion: text in the body"),
    required("exo_query_output_format", MultiSelect(OUTPUTS), "where the results are shown"),
];

const DELETE_RESULTS_INPUTS: &[Input] = &[required(
    "exo_query_messages_results",
    Text,
    "results of a message query: the JSON text of its content (raw)",
)];

impl Function {
    /// Its inputs.
    pub fn inputs(self) -> &'static [Input] {
        match self {
            Self::GetEmailUserProfile => PROFILE_INPUTS,
            Self::GetMessage => MESSAGE_INPUTS,
            Self::WriteMessageAsAttachment => ATTACHMENT_INPUTS,
            Self::MoveMessageToFolder => MOVE_INPUTS,
            Self::SendMessage => SEND_INPUTS,
            Self::CreateMeeting => MEETING_INPUTS,
            Self::DeleteEmail => DELETE_INPUTS,
            Self::QueryEmails => QUERY_INPUTS,
            Self::DeleteMessagesFromQueryResults => DELETE_RESULTS_INPUTS,
        }
    }

    /// What it does, in a sentence.
    pub fn summary(self) -> &'static str {
        match self {
            Self::GetEmailUserProfile => "Reads the directory's profile of a user.",
            Self::GetMessage => "Reads one message.",
            Self::WriteMessageAsAttachment => {
                "Keeps a message, as .eml file, as an attachment of an incident or task."
            }
            Self::MoveMessageToFolder => "Moves one message to a well-known folder; it gets a new id there.",
            Self::SendMessage => "Sends a mail, with attachments of the incident if asked to.",
            Self::CreateMeeting => "Puts a meeting into the organizer's calendar and invites the attendees.",
            Self::DeleteEmail => "Deletes one message.",
            Self::QueryEmails => {
                "Finds messages in one mailbox, some, or all of the tenant; at least one criterion is required."
            }
            Self::DeleteMessagesFromQueryResults => "Deletes every message that a message query found.",
        }
    }
}
