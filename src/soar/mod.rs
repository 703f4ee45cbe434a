//! SOAR's REST interface: signing in, the functions' destinations, notes and attachments.

mod client;
mod connection;
mod content;
mod error;
mod session;

pub use client::{Attachment, Client, Target};
pub use content::{ByteStream, Content};
pub use error::Error;
