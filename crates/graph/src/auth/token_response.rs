//! What a token endpoint grants. Entra writes numbers; a machine's identity endpoint writes them as texts, and App
//! Service's names the time of the end instead of the time until then.

use chrono::Utc;
use serde::Deserialize;

/// The answer to a request for a token.
#[derive(Deserialize)]
pub(crate) struct TokenResponse {
    pub(crate) access_token: String,
    #[serde(flatten)]
    end: End,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum End {
    In { expires_in: Number },
    On { expires_on: Number },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Number(u64),
    Text(String),
}

impl TokenResponse {
    /// How many seconds the token lives; `None` where that is no number.
    pub(crate) fn life(&self) -> Option<u64> {
        match &self.end {
            End::In { expires_in } => expires_in.get(),
            End::On { expires_on } => {
                Some(expires_on.get()?.saturating_sub(Utc::now().timestamp().try_into().ok()?))
            }
        }
    }
}

impl Number {
    fn get(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
        }
    }
}
