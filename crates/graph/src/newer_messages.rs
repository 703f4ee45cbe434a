//! The messages that a mailbox received since a time, with few properties of each (Graph page "List messages").

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;

use crate::client::{Client, Dispatch};
use crate::error::Error;
use crate::list::ListReader;
use crate::models::Correspondent;
use crate::path::Path;

/// Messages on one page.
const PAGE: usize = 500;
/// Of more messages, those that follow are not read.
const MOST: usize = 20_000;
const MOST_PAGES: usize = 100;

/// What is known of a message that was received since.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewerMessage {
    /// The immutable id.
    pub id: String,
    /// The Message-ID.
    pub internet_message_id: Option<String>,
    /// The time of reception as Graph writes it.
    pub received_date_time: Option<String>,
    /// The subject.
    pub subject: Option<String>,
    from: Option<Correspondent>,
}

impl NewerMessage {
    /// The address of the author.
    pub fn author(&self) -> &str {
        self.from.as_ref().and_then(Correspondent::address).unwrap_or_default()
    }
}

/// Lists the messages that `mailbox` received at `since` or later, in all folders.
///
/// # Errors
/// They cannot be listed, or not all of them.
pub async fn newer_messages(
    client: &Client,
    dispatch: &Dispatch,
    mailbox: &str,
    since: DateTime<Utc>,
) -> Result<Vec<NewerMessage>, Error> {
    let since = since.to_rfc3339_opts(SecondsFormat::Secs, true);
    let path = Path::messages(mailbox, None)?
        .option("$filter", &format!("receivedDateTime ge {since}"))
        .option("$select", "id,internetMessageId,receivedDateTime,subject,from")
        .option("$top", &PAGE.to_string());
    let mut lists = ListReader::new(client, mailbox, MOST_PAGES).by(dispatch);
    lists.read::<NewerMessage, MOST>(path).await
}
