//! Reads lists in a mailbox to their ends, page by page.

use net::untrusted::json::Bounded;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::client::{Client, Dispatch};
use crate::error::{Error, ErrorKind};
use crate::expected::Expected;
use crate::links::{Following, Links};
use crate::path::Path;
use crate::request::Request;

/// Reads lists in one mailbox, with a bound on the pages of all of them together.
#[derive(Debug)]
pub(crate) struct ListReader<'a> {
    client: &'a Client,
    mailbox: &'a str,
    dispatch: Dispatch,
    most_pages: usize,
    pages: usize,
}

#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Page<T, const MOST: usize> {
    value: Bounded<T, MOST>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

impl<'a> ListReader<'a> {
    pub(crate) fn new(client: &'a Client, mailbox: &'a str, most_pages: usize) -> Self {
        Self { client, mailbox, dispatch: Dispatch::Single, most_pages, pages: 0 }
    }

    /// Sends the requests as `dispatch` says.
    pub(crate) fn by(self, dispatch: &Dispatch) -> Self {
        Self { dispatch: dispatch.clone(), ..self }
    }

    /// Reads the list that begins at `path`. Pages may be empty while Graph looks for matches. A list with more than
    /// `MOST` entries, one without end, and one that begins again are errors.
    pub(crate) async fn read<T: DeserializeOwned, const MOST: usize>(
        &mut self,
        path: Path,
    ) -> Result<Vec<T>, Error> {
        let mut links = Links::from(&path);
        let mut entries = Vec::new();
        let mut next = path;
        loop {
            if self.pages == self.most_pages {
                return Err(ErrorKind::TooManyPages(self.most_pages).into());
            }
            self.pages += 1;
            let request = Request::get(next).in_mailbox(self.mailbox).expecting(Expected::Entities);
            let page: Page<T, MOST> =
                self.client.send_by(&self.dispatch, &request).await?.response.parse()?;
            let is_empty = page.value.0.is_empty();
            entries.extend(page.value.0);
            if entries.len() > MOST {
                return Err(ErrorKind::TooManyListed(MOST).into());
            }
            next = match links.follow(self.client, page.next.as_deref())? {
                Following::Page(next) => next,
                Following::Loop if !is_empty => return Err(ErrorKind::PagesRepeat.into()),
                Following::Loop | Following::End => return Ok(entries),
            };
        }
    }
}
