//! The flag of a message.

use serde::{Deserialize, Serialize};

/// The flag of a message, as far as it can be set (Graph page "followupFlag resource type").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Flag {
    /// `notFlagged`, `flagged` or `complete`.
    pub flag_status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start_date_time: Option<ZonedTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_date_time: Option<ZonedTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    completed_date_time: Option<ZonedTime>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ZonedTime {
    date_time: String,
    time_zone: String,
}
