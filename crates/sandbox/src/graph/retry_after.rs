//! `Retry-After`, in the forms that the service uses.

use std::time::Duration;

use chrono::Utc;

/// How a response states when to retry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RetryAfter {
    /// Whole seconds.
    Seconds(u64),
    /// Seconds with a fraction, and the header's name in lower case, as seen inside of batches.
    Decimal(f64),
    /// A point in time, this long from now, to the second.
    Date(Duration),
    /// Without the header.
    Absent,
}

impl RetryAfter {
    /// The header's name and value.
    pub(super) fn header(self) -> Option<(&'static str, String)> {
        match self {
            Self::Seconds(seconds) => Some(("Retry-After", seconds.to_string())),
            Self::Decimal(seconds) => Some(("retry-after", seconds.to_string())),
            Self::Date(later) => {
                let then = (Utc::now() + later).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
                Some(("Retry-After", then))
            }
            Self::Absent => None,
        }
    }
}
