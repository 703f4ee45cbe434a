//! Why a change was withdrawn.

use std::sync::Arc;

/// Why a change was withdrawn before it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawal {
    /// The kind, for scripts.
    pub code: &'static str,
    /// The reason, to be read after a colon.
    pub phrase: Arc<str>,
}
