//! What was found in one mailbox.

use serde_json::value::RawValue;

use crate::error::Error;

/// What was found in one mailbox.
#[derive(Debug, Default)]
pub(super) struct MailboxHits {
    /// The messages, as Graph wrote them.
    pub(super) messages: Vec<Box<RawValue>>,
    /// Whether the mailbox may hold more: the search ended because there were enough.
    pub(super) more: bool,
    /// Why the search of this mailbox did not come to its end. What was found until then stands.
    pub(super) failure: Option<Error>,
    /// Whether the directory has no user with the address that was asked for.
    pub(super) is_unknown_address: bool,
}
