//! What is to be planned.

use crate::functions::listed::Listed;
use crate::functions::plan::Stamp;
use graph::Copies;

/// What is to be planned.
#[derive(Debug)]
pub(in crate::functions) struct Source {
    pub(super) found: Found,
    /// Why messages may be missing, in sentences.
    pub(super) incomplete_because: Vec<String>,
    /// The time up to which was looked, where the result says it.
    pub(super) looked_until: Option<Stamp>,
}

/// The messages, as far as the result names them.
#[derive(Debug)]
pub(super) enum Found {
    /// A query names mailboxes and ids.
    Listed(Vec<Listed>),
    /// A trace names recipients and Message-IDs.
    Traced(Vec<Copies>),
}
