//! What a message of a plan has to be.

use crate::functions::plan::PlannedMessage;
use crate::functions::removal::Identity;

/// What a message of the plan has to be.
pub(super) fn identity(planned: &PlannedMessage) -> Identity {
    let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    Identity { internet_message_id: text(&planned.internet_message_id), received: text(&planned.received) }
}
