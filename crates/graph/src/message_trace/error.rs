//! Why a message trace is not possible, with what an administrator can do about it.

use super::TRACE_PERMISSION;
use crate::error::Error;
use crate::error_code::Meaning;

/// Microsoft's application that serves the message trace.
const SERVICE: &str = "8bd644d1-64a1-4d4b-ae52-2e0cbf64e373";

const MISSING_SERVICE: &str = "The tenant lacks the service principal of Microsoft's application for the message trace. An \
                               administrator creates it with: New-MgServicePrincipal -AppId \
                               8bd644d1-64a1-4d4b-ae52-2e0cbf64e373. It can take hours until it works.";
const OTHER_CLOUD: &str = "This Microsoft Graph has no message trace; only the global cloud has it.";

/// Why a message trace failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TraceError {
    /// The application lacks the permission.
    #[error(
        "the message trace needs the application permission {TRACE_PERMISSION}, which is missing. Add it to the app \
         registration and grant admin consent. {0}"
    )]
    MissingPermission(Error),
    /// The tenant lacks the service principal of Microsoft's application.
    #[error("{MISSING_SERVICE} {0}")]
    MissingServicePrincipal(Error),
    /// This Graph has no message trace.
    #[error("{OTHER_CLOUD} {0}")]
    NotInThisCloud(Error),
    /// Any other failure.
    #[error("{0}")]
    Failed(Error),
}

impl TraceError {
    pub(super) fn of(error: Error) -> Self {
        let message = error.refusal().map(|refusal| refusal.message.to_ascii_lowercase()).unwrap_or_default();
        match error.status() {
            Some(401 | 403) if message.contains(SERVICE) || message.contains("service principal-less") => {
                Self::MissingServicePrincipal(error)
            }
            Some(403) if error.meaning() == Some(Meaning::Forbidden) => Self::MissingPermission(error),
            Some(404) => Self::NotInThisCloud(error),
            Some(400) if message.contains("resource not found for the segment") => {
                Self::NotInThisCloud(error)
            }
            _ => Self::Failed(error),
        }
    }

    /// Whether every other request of the trace would fail in the same way.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::MissingPermission(_) | Self::MissingServicePrincipal(_) | Self::NotInThisCloud(_) => true,
            Self::Failed(error) => error.is_for_all(),
        }
    }

    /// Returns what an administrator can do, as a sentence, where that is not only a permission.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::MissingServicePrincipal(_) => Some(MISSING_SERVICE),
            Self::NotInThisCloud(_) => Some(OTHER_CLOUD),
            Self::MissingPermission(_) | Self::Failed(_) => None,
        }
    }

    /// Returns the failure of the request.
    pub fn into_error(self) -> Error {
        match self {
            Self::MissingPermission(error)
            | Self::MissingServicePrincipal(error)
            | Self::NotInThisCloud(error)
            | Self::Failed(error) => error,
        }
    }

    /// Returns the failure of the request.
    pub fn error(&self) -> &Error {
        match self {
            Self::MissingPermission(error)
            | Self::MissingServicePrincipal(error)
            | Self::NotInThisCloud(error)
            | Self::Failed(error) => error,
        }
    }

    /// Returns the text that the log may hold.
    pub fn for_log(&self) -> String {
        self.error().for_log()
    }
}
