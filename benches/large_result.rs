//! A query of a whole tenant with very many matches, over the broker: how long the call takes as the tenant grows,
//! and how much memory its reply costs the daemon.
//!
//! `cargo bench --bench large_result`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "common/daemon.rs"]
mod daemon;

use std::time::{Duration, Instant};

use daemon::Bench;
use sandbox::graph::{Phish, TenantOptions};
use serde_json::json;

/// What a `$batch` call takes at Graph.
const LATENCY: Duration = Duration::from_millis(100);
/// Batches under way at once, where nothing else is configured.
const AT_ONCE: u32 = 8;
/// Messages to be found in every second mailbox.
const COPIES: u32 = 5;

#[tokio::main]
async fn main() {
    println!(
        "{:>9} {:>8} {:>7} {:>9} {:>9} {:>6} {:>12} {:>10} {:>9}",
        "mailboxes",
        "messages",
        "at once",
        "seconds",
        "bound",
        "ratio",
        "ms/mailbox",
        "reply MiB",
        "peak MiB"
    );
    for mailboxes in [2_000, 20_000] {
        for at_once in [AT_ONCE, 1] {
            query(mailboxes, at_once).await;
        }
    }
}

async fn query(mailboxes: u32, at_once: u32) {
    let phish = Phish { mailboxes: mailboxes as usize / 2, copies: COPIES, ..Phish::default() };
    let sender = phish.sender.address.clone();
    let tenant = TenantOptions {
        mailboxes: mailboxes as usize,
        users_without_mailbox: 0,
        phish: Some(phish),
        ..TenantOptions::default()
    };
    let side_by_side = at_once.to_string();
    let options =
        [("max_users", "100000"), ("max_messages", "100000"), ("max_concurrent_batches", &side_by_side)];
    let bench = Bench::start(tenant, &options).await;
    bench.sandbox.graph.faults().set_latency(Duration::ZERO, LATENCY);
    let inputs = Bench::tenant_query(&sender);
    let started = Instant::now();
    let reply = bench.call("exchange_online_query_emails", inputs).await;
    let seconds = started.elapsed().as_secs_f64();
    let content = &reply.results["content"];
    let messages = mailboxes / 2 * COPIES;
    assert_eq!((&content["messages_found"], &content["users_failed"]), (&json!(messages), &json!(0)));
    let listed: usize = content["email_results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mailbox| mailbox["email_list"].as_array().unwrap().len())
        .sum();
    assert_eq!(listed, messages as usize);
    let bound = f64::from(mailboxes.div_ceil(20).div_ceil(at_once)) * LATENCY.as_secs_f64();
    println!(
        "{mailboxes:>9} {messages:>8} {at_once:>7} {seconds:>9.2} {bound:>9.2} {:>6.2} {:>12.3} {:>10.1} {:>9.1}",
        seconds / bound,
        seconds * 1000.0 / f64::from(mailboxes),
        f64::from(u32::try_from(reply.raw_body.len()).unwrap()) / f64::from(1 << 20),
        bench.peak_mib(),
    );
}
