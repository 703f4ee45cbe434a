//! The attachments of a message: their names, types, sizes and digests, and those of the messages that are attached
//! (Graph pages "List attachments", "Get attachment").
//!
//! Everything is read as it arrives and nothing is kept, so a file's size does not matter to the memory. What was not
//! looked at says so in its place.

mod digest;
mod entry;
mod examine;
mod tree;

pub use digest::{DigestContext, Sha256};
pub use entry::{Attachment, Expanded, Kind, SELECT};
pub use examine::{Limits, MessageAttachments, Wanted};
pub use tree::{AttachedFile, NestedMessage, Traits, Unexamined};

use net::untrusted;

/// The longest name, subject or other text of a message that is kept, in bytes.
pub(crate) const MOST_NAME: usize = 1024;

/// Returns at most `most` bytes of `text`.
pub(crate) fn bounded(text: &str, most: usize) -> String {
    untrusted::text::beginning(text, most).to_owned()
}
