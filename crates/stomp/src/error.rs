//! Why no connection to the broker exists, in kinds that a caller can distinguish and texts that an operator can act
//! on.

use std::time::Duration;

use net::untrusted::text::excerpt;
use net::{Scrubber, Secret};

use super::ServerCommand;
use super::codec::CodecError;
use super::frame::Frame;

/// Why a connection to the broker was not made, or was closed. None of these ends a session: it connects again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No TCP connection: unknown host, no route, no listener, no answer.
    #[error("cannot reach the broker at {address}: {reason}")]
    Unreachable {
        /// Host and port.
        address: String,
        /// What the system says.
        reason: String,
    },
    /// The proxy to the broker cannot be reached, or does not connect to the broker.
    #[error("the proxy {proxy} (stomp_proxy) does not lead to the broker at {address}: {reason}")]
    Proxy {
        /// Host and port of the proxy.
        proxy: String,
        /// Host and port of the broker.
        address: String,
        /// What the proxy did.
        reason: String,
    },
    /// The broker's certificate is not trusted.
    #[error("the certificate of the broker at {address} is not trusted: {reason}")]
    Untrusted {
        /// Host and port.
        address: String,
        /// What is wrong with the certificate.
        reason: String,
    },
    /// TLS failed for another reason than the certificate.
    #[error("no TLS connection to the broker at {address}: {reason}")]
    Tls {
        /// Host and port.
        address: String,
        /// What went wrong.
        reason: String,
    },
    /// The broker accepted the TLS connection, but did not answer the CONNECT in this time.
    #[error("the broker took the connection but did not answer within {0:?}")]
    NoAnswer(Duration),
    /// User name or password are wrong, or cannot be sent.
    #[error("the broker refused the login: {0}")]
    LoginRefused(String),
    /// The broker is up, but the service that checks its logins is not. The session waits for it.
    #[error("the broker cannot check the login at present: {0}")]
    AuthenticationUnavailable(String),
    /// The login is not allowed to read this queue.
    #[error("the login is not authorised to read from {destination}: {reason}")]
    NotAuthorized {
        /// The destination of the subscription.
        destination: String,
        /// What the broker says.
        reason: String,
    },
    /// The broker chose another version than the one offered.
    #[error("the broker answers in STOMP {0}, but only STOMP 1.2 was offered")]
    Version(String),
    /// The bytes are not STOMP, or do not answer what was sent.
    #[error("the broker does not keep to STOMP 1.2: {0}")]
    Protocol(String),
    /// An ERROR frame of another kind.
    #[error("the broker reported an error: {0}")]
    Broker(String),
    /// The broker closed the connection without an ERROR.
    #[error("the broker closed the connection")]
    Closed,
    /// The connection broke.
    #[error("the connection to the broker broke: {0}")]
    Broken(String),
    /// Neither a frame nor a heart-beat came for this time.
    #[error("nothing was heard from the broker for {0:?}")]
    Silent(Duration),
    /// A receipt did not come for this time.
    #[error("the broker did not confirm within {0:?}")]
    Unconfirmed(Duration),
}

impl From<CodecError> for Error {
    fn from(error: CodecError) -> Self {
        match error {
            CodecError::Io(error) => Self::Broken(error.to_string()),
            other => Self::Protocol(other.to_string()),
        }
    }
}

/// The longest text taken over from an ERROR frame, in characters.
const LONGEST_TEXT: usize = 300;

/// The text of an ERROR frame: its `message` header and, where that adds something, the first line of its body. The
/// passcode is removed, in case the broker repeats it.
pub(super) fn error_text(frame: &Frame<ServerCommand>, passcode: &Secret) -> String {
    let message = frame.header("message").unwrap_or_default().trim();
    let body = String::from_utf8_lossy(&frame.body);
    let first_line = body.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let text = match (message, first_line) {
        ("", "") => "no reason was given".to_owned(),
        ("", line) => line.to_owned(),
        (message, line) if line.is_empty() || line.contains(message) => message.to_owned(),
        (message, line) => format!("{message} ({line})"),
    };
    excerpt(&Scrubber::new([passcode]).scrub(&text), LONGEST_TEXT)
}

impl Error {
    /// The kind of an ERROR that answers a CONNECT.
    pub(super) fn of_login(text: String) -> Self {
        const ABOUT_THE_LOGIN: [&str; 7] =
            ["password", "user name", "username", "login", "credential", "authenticat", "not authorized"];
        let words = text.to_lowercase();
        if words.contains(AUTHENTICATION_SERVICE) {
            Self::AuthenticationUnavailable(text)
        } else if ABOUT_THE_LOGIN.iter().any(|word| words.contains(word)) {
            Self::LoginRefused(text)
        } else {
            Self::Broker(text)
        }
    }

    /// The kind of an ERROR that answers a SUBSCRIBE to `destination`.
    pub(super) fn of_subscription(destination: &str, text: String) -> Self {
        if text.to_lowercase().contains("not authorized") {
            Self::NotAuthorized { destination: destination.to_owned(), reason: text }
        } else {
            Self::of_error(text)
        }
    }

    /// The kind of an ERROR that names no request.
    pub(super) fn of_error(text: String) -> Self {
        if text.to_lowercase().contains(AUTHENTICATION_SERVICE) {
            Self::AuthenticationUnavailable(text)
        } else {
            Self::Broker(text)
        }
    }
}

/// Part of the text of SOAR's broker when it cannot reach the service that checks logins.
const AUTHENTICATION_SERVICE: &str = "authentication service";
