//! An embedded Microsoft 365 tenant: Microsoft Graph and Entra's token endpoint on a loopback socket.
//!
//! The tenant is at least as strict as the real service: what Graph refuses, it refuses, with Graph's status, code and
//! message. On demand it also does what Graph and the network between do to a client: it delays, throttles, breaks off
//! and returns wrong answers.
//!
//! ```text
//!  http       latency, faults, tokens, limits        token    Entra; assertion, identity: other credentials
//!   └ batch   the parts of a $batch                  record   the requests, for tests to inspect
//!      └ router  from method and path to endpoint    faults   what goes wrong, on demand
//!         └ users, mail, attachments, drafts, upload, calendar, trace, hunting: the endpoints
//!            └ state  what changed since the start, over
//!               └ directory, generate: what the seed defines, made on demand
//! ```

mod apply_fault;
mod assertion;
mod attachments;
mod base;
mod batch;
mod calendar;
mod changes;
mod contents;
mod cursor;
mod denial;
mod directory;
mod drafts;
mod exchange_ids;
mod expand;
mod extended_property;
mod faults;
mod filter;
mod folder;
mod folder_edit;
mod folders;
mod generate;
mod headers;
mod http;
mod http_response;
mod hunting;
mod identifier;
mod identity;
mod json;
mod listing;
mod mail;
mod mail_change;
mod mail_flow;
mod mail_folders;
mod mailbox_items;
mod marks;
mod message;
mod message_json;
mod mime;
mod options;
mod owner;
mod parsed_url;
mod path;
mod query;
mod record;
mod refusal;
mod request;
mod response;
mod retry_after;
mod rng;
mod router;
mod search;
mod shared;
mod snapshot;
mod state;
mod tenant;
mod token;
mod trace;
mod upload;
mod user_filter;
mod users;
mod view;
mod zones;

pub use calendar::{
    CalendarEntry, Event, Meeting, MeetingMessage, MeetingNews, MeetingResponse, Outgoing, OutgoingKind,
};
pub use changes::{Deleted, Moved, SentMail};
pub use contents::{Planted, StoredMessage};
pub use directory::User;
pub use faults::{
    Fault, Faults, MailboxFault, OPTIONAL_ROLES, Pace, PageLoop, RESTORE_ROLES, ROLES, Scope, Slow, Target,
    Throttling, TokenRefusal, optimum, optimum_with_refusals,
};
pub use hunting::kql_literal;
pub use mail_flow::{Click, Copy, Delivery, Fate, PostDeliveryEvent, Recipient};
pub use options::{Address, Attachment, Content, IdAlphabet, MessageId, NewMessage, Phish, TenantOptions};
pub use owner::StoredFolder;
pub use parsed_url::ParsedUrl;
pub use record::{Counters, RecordedRequest};
pub use retry_after::RetryAfter;
pub use snapshot::MessageState;
pub use tenant::Tenant;
