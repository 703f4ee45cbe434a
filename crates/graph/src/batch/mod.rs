//! JSON batching: several requests travel in one `$batch` request.

pub(crate) mod gates;
pub(crate) mod payload;
pub(crate) mod size;

/// Outlook runs this many parts of a batch at once, whatever their mailboxes (Graph page "Microsoft Graph
/// service-specific throttling limits", Outlook service limits).
pub const PARTS_AT_ONCE: usize = 4;
