//! The report of a measurement for programs: one JSON object.

use serde::Serialize;
use serde_json::{Value, json};

use super::plan::Plan;
use super::report::{ended, estimate};
use super::run::{Measured, Stop};
use super::sample::Sample;

/// Grows when a key changes its meaning or goes.
const SCHEMA: u32 = 1;

pub(super) fn text(plan: &Plan, measured: &Measured) -> String {
    let Measured { listed, left_out, single, bulk, sent, granted, stopped, .. } = measured;
    let estimated = estimate(measured);
    let report = json!({
        "schema": SCHEMA,
        "program": env!("CARGO_PKG_NAME"),
        "version": env!("CARGO_PKG_VERSION"),
        "plan": {
            "mailboxes": plan.mailboxes,
            "seconds": plan.time.as_secs(),
            "most_requests": plan.most_requests(),
        },
        "ended": stopped.as_ref().map_or("complete", reason),
        "ended_because": stopped.as_ref().map(|stop| ended(plan, stop)),
        "users_listed": listed.as_ref().map(|listed| listed.users),
        "users_complete": listed.as_ref().is_some_and(|listed| !listed.has_more),
        "left_out": counts(left_out),
        "single": sample(single, true),
        "search": sample(bulk, false),
        "requests": {
            "graph": sent.counted(),
            "single": sent.single,
            "batches": sent.batches,
            "in_batches": sent.parts,
            "tokens": sent.tokens,
            "throttled": sent.throttled,
        },
        "requests_at_once": { "granted": granted.requests, "most": plan.requests_at_once },
        "all_users_seconds": estimated.as_ref().ok().map(|time| seconds(time.as_secs_f64())),
        "missing": estimated.err().unwrap_or_default(),
    });
    format!("{report}\n")
}

fn reason(stop: &Stop) -> &'static str {
    match stop {
        Stop::Interrupted => "interrupted",
        Stop::OutOfTime => "time",
        Stop::OutOfRequests => "requests",
        Stop::Failed(_) => "failed",
    }
}

fn sample(sample: &Sample, has_latency: bool) -> Value {
    let mut object = json!({
        "answered": sample.answered,
        "without_mailbox": sample.without_mailbox,
        "failed": sample.failures(),
        "failures": counts(&sample.failed),
        "seconds": seconds(sample.took.as_secs_f64()),
    });
    if has_latency {
        let millis = |percent| sample.percentile(percent).map(|time| seconds(time.as_secs_f64() * 1000.0));
        object["latency_ms"] =
            json!({ "requests": sample.timed(), "median": millis(50), "percentile_95": millis(95) });
    }
    object
}

/// Reasons with their numbers.
fn counts(counts: &std::collections::BTreeMap<String, usize>) -> Vec<impl Serialize> {
    counts.iter().map(|(reason, count)| json!({ "reason": reason, "count": count })).collect()
}

/// Three digits after the point.
fn seconds(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
