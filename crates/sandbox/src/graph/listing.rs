//! "List messages": `$filter`, `$search`, `$orderby`, `$select` and pages.

use std::fmt::Write as _;

use chrono::TimeDelta;

use super::faults::Faults;
use super::filter::Filter;
use super::folder::Folder;
use super::json::Object;
use super::message::Item;
use super::query::{Query, encode};
use super::refusal::{GraphResult, Refusal};
use super::request::GraphRequest;
use super::response::written;
use super::search::Search;
use super::state::State;
use super::view::View;

/// Page sizes of "List messages".
const DEFAULT_PAGE: usize = 10;
const LARGEST_PAGE: usize = 1_000;

/// A list that a request asks for.
struct Listing<'a> {
    state: &'a State,
    faults: &'a Faults,
    mailbox: u32,
    folder: Option<Folder>,
    query: &'a Query,
}

pub(super) fn list(
    state: &State,
    faults: &Faults,
    user: &str,
    folder: Option<&str>,
    request: &GraphRequest,
    query: &Query,
) -> GraphResult {
    let mailbox = state.mailbox(user)?;
    let folder = state.folder(mailbox, folder)?;
    let view = View::of(request, query)?;
    let asked = query.page_size(DEFAULT_PAGE, LARGEST_PAGE)?;
    let listing = Listing { state, faults, mailbox, folder, query };
    let (found, skipped) = match &query.search {
        Some(search) => (listing.search(search, asked)?, search_offset(query)?),
        None => (listing.filter(asked)?, query.skip.unwrap_or(0)),
    };
    let top = faults.page(asked);
    let page = found.get(skipped..).unwrap_or_default();
    let next = faults
        .next_page(top, skipped, found.len())
        .map(|offset| next_link(state, &request.path, query, offset));
    Ok(written(200, |out| {
        let mut object = Object::begin(out);
        let selection = query.select.as_deref().map_or(String::new(), |list| format!("({list})"));
        let context = format!("{}/$metadata#users('{}')/messages{selection}", state.base.root, encode(user));
        object.text("@odata.context", &context);
        let value = object.key("value");
        value.push(b'[');
        for (nth, item) in page.iter().take(top).enumerate() {
            if nth > 0 {
                value.push(b',');
            }
            state.write(value, mailbox, item, &view, None);
        }
        value.push(b']');
        if let Some(next) = &next {
            object.text("@odata.nextLink", next);
        }
        object.end();
    }))
}

impl Listing<'_> {
    /// The messages that `$filter` selects, in the order of `$orderby`, for pages of `top`.
    fn filter(&self, top: usize) -> Result<Vec<Item>, Refusal> {
        let &Self { state, faults, mailbox, folder, query } = self;
        if query.skip_token.is_some() {
            return Err(Refusal::new(400, "ErrorInvalidUrlQuery", "The $skiptoken is not valid here."));
        }
        let filter = query.filter.as_deref().map(Filter::parse).transpose()?;
        let order = query.order_by.as_deref().map(order).transpose()?;
        if let (Some(filter), Some(order)) = (&filter, &order) {
            let properties: Vec<&str> = order.iter().map(|(property, _)| *property).collect();
            if !filter.allows_order(&properties) {
                return Err(Refusal::new(
                    400,
                    "InefficientFilter",
                    "The restriction or sort order is too complex for this operation.",
                ));
            }
        }
        if let Some(refusal) = faults.list_refusal(mailbox, top, filter.as_ref().and_then(Filter::span)) {
            return Err(refusal);
        }
        let mut items = state.items(mailbox, folder);
        if let Some(filter) = filter.filter(|_| !faults.filters_no_messages()) {
            items.retain(|item| filter.matches(&state.look(mailbox, item)));
        }
        for (property, descending) in order.into_iter().flatten().rev() {
            if property == "subject" {
                items.sort_by_cached_key(|item| state.look(mailbox, item).subject().to_lowercase());
            } else {
                items.sort_by_key(|item| item.received);
            }
            if descending {
                items.reverse();
            }
        }
        Ok(items)
    }

    /// The messages that `$search` finds, newest first, for pages of `top`.
    fn search(&self, search: &str, top: usize) -> Result<Vec<Item>, Refusal> {
        let &Self { state, faults, mailbox, folder, query } = self;
        let refuse = |code, option| {
            let message = format!("The query parameter '{option}' is not supported with '$search'.");
            Err(Refusal::new(400, code, message))
        };
        if query.filter.is_some() {
            return refuse("SearchWithFilter", "$filter");
        }
        if query.order_by.is_some() {
            return refuse("SearchWithOrderBy", "$orderBy");
        }
        if query.skip.is_some() {
            return refuse("SearchWithSkip", "$skip");
        }
        let search = Search::parse(search)?;
        if let Some(refusal) = faults.list_refusal(mailbox, top, Some(TimeDelta::zero())) {
            return Err(refusal);
        }
        let lag = faults.index_lag();
        Ok(state
            .items(mailbox, folder)
            .into_iter()
            .filter(|item| item.since.is_none_or(|since| since.elapsed() >= lag))
            .filter(|item| search.matches(&state.look(mailbox, item)))
            .take(faults.most_hits())
            .collect())
    }
}

/// The properties to sort by, and whether in descending order.
fn order(text: &str) -> Result<Vec<(&'static str, bool)>, Refusal> {
    text.split(',')
        .map(|part| {
            let (property, direction) = part.trim().split_once(' ').unwrap_or((part.trim(), "asc"));
            let property =
                ["receivedDateTime", "sentDateTime", "subject"].into_iter().find(|known| *known == property);
            match (property, direction.trim()) {
                (Some(property), "asc") => Ok((property, false)),
                (Some(property), "desc") => Ok((property, true)),
                _ => Err(Refusal::bad_request(format!("Invalid $orderby clause: '{text}'."))),
            }
        })
        .collect()
}

fn search_offset(query: &Query) -> Result<usize, Refusal> {
    match &query.skip_token {
        None => Ok(0),
        Some(token) => token
            .strip_prefix("s-")
            .and_then(|offset| offset.parse().ok())
            .ok_or_else(|| Refusal::new(400, "ErrorInvalidUrlQuery", "The $skiptoken is not valid.")),
    }
}

/// The absolute URL of the page that starts at `offset`.
pub(super) fn next_link(state: &State, path: &str, query: &Query, offset: usize) -> String {
    let mut link = format!("{}/{}?", state.base.root, path.strip_prefix('/').unwrap_or(path));
    for (name, value) in [
        ("select", &query.select),
        ("filter", &query.filter),
        ("search", &query.search),
        ("orderby", &query.order_by),
        ("expand", &query.expand),
    ] {
        if let Some(value) = value {
            let _ = write!(link, "%24{name}={}&", encode(value));
        }
    }
    if let Some(top) = query.top {
        let _ = write!(link, "%24top={top}&");
    }
    if query.include_hidden_folders {
        link.push_str("includeHiddenFolders=true&");
    }
    if query.search.is_some() {
        let _ = write!(link, "%24skiptoken=s-{offset}");
    } else {
        let _ = write!(link, "%24skip={offset}");
    }
    link
}
