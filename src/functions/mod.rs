//! The functions SOAR can call: their names, their dispatch, and what they share. Each has a file of its own
//! with its inputs and its work.
//!
//! Nothing here knows of brokers: a function takes [`Inputs`], works at Graph and SOAR through a [`Context`],
//! and ends in an [`Outcome`] or an [`Error`].

mod call;
mod context;
mod create_meeting;
mod delete_email;
mod delete_messages_from_query_results;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod get_email_user_profile;
mod get_message;
mod guard;
mod idempotency;
mod incident_sink;
mod inputs;
mod lease;
mod move_message_to_folder;
mod outcome;
mod permissions;
mod query_emails;
mod report;
mod send_message;
mod spec;
mod write_message_as_attachment;

use tokio::time::{Instant, timeout_at};
use tracing::info;

pub use call::{CLOCKS_APART, Call, PriorRun};
pub use context::{Context, Progress, Status};
pub use error::Error;
pub use guard::Guard;
pub use incident_sink::{IncidentSink, Local};
pub use inputs::{InputError, Inputs};
pub use lease::{Lease, LeaseState};
pub use outcome::Outcome;
pub use permissions::{IDENTIFY, Permission, Use};
pub use spec::{Input, InputKind};

/// The functions by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Function {
    /// `exchange_online_get_email_user_profile`
    GetEmailUserProfile,
    /// `exchange_online_get_message`
    GetMessage,
    /// `exchange_online_write_message_as_attachment`
    WriteMessageAsAttachment,
    /// `exchange_online_move_message_to_folder`
    MoveMessageToFolder,
    /// `exchange_online_send_message`
    SendMessage,
    /// `exchange_online_create_meeting`
    CreateMeeting,
    /// `exchange_online_delete_email`
    DeleteEmail,
    /// `exchange_online_query_emails`
    QueryEmails,
    /// `exchange_online_delete_messages_from_query_results`
    DeleteMessagesFromQueryResults,
}

impl Function {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::GetEmailUserProfile,
        Self::GetMessage,
        Self::WriteMessageAsAttachment,
        Self::MoveMessageToFolder,
        Self::SendMessage,
        Self::CreateMeeting,
        Self::DeleteEmail,
        Self::QueryEmails,
        Self::DeleteMessagesFromQueryResults,
    ];

    /// The function SOAR calls `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|function| function.name() == name)
    }

    /// Its API name in SOAR.
    pub fn name(self) -> &'static str {
        match self {
            Self::GetEmailUserProfile => "exchange_online_get_email_user_profile",
            Self::GetMessage => "exchange_online_get_message",
            Self::WriteMessageAsAttachment => "exchange_online_write_message_as_attachment",
            Self::MoveMessageToFolder => "exchange_online_move_message_to_folder",
            Self::SendMessage => "exchange_online_send_message",
            Self::CreateMeeting => "exchange_online_create_meeting",
            Self::DeleteEmail => "exchange_online_delete_email",
            Self::QueryEmails => "exchange_online_query_emails",
            Self::DeleteMessagesFromQueryResults => "exchange_online_delete_messages_from_query_results",
        }
    }

    /// Runs it, for as long as a call may take. Dropping the future stops it between two requests.
    ///
    /// # Errors
    /// In words for the analyst: see [`Error`].
    pub async fn run(self, context: &Context, inputs: &Inputs) -> Result<Outcome, Error> {
        let limit = context.limits.call_timeout;
        let until = Instant::now() + limit;
        let work = self.work(context, inputs, until);
        if self == Self::DeleteMessagesFromQueryResults {
            // It accounts for every message, those included that it did not come to in time.
            return work.await;
        }
        timeout_at(until, work).await.unwrap_or_else(|_| {
            info!("ended by call_timeout");
            Err(Error::OutOfTime { limit, progress: *context.status.progress().borrow() })
        })
    }

    async fn work(self, context: &Context, inputs: &Inputs, until: Instant) -> Result<Outcome, Error> {
        match self {
            Self::GetEmailUserProfile => get_email_user_profile::run(context, inputs).await,
            Self::GetMessage => get_message::run(context, inputs).await,
            Self::WriteMessageAsAttachment => write_message_as_attachment::run(context, inputs).await,
            Self::MoveMessageToFolder => move_message_to_folder::run(context, inputs).await,
            Self::SendMessage => send_message::run(context, inputs).await,
            Self::CreateMeeting => create_meeting::run(context, inputs).await,
            Self::DeleteEmail => delete_email::run(context, inputs).await,
            Self::QueryEmails => query_emails::run(context, inputs).await,
            Self::DeleteMessagesFromQueryResults => {
                delete_messages_from_query_results::run(context, inputs, until).await
            }
        }
    }
}
