//! The mark on a message whose calendar entry was removed: what the entry was.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::entry::{CalendarEntry, EntryDetails};
use crate::change::ChangePermit;
use crate::client::{Client, Dispatch};
use crate::error::Error;
use crate::own_property::{Properties, property};
use crate::path::Path;
use crate::request::Request;

pub(crate) const PROPERTY: &str = property!("fn-exchange-online-meeting-mark");
const VERSION: u32 = 1;
/// No mark is longer, in bytes. An entry that would make it longer is not marked.
const LONGEST: usize = 12 << 10;

/// What a message's calendar entry was before it was removed, and on whose behalf it was. The entry's text is that of
/// the message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeetingMark {
    version: u32,
    /// The plan's digest, or the reference of the call.
    pub job: String,
    /// The identifier of the meeting.
    pub uid: String,
    /// How the calendar's owner had answered.
    pub response: String,
    /// The entry.
    pub details: EntryDetails,
}

impl MeetingMark {
    /// The mark for the removal of `entry` on behalf of `job`.
    pub fn of(entry: &CalendarEntry, job: &str) -> Self {
        Self {
            version: VERSION,
            job: job.to_owned(),
            uid: entry.uid.clone(),
            response: entry.response().to_owned(),
            details: entry.details.clone(),
        }
    }

    /// The mark among these properties. The owner of the mailbox can write anything there.
    pub(crate) fn among(properties: &Properties) -> Option<Self> {
        let value = properties.value(PROPERTY).filter(|value| value.len() <= LONGEST)?;
        serde_json::from_str(value).ok().filter(|mark: &Self| mark.version == VERSION)
    }
}

/// Writes `mark` on a message. Returns whether it was written: one that is too long is not.
pub async fn mark_meeting(
    client: &Client,
    dispatch: &Dispatch,
    mailbox: &str,
    id: &str,
    mark: &MeetingMark,
    permit: &(impl ChangePermit + ?Sized),
) -> Result<bool, Error> {
    let text = serde_json::to_string(mark).unwrap_or_default();
    if text.is_empty() || text.len() > LONGEST {
        return Ok(false);
    }
    let path = Path::message(mailbox, None, id)?;
    let body = json!({"singleValueExtendedProperties": [{"id": PROPERTY, "value": text}]});
    let request = Request::patch(path, body.to_string().into(), permit).in_mailbox(mailbox);
    client.send_by(dispatch, &request).await?;
    Ok(true)
}
