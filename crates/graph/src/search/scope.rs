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
