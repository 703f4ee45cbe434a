//! Why a value could not be read.

use net::tls::TlsError;

/// Why a value could not be read from Vault.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection can be made with these settings.
    #[error(transparent)]
    Setup(#[from] TlsError),
    /// The namespace cannot be sent.
    #[error("the namespace of Vault has characters that an HTTP header cannot hold")]
    Namespace,
    /// The server cannot be reached.
    #[error("Vault at {server} cannot be reached: {reason}")]
    Unreachable {
        /// Host and port.
        server: String,
        /// Why.
        reason: String,
    },
    /// The server's certificate is not trusted.
    #[error("the certificate of Vault at {server} is not trusted: {reason}")]
    Untrusted {
        /// Host and port.
        server: String,
        /// Why.
        reason: String,
    },
    /// The server is there and does not serve.
    #[error("Vault at {server} does not serve at present: {reason}")]
    Unavailable {
        /// Host and port.
        server: String,
        /// Why.
        reason: String,
    },
    /// The server does not accept the AppRole.
    #[error("Vault at {server} refuses the role id or the secret id (HTTP status {status})")]
    LoginRefused {
        /// Host and port.
        server: String,
        /// The HTTP status.
        status: u16,
    },
    /// The answer is not Vault's.
    #[error("what answers at {server} is not Vault, or not in the expected form (HTTP status {status})")]
    NotAnAnswer {
        /// Host and port.
        server: String,
        /// The HTTP status.
        status: u16,
    },
    /// The token does not permit reading the secret, or is not valid.
    #[error("Vault denies access to it: the token is not valid, or no policy of it permits reading")]
    Denied,
    /// There is no such secret.
    #[error("Vault has no such secret in a key/value engine of version 2")]
    NotFound,
    /// The newest version of the secret was deleted or destroyed.
    #[error("the newest version of the secret in Vault was deleted or destroyed")]
    Deleted,
    /// The secret has no such key.
    #[error("the secret in Vault has no such key")]
    NoKey,
    /// The value is not a text.
    #[error("the value in Vault is not a text")]
    NotText,
}

impl Error {
    /// Whether the same attempt may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Unavailable { .. })
    }

    /// Whether it concerns one value, and others may still be read.
    pub fn is_of_value(&self) -> bool {
        matches!(self, Self::Denied | Self::NotFound | Self::Deleted | Self::NoKey | Self::NotText)
    }
}
