//! A line of the log as it would be written, for property tests.

use tracing::Level;

use super::line::{Fields, Line};
use crate::config::LogFormat;

/// The line of an event that says `message` with a field of `value`.
pub(crate) fn line(format: LogFormat, message: &str, value: &str) -> String {
    let fields = Fields::of(message, "value", value);
    Line::new(Level::INFO, "audit", fields).written(format).to_string()
}
