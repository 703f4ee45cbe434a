//! What a token endpoint answers when it grants a token. Entra writes numbers; an identity endpoint writes them
//! as texts, App Service's names the time of the end instead of the time until then, and others write fractions.

use chrono::Utc;
use serde::Deserialize;

/// The lifetime of a token where the answer does not name it, in seconds (RFC 6749, 5.1 only recommends that it does):
/// shorter than any that Entra ID grants.
const DEFAULT_LIFE: u64 = 600;

/// The answer to a request for a token.
#[derive(Deserialize)]
pub(crate) struct TokenResponse {
    pub(crate) access_token: String,
    expires_in: Option<Number>,
    expires_on: Option<Number>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Number(f64),
    Text(String),
}

impl TokenResponse {
    /// Returns how many seconds the token lives; `None` where what it says is not a number.
    pub(crate) fn life(&self) -> Option<u64> {
        match (&self.expires_in, &self.expires_on) {
            (Some(expires_in), _) => expires_in.get(),
            (None, Some(expires_on)) => {
                Some(expires_on.get()?.saturating_sub(Utc::now().timestamp().try_into().ok()?))
            }
            (None, None) => Some(DEFAULT_LIFE),
        }
    }
}

impl Number {
    fn get(&self) -> Option<u64> {
        let number = match self {
            Self::Number(number) => *number,
            Self::Text(text) => text.trim().parse().ok()?,
        };
        // Seconds are whole, and no life is too long for this.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        (number.is_finite() && number >= 0.0).then_some(number as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(end: &str) -> Option<u64> {
        serde_json::from_str::<TokenResponse>(&format!(r#"{{"access_token": "t"{end}}}"#)).ok()?.life()
    }

    #[test]
    fn lifetime_is_number_text_fraction_or_absent() {
        assert_eq!(life(r#", "expires_in": 3599"#), Some(3599));
        assert_eq!(life(r#", "expires_in": "3599""#), Some(3599));
        assert_eq!(life(r#", "expires_in": 3599.5"#), Some(3599));
        assert_eq!(life(r#", "expires_in": null"#), Some(600));
        assert_eq!(life(""), Some(600));
        for wrong in [r#", "expires_in": "soon""#, r#", "expires_in": -1"#, r#", "expires_in": {}"#] {
            assert_eq!(life(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn end_is_a_time_where_the_lifetime_is_absent() {
        let end = Utc::now().timestamp() + 100;
        let left = life(&format!(r#", "expires_on": "{end}""#)).unwrap();
        assert!((98..=100).contains(&left), "{left}");
    }
}
