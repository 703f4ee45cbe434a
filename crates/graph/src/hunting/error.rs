//! Why hunting is not possible, with what an administrator can do about it.

use super::HUNTING_PERMISSION;
use crate::error::Error;
use crate::error_code::Meaning;

/// Why a hunting query failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HuntingError {
    /// The application lacks the permission, or the tenant lacks the licence.
    #[error(
        "advanced hunting needs the application permission {HUNTING_PERMISSION} and a licence of Microsoft Defender for \
         Office 365 Plan 2. {0}"
    )]
    NotPermitted(Error),
    /// This Graph has no advanced hunting.
    #[error(
        "this Microsoft Graph has no advanced hunting; only the global cloud and those of the US government have it. {0}"
    )]
    NotInThisCloud(Error),
    /// Any other failure.
    #[error("{0}")]
    Failed(Error),
}

impl HuntingError {
    pub(super) fn of(error: Error) -> Self {
        let segment = "resource not found for the segment";
        let is_unknown =
            error.refusal().is_some_and(|refusal| refusal.message.to_ascii_lowercase().contains(segment));
        match error.status() {
            Some(403) if error.meaning() == Some(Meaning::Forbidden) => Self::NotPermitted(error),
            Some(404) => Self::NotInThisCloud(error),
            Some(400) if is_unknown => Self::NotInThisCloud(error),
            _ => Self::Failed(error),
        }
    }

    /// Returns the failure of the request.
    pub fn error(&self) -> &Error {
        match self {
            Self::NotPermitted(error) | Self::NotInThisCloud(error) | Self::Failed(error) => error,
        }
    }

    /// Returns the text that the log may hold.
    pub fn for_log(&self) -> String {
        self.error().for_log()
    }
}
