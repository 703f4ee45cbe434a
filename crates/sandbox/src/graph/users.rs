//! The directory's users, and their mailboxes' settings.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::directory::User;
use super::faults::Faults;
use super::json::{Object, string};
use super::query::{Query, encode};
use super::refusal::{GraphResult, Refusal};
use super::request::GraphRequest;
use super::response::written;
use super::state::State;
use super::user_filter::UserFilter;

/// Page sizes of "List users".
const DEFAULT_PAGE: usize = 100;
const LARGEST_PAGE: usize = 999;

/// The properties that are shown without `$select`, in the directory's order.
const DEFAULT_PROPERTY: [&str; 11] = [
    "businessPhones",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
    "id",
];

/// The properties that are shown only if they are selected.
const MORE_PROPERTY: [&str; 3] = ["accountEnabled", "proxyAddresses", "userType"];

pub(super) fn list(state: &State, faults: &Faults, request: &GraphRequest, query: &Query) -> GraphResult {
    let unsupported = |message: String| Refusal::new(400, "Request_UnsupportedQuery", message);
    if query.search.is_some() || query.order_by.is_some() {
        return Err(unsupported(
            "Request with $search or $orderby requires the ConsistencyLevel header.".into(),
        ));
    }
    if query.skip.is_some() {
        return Err(unsupported("'$skip' is not supported by the service.".into()));
    }
    let top = query.top.unwrap_or(DEFAULT_PAGE);
    if !(1..=LARGEST_PAGE).contains(&top) {
        return Err(unsupported(format!(
            "Invalid page size specified: '{top}'. Must be between 1 and {LARGEST_PAGE} inclusive."
        )));
    }
    let top = faults.page(top);
    let filter = query.filter.as_deref().map(UserFilter::parse).transpose()?;
    let filter = filter.filter(|_| !faults.filters_no_users());
    let selected = select(query.select.as_deref(), faults)?;
    let start = query.skip_token.as_deref().map_or(Ok(0), read_token)?;

    let directory = &state.base.directory;
    let total = directory.numbers().end;
    let listed = |position: u32| if position < total { Some(position) } else { faults.listed_twice() };
    // A user that is listed twice also has the position after the last one.
    let end = total + u32::from(faults.listed_twice().is_some());
    let candidates = filter.as_ref().and_then(|filter| filter.candidates(directory));
    let positions = |start: u32| -> Box<dyn Iterator<Item = u32> + '_> {
        let start = start.min(end);
        match &candidates {
            None => Box::new(start..end),
            Some(some) => {
                let from = some.partition_point(|position| *position < start);
                Box::new(some[from..].iter().copied().chain(start.max(total)..end))
            }
        }
    };
    let matching = |start: u32| {
        positions(start)
            .filter_map(|position| Some((position, directory.user(listed(position)?))))
            .filter(|(_, user)| filter.as_ref().is_none_or(|filter| filter.matches(user)))
    };
    // The count stands on the first page only, and only in an advanced query ("Known issues" and "Advanced query
    // capabilities on Microsoft Entra ID objects").
    let counts = query.count && query.skip_token.is_none() && is_advanced(request);
    let count = counts.then(|| faults.user_count().unwrap_or_else(|| matching(0).count()));
    let mut rest = matching(start);
    let page: Vec<(u32, User)> = rest.by_ref().take(top).collect();
    let mut next = rest.next().map(|(position, _)| position);
    if let Some(page_loop) = faults.page_loop() {
        next = page_loop.next(0, start, next, end);
    }
    let next = next.map(|position| next_link(state, query, position));

    Ok(written(200, |out| {
        let mut object = Object::begin(out);
        let selection = query.select.as_deref().map_or(String::new(), |list| format!("({list})"));
        object.text("@odata.context", &format!("{}/$metadata#users{selection}", state.base.root));
        if let Some(count) = count {
            object.raw("@odata.count", &count.to_string());
        }
        if let Some(next) = &next {
            object.text("@odata.nextLink", next);
        }
        let value = object.key("value");
        value.push(b'[');
        for (nth, (_, user)) in page.iter().enumerate() {
            if nth > 0 {
                value.push(b',');
            }
            write_user(value, user, &selected, None);
        }
        value.push(b']');
        object.end();
    }))
}

pub(super) fn get(state: &State, faults: &Faults, name: &str, query: &Query) -> GraphResult {
    let selected = select(query.select.as_deref(), faults)?;
    let number = state.base.directory.find(name).ok_or_else(|| Refusal::no_user(name))?;
    let user = state.base.directory.user(number);
    let context = format!("{}/$metadata#users/$entity", state.base.root);
    Ok(written(200, |out| write_user(out, &user, &selected, Some(&context))))
}

/// Whether the request asks for an advanced query.
fn is_advanced(request: &GraphRequest) -> bool {
    let level = request.headers.get("consistencylevel").and_then(|level| level.to_str().ok());
    level.is_some_and(|level| level.eq_ignore_ascii_case("eventual"))
}

fn select(list: Option<&str>, faults: &Faults) -> Result<Vec<&'static str>, Refusal> {
    let Some(list) = list else { return Ok(DEFAULT_PROPERTY.to_vec()) };
    let left_out = faults.left_out();
    let selected: Result<Vec<_>, _> = list
        .split(',')
        .map(str::trim)
        .map(|name| {
            DEFAULT_PROPERTY
                .into_iter()
                .chain(MORE_PROPERTY)
                .find(|property| property.eq_ignore_ascii_case(name))
                .ok_or_else(|| Refusal::no_property(name, "microsoft.graph.user"))
        })
        .collect();
    let mut selected = selected?;
    selected.retain(|property| Some(*property) != left_out);
    Ok(selected)
}

fn write_user(out: &mut Vec<u8>, user: &User, selected: &[&str], context: Option<&str>) {
    let mut object = Object::begin(out);
    if let Some(context) = context {
        object.text("@odata.context", context);
    }
    for property in selected {
        match *property {
            "displayName" => object.text(property, &user.display_name),
            "givenName" => object.text(property, &user.given_name),
            "surname" => object.text(property, &user.surname),
            "jobTitle" => object.text(property, &user.job_title),
            "officeLocation" => object.text(property, &user.office_location),
            "userPrincipalName" => object.text(property, &user.user_principal_name),
            "id" => object.text(property, &user.id),
            "userType" => object.text(property, if user.guest { "Guest" } else { "Member" }),
            "accountEnabled" => object.boolean(property, true),
            "proxyAddresses" => {
                let mut value = Vec::new();
                value.push(b'[');
                for (nth, address) in user.proxy_addresses().iter().enumerate() {
                    if nth > 0 {
                        value.push(b',');
                    }
                    string(&mut value, address);
                }
                value.push(b']');
                object.raw(property, &String::from_utf8_lossy(&value))
            }
            "businessPhones" => object.raw(property, "[]"),
            "mail" => match &user.mail {
                Some(mail) => object.text(property, mail),
                None => object.raw(property, "null"),
            },
            _ => object.raw(property, "null"),
        };
    }
    object.end();
}

fn next_link(state: &State, query: &Query, number: u32) -> String {
    let mut link = format!("{}/users?", state.base.root);
    for (name, value) in [("select", &query.select), ("filter", &query.filter)] {
        if let Some(value) = value {
            let _ = write!(link, "${name}={}&", encode(value));
        }
    }
    if let Some(top) = query.top {
        let _ = write!(link, "$top={top}&");
    }
    link.push_str("$skiptoken=");
    link.push_str(&URL_SAFE_NO_PAD.encode(format!("RFNwdAIAAQ:{number:010}:page")));
    link
}

fn read_token(token: &str) -> Result<u32, Refusal> {
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| text.split(':').nth(1)?.parse().ok())
        .ok_or_else(|| {
            Refusal::new(400, "Directory_ExpiredPageToken", "The specified page token value is not valid.")
        })
}

/// The time zone of a user's mailbox, in the format in which an administrator set it.
fn zone(state: &State, user: &str) -> Result<Option<String>, Refusal> {
    let mailbox = state.mailbox(user)?;
    Ok(match state.changes().time_zones.get(&mailbox) {
        Some(zone) => zone.clone(),
        None => Some(state.base.directory.time_zone(mailbox).to_owned()),
    })
}

pub(super) fn time_zone(state: &State, user: &str) -> GraphResult {
    let zone = zone(state, user)?;
    let context = format!("{}/$metadata#users('{}')/mailboxSettings/timeZone", state.base.root, encode(user));
    Ok(written(200, |out| {
        let mut object = Object::begin(out);
        object.text("@odata.context", &context);
        match &zone {
            Some(zone) => object.text("value", zone),
            None => object.raw("value", "null"),
        };
        object.end();
    }))
}

pub(super) fn mailbox_settings(state: &State, user: &str) -> GraphResult {
    let zone = zone(state, user)?;
    let context = format!("{}/$metadata#users('{}')/mailboxSettings", state.base.root, encode(user));
    Ok(written(200, |out| {
        let mut object = Object::begin(out);
        object.text("@odata.context", &context);
        if let Some(zone) = &zone {
            object.text("timeZone", zone);
        }
        object.text("dateFormat", "yyyy-MM-dd").text("timeFormat", "HH:mm");
        object.end();
    }))
}
