//! What Vault answers (<https://developer.hashicorp.com/vault/api-docs>).

use std::collections::BTreeMap;

use net::Secret;
use serde::Deserialize;
use serde_json::Value;

/// The answer to `POST /v1/auth/approle/login`.
#[derive(Deserialize)]
pub(crate) struct SignedIn {
    auth: Auth,
}

#[derive(Deserialize)]
struct Auth {
    client_token: String,
}

impl SignedIn {
    pub(crate) fn token(self) -> Secret {
        Secret::new(self.auth.client_token)
    }
}

/// The answer to `GET /v1/ENGINE/data/PATH`. With status 404 and `metadata` it is about a version that was deleted or
/// destroyed.
#[derive(Deserialize)]
pub(crate) struct Read {
    data: Version,
}

#[derive(Deserialize)]
struct Version {
    data: Option<BTreeMap<String, Value>>,
}

impl Read {
    /// The values of the secret; `None` where its newest version was deleted or destroyed.
    pub(crate) fn values(self) -> Option<BTreeMap<String, Value>> {
        self.data.data
    }
}
