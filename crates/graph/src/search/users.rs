//! The tenant's users, page by page (Graph page "List users").

use serde::Deserialize;

use super::target::Target;
use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::expected::Expected;
use crate::links::{Following, Links};
use crate::path::{Path, literal};
use crate::request::Request;
use net::untrusted::json::{Bounded, BoundedText};

/// The most users that Graph puts on one page.
const PAGE: &str = "999";
/// Graph does not put more users on a page.
const MOST_ON_PAGE: usize = 10_000;
/// Ten million users. A longer list is taken to have no end.
const MOST_PAGES: usize = 10_000;
/// A principal name has at most 113 characters, an id 36. Longer ones would only fill the memory, and are not kept.
const LONGEST_NAME: usize = 512;
/// Stands for the name of a user who has none that can be used.
const NAMELESS: &str = "(a user with an unusable name)";

type Name = BoundedText<LONGEST_NAME>;

/// A list of users, as far as it was read.
#[derive(Debug)]
pub(super) struct UserPages {
    client: Client,
    next: Option<Path>,
    links: Links,
    pages: usize,
    prefix: String,
    /// Whether the list began again before its end, so that users may be missing.
    pub(super) repeats: bool,
}

/// A page of users.
#[derive(Deserialize)]
pub(crate) struct Page {
    value: Bounded<User, MOST_ON_PAGE>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct User {
    id: Option<Name>,
    #[serde(rename = "userPrincipalName")]
    principal_name: Option<Name>,
}

impl UserPages {
    /// The users whose principal name begins with `prefix`; all where it is empty.
    pub(super) fn new(client: &Client, prefix: &str) -> Self {
        let first = first_page(prefix);
        let links = Links::from(&first);
        Self {
            client: client.clone(),
            next: Some(first),
            links,
            pages: 0,
            prefix: prefix.to_lowercase(),
            repeats: false,
        }
    }

    /// Whether there is another page.
    pub(super) fn has_more(&self) -> bool {
        self.next.is_some()
    }

    /// The users on the next page; none after the last one.
    pub(super) async fn next(&mut self) -> Result<Vec<Target>, Error> {
        let Some(path) = self.next.clone() else { return Ok(Vec::new()) };
        if self.pages == MOST_PAGES {
            return Err(ErrorKind::TooManyPages(MOST_PAGES).into());
        }
        let request = Request::get(path).expecting(Expected::List);
        let page: Page = self.client.send(&request).await?.parse()?;
        self.pages += 1;
        self.next = match self.links.follow(&self.client, page.next.as_deref())? {
            Following::Page(path) => Some(path),
            Following::End => None,
            Following::Loop => {
                self.repeats = !page.value.0.is_empty();
                None
            }
        };
        // A filter that was ignored would have every user searched.
        let mut names = page.value.0.iter().filter_map(|user| user.principal_name.as_ref()?.text());
        if names.any(|name| !name.to_lowercase().starts_with(&self.prefix)) {
            return Err(ErrorKind::FilterNotApplied.into());
        }
        page.targets()
    }
}

impl Page {
    fn targets(self) -> Result<Vec<Target>, Error> {
        self.value.0.into_iter().map(User::target).collect()
    }
}

impl User {
    fn target(self) -> Result<Target, Error> {
        let is_unusable =
            [&self.id, &self.principal_name].into_iter().flatten().any(|name| name.text().is_none());
        let given =
            |name: Option<Name>| name.and_then(Name::into_text).filter(|name| !name.trim().is_empty());
        match (given(self.principal_name), given(self.id)) {
            (Some(name), id) => Ok(Target { id, is_unusable, ..Target::typed(name) }),
            (None, id) if is_unusable => {
                let name = id.unwrap_or_else(|| NAMELESS.to_owned());
                Ok(Target { is_unusable, ..Target::typed(name) })
            }
            (None, Some(id)) => Ok(Target::typed(id)),
            (None, None) => Err(not_an_answer("a user in it has neither an id nor a principal name")),
        }
    }
}

fn not_an_answer(what: &'static str) -> Error {
    ErrorKind::NotAnAnswer { status: 200, what }.into()
}

/// The path of the first page of users whose principal name begins with `prefix`.
pub(crate) fn first_page(prefix: &str) -> Path {
    let path = Path::users().option("$select", "id,userPrincipalName").option("$top", PAGE);
    if prefix.is_empty() {
        return path;
    }
    path.option("$filter", &format!("startswith(userPrincipalName,{})", literal(prefix)))
}
