//! How the program ends: its exit code, and the message of an end that is not a success. Codes from 20 to 33 are those
//! of SOAR's own framework, as its administrators know them; docs/troubleshooting.md explains them.

use crate::config::LoadError;
use net::tls::{PemFile, TlsError};

/// The exit code of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// The program did what it was asked to do.
    Success = 0,
    /// A failure without a code of its own.
    Failed = 1,
    /// A command line or a configuration that cannot be used.
    BadConfiguration = 2,
    /// SOAR cannot be reached, or its answer is unexpected.
    SoarUnavailable = 20,
    /// SOAR refuses the credentials.
    BadCredentials = 21,
    /// A file of certificate authorities cannot be read.
    MissingCaFile = 22,
    /// No TLS connection, or a certificate that is not trusted.
    Tls = 23,
    /// The credentials do not give access to the organisation.
    BadOrganisation = 24,
    /// SOAR does not know the user name, or the password is wrong.
    WrongPassword = 25,
    /// The broker refuses the connection, or cannot be reached.
    Broker = 30,
    /// SOAR does not say which queue to read.
    NoDestination = 31,
    /// The broker does not permit reading the queue.
    NotAuthorized = 32,
    /// No subscription: not in time, or to nothing.
    NotSubscribed = 33,
    /// The password store cannot be reached, or does not serve. No code of SOAR's framework.
    PasswordStore = 40,
    /// Ended by Ctrl-C, as shells count it: 128 and the number of SIGINT.
    Interrupted = 130,
    /// Ended by SIGTERM, counted in the same way.
    Terminated = 143,
}

impl ExitCode {
    /// The code of a TLS stack that cannot be set up.
    pub fn of_tls(error: &TlsError) -> Self {
        match error {
            TlsError::File { file: PemFile::CertificateAuthorities, .. } => Self::MissingCaFile,
            _ => Self::BadConfiguration,
        }
    }

    /// The code of a configuration that cannot be loaded.
    pub fn of_load(error: &LoadError) -> Self {
        use vault::Error;
        match error {
            LoadError::Store(Error::Setup(error)) => Self::of_tls(error),
            LoadError::Store(Error::Untrusted { .. }) => Self::Tls,
            // Something may answer in the place of a store that is just starting.
            LoadError::Store(
                Error::Unreachable { .. } | Error::Unavailable { .. } | Error::NotAnAnswer { .. },
            ) => Self::PasswordStore,
            LoadError::Store(_) | LoadError::Unreadable { .. } | LoadError::Invalid { .. } => {
                Self::BadConfiguration
            }
        }
    }

    /// The code of a request to SOAR that failed, as SOAR's own tools have it.
    pub fn of_soar(error: &soar::Error) -> Self {
        use soar::Error;
        match error {
            Error::Unauthorized { .. } if error.is_wrong_password() => Self::WrongPassword,
            Error::Unauthorized { .. } => Self::BadCredentials,
            Error::Setup(error @ TlsError::File { .. }) => Self::of_tls(error),
            Error::Setup(_) | Error::Untrusted { .. } | Error::Handshake { .. } => Self::Tls,
            Error::NoOrganisation | Error::WrongOrganisation { .. } | Error::OrganisationDisabled { .. } => {
                Self::BadOrganisation
            }
            Error::Unreachable { .. }
            | Error::Refused { .. }
            | Error::Interrupted { .. }
            | Error::NotAnAnswer { .. }
            | Error::Content { .. } => Self::SoarUnavailable,
        }
    }

    /// The code of a broker that refuses the connection or the subscription.
    pub fn of_broker(error: &stomp::Error) -> Self {
        match error {
            stomp::Error::Untrusted { .. } | stomp::Error::Tls { .. } => Self::Tls,
            stomp::Error::NotAuthorized { .. } => Self::NotAuthorized,
            stomp::Error::NoAnswer(_) | stomp::Error::Unconfirmed(_) | stomp::Error::Silent(_) => {
                Self::NotSubscribed
            }
            _ => Self::Broker,
        }
    }

    /// The code of a refusal by the broker; `None` where another attempt may succeed.
    pub fn of_refusal(error: &stomp::Error) -> Option<Self> {
        match error {
            stomp::Error::LoginRefused(_)
            | stomp::Error::NotAuthorized { .. }
            | stomp::Error::Untrusted { .. } => Some(Self::of_broker(error)),
            _ => None,
        }
    }
}

/// An end of the program that is not a success: its exit code, and the message for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The exit code.
    pub code: ExitCode,
    /// What went wrong, and what to do.
    pub message: String,
}

impl Failure {
    pub(crate) fn new(code: ExitCode, message: &impl ToString) -> Self {
        Self { code, message: message.to_string() }
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self::new(ExitCode::of_load(&error), &error)
    }
}

impl From<TlsError> for Failure {
    fn from(error: TlsError) -> Self {
        Self::new(ExitCode::of_tls(&error), &error)
    }
}

impl From<soar::Error> for Failure {
    fn from(error: soar::Error) -> Self {
        Self::new(ExitCode::of_soar(&error), &error)
    }
}
