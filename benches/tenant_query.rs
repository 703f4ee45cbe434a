//! How long a search through a whole tenant takes, next to the bound that latency sets and to the same work
//! with one batch after another.
//!
//! `cargo bench --bench tenant_query`. The tenant runs in this process; the client runs in a process of its own,
//! so that its memory is its own too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use fn_exchange_online::config::{Environment, Settings};
use graph::{AddressMatch, Client, Criteria, SearchScope, search};
use sandbox::Sandbox;
use sandbox::graph::{Phish, RetryAfter, Scope, TenantOptions, Throttling};
use sandbox::soar::SoarOptions;

/// What a `$batch` call takes at Graph.
const LATENCY: Duration = Duration::from_millis(100);
/// Names the configuration file in the environment of the client's process.
const CONFIG: &str = "TENANT_QUERY_CONFIG";

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match std::env::var(CONFIG) {
        Ok(config) => runtime.block_on(query(Path::new(&config))),
        Err(_) => runtime.block_on(compare()),
    }
}

/// The client's process: searches, and prints seconds, messages, mailboxes that failed, and its peak memory in KiB.
async fn query(config: &Path) {
    let nothing: [(&str, &str); 0] = [];
    let environment: Environment = nothing.into_iter().collect();
    let settings = Settings::load(config, &environment).unwrap().settings;
    let client = Client::new(&settings.graph).unwrap();
    let criteria = Criteria {
        sender: Some(AddressMatch::Address(Phish::default().sender.address)),
        ..Criteria::default()
    };
    let tenant = SearchScope::Tenant { prefix: String::new() };
    let started = Instant::now();
    let found = search(&client, tenant, &criteria, 1_000_000, 1_000_000, |_| ()).await.unwrap();
    let took = started.elapsed().as_secs_f64();
    let messages: usize = found.mailboxes.iter().map(|mailbox| mailbox.messages.len()).sum();
    println!("{took} {messages} {} {}", found.failures().count(), peak_memory());
}

/// The most memory this process has held, in KiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

async fn compare() {
    println!(
        "{:>9} {:>9} {:>6} {:>9} {:>9} {:>6} {:>8} {:>9} {:>9}",
        "mailboxes", "throttled", "at once", "seconds", "bound", "ratio", "batches", "sub-reqs", "peak MiB"
    );
    for mailboxes in [2_000, 20_000] {
        let directory = tempfile::tempdir().unwrap();
        let options = TenantOptions {
            mailboxes,
            users_without_mailbox: 0,
            phish: Some(Phish { mailboxes: mailboxes / 50, ..Phish::default() }),
            ..TenantOptions::default()
        };
        let sandbox = Sandbox::start(directory.path(), options, SoarOptions::default()).await.unwrap();
        sandbox.graph.faults().set_latency(Duration::ZERO, LATENCY);
        for share in [0.0, 0.05] {
            for at_once in [8_u32, 1] {
                let throttling = Throttling {
                    share,
                    scope: Scope::SubRequests,
                    retry_after: RetryAfter::Seconds(1),
                    times: 1,
                };
                sandbox.graph.faults().throttle((share > 0.0).then_some(throttling));
                sandbox.graph.forget_requests();
                let config =
                    sandbox.write_app_config(&[("max_concurrent_batches", &at_once.to_string())]).unwrap();
                let client = tokio::task::spawn_blocking(move || {
                    Command::new(std::env::current_exe().unwrap()).env(CONFIG, config).output().unwrap()
                });
                let output = String::from_utf8(client.await.unwrap().stdout).unwrap();
                let mut output = output.split_whitespace();
                let seconds: f64 = output.next().expect("the client failed").parse().unwrap();
                let [messages, failed, memory] =
                    [0; 3].map(|_| output.next().unwrap().parse::<u32>().unwrap());
                let planted = sandbox.graph.planted().len();
                assert_eq!(
                    (messages as usize, failed),
                    (planted, 0),
                    "messages found, mailboxes not searched"
                );
                let batches = f64::from(u32::try_from(mailboxes.div_ceil(20)).unwrap());
                let bound = (batches / f64::from(at_once)).ceil() * LATENCY.as_secs_f64();
                let counters = sandbox.graph.counters();
                println!(
                    "{mailboxes:>9} {:>8}% {at_once:>7} {seconds:>9.2} {bound:>9.2} {:>6.2} {:>8} {:>9} {:>9.1}",
                    share * 100.0,
                    seconds / bound,
                    counters.batches,
                    counters.sub_requests,
                    f64::from(memory) / 1024.0
                );
            }
        }
    }
}
