//! A query of a whole tenant with very many matches, over the broker: how long the call takes as the tenant grows,
//! and how much memory its reply costs the daemon.
//!
//! `cargo bench --bench large_result`
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

/// Messages to be found in every second mailbox.
const COPIES: u32 = 5;

#[tokio::main]
async fn main() {
    println!(
        "{:>9} {:>8} {:>9} {:>9} {:>6} {:>12} {:>10} {:>9}",
        "mailboxes", "messages", "seconds", "optimum", "ratio", "ms/mailbox", "reply MiB", "peak MiB"
    );
    for mailboxes in [2_000, 20_000] {
        query(mailboxes).await;
    }
}

async fn query(mailboxes: u32) {
    let phish = Phish { mailboxes: mailboxes as usize / 2, copies: COPIES, ..Phish::default() };
    let sender = phish.sender.address.clone();
    let tenant = TenantOptions {
        mailboxes: mailboxes as usize,
        users_without_mailbox: 0,
        phish: Some(phish),
        ..TenantOptions::default()
    };
    let seed = tenant.seed;
    let options = [("max_users", "100000"), ("max_messages", "100000")];
    let bench = Bench::start(tenant, &options).await;
    bench.sandbox.graph.faults().set_pace(Some(FAR));
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
    let optimum = optimum(&FAR.draws(seed, mailboxes as usize), AT_ONCE, FAR.round_trip).as_secs_f64();
    println!(
        "{mailboxes:>9} {messages:>8} {seconds:>9.2} {optimum:>9.2} {:>6.2} {:>12.3} {:>10.1} {:>9.1}",
        seconds / optimum,
        seconds * 1000.0 / f64::from(mailboxes),
        f64::from(u32::try_from(reply.raw_body.len()).unwrap()) / f64::from(1 << 20),
        bench.peak_mib(),
    );
}
