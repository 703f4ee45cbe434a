//! The functions that SOAR can call. Each has a file of its own with its [`Spec`] and its code; the list of them is
//! [`Function`]. The other files are what the functions share.
//!
//! Nothing here knows the broker: a function takes [`Inputs`], works at Graph and SOAR through a [`Context`],
//! and ends in an [`Outcome`] or an [`Error`].

mod access;
mod apply_plan;
mod attached_content;
mod call;
mod context;
mod create_meeting;
mod delete_email;
mod delete_messages_from_query_results;
mod error;
mod file_names;
#[doc(hidden)]
pub mod fuzzing;
mod get_attachments;
mod get_email_user_profile;
mod get_message;
mod idempotency;
mod incident_sink;
mod inputs;
mod lease;
mod listed;
mod many;
mod meetings;
mod move_message_to_folder;
mod move_once;
mod outcome;
mod permissions;
mod plan;
mod plan_removal;
mod progress;
mod query_emails;
mod removal;
mod remove_meetings;
mod report;
mod restore_messages;
mod send_message;
mod spec;
mod trace_message;
mod write_message_as_attachment;
mod zone;

use tracing::info;

pub use call::{CLOCKS_APART, Call, PriorRun};
pub use context::Context;
pub use error::{Error, ErrorKind};
pub use incident_sink::{IncidentSink, Local};
pub use inputs::{InputError, Inputs, Reason, parse_time};
pub use lease::{Lease, LeaseState};
pub use outcome::Outcome;
pub use permissions::{IDENTIFY, Permission, Permissions, Use};
pub use progress::{Progress, Status};
pub use spec::{Input, InputKind, Spec};

use spec::Timeout;

/// Declares the enum, and for each of its values the module that holds the function's `SPEC` and `run`.
macro_rules! functions {
    ($($(#[$doc:meta])* $label:ident => $module:ident,)*) => {
        /// A function.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Function {
            $($(#[$doc])* $label,)*
        }

        impl Function {
            /// All functions.
            pub const ALL: [Self; [$(stringify!($label)),*].len()] = [$(Self::$label),*];

            /// The function's name, inputs and permissions.
            pub fn spec(self) -> &'static Spec {
                match self {
                    $(Self::$label => const { &$module::SPEC },)*
                }
            }

            async fn work(self, context: &Context, inputs: &Inputs) -> Result<Outcome, Error> {
                match self {
                    // A function's future holds its whole state.
                    $(Self::$label => Box::pin($module::run(context, inputs)).await,)*
                }
            }
        }
    };
}

functions! {
    /// `exchange_online_get_email_user_profile`
    GetEmailUserProfile => get_email_user_profile,
    /// `exchange_online_get_message`
    GetMessage => get_message,
    /// `exchange_online_get_attachments`
    GetAttachments => get_attachments,
    /// `exchange_online_write_message_as_attachment`
    WriteMessageAsAttachment => write_message_as_attachment,
    /// `exchange_online_move_message_to_folder`
    MoveMessageToFolder => move_message_to_folder,
    /// `exchange_online_send_message`
    SendMessage => send_message,
    /// `exchange_online_create_meeting`
    CreateMeeting => create_meeting,
    /// `exchange_online_delete_email`
    DeleteEmail => delete_email,
    /// `exchange_online_query_emails`
    QueryEmails => query_emails,
    /// `exchange_online_delete_messages_from_query_results`
    DeleteMessagesFromQueryResults => delete_messages_from_query_results,
    /// `exchange_online_trace_message`
    TraceMessage => trace_message,
    /// `exchange_online_restore_messages`
    RestoreMessages => restore_messages,
    /// `exchange_online_plan_removal`
    PlanRemoval => plan_removal,
    /// `exchange_online_apply_plan`
    ApplyPlan => apply_plan,
    /// `exchange_online_remove_meetings`
    RemoveMeetings => remove_meetings,
}

impl Function {
    /// Returns the function that SOAR calls `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|function| function.name() == name)
    }

    /// The API name in SOAR.
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// Runs the function, at most for `call_timeout`. Dropping the future stops the function between two requests.
    ///
    /// # Errors
    /// In words for the analyst: see [`Error`].
    pub async fn run(self, context: &Context, inputs: &Inputs) -> Result<Outcome, Error> {
        let limit = context.limits.call_timeout;
        let work = self.work(context, inputs);
        let ended = match self.spec().timeout {
            Timeout::Report => work.await,
            Timeout::Abort => tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
                info!("call timed out");
                Err(ErrorKind::OutOfTime { limit, progress: *context.status.progress().borrow() }.into())
            }),
        };
        context.guard.settle().await;
        ended
    }
}
