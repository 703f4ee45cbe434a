//! A client for Microsoft Graph v1.0, as far as mail and calendars need it. One [`Client`] serves the whole process: it
//! signs requests, retries them by one policy, keeps to the limits of every mailbox and combines requests in `$batch`
//! calls. On top of it stand searches, message traces, hunting, uploads and call tags.

pub mod attachments;
mod auth;
mod batch;
mod calendar;
mod call_tag;
mod change;
mod client;
mod dispatch;
mod download;
mod error;
mod error_code;
mod error_kind;
mod exchange_ids;
mod expected;
mod failure;
#[doc(hidden)]
pub mod fuzzing;
mod hunting;
mod index;
mod links;
mod list;
mod mail_folders;
mod mailbox_limiter;
mod message_trace;
mod metrics;
mod mime;
pub mod models;
mod newer_messages;
mod options;
mod own_property;
mod path;
mod pool;
mod quarantine;
mod refusal;
mod request;
mod request_state;
mod response;
mod retry;
mod search;
mod transport;
mod upload;
pub mod urls;
mod withdrawal;

pub use auth::assertion::Certificate;
pub use auth::claims::Claims;
pub use auth::credential::{ApplicationCertificate, AssertionAlgorithm, Credential, Proof};
pub use auth::error::TokenError;
pub use auth::token::TokenLife;
pub use batch::PARTS_AT_ONCE;
pub use calendar::{
    CalendarEntry, DeletedEntry, EntryDetails, EntryText, MAILBOX_FOLDERS_PERMISSION, MeetingMark,
    MeetingMessage, NewEntry, TRANSFER_PERMISSION, ZonedTime, create_entry, delete_entry, entries_of_meeting,
    export_entry, import_entry, mark_meeting, message_text, read_entry, read_meeting_message,
    restored_entries,
};
pub use call_tag::{CallTag, TaggedMessage};
pub use change::{ChangeGate, ChangePermit};
pub use client::{Client, Completed, Dispatch, SendError};
pub use dispatch::lane::Lane;
pub use download::{Download, repeat_download};
pub use error::{Effect, Error, ErrorKind};
pub use error_code::Meaning;
pub use exchange_ids::immutable_id;
pub use expected::Expected;
pub use failure::BackoffHint;
pub use hunting::{
    ClickCriteria, HUNTING_PERMISSION, Hunt, HuntingCriteria, HuntingError, MailEvent, UrlClick, hunt_clicks,
    hunt_mail,
};
pub use index::IndexLimits;
pub use index::coverage::{Coverage, Gap, GapReason, Span};
pub use mail_folders::{FolderSearch, WELL_KNOWN_FOLDERS, find_mail_folder};
pub use message_trace::{
    TRACE_PERMISSION, Trace, TraceCriteria, TraceError, TraceRow, TraceStatus, message_trace, oldest_traced,
    probe_message_trace,
};
pub use metrics::{Metrics, RetryReason, Sent, TokenOutcome};
pub use newer_messages::{NewerMessage, newer_messages};
pub use options::GraphSettings;
pub use path::{InvalidSegment, Path};
pub use quarantine::{
    Flag, KnownFolder, MadeFolder, Mark, MessageState, QUARANTINE, Sender, StateChange, change_state,
    find_quarantine_folders, folder_id, make_quarantine_folder, mark_message, marked_messages, move_message,
    read_state,
};
pub use refusal::Refusal;
pub use request::{Request, WHOLE_HTML};
pub use request_state::RequestState;
pub use response::Response;
pub use search::criteria::{
    AddressMatch, Criteria, HeaderMatch, Indicators, RecoverableItems, UrlMatch, Wildcard,
};
pub use search::policy::ReadPolicy;
pub use search::{
    Copies, Counts, Limit, MailboxResult, Mailboxes, Progress, Search, SearchScope, WithoutMailbox,
    list_mailboxes, look_up_copies, search, search_within,
};
pub use upload::{UploadError, UploadSession};
pub use withdrawal::Withdrawal;
