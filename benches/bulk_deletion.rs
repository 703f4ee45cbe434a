//! How long the deletion of what a query found takes, over the broker, next to the shortest time that the model allows.
//!
//! `cargo bench --bench bulk_deletion`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "common/daemon.rs"]
mod daemon;

#[path = "common/pace.rs"]
mod pace;

use std::time::Instant;

use daemon::Bench;
use pace::{AT_ONCE, FAR};
use sandbox::graph::{Phish, TenantOptions, optimum};
use serde_json::json;

/// Messages to be deleted in each mailbox that has any.
const COPIES: u32 = 5;

#[tokio::main]
async fn main() {
    println!(
        "{:>8} {:>9} {:>9} {:>9} {:>6} {:>8} {:>9}",
        "messages", "mailboxes", "seconds", "optimum", "ratio", "batches", "peak MiB"
    );
    for messages in [500, 10_000] {
        delete(messages).await;
    }
}

async fn delete(messages: u32) {
    let mailboxes = messages / COPIES;
    let tenant = TenantOptions {
        mailboxes: mailboxes as usize,
        users_without_mailbox: 0,
        phish: Some(Phish { mailboxes: mailboxes as usize, copies: COPIES, ..Phish::default() }),
        ..TenantOptions::default()
    };
    let seed = tenant.seed;
    let bench = Bench::start(tenant, &[("max_deletions", "10000")]).await;
    let planted = bench.sandbox.graph.planted();
    assert_eq!(planted.len(), messages as usize);
    let entries = planted.chunks(COPIES as usize).map(|messages| {
        let list: Vec<_> = messages.iter().map(|message| json!({ "id": message.id })).collect();
        json!({ "email_address": messages[0].mailbox, "status_code": 200, "email_list": list })
    });
    let results = json!(entries.collect::<Vec<_>>()).to_string();
    bench.sandbox.graph.faults().set_pace(Some(FAR));
    bench.sandbox.graph.forget_requests();
    let inputs = json!({ "exo_query_messages_results": results });
    let started = Instant::now();
    let reply = bench.call("exchange_online_delete_messages_from_query_results", inputs).await;
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(reply.results["content"]["failures"], json!([]));
    assert_eq!(bench.sandbox.graph.deleted().len(), messages as usize);
    let optimum = optimum(&FAR.draws(seed, messages as usize), AT_ONCE, FAR.round_trip).as_secs_f64();
    println!(
        "{messages:>8} {mailboxes:>9} {seconds:>9.2} {optimum:>9.2} {:>6.2} {:>8} {:>9.1}",
        seconds / optimum,
        bench.sandbox.graph.counters().batches,
        bench.peak_mib(),
    );
}
