//! SOAR: the function calls it sends, the replies it expects, and its REST interface: signing in, the functions'
//! destinations, notes, attachments, and the import of customizations.

mod client;
mod clock;
mod customizations;
mod error;
mod function_call;
#[doc(hidden)]
pub mod fuzzing;
mod options;
pub mod reply;
mod rest;
mod runs;
mod sign_in;
mod upload;

pub use client::{Attachment, Client, Target};
pub use clock::ClockDifference;
pub use customizations::{Access, Collection, Decision, GrantError, Import, Message};
pub use error::{Credentials, Error};
pub use function_call::{CallError, Caller, FunctionCall, Run};
pub use options::{Login, SoarSettings};
pub use reply::Results;
pub use upload::{ByteStream, Content, file_name};
