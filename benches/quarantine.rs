//! How long it takes to move many messages into quarantine, and back, next to their deletion; and how many requests.
//!
//! `cargo bench --bench quarantine`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "common/daemon.rs"]
mod daemon;
#[path = "common/pace.rs"]
mod pace;

use std::time::Instant;

use daemon::Bench;
use pace::FAR;
use sandbox::graph::{Phish, TenantOptions};
use serde_json::{Value, json};

const MESSAGES: u32 = 10_000;
/// Messages in each mailbox.
const COPIES: u32 = 5;

#[tokio::main]
async fn main() {
    println!(
        "{:>34} {:>8} {:>8} {:>12} {:>9}",
        "10,000 messages, 2,000 mailboxes", "seconds", "ratio", "per message", "peak MiB"
    );
    let bench = start("recoverable").await;
    let (deletion, _) = measure(&bench, "delete", DELETE, planted(&bench), None).await;
    drop(bench);
    let bench = start("quarantine").await;
    let (_, content) = measure(&bench, "quarantine", DELETE, planted(&bench), Some((deletion, 4.0))).await;
    let inputs = json!({ "exo_deletion_results": content.to_string() });
    measure(&bench, "restore by result", RESTORE, inputs, Some((deletion, 3.0))).await;
    drop(bench);
    let bench = start("quarantine").await;
    let reply = bench.call(DELETE, planted(&bench)).await;
    let job = &reply.results["content"]["delete_results"][0]["quarantined_list"][0]["job"];
    let inputs = json!({ "exo_plan_digest": job });
    measure(&bench, "restore by job, from mailboxes", RESTORE, inputs, Some((deletion, 3.0))).await;
}

const DELETE: &str = "exchange_online_delete_messages_from_query_results";
const RESTORE: &str = "exchange_online_restore_messages";

async fn start(deletion: &str) -> Bench {
    let mailboxes = (MESSAGES / COPIES) as usize;
    let tenant = TenantOptions {
        mailboxes,
        users_without_mailbox: 0,
        phish: Some(Phish { mailboxes, copies: COPIES, ..Phish::default() }),
        ..TenantOptions::default()
    };
    let options = [("deletion", deletion), ("max_deletions", "10000"), ("max_users", "10000")];
    let bench = Bench::start(tenant, &options).await;
    bench.sandbox.graph.faults().set_pace(Some(FAR));
    bench
}

/// What a query of the planted messages lists.
fn planted(bench: &Bench) -> Value {
    let planted = bench.sandbox.graph.planted();
    assert_eq!(planted.len(), MESSAGES as usize);
    let entries = planted.chunks(COPIES as usize).map(|messages| {
        let list: Vec<_> = messages.iter().map(|message| json!({ "id": message.id })).collect();
        json!({ "email_address": messages[0].mailbox, "status_code": 200, "email_list": list })
    });
    json!({ "exo_query_messages_results": json!(entries.collect::<Vec<_>>()).to_string() })
}

/// Calls a function, and returns how long it took and its content. `bound` are the seconds of a deletion, and the most
/// requests for each message.
async fn measure(
    bench: &Bench,
    what: &str,
    function: &str,
    inputs: Value,
    bound: Option<(f64, f64)>,
) -> (f64, Value) {
    bench.sandbox.graph.forget_requests();
    let started = Instant::now();
    let mut reply = bench.call(function, inputs).await;
    let seconds = started.elapsed().as_secs_f64();
    let content = reply.results["content"].take();
    let done = content.get("messages_deleted").or(content.get("messages_restored"));
    assert_eq!(done, Some(&json!(MESSAGES)));
    let counters = bench.sandbox.graph.counters();
    #[allow(clippy::cast_precision_loss)]
    let each = counters.sub_requests as f64 / f64::from(MESSAGES);
    let ratio = bound.map_or(1.0, |(deletion, most)| {
        assert!(each <= most, "{each} requests for each message");
        seconds / deletion
    });
    println!("{what:>34} {seconds:>8.2} {ratio:>8.2} {each:>12.2} {:>9.1}", bench.peak_mib());
    (seconds, content)
}
