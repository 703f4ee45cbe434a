//! How long the deletion of what a query found takes, over the broker, next to the bound that latency sets and
//! next to the same work with one batch after another.
//!
//! `cargo bench --bench bulk_deletion`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "common/daemon.rs"]
mod daemon;

use std::time::{Duration, Instant};

use daemon::Bench;
use sandbox::graph::{Phish, TenantOptions};
use serde_json::json;

/// What a `$batch` call takes at Graph.
const LATENCY: Duration = Duration::from_millis(100);
/// Messages to be deleted in each mailbox that has any.
const COPIES: u32 = 5;

#[tokio::main]
async fn main() {
    println!(
        "{:>8} {:>9} {:>7} {:>9} {:>9} {:>6} {:>8} {:>9}",
        "messages", "mailboxes", "at once", "seconds", "bound", "ratio", "batches", "peak MiB"
    );
    for messages in [500, 10_000] {
        for at_once in [8, 1] {
            delete(messages, at_once).await;
        }
    }
}

async fn delete(messages: u32, at_once: u32) {
    let mailboxes = messages / COPIES;
    let tenant = TenantOptions {
        mailboxes: mailboxes as usize,
        users_without_mailbox: 0,
        phish: Some(Phish { mailboxes: mailboxes as usize, copies: COPIES, ..Phish::default() }),
        ..TenantOptions::default()
    };
    let at_once_text = at_once.to_string();
    let options = [("max_concurrent_batches", at_once_text.as_str()), ("max_deletions", "10000")];
    let bench = Bench::start(tenant, &options).await;
    let planted = bench.sandbox.graph.planted();
    assert_eq!(planted.len(), messages as usize);
    let entries = planted.chunks(COPIES as usize).map(|messages| {
        let list: Vec<_> = messages.iter().map(|message| json!({ "id": message.id })).collect();
        json!({ "email_address": messages[0].mailbox, "status_code": 200, "email_list": list })
    });
    let results = json!(entries.collect::<Vec<_>>()).to_string();
    bench.sandbox.graph.faults().set_latency(Duration::ZERO, LATENCY);
    bench.sandbox.graph.forget_requests();
    let inputs = json!({ "exo_query_messages_results": results });
    let started = Instant::now();
    let reply = bench.call("exchange_online_delete_messages_from_query_results", inputs).await;
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(reply.results["content"]["failures"], json!([]));
    assert_eq!(bench.sandbox.graph.deleted().len(), messages as usize);
    let bound = f64::from(messages.div_ceil(20).div_ceil(at_once)) * LATENCY.as_secs_f64();
    println!(
        "{messages:>8} {mailboxes:>9} {at_once:>7} {seconds:>9.2} {bound:>9.2} {:>6.2} {:>8} {:>9.1}",
        seconds / bound,
        bench.sandbox.graph.counters().batches,
        bench.peak_mib(),
    );
}
