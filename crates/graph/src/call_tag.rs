//! Marks on messages: a property of our own, which nobody sees, by which a message that was sent or moved can be
//! found again (Graph pages "Outlook extended properties overview", "Create single-value extended property").

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::client::{Client, Request};
use super::error::Error;
use super::path::{Path, literal};
use net::untrusted::json::Bounded;

/// The property's id, in a namespace of its own.
const PROPERTY: &str = "String {8f7c1e52-6d0b-4c3a-a5c9-2b1f0e9d7a46} Name fn-exchange-online-call";
/// A look that takes more pages takes them for ever. Pages may be empty while Graph looks for matches.
const MOST_PAGES: usize = 1000;

/// More messages do not bear the mark of one call.
const MOST_MARKED: usize = 1000;

/// A mark, as it stands in a message's JSON in `singleValueExtendedProperties`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallTag {
    id: &'static str,
    value: String,
}

/// A message that bears a mark.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaggedMessages {
    /// Its id.
    pub id: String,
    /// Whether it was not sent yet.
    #[serde(default)]
    pub is_draft: bool,
    /// Where a browser shows it.
    pub web_link: Option<String>,
}

#[derive(Deserialize)]
struct Page {
    value: Bounded<TaggedMessages, MOST_MARKED>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

impl CallTag {
    /// The mark that stands for `reference`.
    pub fn of(reference: Uuid) -> Self {
        Self { id: PROPERTY, value: reference.to_string() }
    }

    /// The messages that bear it, in one folder of a mailbox or in all of it. It takes the permission to read mail.
    pub async fn find(
        &self,
        client: &Client,
        mailbox: &str,
        folder: Option<&str>,
    ) -> Result<Vec<TaggedMessages>, Error> {
        let Self { id, value } = self;
        let filter = format!(
            "singleValueExtendedProperties/Any(ep: ep/id eq {} and ep/value eq {})",
            literal(id),
            literal(value)
        );
        let path = Path::messages(mailbox, folder)?
            .option("$select", "id,isDraft,webLink")
            .option("$filter", &filter);
        let mut found = Vec::new();
        let mut next = Some(path);
        let mut pages = 0;
        while let Some(path) = next {
            if pages == MOST_PAGES {
                return Err(Error::TooManyPages(MOST_PAGES));
            }
            pages += 1;
            let page: Page = client.send(&Request::get(path).in_mailbox(mailbox)).await?.parse()?;
            found.extend(page.value.0);
            // One call marks a message or two.
            if found.len() > MOST_MARKED {
                return Err(Error::TooManyMarked(MOST_MARKED));
            }
            next = page.next.map(|link| client.next_page(&link)).transpose()?;
        }
        Ok(found)
    }
}
