//! How Vault is reached and signed in to.

use net::{Secret, Trust};
use url::Url;

/// How Vault is reached and signed in to.
#[derive(Debug, Clone, PartialEq)]
pub struct VaultSettings {
    /// The server, without `/v1`.
    pub address: Url,
    /// What signs in.
    pub login: Login,
    /// The namespace, for servers that have them.
    pub namespace: Option<String>,
    /// Which certificates are trusted.
    pub trust: Trust,
}

/// What signs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// A token, which is used as it is.
    Token(Secret),
    /// An AppRole, which is exchanged for a token.
    AppRole {
        /// The id of the role.
        role_id: Secret,
        /// The secret id of the role.
        secret_id: Secret,
    },
}
