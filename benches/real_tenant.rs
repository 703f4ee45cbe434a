//! Two tenants as customers have them: one whose mailboxes answer slowly, one with half a million mailboxes and 50,000
//! matches. Checks that everything was searched, how much memory the daemon needed, and how long the search waited for
//! the list of users.
//!
//! `cargo bench --bench real_tenant` takes about ten minutes; `-- slow` and `-- huge` run one of the two.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "common/daemon.rs"]
mod daemon;

use std::time::{Duration, Instant};

use daemon::Bench;
use sandbox::graph::{Pace, Phish, TenantOptions};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The longest that a call may take here.
const CALL_WITHIN: Duration = Duration::from_secs(3600);

/// The most memory that the daemon may take, in MiB: 200 MB.
const MOST_MEMORY: f64 = 200e6 / (1 << 20) as f64;
/// The largest share of the time that a search may wait for the list of users.
const MOST_WAIT: f64 = 0.1;

struct Run {
    name: &'static str,
    mailboxes: usize,
    matches: usize,
    pace: Pace,
}

const RUNS: [Run; 2] = [
    Run {
        name: "slow",
        mailboxes: 2_000,
        matches: 20,
        pace: Pace {
            round_trip: Duration::from_millis(20),
            median: Duration::from_secs(8),
            p99: Duration::from_secs(16),
            slow: None,
            users_page: Duration::from_millis(300),
        },
    },
    Run {
        name: "huge",
        mailboxes: 500_000,
        matches: 50_000,
        pace: Pace {
            round_trip: Duration::from_millis(20),
            median: Duration::from_millis(100),
            p99: Duration::from_millis(400),
            slow: None,
            users_page: Duration::from_millis(300),
        },
    },
];

#[tokio::main]
async fn main() {
    let chosen: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    println!(
        "{:>6} {:>9} {:>7} {:>9} {:>14} {:>10} {:>9} {:>10}",
        "", "mailboxes", "failed", "seconds", "waited, users", "reply MiB", "peak MiB", "processor"
    );
    for run in RUNS {
        if chosen.is_empty() || chosen.iter().any(|name| name == run.name) {
            search(run).await;
        }
    }
}

async fn search(Run { name, mailboxes, matches, pace }: Run) {
    let phish = Phish { mailboxes: matches, copies: 1, ..Phish::default() };
    let sender = phish.sender.address.clone();
    let tenant = TenantOptions {
        mailboxes,
        users_without_mailbox: 0,
        phish: Some(phish),
        requests_kept: 0,
        ..TenantOptions::default()
    };
    let listen = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = [
        ("timeout", "60"),
        ("max_users", "1000000"),
        ("max_messages", "100000"),
        ("call_timeout", "7200"),
        ("health_listen", &listen.to_string()),
    ];
    let bench = Bench::start(tenant, &options).await;
    bench.sandbox.graph.faults().set_pace(Some(pace));
    let before = bench.processor_seconds();
    let inputs = Bench::tenant_query(&sender);
    let started = Instant::now();
    let call = bench.caller.call("exchange_online_query_emails", inputs).await.unwrap();
    let reply = call.reply(CALL_WITHIN).await.unwrap();
    let seconds = started.elapsed().as_secs_f64();
    let content = &reply.results["content"];
    assert_eq!(content["messages_found"], json!(matches), "{}", reply.message);
    assert_eq!(content["users_searched"], json!(mailboxes), "{}", reply.message);
    let waited = users_wait(listen).await;
    let peak = bench.peak_mib();
    // The milliseconds of processor time for each mailbox, with everything that is done with the result.
    let each = (bench.processor_seconds() - before) * 1000.0 / f64::from(u32::try_from(mailboxes).unwrap());
    println!(
        "{name:>6} {mailboxes:>9} {:>7} {seconds:>9.1} {waited:>12.1} s {:>10.1} {peak:>9.1} {each:>7.3} ms",
        content["users_failed"],
        f64::from(u32::try_from(reply.raw_body.len()).unwrap()) / f64::from(1 << 20),
    );
    assert!(peak <= MOST_MEMORY, "{peak:.0} MiB");
    assert!(name == "slow" || waited <= MOST_WAIT * seconds, "{waited:.1} s of {seconds:.1} s");
}

/// How long searches waited for the list of users, as the daemon's metrics say.
async fn users_wait(listen: std::net::SocketAddr) -> f64 {
    let mut stream = tokio::net::TcpStream::connect(listen).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let name = "fn_exchange_online_graph_users_wait_seconds_total ";
    text.lines().find_map(|line| line.strip_prefix(name)).unwrap().parse().unwrap()
}
