//! What the program costs while it does nothing, and how soon it is subscribed: started as it is deployed, against
//! the sandbox on loopback. `cargo bench --bench idle`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "../tests/support/deployment.rs"]
#[allow(dead_code, reason = "the benchmark uses a part of it")]
mod deployment;

use std::time::{Duration, Instant};

use deployment::{Deployment, SOON};
use sandbox::soar::rest::Recorded;
use tokio::time::sleep;

/// How many starts are measured; the median is printed.
const STARTS: usize = 11;
/// Time for the process to come to rest.
const SETTLED_AFTER: Duration = Duration::from_secs(3);
/// How long the processor's time is watched; a multiple of the 15 s between heart-beats would be fairest.
const WATCHED_FOR: Duration = Duration::from_secs(10);

/// The most memory of its own at rest.
const MOST_MEMORY_KIB: u64 = 16 << 10;
/// The longest time from the start until it is subscribed, with optimisation.
const LATEST: Duration = Duration::from_millis(50);

#[tokio::main]
async fn main() {
    let deployment = Deployment::new().await;
    let queue = deployment.queue();
    let broker = &deployment.sandbox.soar.broker;
    let rest = &deployment.sandbox.soar.rest;

    let mut times = Vec::new();
    for _ in 0..STARTS {
        assert!(broker.until(SOON, |broker| broker.consumers(&queue) == 0).await);
        let config = deployment.app_config(&[], &[]);
        let started = Instant::now();
        let mut daemon = deployment.spawn(&config);
        assert!(broker.until(SOON, |broker| broker.consumers(&queue) == 1).await, "{}", daemon.log());
        times.push(started.elapsed());
        daemon.stop().await;
    }
    times.sort();
    let median = times[STARTS / 2];
    println!("start to subscribed: {median:.0?} ({:.0?} to {:.0?} of {STARTS})", times[0], times[STARTS - 1]);
    let requests = rest.requests();
    let each: Vec<&Recorded> = requests.iter().take(requests.len() / STARTS).collect();
    println!("requests to SOAR before that: {} over {} connections", each.len(), rest.connections() / STARTS);
    for request in each {
        println!("  {} {}", request.method, request.path);
    }

    let daemon = deployment.daemon().await;
    sleep(SETTLED_AFTER).await;
    let before = ticks(daemon.id());
    sleep(WATCHED_FOR).await;
    let used = ticks(daemon.id()) - before;
    println!("memory: {}", status(daemon.id(), &["VmRSS", "RssAnon", "RssFile", "VmHWM", "Threads"]));
    println!("processor time within {WATCHED_FOR:?}: {used} ticks of 10 ms");
    let own = status(daemon.id(), &["RssAnon"]);
    let own: u64 = own.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(own < MOST_MEMORY_KIB, "{own} KiB of memory of its own");
    assert!(median < LATEST || cfg!(debug_assertions), "subscribed after {median:.0?}");
}

/// Some lines of `/proc/PID/status`.
fn status(process: u32, names: &[&str]) -> String {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let lines = status.lines().filter(|line| names.iter().any(|name| line.starts_with(&format!("{name}:"))));
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join(", ")
}

/// The ticks a process has used, in user and in kernel mode (`proc_pid_stat(5)`, fields 14 and 15).
fn ticks(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    after_name.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum()
}
