//! The links from page to page, and where they end.

use std::collections::HashSet;

use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::path::Path;

/// The links of one listing. Graph has been seen to list pages without end: an empty page that names itself, and pages
/// that name each other.
#[derive(Debug)]
pub(crate) struct Links {
    first: Path,
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
    /// Begins with the first page.
    pub(crate) fn from(first: &Path) -> Self {
        Self { first: first.clone(), seen: HashSet::new() }
    }

    /// Reads the `@odata.nextLink` of a page. An empty link is the end. A link to another list is an error: its entries
    /// would be taken for those of this one.
    pub(crate) fn follow(&mut self, client: &Client, link: Option<&str>) -> Result<Following, Error> {
        let Some(link) = link.filter(|link| !link.is_empty()) else { return Ok(Following::End) };
        let path = client.next_page(link)?;
        if !path.is_same_list(&self.first) {
            return Err(ErrorKind::ForeignNextLink.into());
        }
        if self.seen.insert(path.as_str().to_owned()) {
            Ok(Following::Page(path))
        } else {
            Ok(Following::Loop)
        }
    }
}
