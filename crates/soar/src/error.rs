//! How a request to SOAR fails, in words for the operator and for the analyst whose call it was.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use net::tls::{self, TlsError};

/// Why SOAR did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The TLS stack, or a file it needs.
    #[error("cannot set up the connection to SOAR: {0}")]
    Setup(#[from] TlsError),
    /// The connection was never made: no such name, no route, nobody listening, no answer.
    #[error("cannot reach SOAR at {server}: {reason}")]
    Unreachable {
        /// Host and port.
        server: String,
        /// What the network said.
        reason: String,
    },
    /// SOAR's certificate, or that of a proxy before it, is not believed.
    #[error(
        "the certificate of SOAR at {server} is not trusted: {reason}. Trusted are the system's certificate \
         authorities and those of cafile"
    )]
    Untrusted {
        /// Host and port.
        server: String,
        /// Why not.
        reason: String,
    },
    /// The two sides found no way to speak TLS with each other.
    #[error("no TLS connection to SOAR at {server}: {reason}")]
    Handshake {
        /// Host and port.
        server: String,
        /// Why not.
        reason: String,
    },
    /// HTTP status 401.
    #[error("SOAR does not accept {credentials} (HTTP status 401{})", said(message.as_deref()))]
    Unauthorized {
        /// Which options hold what it does not accept.
        credentials: Credentials,
        /// SOAR's own words.
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
        /// The names of those the account belongs to.
        available: Vec<String>,
    },
    /// The organisation is not enabled for us.
    #[error(
        "the organisation {name:?} is not enabled for this account from the address {address}; \
         SOAR may allow other addresses only"
    )]
    OrganisationDisabled {
        /// The organisation.
        name: String,
        /// Where SOAR sees us.
        address: String,
    },
    /// SOAR answered with an error.
    #[error("SOAR answered the attempt to {attempt} with HTTP status {status}{}", said(message.as_deref()))]
    Refused {
        /// What was tried, as in "the attempt to …".
        attempt: String,
        /// The HTTP status.
        status: u16,
        /// SOAR's own words.
        message: Option<String>,
        /// `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// The connection broke, or SOAR fell silent, after the request was sent: it may have been done or not.
    #[error("the connection to SOAR failed while trying to {attempt}: {reason}")]
    Interrupted {
        /// What was tried.
        attempt: String,
        /// What the network said.
        reason: String,
    },
    /// What came back is not what SOAR answers.
    #[error("what came back from SOAR on trying to {attempt} is not its answer: {reason}")]
    NotAnAnswer {
        /// What was tried.
        attempt: String,
        /// Why not.
        reason: String,
    },
    /// What was to be attached could not be read to its end; nothing was attached.
    #[error("cannot {attempt}: its content could not be read: {source}")]
    Content {
        /// What was tried.
        attempt: String,
        /// What the content's source said.
        source: Box<dyn StdError + Send + Sync>,
    },
}

/// What SOAR says of a password or an account that it does not know.
const WRONG_PASSWORD: &str = "Invalid user name or password";

/// What we signed in with.
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

fn said(message: Option<&str>) -> String {
    message.map(|message| format!(": {message}")).unwrap_or_default()
}

impl Error {
    /// The exit code of the self test and of `run`, as SOAR's administrators know them from its own tools:
    /// 20 no connection or an unexpected answer, 21 refused credentials, 22 missing CA file, 23 TLS, 24 not a
    /// member of the organisation, 25 wrong user name or password.
    pub fn exit_code(&self) -> u8 {
        match self {
            // SOAR says so of a wrong key, too.
            Self::Unauthorized { credentials: Credentials::Password, message: Some(message) }
                if message.contains(WRONG_PASSWORD) =>
            {
                25
            }
            Self::Unauthorized { .. } => 21,
            Self::Setup(TlsError::File { what: "CA certificate", .. }) => 22,
            Self::Setup(TlsError::File { .. }) => 2,
            Self::Setup(_) | Self::Untrusted { .. } | Self::Handshake { .. } => 23,
            Self::NoOrganisation | Self::WrongOrganisation { .. } | Self::OrganisationDisabled { .. } => 24,
            Self::Unreachable { .. }
            | Self::Refused { .. }
            | Self::Interrupted { .. }
            | Self::NotAnAnswer { .. }
            | Self::Content { .. } => 20,
        }
    }

    /// What the log may hold of it: all but SOAR's own words, which may quote what was sent.
    pub fn for_log(&self) -> String {
        match self {
            Self::Refused { attempt, status, .. } => {
                format!("SOAR answered the attempt to {attempt} with HTTP status {status}")
            }
            Self::Unauthorized { credentials, .. } => {
                format!("SOAR does not accept {credentials} (HTTP status 401)")
            }
            // The source may be Graph, with its own words.
            Self::Content { attempt, .. } => format!("cannot {attempt}: its content could not be read"),
            other => other.to_string(),
        }
    }

    /// The same of a request that held the password. SOAR's words may quote it, in whatever form, so all that is kept of
    /// them is whether it is wrong.
    pub(super) fn of_password(mut self) -> Self {
        if let Self::Unauthorized { message, .. } | Self::Refused { message, .. } = &mut self {
            let wrong = message.take().filter(|said| said.contains(WRONG_PASSWORD));
            *message = wrong.map(|_| format!("{WRONG_PASSWORD}."));
        }
        self
    }

    /// The HTTP status, where SOAR answered with an error.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::Unauthorized { .. } => Some(401),
            _ => None,
        }
    }

    /// SOAR certainly did not do it, and may do it later: a repeat is right whatever the request.
    pub(super) fn is_put_off(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            // Not 503: a balancer may say so after SOAR has begun.
            Self::Refused { status, .. } => *status == 429,
            _ => false,
        }
    }

    /// SOAR may have done it, or not.
    pub fn is_indeterminate(&self) -> bool {
        match self {
            Self::Interrupted { .. } | Self::NotAnAnswer { .. } => true,
            Self::Refused { status, .. } => *status >= 500,
            _ => false,
        }
    }

    /// A repeat may do better, where it does no harm.
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

    /// What the HTTP library's error means for a request to `server` that tried to `attempt`.
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

/// The innermost cause, in plain words where there are some. Never the URL.
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
        (Some(io::ErrorKind::ConnectionRefused), _) => "connection refused; nobody listens there".to_owned(),
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
