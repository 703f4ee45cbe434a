//! "security: runHuntingQuery": advanced hunting in the tables of mail, in a part of KQL.
//!
//! ```text
//!  lexer ─▶ parse ─▶ run ─▶ table: the rows, made from the mail that went through the tenant
//! ```

mod lexer;
mod parse;
mod run;
mod table;

use chrono::{DateTime, SecondsFormat};
use serde::Deserialize;

use self::table::Datum;
use super::faults::Faults;
use super::json::{Object, string};
use super::refusal::{GraphResult, Refusal};
use super::request::GraphRequest;
use super::response::written;
use super::state::State;

pub use self::lexer::kql_literal;

const DAY: i64 = 86_400_000;
/// Older events are not kept.
const KEPT: i64 = 30;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    #[serde(rename = "Query", alias = "query")]
    query: String,
    #[serde(rename = "Timespan", alias = "timespan")]
    timespan: Option<String>,
}

pub(super) fn run(state: &State, faults: &Faults, request: &GraphRequest) -> GraphResult {
    if !state.changes().flow.hunting_queries.admit(faults.hunting_quota()) {
        let message =
            "You have exceeded the number of calls that advanced hunting allows. Please try again later.";
        return Err(Refusal::new(429, "TooManyRequests", message));
    }
    let body: Body = readable(request).json()?;
    let days = body.timespan.as_deref().map_or(Ok(KEPT), days)?;
    let pipeline = parse::parse(&body.query).map_err(|what| {
        Refusal::bad_request(format!("Error message: A syntax error has been detected: {what}."))
    })?;
    let present = state.base.present();
    let mut found = run::run(state, &pipeline, (present - days.min(KEPT) * DAY, present));
    found.rows.truncate(faults.hunting_rows());
    Ok(written(200, |out| {
        let mut object = Object::begin(out);
        let context = format!("{}/$metadata#microsoft.graph.security.huntingQueryResults", state.base.root);
        object.text("@odata.context", &context);
        list(object.key("schema"), &found.columns, |out, (name, kind)| {
            let mut column = Object::begin(out);
            column.text("name", name).text("type", kind.name());
            column.end();
        });
        list(object.key("results"), &found.rows, |out, row| {
            let mut object = Object::begin(out);
            for ((name, _), value) in found.columns.iter().zip(row) {
                write_value(object.key(name), value);
            }
            object.end();
        });
        object.end();
    }))
}

/// The request as the service reads it: without a charset, characters outside of ASCII are lost ("security:
/// runHuntingQuery", request headers).
fn readable(request: &GraphRequest) -> GraphRequest {
    let kind = request.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut body = request.body.to_vec();
    if !kind.to_ascii_lowercase().contains("charset=utf-8") {
        body = body.into_iter().map(|byte| if byte.is_ascii() { byte } else { b'?' }).collect();
    }
    GraphRequest::new(request.method.clone(), &request.path_and_query(), request.headers.clone(), body.into())
}

/// The days of an ISO 8601 duration such as `P30D`.
fn days(timespan: &str) -> Result<i64, Refusal> {
    let days = timespan.strip_prefix('P').and_then(|rest| rest.strip_suffix('D'));
    let days = days.and_then(|days| days.parse().ok()).filter(|days| (1..=365).contains(days));
    days.ok_or_else(|| Refusal::bad_request(format!("The Timespan '{timespan}' is not valid.")))
}

fn list<T>(out: &mut Vec<u8>, entries: &[T], mut write: impl FnMut(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (nth, entry) in entries.iter().enumerate() {
        if nth > 0 {
            out.push(b',');
        }
        write(out, entry);
    }
    out.push(b']');
}

fn write_value(out: &mut Vec<u8>, value: &Datum) {
    match value {
        Datum::Text(text) => string(out, text),
        Datum::Time(millis) => {
            let time = DateTime::from_timestamp_millis(*millis).unwrap_or_default();
            string(out, &time.to_rfc3339_opts(SecondsFormat::AutoSi, true));
        }
        Datum::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Datum::Truth(truth) => out.extend_from_slice(if *truth { b"true" } else { b"false" }),
    }
}
