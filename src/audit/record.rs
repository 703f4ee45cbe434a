//! What one line of the audit trail says: who changed or read what, and with what outcome.

use serde::{Serialize, Serializer};

/// The call on whose behalf something is changed or read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Initiator {
    /// The name of SOAR's user or API key, or of the user who ran the function from the command line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// The same user or key by the name that SOAR shows, which is not in the trail.
    #[serde(skip)]
    pub display_name: Option<String>,
    /// The person who approved the removal plan that is applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    /// The digest of the removal plan that is applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// The incident.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<i64>,
    /// The run of the workflow or playbook.
    #[serde(flatten)]
    pub run: Option<soar::Run>,
    /// The id that every log line of the call carries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// The function's API name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
}

/// A kind of change, or of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// Deletes one message.
    DeleteMessage,
    /// Deletes a list of messages; on record only when the list is refused as a whole.
    DeleteMessages,
    /// Moves a message into the quarantine of its mailbox.
    QuarantineMessage,
    /// Moves a removed message back.
    RestoreMessage,
    /// Removes the entry of a meeting from an attendee's calendar.
    RemoveMeeting,
    /// Enters an appointment in place of a removed meeting.
    RestoreMeeting,
    /// Moves removed messages back; on record only when that is stopped.
    RestoreMessages,
    /// Makes a folder, for messages that are moved into it.
    CreateFolder,
    /// Moves a message.
    MoveMessage,
    /// Sends a mail.
    SendMessage,
    /// Creates a meeting.
    CreateMeeting,
    /// Changes a mailbox in any way; on record only when the mailbox is refused.
    ChangeMailbox,
    /// Writes a message to an attachment in SOAR.
    AttachMessage,
    /// Writes what is attached to a message to an attachment in SOAR.
    AttachFile,
    /// Writes a report to an attachment in SOAR.
    AttachReport,
    /// Writes a report to a note in SOAR.
    WriteNote,
    /// Reads a message.
    ReadMessage,
    /// Reads what is attached to a message.
    ReadAttachments,
    /// Searches mailboxes.
    SearchMailboxes,
    /// Looks into the message trace.
    TraceMessages,
    /// Reads the messages of a removal plan, and freezes them.
    PlanRemoval,
    /// Reads a mailbox in any way; on record only when the mailbox is refused.
    ReadMailbox,
}

impl Act {
    /// All kinds.
    pub(super) const ALL: [Self; 22] = [
        Self::DeleteMessage,
        Self::DeleteMessages,
        Self::QuarantineMessage,
        Self::RestoreMessage,
        Self::RemoveMeeting,
        Self::RestoreMeeting,
        Self::RestoreMessages,
        Self::CreateFolder,
        Self::MoveMessage,
        Self::SendMessage,
        Self::CreateMeeting,
        Self::ChangeMailbox,
        Self::AttachMessage,
        Self::AttachFile,
        Self::AttachReport,
        Self::WriteNote,
        Self::ReadMessage,
        Self::ReadAttachments,
        Self::SearchMailboxes,
        Self::TraceMessages,
        Self::PlanRemoval,
        Self::ReadMailbox,
    ];

    /// The text in the trail.
    pub fn text(self) -> &'static str {
        match self {
            Self::DeleteMessage => "delete message",
            Self::DeleteMessages => "delete messages",
            Self::QuarantineMessage => "quarantine message",
            Self::RestoreMessage => "restore message",
            Self::RemoveMeeting => "remove meeting",
            Self::RestoreMeeting => "restore meeting",
            Self::RestoreMessages => "restore messages",
            Self::CreateFolder => "create folder",
            Self::MoveMessage => "move message",
            Self::SendMessage => "send message",
            Self::CreateMeeting => "create meeting",
            Self::ChangeMailbox => "change mailbox",
            Self::AttachMessage => "attach message",
            Self::AttachFile => "attach file",
            Self::AttachReport => "attach report",
            Self::WriteNote => "write note",
            Self::ReadMessage => "read message",
            Self::ReadAttachments => "read attachments",
            Self::SearchMailboxes => "search mailboxes",
            Self::TraceMessages => "trace messages",
            Self::PlanRemoval => "plan removal",
            Self::ReadMailbox => "read mailbox",
        }
    }

    /// Whether it is what the initiator asked for, in a mailbox. A folder is only made on the way.
    pub(super) fn changes_mailbox(self) -> bool {
        use Act::{
            CreateMeeting, DeleteMessage, MoveMessage, QuarantineMessage, RemoveMeeting, RestoreMeeting,
            RestoreMessage, SendMessage,
        };
        matches!(
            self,
            DeleteMessage
                | QuarantineMessage
                | RestoreMessage
                | RemoveMeeting
                | RestoreMeeting
                | MoveMessage
                | SendMessage
                | CreateMeeting
        )
    }

    fn participle(self) -> &'static str {
        match self {
            Self::DeleteMessage | Self::DeleteMessages => "deleted",
            Self::MoveMessage => "moved",
            Self::SendMessage => "sent",
            Self::QuarantineMessage => "quarantined",
            Self::RestoreMessage | Self::RestoreMessages | Self::RestoreMeeting => "restored",
            Self::RemoveMeeting => "removed",
            Self::CreateMeeting | Self::CreateFolder => "created",
            Self::ChangeMailbox => "changed",
            Self::AttachMessage | Self::AttachFile | Self::AttachReport | Self::WriteNote => "written",
            Self::ReadMessage | Self::ReadAttachments | Self::ReadMailbox => "read",
            Self::SearchMailboxes => "searched",
            Self::TraceMessages => "traced",
            Self::PlanRemoval => "planned",
        }
    }
}

impl Serialize for Act {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

/// How an act ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ActOutcome {
    /// It was done.
    Done,
    /// It was not done.
    NotDone,
    /// It may have been done.
    Unknown,
    /// A dry run: it would have been done.
    WouldBeDone,
    /// The object was not there any more; an earlier run of the call may have deleted it.
    Gone,
    /// The guard refused it.
    Refused,
}

impl ActOutcome {
    /// All outcomes.
    pub(super) const ALL: [Self; 6] =
        [Self::Done, Self::NotDone, Self::Unknown, Self::WouldBeDone, Self::Gone, Self::Refused];

    /// How an act at Graph ended.
    pub fn of<T>(result: &Result<T, graph::Error>) -> Self {
        match result {
            Ok(_) => Self::Done,
            Err(error) if error.is_indeterminate() => Self::Unknown,
            Err(_) => Self::NotDone,
        }
    }

    /// The text in the trail: "deleted", "would be moved".
    pub(super) fn text(self, act: Act) -> String {
        let participle = act.participle();
        match self {
            Self::Done => participle.to_owned(),
            Self::NotDone => format!("not {participle}"),
            Self::Unknown => "unknown".to_owned(),
            Self::WouldBeDone => format!("would be {participle}"),
            Self::Gone => "gone".to_owned(),
            Self::Refused => "refused".to_owned(),
        }
    }
}

/// What is changed or read, and where. It holds no word of a mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditRecord {
    /// The kind of change.
    pub act: Act,
    /// The mailbox, as the call names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mailbox: Option<String>,
    /// The directory's id of the mailbox, where the guard looked it up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mailbox_id: Option<String>,
    /// The message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// The calendar entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The id of the folder a message was in, where it can be moved back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The folder a message goes to; for a deletion, where the message ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// The recipients of a mail.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<String>,
    /// The number of attachments of a mail that is sent, or whose attachments are read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachments: Option<usize>,
    /// The number of invited attendees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attendees: Option<usize>,
    /// The number of messages: those of a refused list, or those that a search or trace found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<usize>,
    /// What was searched or traced: addresses, or `all`, or `all:` with the beginning of a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub searched: Option<String>,
    /// The number of mailboxes that were searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mailboxes: Option<usize>,
    /// The kinds of the criteria of a search, without their values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub criteria: Vec<&'static str>,
    /// Where a note or file goes in SOAR: "incident 2095".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

impl AuditRecord {
    /// A record without details.
    pub fn new(act: Act) -> Self {
        Self {
            act,
            mailbox: None,
            mailbox_id: None,
            message_id: None,
            event_id: None,
            origin: None,
            destination: None,
            recipients: Vec::new(),
            attachments: None,
            attendees: None,
            messages: None,
            searched: None,
            mailboxes: None,
            criteria: Vec::new(),
            target: None,
        }
    }
}
