//! Why a change was withdrawn.

use std::sync::Arc;

/// Why a change was withdrawn before it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawal {
    /// The kind, for scripts.
    pub code: &'static str,
    /// The reason, as a sentence.
    pub why: Arc<str>,
}
