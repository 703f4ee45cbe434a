//! Which mailboxes a search looks into.

/// The mailboxes that are searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchScope {
    /// The mailboxes with these addresses.
    Listed(Vec<String>),
    /// The users of the tenant whose principal name begins with `prefix`; all users where it is empty.
    Tenant {
        /// The beginning of the principal name.
        prefix: String,
    },
}

/// The copies that an index of mail says a recipient got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copies {
    /// The recipient's address.
    pub recipient: String,
    /// The directory's id of the recipient, where the index has it.
    pub user_id: Option<String>,
    /// The Message-IDs.
    pub message_ids: Vec<String>,
}
