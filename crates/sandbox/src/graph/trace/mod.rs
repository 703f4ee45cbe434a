//! "List messageTraces": who received a message (Graph page "exchangeMessageTrace resource type").

mod filter;

use std::cmp::Reverse;
use std::fmt::Write as _;

use self::filter::TraceFilter;
use super::faults::Faults;
use super::json::Object;
use super::mail_flow::{Passage, passages};
use super::message::date_time;
use super::query::{Query, encode};
use super::refusal::{GraphResult, Refusal};
use super::request::GraphRequest;
use super::response::written;
use super::state::State;

const DEFAULT_PAGE: usize = 1_000;
const LARGEST_PAGE: usize = 5_000;

/// Microsoft's application that serves the message trace.
const SERVICE: &str = "8bd644d1-64a1-4d4b-ae52-2e0cbf64e373";

pub(super) fn list(state: &State, faults: &Faults, request: &GraphRequest, query: &Query) -> GraphResult {
    if faults.is_national() {
        return Err(Refusal::no_segment("tracing"));
    }
    if faults.misses_trace_service() {
        return Err(Refusal::new(
            401,
            "Unauthorized",
            format!(
                "Service principal-less authentication failed: The service principal for App ID {SERVICE} was not \
                 found. Please create a service principal for this app in your tenant. Provisioning may take several \
                 hours to complete."
            ),
        ));
    }
    if !state.changes().flow.trace_requests.admit(faults.trace_quota()) {
        let message = "Your recent queries have surpassed the permitted limit, please try again later.";
        return Err(Refusal::new(429, "TooManyRequests", message));
    }
    let refused = [
        ("$select", query.select.is_some()),
        ("$orderby", query.order_by.is_some()),
        ("$count", query.count),
        ("$search", query.search.is_some()),
        ("$skip", query.skip.is_some()),
    ];
    if let Some((option, _)) = refused.iter().find(|(_, given)| *given) {
        return Err(Refusal::bad_request(format!("Query option '{option}' is not allowed.")));
    }
    let top = query.top.unwrap_or(DEFAULT_PAGE);
    if !(1..=LARGEST_PAGE).contains(&top) {
        let message =
            format!("The value '{top}' of $top is out of range: it must be between 1 and {LARGEST_PAGE}.");
        return Err(Refusal::bad_request(message));
    }
    let skipped = query.skip_token.as_deref().map_or(Ok(0), offset)?;
    let filter = TraceFilter::parse(query.filter.as_deref().unwrap_or_default())?;
    let present = state.base.present();
    let (from, to) = filter.span(present)?;
    let lag = i64::try_from(faults.trace_lag().as_millis()).unwrap_or(i64::MAX);
    let directory = &state.base.directory;
    let mailboxes = match filter.recipient() {
        None => directory.numbers(),
        Some(address) => directory.find_address(address).map_or(0..0, |number| number..number + 1),
    };
    let span = (from, to.min(present - lag));
    let mut found = passages(state, span, mailboxes, |passage| filter.matches(passage));
    found.sort_by_cached_key(|passage| {
        (
            Reverse(passage.received()),
            passage.network_message_id().into_owned(),
            passage.recipient().into_owned(),
        )
    });
    let top = faults.page(top);
    let page = found.get(skipped..).unwrap_or_default();
    let next = faults
        .next_page(top, skipped, found.len())
        .map(|offset| next_link(state, &request.path, query, offset));
    Ok(written(200, |out| {
        let mut object = Object::begin(out);
        let context = format!("{}/$metadata#admin/exchange/tracing/messageTraces", state.base.root);
        object.text("@odata.context", &context);
        if let Some(next) = &next {
            object.text("@odata.nextLink", next);
        }
        let value = object.key("value");
        value.push(b'[');
        for (nth, passage) in page.iter().take(top).enumerate() {
            if nth > 0 {
                value.push(b',');
            }
            write_row(value, passage);
        }
        value.push(b']');
        object.end();
    }))
}

fn write_row(out: &mut Vec<u8>, passage: &Passage<'_>) {
    let mut row = Object::begin(out);
    row.text("id", &passage.network_message_id())
        .text("senderAddress", &passage.sender())
        .text("recipientAddress", &passage.recipient())
        .text("messageId", &passage.message_id())
        .text("receivedDateTime", &date_time(passage.received() / 1_000))
        .text("subject", &passage.subject())
        .raw("size", &passage.size().to_string())
        .text("fromIP", &passage.source_ip())
        .text("toIP", passage.to_ip())
        .text("status", passage.status());
    row.end();
}

fn offset(token: &str) -> Result<usize, Refusal> {
    let offset = token.strip_prefix("t-").and_then(|offset| offset.parse().ok());
    offset.ok_or_else(|| Refusal::bad_request("The $skiptoken is not valid."))
}

/// The absolute URL of the page that starts at `offset`.
fn next_link(state: &State, path: &str, query: &Query, offset: usize) -> String {
    let mut link = format!("{}/{}?", state.base.root, path.trim_start_matches('/'));
    if let Some(filter) = &query.filter {
        let _ = write!(link, "%24filter={}&", encode(filter));
    }
    if let Some(top) = query.top {
        let _ = write!(link, "%24top={top}&");
    }
    let _ = write!(link, "%24skiptoken=t-{offset}");
    link
}
