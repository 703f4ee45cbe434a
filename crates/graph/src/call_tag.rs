//! Tags on messages: an extended property that mail programs do not show. It lets a later try, or another run of the
//! call, find a message that was sent or moved (Graph pages "Outlook extended properties overview", "Create
//! single-value extended property").

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::client::Client;
use crate::error::Error;
use crate::list::ListReader;
use crate::path::{Path, literal};

/// The property's id, in a namespace of this program.
const PROPERTY: &str = "String {8f7c1e52-6d0b-4c3a-a5c9-2b1f0e9d7a46} Name fn-exchange-online-call";
/// A listing with more pages does not end. Pages may be empty while Graph looks for matches.
const MOST_PAGES: usize = 1000;
/// No call tags more messages.
const MOST_TAGGED: usize = 1000;

/// The tag of a call, as it stands in a message's JSON in `singleValueExtendedProperties`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallTag {
    id: &'static str,
    value: String,
}

/// A message that bears a tag.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaggedMessage {
    /// Its id.
    pub id: String,
    /// Whether the message is a draft that was not sent.
    #[serde(default)]
    pub is_draft: bool,
    /// The address where a browser shows it.
    pub web_link: Option<String>,
}

impl CallTag {
    /// Creates the tag that stands for `reference`.
    pub fn of(reference: Uuid) -> Self {
        Self { id: PROPERTY, value: reference.to_string() }
    }

    /// Finds the messages that bear the tag, in one folder of a mailbox or in all of it. It needs the permission to
    /// read mail. Messages from before `since` are left out: Exchange has an index of the time, but none of the tag.
    pub async fn find(
        &self,
        client: &Client,
        mailbox: &str,
        folder: Option<&str>,
        since: Option<DateTime<Utc>>,
    ) -> Result<Vec<TaggedMessage>, Error> {
        let Self { id, value } = self;
        let since = since.map_or_else(String::new, |since| {
            format!("receivedDateTime ge {} and ", since.to_rfc3339_opts(SecondsFormat::Secs, true))
        });
        let filter = format!(
            "{since}singleValueExtendedProperties/Any(ep: ep/id eq {} and ep/value eq {})",
            literal(id),
            literal(value)
        );
        let path = Path::messages(mailbox, folder)?
            .option("$select", "id,isDraft,webLink")
            .option("$filter", &filter);
        ListReader::new(client, mailbox, MOST_PAGES).read::<TaggedMessage, MOST_TAGGED>(path).await
    }
}
