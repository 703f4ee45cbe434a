//! Two tenants as customers have them: one whose mailboxes answer slowly, one with half a million users. Says whether
//! everything was searched, how long it took, and how much memory the daemon needed.
//!
//! `cargo bench --bench real_tenant` takes about 20 minutes; `-- slow` and `-- huge` run one of the two.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "common/daemon.rs"]
mod daemon;

use std::time::{Duration, Instant};

use daemon::Bench;
use sandbox::graph::{Phish, TenantOptions};
use serde_json::json;

/// The longest that a call may take here.
const CALL_WITHIN: Duration = Duration::from_secs(3600);

struct Run {
    name: &'static str,
    mailboxes: usize,
    without_mailbox: usize,
    /// What one part of a batch takes. Graph runs four parts of a batch at a time.
    part: Duration,
}

const RUNS: [Run; 2] = [
    Run { name: "slow", mailboxes: 2_000, without_mailbox: 0, part: Duration::from_secs(8) },
    Run { name: "huge", mailboxes: 250_000, without_mailbox: 250_000, part: Duration::ZERO },
];

#[tokio::main]
async fn main() {
    let chosen: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    println!(
        "{:>6} {:>8} {:>9} {:>8} {:>7} {:>9} {:>10} {:>9}",
        "", "users", "searched", "without", "failed", "seconds", "reply MiB", "peak MiB"
    );
    for run in RUNS {
        if chosen.is_empty() || chosen.iter().any(|name| name == run.name) {
            search(run).await;
        }
    }
}

async fn search(Run { name, mailboxes, without_mailbox, part }: Run) {
    let phish = Phish { mailboxes: mailboxes / 100, copies: 1, ..Phish::default() };
    let sender = phish.sender.address.clone();
    let tenant = TenantOptions {
        mailboxes,
        users_without_mailbox: without_mailbox,
        phish: Some(phish),
        requests_kept: 0,
        ..TenantOptions::default()
    };
    let options =
        [("timeout", "30"), ("max_users", "1000000"), ("max_messages", "100000"), ("call_timeout", "7200")];
    let bench = Bench::start(tenant, &options).await;
    bench.sandbox.graph.faults().set_latency(part, Duration::ZERO);
    let inputs = Bench::tenant_query(&sender);
    let started = Instant::now();
    let call = bench.caller.call("exchange_online_query_emails", inputs).await.unwrap();
    let reply = call.reply(CALL_WITHIN).await.unwrap();
    let seconds = started.elapsed().as_secs_f64();
    let content = &reply.results["content"];
    assert_eq!(content["messages_found"], json!(mailboxes / 100), "{}", reply.message);
    println!(
        "{name:>6} {:>8} {:>9} {:>8} {:>7} {seconds:>9.1} {:>10.1} {:>9.1}",
        content["users_listed"],
        content["users_searched"],
        content["users_without_mailbox"],
        content["users_failed"],
        f64::from(u32::try_from(reply.raw_body.len()).unwrap()) / f64::from(1 << 20),
        bench.peak_mib(),
    );
}
