//! How the program ends when it is no success: a message, and an exit code. Codes from 20 on are those of SOAR's own
//! framework, as its administrators know them; docs/troubleshooting.md explains them.

use net::tls::TlsError;

/// Everything that has none of its own.
pub const OTHER: u8 = 1;
/// A configuration that cannot be used.
pub const BAD_CONFIGURATION: u8 = 2;
/// A file of certificate authorities cannot be read.
pub const MISSING_CA_FILE: u8 = 22;
/// No TLS, or a certificate that is not trusted.
pub const TLS: u8 = 23;
/// The broker refuses us, or cannot be reached.
pub const BROKER: u8 = 30;
/// SOAR does not say which queue to read.
pub const NO_DESTINATION: u8 = 31;
/// The broker does not let us read the queue.
pub const NOT_AUTHORIZED: u8 = 32;
/// No subscription: not in time, or to nothing.
pub const NOT_SUBSCRIBED: u8 = 33;

/// The end of the program that is no success: its exit code, and what the operator reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// What went wrong, and what to do.
    pub message: String,
}

impl Failure {
    pub(crate) fn new(code: u8, message: &impl ToString) -> Self {
        Self { code, message: message.to_string() }
    }
}

impl From<TlsError> for Failure {
    fn from(error: TlsError) -> Self {
        Self::new(of_tls(&error), &error)
    }
}

impl From<soar::Error> for Failure {
    fn from(error: soar::Error) -> Self {
        Self::new(error.exit_code(), &error)
    }
}

/// That of a TLS stack that cannot be set up.
pub fn of_tls(error: &TlsError) -> u8 {
    match error {
        TlsError::File { what: "CA certificate", .. } => MISSING_CA_FILE,
        _ => BAD_CONFIGURATION,
    }
}

/// That of a broker that does not let us in or subscribe.
pub fn of_broker(failure: &stomp::Error) -> u8 {
    match failure {
        stomp::Error::Untrusted { .. } | stomp::Error::Tls { .. } => TLS,
        stomp::Error::NotAuthorized { .. } => NOT_AUTHORIZED,
        stomp::Error::NoAnswer(_) | stomp::Error::Unconfirmed(_) | stomp::Error::Silent(_) => NOT_SUBSCRIBED,
        _ => BROKER,
    }
}

/// That of a broker's refusal; `None` where it is worth waiting, since another try may do better.
pub fn of_refusal(failure: &stomp::Error) -> Option<u8> {
    match failure {
        stomp::Error::LoginRefused(_)
        | stomp::Error::NotAuthorized { .. }
        | stomp::Error::Untrusted { .. } => Some(of_broker(failure)),
        _ => None,
    }
}
