//! A message as a result shows it.

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::criteria::Match;

/// The properties that are only asked for to be compared. Results do not show them.
const COMPARED_ONLY: [&str; 6] =
    ["toRecipients", "ccRecipients", "bccRecipients", "internetMessageHeaders", "body", "attachments"];

/// Returns a message as a result shows it, with the indicators that it meets.
pub(super) fn with_matches(message: Box<RawValue>, matches: &[Match]) -> Box<RawValue> {
    let Ok(mut object) = serde_json::from_str::<Map<String, Value>>(message.get()) else { return message };
    object.retain(|name, _| {
        let name = name.split('@').next().unwrap_or_default();
        !COMPARED_ONLY.contains(&name)
    });
    object.insert("matched".to_owned(), serde_json::json!(matches));
    serde_json::value::to_raw_value(&object).unwrap_or(message)
}
