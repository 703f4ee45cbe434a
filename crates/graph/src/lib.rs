//! Microsoft Graph v1.0, as far as mail and calendars need it: one [`Client`] for the whole process, which
//! signs requests, repeats them by one policy, keeps to the limits of every mailbox and puts what it can into
//! `$batch` calls; and on top of it what the functions ask for in Graph's own terms.

mod auth;
mod batch;
mod call_tag;
mod client;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod mailbox_limiter;
mod metrics;
pub mod models;
mod options;
mod path;
mod pool;
mod response;
mod retry;
mod search;
mod transport;
mod upload;

pub use auth::assertion::Certificate;
pub use auth::claims::Claims;
pub use auth::credential::{ApplicationCertificate, AssertionAlgorithm, Credential, Proof};
pub use auth::token::{TokenError, TokenLife};
pub use batch::scheduler::{BatchState, Lane};
pub use call_tag::{CallTag, TaggedMessages};
pub use client::{ChangePermit, Client, Dispatch, Done, Download, Failed, Request};
pub use error::{Error, Refusal};
pub use metrics::{Meters, Reason, Sent, Status, TokenAnswer};
pub use options::GraphSettings;
pub use path::{InvalidSegment, Path};
pub use response::Answer;
pub use retry::BackoffHint;
pub use search::criteria::Criteria;
pub use search::users::UserPages;
pub use search::{Limit, MailboxResult, Progress, Search, SearchScope, search};
pub use upload::{UploadError, UploadSession};
