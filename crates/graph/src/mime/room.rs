//! How much of a message is read.

/// How much of a message is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// How deep messages in messages are followed: 0 is the message itself only.
    pub(crate) depth: usize,
    /// How many parts are looked at.
    pub(crate) parts: usize,
    /// How many bytes of URLs are kept, of all texts together.
    pub(crate) url_bytes: usize,
}
