//! Exit codes that stand for one thing each, as SOAR's administrators know them from its own framework. `run` and
//! `selftest` end with them; docs/troubleshooting.md explains them.

use crate::soar;
use crate::stomp::Failure;
use crate::tls::TlsError;

/// Everything that has none of its own.
pub(super) const OTHER: u8 = 1;
/// A configuration that cannot be used.
pub(super) const BAD_CONFIGURATION: u8 = 2;
/// A file of certificate authorities cannot be read.
pub(super) const MISSING_CA_FILE: u8 = 22;
/// No TLS, or a certificate that is not trusted.
pub(super) const TLS: u8 = 23;
/// The broker refuses us, or cannot be reached.
pub(super) const BROKER: u8 = 30;
/// SOAR does not say which queue to read.
pub(super) const NO_DESTINATION: u8 = 31;
/// The broker does not let us read the queue.
pub(super) const NOT_AUTHORIZED: u8 = 32;
/// No subscription: not in time, or to nothing.
pub(super) const NOT_SUBSCRIBED: u8 = 33;

/// That of a TLS stack that cannot be set up.
pub(super) fn of_tls(error: &TlsError) -> u8 {
    match error {
        TlsError::File { what: "CA certificate", .. } => MISSING_CA_FILE,
        _ => BAD_CONFIGURATION,
    }
}

/// That of a SOAR that does not answer as it should.
pub(super) fn of_soar(error: &soar::Error) -> u8 {
    error.exit_code()
}

/// That of a broker that does not let us in or subscribe.
pub(super) fn of_broker(failure: &Failure) -> u8 {
    match failure {
        Failure::Untrusted { .. } | Failure::Tls { .. } => TLS,
        Failure::NotAuthorized { .. } => NOT_AUTHORIZED,
        Failure::NoAnswer(_) | Failure::Unconfirmed(_) | Failure::Silent(_) => NOT_SUBSCRIBED,
        Failure::Unreachable { .. }
        | Failure::LoginRefused(_)
        | Failure::AuthenticationUnavailable(_)
        | Failure::Version(_)
        | Failure::Protocol(_)
        | Failure::Broker(_)
        | Failure::Closed
        | Failure::Broken(_) => BROKER,
    }
}
