//! The claims of an access token, for diagnosis. Microsoft asks applications to treat tokens as opaque, so no function
//! may depend on them.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::auth::token::Token;

/// The payload of an access token, as far as it helps to find a mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The application permissions with admin consent (`roles`).
    pub roles: BTreeSet<String>,
    /// When the token ends, if it says so (`exp`).
    pub expires: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
struct Payload {
    // A token without any permission does not have this claim.
    #[serde(default)]
    roles: BTreeSet<String>,
    exp: Option<i64>,
}

impl Claims {
    /// Reads the claims; `None` where the token cannot be read.
    pub(crate) fn of(token: &Token) -> Option<Self> {
        let payload = token.header.to_str().ok()?.split('.').nth(1)?;
        let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        let Payload { roles, exp } = serde_json::from_slice(&payload).ok()?;
        Some(Self { roles, expires: exp.and_then(|seconds| DateTime::from_timestamp(seconds, 0)) })
    }
}
