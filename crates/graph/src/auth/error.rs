//! Why there is no access token.

use std::fmt;

/// Why there is no access token.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TokenError {
    /// Entra ID, or the machine's identity endpoint, refused the credential.
    #[error(
        "Microsoft Entra ID refused the sign-in of {application} with HTTP status {status}, {error}: {description}{}. \
         Check {check} in app.config",
        TraceId(trace_id)
    )]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The application or identity that signed in, and the kind of its credential.
        application: String,
        /// The options to check.
        check: String,
        /// OAuth's `error`.
        error: String,
        /// The first line of `error_description`; it holds Entra's code (AADSTS…).
        description: String,
        /// Microsoft's id of the attempt.
        trace_id: Option<String>,
    },
    /// The credential cannot be used: a file is missing or has the wrong content. Nothing was sent.
    #[error("no access token was asked for, because {option} of app.config does not do: {reason}")]
    Credential {
        /// The option.
        option: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The token endpoint could not be reached, or its response is not valid.
    #[error("no access token could be fetched from {url}: {reason}")]
    Unavailable {
        /// The endpoint.
        url: String,
        /// What went wrong.
        reason: String,
    },
}

/// Writes ` (trace id …)`, where there is one.
struct TraceId<'a>(&'a Option<String>);

impl fmt::Display for TraceId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |id| write!(f, " (trace id {id})"))
    }
}
