//! How long a search through a whole tenant takes, next to the shortest time that the model allows, and next to a fixed
//! number of batches. The model is the sandbox's pace: latencies with a long tail, four parts of a batch at a time, and
//! both readings of Outlook's limit, for each mailbox or for the application. Then: a small call during a search, and
//! several clients that share a limit.
//!
//! `cargo bench --bench tenant_query`; `-- 2000`, `-- 20000`, `-- small` and `-- shared` run a part. The tenant runs in
//! this process; the client runs in a process of its own, so that its memory and its processor time are its own, too.
//! Ends with an error where a ratio is not kept.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "common/bare_requests.rs"]
mod bare_requests;
#[path = "common/fixed_batches.rs"]
mod fixed_batches;
#[path = "common/pace.rs"]
mod pace;
#[path = "common/plain_client.rs"]
mod plain_client;
#[path = "common/search_process.rs"]
mod search_process;

use std::time::Duration;

use futures_util::future::join_all;
use pace::{AT_ONCE, FAR};
use sandbox::Sandbox;
use sandbox::graph::{
    Pace, Phish, RetryAfter, Scope, Slow, TenantOptions, Throttling, optimum, optimum_with_refusals,
};
use sandbox::soar::SoarOptions;
use search_process::{Found, Way};
use tempfile::TempDir;

/// Mailboxes that are throttled come back after this time.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What is measured, and the most that it may take.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    pace: Pace,
    limit: Option<usize>,
    throttled: bool,
    /// The longest time, as a multiple of the optimum.
    most: f64,
    /// The shortest time of fixed batches, as a multiple of ours.
    against_batches: Option<f64>,
    /// Whether its processor time is compared with that of bare requests.
    against_bare: bool,
}

const CASES: [Case; 4] = [
    Case {
        name: "no limit",
        pace: FAR,
        limit: None,
        throttled: false,
        most: 1.25,
        against_batches: Some(5.0),
        against_bare: true,
    },
    Case {
        name: "5 % throttled",
        pace: FAR,
        limit: None,
        throttled: true,
        most: 1.6,
        against_batches: None,
        against_bare: false,
    },
    Case {
        name: "slow tenth",
        pace: Pace { slow: Some(Slow { share: 0.1, times: 10 }), ..FAR },
        limit: None,
        throttled: false,
        most: 1.4,
        against_batches: None,
        against_bare: true,
    },
    Case {
        name: "limit of 4",
        pace: FAR,
        limit: Some(4),
        throttled: false,
        most: 1.25,
        against_batches: Some(1.0),
        against_bare: false,
    },
];

fn main() {
    match search_process::Task::from_environment() {
        // As the daemon, whose calls have one thread, and are not the future that it waits for.
        Some(task) => {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build().unwrap();
            runtime.block_on(async { tokio::spawn(task.run()).await.unwrap() });
        }
        None => tokio::runtime::Runtime::new().unwrap().block_on(compare()),
    }
}

async fn compare() {
    let chosen: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_chosen = |part: &str| chosen.is_empty() || chosen.iter().any(|one| one == part);
    for mailboxes in [2_000, 20_000] {
        if is_chosen(&mailboxes.to_string()) {
            searches(mailboxes).await;
        }
    }
    if is_chosen("small") {
        small_calls().await;
    }
    if is_chosen("shared") {
        shared_limit().await;
    }
}

/// The most processor time for each mailbox, as a multiple of that of bare requests.
const MOST_PROCESSOR: f64 = 1.6;
/// A small call during a search takes at most this many times as long as alone.
const MOST_DURING: f64 = 2.0;

/// The latency of a small call during a search, next to the same alone.
async fn small_calls() {
    println!(
        "\n{:>14} {:>22} {:>22} {:>6}",
        "a small call", "alone, median / p95", "during, median / p95", "ratio"
    );
    let (_directory, sandbox) = tenant(20_000).await;
    for case in [&CASES[0], &CASES[3]] {
        prepare(&sandbox, case);
        let [alone, during] = search_process::time_small_calls(&sandbox).await;
        let at = |times: &[f64], percent: usize| times[times.len() * percent / 100] * 1000.0;
        let ratio = at(&during, 50) / at(&alone, 50);
        println!(
            "{:>14} {:>9.0} / {:>7.0} ms {:>9.0} / {:>7.0} ms {ratio:>6.2}",
            case.name,
            at(&alone, 50),
            at(&alone, 95),
            at(&during, 50),
            at(&during, 95),
        );
        assert!(ratio <= MOST_DURING, "{}: {ratio:.2}", case.name);
    }
}

/// Clients in processes of their own share a limit of the application, without knowing of each other.
async fn shared_limit() {
    const LIMIT: usize = 8;
    const MAILBOXES: usize = 2_000;
    println!(
        "\n{:>9} {:>9} {:>9} {:>6} {:>22}",
        "clients", "seconds", "optimum", "ratio", "first and last to end"
    );
    let (_directory, sandbox) = tenant(MAILBOXES).await;
    for clients in [1, 2, 4] {
        prepare(&sandbox, &CASES[3]);
        sandbox.graph.faults().set_application_limit(Some(LIMIT));
        let searches = (0..clients).map(|_| search_process::in_own_process(&sandbox, Way::Client));
        let mut ends: Vec<f64> = join_all(searches).await.iter().map(|found| found.seconds).collect();
        ends.sort_by(f64::total_cmp);
        let draws = FAR.draws(TenantOptions::default().seed, MAILBOXES * clients);
        let optimum = optimum(&draws, LIMIT, FAR.round_trip).as_secs_f64();
        let (first, last) = (ends[0], ends[clients - 1]);
        let ratio = last / optimum;
        println!("{clients:>9} {last:>9.2} {optimum:>9.2} {ratio:>6.2} {first:>10.2} {last:>9.2} s");
        assert!(ratio <= 1.4, "{clients} clients took {ratio:.2} times the optimum");
        assert!(
            first >= 0.5 * last,
            "{clients} clients: one ended after {first:.2} s, another after {last:.2} s"
        );
    }
}

async fn tenant(mailboxes: usize) -> (TempDir, Sandbox) {
    let directory = tempfile::tempdir().unwrap();
    let options = TenantOptions {
        mailboxes,
        users_without_mailbox: 0,
        phish: Some(Phish { mailboxes: mailboxes / 50, ..Phish::default() }),
        requests_kept: 0,
        ..TenantOptions::default()
    };
    let sandbox = Sandbox::start(directory.path(), options, SoarOptions::default()).await.unwrap();
    (directory, sandbox)
}

async fn searches(mailboxes: usize) {
    println!(
        "{:>9} {:>14} {:>8} {:>8} {:>6} {:>8} {:>8} {:>9} {:>10} {:>8}",
        "mailboxes",
        "",
        "seconds",
        "optimum",
        "ratio",
        "last 1 %",
        "batches",
        "requests",
        "processor",
        "peak"
    );
    let (_directory, sandbox) = tenant(mailboxes).await;
    let seed = TenantOptions::default().seed;
    for case in &CASES {
        let case = &case.of(mailboxes);
        prepare(&sandbox, case);
        let found = search_process::in_own_process(&sandbox, Way::Client).await;
        let optimum = case.optimum(seed, mailboxes);
        report(&sandbox, case, mailboxes, &found, optimum);
        if case.against_bare {
            prepare(&sandbox, case);
            let bare = search_process::in_own_process(&sandbox, Way::BareRequests).await;
            assert_eq!(bare.messages, found.messages, "found by bare requests");
            let (each, of_library) = (processor(&found, mailboxes), processor(&bare, mailboxes));
            let ratio = each / of_library;
            println!(
                "{:>9} {:>14} {:>8.2}: {of_library:.3} ms of processor time; ours is {ratio:.2} times that",
                "", "bare requests", bare.seconds
            );
            // What a connection costs is spread over many mailboxes.
            assert!(mailboxes < 20_000 || ratio <= MOST_PROCESSOR, "{ratio:.2} times the processor time");
        }
        if let Some(least) = case.against_batches {
            prepare(&sandbox, case);
            let fixed = search_process::in_own_process(&sandbox, Way::FixedBatches).await;
            let ratio = fixed.seconds / found.seconds;
            println!("{:>9} {:>14} {:>8.2}: {ratio:.1} times ours", "", "8 batches", fixed.seconds);
            assert!(ratio >= least, "8 batches of 20 took {ratio:.2} times as long");
        }
    }
}

fn prepare(sandbox: &Sandbox, case: &Case) {
    let faults = sandbox.graph.faults();
    faults.clear();
    faults.set_pace(Some(case.pace));
    faults.set_application_limit(case.limit);
    faults.throttle(case.throttled.then_some(Throttling {
        share: 0.05,
        scope: Scope::Everything,
        retry_after: RetryAfter::Seconds(1),
        times: 1,
    }));
    sandbox.graph.forget_requests();
}

fn report(sandbox: &Sandbox, case: &Case, mailboxes: usize, found: &Found, optimum: Duration) {
    let planted = sandbox.graph.planted().len();
    assert_eq!((found.messages, found.failed), (planted, 0), "messages found, mailboxes not searched");
    let ratio = found.seconds / optimum.as_secs_f64();
    let last = (found.seconds - found.most_done) / found.seconds;
    let counters = sandbox.graph.counters();
    let each = processor(found, mailboxes);
    println!(
        "{mailboxes:>9} {:>14} {:>8.2} {:>8.2} {ratio:>6.2} {:>6.0} % {:>8} {:>9} {:>7.3} ms {:>4.0} MiB",
        case.name,
        found.seconds,
        optimum.as_secs_f64(),
        last * 100.0,
        counters.batches,
        counters.http_requests,
        each,
        found.peak_mib
    );
    assert!(ratio <= case.most, "{}: {ratio:.2} times the optimum", case.name);
    assert!(last < 0.5, "{}: the last 1 % took {:.0} % of the time", case.name, last * 100.0);
}

/// The milliseconds of processor time for each mailbox.
fn processor(found: &Found, mailboxes: usize) -> f64 {
    found.processor * 1000.0 / f64::from(u32::try_from(mailboxes).unwrap())
}

impl Case {
    /// The case for so many mailboxes. With a limit of four, 20,000 take ten minutes, once.
    fn of(&self, mailboxes: usize) -> Self {
        let is_long = self.limit.is_some() && mailboxes > 2_000;
        Self { against_batches: self.against_batches.filter(|_| !is_long), ..*self }
    }

    /// The shortest time that the model allows: after the first page of users, each request begins as soon as a place
    /// is free.
    fn optimum(&self, seed: u64, mailboxes: usize) -> Duration {
        let at_once = self.limit.unwrap_or(AT_ONCE);
        let draws = self.pace.draws(seed, mailboxes);
        let users = self.pace.round_trip + self.pace.users_page;
        let is_refused = |nth: usize| self.throttled && nth.is_multiple_of(20);
        users + optimum_with_refusals(&draws, at_once, self.pace.round_trip, is_refused, RETRY_AFTER)
    }
}
