//! The links from page to page, and where they end.

use std::collections::HashSet;

use crate::client::Client;
use crate::error::Error;
use crate::path::Path;

/// The links of one listing. Graph has been seen to list pages without end: an empty page that names itself, and pages
/// that name each other.
#[derive(Debug, Default)]
pub(crate) struct Links {
    seen: HashSet<String>,
}

/// What follows a page.
#[derive(Debug)]
pub(crate) enum Following {
    /// Another page.
    Page(Path),
    /// Nothing.
    End,
    /// A page that was read before. The listing ends, but there may be entries that it did not show.
    Loop,
}

impl Links {
    /// Reads the `@odata.nextLink` of a page. An empty link is the end.
    pub(crate) fn follow(&mut self, client: &Client, link: Option<&str>) -> Result<Following, Error> {
        let Some(link) = link.filter(|link| !link.is_empty()) else { return Ok(Following::End) };
        let path = client.next_page(link)?;
        if self.seen.insert(path.as_str().to_owned()) {
            Ok(Following::Page(path))
        } else {
            Ok(Following::Loop)
        }
    }
}
