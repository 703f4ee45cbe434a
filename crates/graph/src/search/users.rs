//! The tenant's users, page by page (Graph page "List users").

use serde::Deserialize;

use super::name_range::NameRange;
use super::target::Target;
use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::expected::Expected;
use crate::links::{Following, Links};
use crate::path::Path;
use crate::request::Request;
use net::untrusted::json::{Bounded, BoundedText};

/// The most users that Graph puts on one page, as an option and as a number.
const PAGE: &str = "999";
pub(super) const PAGE_SIZE: usize = 999;
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
    range: NameRange,
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
    /// The users of `range`.
    pub(super) fn new(client: &Client, range: NameRange) -> Self {
        let first = page_of(&range, "id,userPrincipalName", PAGE);
        let links = Links::from(&first);
        Self { client: client.clone(), next: Some(first), links, pages: 0, range, repeats: false }
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
        if names.any(|name| !self.range.has(name)) {
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

/// Returns how many users `range` has, as far as the directory's index knows; `None` where it does not count. The count
/// is an advanced query, and stands on the first page (Graph pages "Advanced query capabilities on Microsoft Entra ID
/// objects" and "Known issues").
pub(super) async fn count(client: &Client, range: &NameRange) -> Result<Option<usize>, Error> {
    #[derive(Deserialize)]
    struct Counted {
        #[serde(rename = "@odata.count")]
        count: Option<usize>,
    }
    let path = page_of(range, "id", "1").option("$count", "true");
    let request = Request::get(path).expecting(Expected::List).advanced();
    let Counted { count } = client.send(&request).await?.parse()?;
    Ok(count)
}

/// The path of the first page of users whose principal name begins with `prefix`.
pub(crate) fn first_page(prefix: &str) -> Path {
    page_of(&NameRange::starting_with(prefix), "id,userPrincipalName", PAGE)
}

fn page_of(range: &NameRange, properties: &str, entries: &str) -> Path {
    let path = Path::users().option("$select", properties).option("$top", entries);
    match range.filter() {
        Some(filter) => path.option("$filter", &filter),
        None => path,
    }
}
