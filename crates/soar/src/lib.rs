//! SOAR: the function calls it sends, the replies it expects, and its REST interface: signing in, the functions'
//! destinations, notes, attachments, and the import of customizations.

mod call;
mod client;
mod connection;
mod content;
mod customizations;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod options;
pub mod reply;
mod session;

pub use call::{CallError, Caller, FunctionCall};
pub use client::{Attachment, Client, Target};
pub use connection::file_name;
pub use content::{ByteStream, Content};
pub use customizations::{Access, Collection, Decision, GrantError, Import, Message};
pub use error::{Credentials, Error};
pub use options::{Login, SoarSettings};
pub use reply::Results;
