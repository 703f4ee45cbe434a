//! Microsoft Graph v1.0, as far as mail and calendars need it: one [`Client`] for the whole process, which
//! signs requests, repeats them by one policy, keeps to the limits of every mailbox and puts what it can into
//! `$batch` calls; and on top of it what the functions ask for in Graph's own terms.

mod assertion;
mod batch;
mod claims;
mod client;
mod connections;
mod credential;
mod credential_options;
mod criteria;
mod envelope;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod grant;
mod lines;
mod mailboxes;
mod marks;
mod messages;
mod meters;
pub mod models;
mod options;
mod path;
mod retry;
mod search;
mod service;
mod token;
mod upload;
mod users;
mod window;
mod wire;

pub use assertion::Certificate;
pub use batch::{BatchState, Lane};
pub use claims::Claims;
pub use client::{ChangePermit, Client, Done, Download, Failed, Request, Route};
pub use credential_options::{ApplicationCertificate, AssertionAlgorithm, Credential, Proof};
pub use criteria::Criteria;
pub use error::{Error, Refusal};
pub use marks::{Mark, Marked};
pub use meters::{Meters, Reason, Sent, Status, TokenAnswer};
pub use options::GraphSettings;
pub use path::{InvalidSegment, Path};
pub use retry::AsksToWait;
pub use search::{Limit, MailboxResult, Progress, Search, Whom, search};
pub use token::{TokenError, TokenLife};
pub use upload::{UploadError, UploadSession};
pub use users::UserPages;
pub use wire::Answer;
