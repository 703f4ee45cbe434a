//! A page of messages, as Graph lists them.

use serde::Deserialize;
use serde_json::value::RawValue;

use net::untrusted::json::Bounded;

/// Graph puts at most 1,000 messages on a page.
const MOST_ON_PAGE: usize = 10_000;

/// A page of messages. Each is kept as Graph wrote it.
#[derive(Deserialize)]
pub(crate) struct Page {
    pub(crate) value: Bounded<Box<RawValue>, MOST_ON_PAGE>,
    #[serde(rename = "@odata.nextLink")]
    pub(crate) next: Option<String>,
}
