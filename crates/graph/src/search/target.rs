//! A mailbox that is to be searched: how results name it, and how requests ask for it.

use super::scope::Copies;

/// A mailbox that is to be searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// The address by which results name it: as it was typed, or the user's principal name.
    pub(super) name: String,
    /// The directory's id, by which it is asked for. Exchange may not know a principal name that the directory lists,
    /// but it knows the id.
    pub(super) id: Option<String>,
    /// Whether the directory's name or id of it cannot be one, so that it is not searched.
    pub(super) is_unusable: bool,
    /// The Message-IDs that are looked up in it, where these are others than the search's.
    pub(super) message_ids: Option<Vec<String>>,
}

impl Target {
    /// The mailbox with the address that was typed.
    pub(super) fn typed(address: String) -> Self {
        Self { name: address, id: None, is_unusable: false, message_ids: None }
    }

    /// The mailbox of a recipient, for its copies.
    pub(super) fn of_recipient(Copies { recipient, user_id, message_ids }: Copies) -> Self {
        Self { name: recipient, id: user_id, is_unusable: false, message_ids: Some(message_ids) }
    }

    /// Its name in a path.
    pub(super) fn user(&self) -> &str {
        self.id.as_deref().unwrap_or(&self.name)
    }
}
