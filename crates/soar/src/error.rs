//! How a request to SOAR fails, with texts for the operator and for the analyst.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use net::tls::{self, TlsError};

/// Why a request to SOAR failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// TLS cannot be set up, or a file for it cannot be read.
    #[error("cannot set up the connection to SOAR: {0}")]
    Setup(#[from] TlsError),
    /// No connection was made: unknown name, no route, no listener, no answer.
    #[error("cannot reach SOAR at {server}: {reason}")]
    Unreachable {
        /// Host and port.
        server: String,
        /// The network's error.
        reason: String,
    },
    /// The certificate of SOAR, or of a proxy before it, is not trusted.
    #[error(
        "the certificate of SOAR at {server} is not trusted: {reason}. Trusted are the system's certificate \
         authorities and those of cafile"
    )]
    Untrusted {
        /// Host and port.
        server: String,
        /// The reason.
        reason: String,
    },
    /// The TLS handshake failed for another reason than the certificate.
    #[error("no TLS connection to SOAR at {server}: {reason}")]
    Handshake {
        /// Host and port.
        server: String,
        /// The reason.
        reason: String,
    },
    /// HTTP status 401.
    #[error("SOAR does not accept {credentials} (HTTP status 401{})", suffix(message.as_deref()))]
    Unauthorized {
        /// The options with the credentials that SOAR does not accept.
        credentials: Credentials,
        /// SOAR's message.
        message: Option<String>,
    },
    /// The account belongs to no organisation.
    #[error("the account that signs in to SOAR is a member of no organisation")]
    NoOrganisation,
    /// None of the account's organisations is the configured one.
    #[error(
        "{configured:?} (org) is not an organisation of the account that signs in to SOAR; it is a member of: {}",
        available.join(", ")
    )]
    WrongOrganisation {
        /// The option's value.
        configured: String,
        /// The names of the account's organisations.
        available: Vec<String>,
    },
    /// The organisation is not enabled for the account.
    #[error(
        "the organisation {name:?} is not enabled for this account from the address {address}; \
         SOAR may allow other addresses only"
    )]
    OrganisationDisabled {
        /// The organisation.
        name: String,
        /// The network address that SOAR sees.
        address: String,
    },
    /// SOAR answered with an error.
    #[error("SOAR answered the attempt to {attempt} with HTTP status {status}{}", suffix(message.as_deref()))]
    Refused {
        /// The purpose of the request, as in "the attempt to …".
        attempt: String,
        /// The HTTP status.
        status: u16,
        /// SOAR's message.
        message: Option<String>,
        /// `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// The connection broke, or SOAR stopped answering, after the request was sent: SOAR may have carried it out.
    #[error("the connection to SOAR failed while trying to {attempt}: {reason}")]
    Interrupted {
        /// The purpose of the request.
        attempt: String,
        /// The network's error.
        reason: String,
    },
    /// The answer does not have the form of SOAR's answers.
    #[error("what came back from SOAR on trying to {attempt} is not its answer: {reason}")]
    NotAnAnswer {
        /// The purpose of the request.
        attempt: String,
        /// The reason.
        reason: String,
    },
    /// The content of an attachment could not be read to its end; SOAR has no attachment.
    #[error("cannot {attempt}: its content could not be read: {source}")]
    Content {
        /// The purpose of the request.
        attempt: String,
        /// The error of the content's source.
        source: Box<dyn StdError + Send + Sync>,
    },
}

/// Part of SOAR's message about a wrong password or an unknown account.
const WRONG_PASSWORD: &str = "Invalid user name or password";

/// The kind of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credentials {
    /// `api_key_id` and `api_key_secret`.
    ApiKey,
    /// `email` and `password`.
    Password,
}

impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ApiKey => "the API key; check api_key_id and api_key_secret",
            Self::Password => "the e-mail address and password; check email and password",
        })
    }
}

fn suffix(message: Option<&str>) -> String {
    message.map(|message| format!(": {message}")).unwrap_or_default()
}

impl Error {
    /// Whether SOAR does not know the user name, or the password is wrong. SOAR says the same of a wrong API key.
    pub fn is_wrong_password(&self) -> bool {
        matches!(
            self,
            Self::Unauthorized { credentials: Credentials::Password, message: Some(message) }
                if message.contains(WRONG_PASSWORD)
        )
    }

    /// The text for the log: without SOAR's message, which may quote the request.
    pub fn for_log(&self) -> String {
        match self {
            Self::Refused { attempt, status, .. } => {
                format!("SOAR answered the attempt to {attempt} with HTTP status {status}")
            }
            Self::Unauthorized { credentials, .. } => {
                format!("SOAR does not accept {credentials} (HTTP status 401)")
            }
            // The source may be Graph, with a message of its own.
            Self::Content { attempt, .. } => format!("cannot {attempt}: its content could not be read"),
            other => other.to_string(),
        }
    }

    /// The error of a request that held the password. SOAR's message may quote the password in some form, so only the
    /// fact that it is wrong is kept.
    pub(super) fn of_password(mut self) -> Self {
        if let Self::Unauthorized { message, .. } | Self::Refused { message, .. } = &mut self {
            let wrong = message.take().filter(|text| text.contains(WRONG_PASSWORD));
            *message = wrong.map(|_| format!("{WRONG_PASSWORD}."));
        }
        self
    }

    /// The HTTP status, if SOAR answered with an error.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::Unauthorized { .. } => Some(401),
            _ => None,
        }
    }

    /// Whether SOAR certainly did not carry the request out, and may do so later: any request may be repeated.
    pub(super) fn is_put_off(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            // Not 503: a load balancer may answer 503 after SOAR has begun.
            Self::Refused { status, .. } => *status == 429,
            _ => false,
        }
    }

    /// Whether SOAR may have carried the request out.
    pub fn is_indeterminate(&self) -> bool {
        match self {
            Self::Interrupted { .. } | Self::NotAnAnswer { .. } => true,
            Self::Refused { status, .. } => *status >= 500,
            _ => false,
        }
    }

    /// Whether a repeat may succeed, if a repeat is harmless.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Interrupted { .. } | Self::NotAnAnswer { .. } => true,
            Self::Refused { status, .. } => *status >= 500 || *status == 429,
            other => other.is_put_off(),
        }
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The meaning of the HTTP library's error for a request to `server` with the purpose `attempt`.
    pub(super) fn of_network(error: &reqwest::Error, server: &str, attempt: &str) -> Self {
        let server = server.to_owned();
        if let Some(reason) = tls::refused_certificate(error) {
            return Self::Untrusted { server, reason: tls::refusal_words(reason) };
        }
        if let Some(reason) = tls::rustls_error(error) {
            return Self::Handshake { server, reason: reason.to_string() };
        }
        let reason = words(error);
        if error.is_connect() {
            Self::Unreachable { server, reason }
        } else {
            Self::Interrupted { attempt: attempt.to_owned(), reason }
        }
    }
}

/// The innermost cause, with a plain text for the common ones. Never the URL.
fn words(error: &reqwest::Error) -> String {
    if error.is_dns() {
        return "its name cannot be resolved".to_owned();
    }
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    let io_kind = causes.clone().find_map(|cause| Some(cause.downcast_ref::<io::Error>()?.kind()));
    match (io_kind, causes.last()) {
        (Some(io::ErrorKind::ConnectionRefused), _) => {
            "connection refused; no server listens there".to_owned()
        }
        (Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable), _) => {
            "there is no route to it".to_owned()
        }
        (Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe), _) => {
            "the connection was closed by the other side".to_owned()
        }
        (_, Some(cause)) => cause.to_string(),
        (_, None) => "the connection failed".to_owned(),
    }
}
