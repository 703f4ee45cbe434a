//! The tenant's users, page by page (Graph page "List users").

use serde::Deserialize;

use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::expected::Expected;
use crate::path::{Path, literal};
use crate::request::Request;
use net::untrusted::json::Bounded;

/// The most users that Graph puts on one page.
const PAGE: &str = "999";
/// Graph does not put more users on a page.
const MOST_ON_PAGE: usize = 10_000;
/// Ten million users. A longer list is taken to have no end.
const MOST_PAGES: usize = 10_000;

/// A listing of users under way.
#[derive(Debug)]
pub struct UserPages {
    client: Client,
    next: Option<Path>,
    pages: usize,
}

#[derive(Deserialize)]
pub(crate) struct Page {
    value: Bounded<User, MOST_ON_PAGE>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct User {
    #[serde(rename = "userPrincipalName")]
    principal_name: Option<String>,
}

impl UserPages {
    /// The users whose principal name begins with `prefix`; all where it is empty.
    pub fn new(client: &Client, prefix: &str) -> Self {
        Self { client: client.clone(), next: Some(first_page(prefix)), pages: 0 }
    }

    /// Whether there is another page.
    pub fn has_more(&self) -> bool {
        self.next.is_some()
    }

    /// The principal names on the next page; none after the last one.
    pub async fn next(&mut self) -> Result<Vec<String>, Error> {
        let Some(path) = self.next.clone() else { return Ok(Vec::new()) };
        if self.pages == MOST_PAGES {
            return Err(ErrorKind::TooManyPages(MOST_PAGES).into());
        }
        let page: Page = self.client.send(&Request::get(path).expecting(Expected::List)).await?.parse()?;
        self.next = page.next.map(|link| self.client.next_page(&link)).transpose()?;
        self.pages += 1;
        Ok(page.value.0.into_iter().filter_map(|user| user.principal_name).collect())
    }
}

/// The address of the first page of users whose principal name begins with `prefix`.
pub(crate) fn first_page(prefix: &str) -> Path {
    let path = Path::users().option("$select", "userPrincipalName").option("$top", PAGE);
    if prefix.is_empty() {
        return path;
    }
    path.option("$filter", &format!("startswith(userPrincipalName,{})", literal(prefix)))
}
