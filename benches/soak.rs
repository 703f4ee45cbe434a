//! An hour of mixed load with faults: whether memory, descriptors or latency have a trend, and whether each call gets
//! exactly one final reply. Fails if not.
//!
//! The run consists of periods of 30 seconds with ten steps a second. In the first eight seconds two kinds of trouble
//! last. Until second 20 the daemon may catch up. Calls that begin after that are measured, so that trouble is no
//! trend; none of them may fail. Each minute all mailboxes are searched as well. After the period all calls have to be
//! answered, and the sandbox forgets what they left there. Before the first period come 10,000 calls, as many as the
//! daemon remembers, so that its memory of them is full. The daemon rests before the first period and after the last,
//! until connections without work are closed; the numbers of its files and threads have to be the same then.
//!
//! `cargo bench --bench soak` takes an hour, `SOAK_MINUTES=5 cargo bench --bench soak` five minutes. `SOAK_SEED=1`
//! repeats the order of calls and trouble.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, unreachable_pub)]

#[path = "soak/control.rs"]
mod control;
#[path = "common/daemon.rs"]
mod daemon;
#[path = "soak/faults.rs"]
mod faults;
#[path = "soak/load.rs"]
mod load;
#[path = "soak/relay.rs"]
mod relay;
#[path = "soak/report.rs"]
mod report;
#[path = "soak/trend.rs"]
mod trend;

use std::sync::Arc;
use std::time::{Duration, Instant};

use control::Control;
use daemon::Bench;
use fastrand::Rng;
use faults::{Schedule, World};
use load::Load;
use relay::Relay;
use report::{Report, Rest, Sample};
use sandbox::graph::{OPTIONAL_ROLES, TenantOptions};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

const TENANT: usize = 500;
const PERIODS_A_MINUTE: usize = 2;
const PERIOD: Duration = Duration::from_secs(30);
/// How long trouble lasts within a period, and how long the daemon may catch up after it.
const TROUBLE: Duration = Duration::from_secs(8);
const CATCH_UP: Duration = Duration::from_secs(12);
const STEP_EVERY: Duration = Duration::from_millis(100);
/// Steps from one look at how busy the machine is to the next.
const CONTROLLED_EVERY: usize = 4;
const SAMPLED_EVERY: Duration = Duration::from_secs(10);
/// After so long connections without work are closed, since the daemon looks once in 60 s for those that had none for
/// 60 s; and how long it is watched then.
const IDLE: Duration = Duration::from_secs(125);
const RESTED: Duration = Duration::from_secs(20);
/// The daemon remembers so many calls that have ended. It does from the start here, so that this is no growth.
const REMEMBERED: usize = 10_000;
const OPTIONS: [(&str, &str); 4] = [
    ("search_strategy", "mailboxes"),
    ("max_users", "1000"),
    ("max_retries_backoff_factor", "0.2"),
    ("max_retries_total", "20"),
];

#[tokio::main]
async fn main() {
    let minutes = usize::try_from(number("SOAK_MINUTES").unwrap_or(60)).unwrap();
    assert!(minutes >= 5, "SOAK_MINUTES={minutes}: a run of less than five minutes has no trend");
    let seed = number("SOAK_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!("to repeat: SOAK_MINUTES={minutes} SOAK_SEED={seed} cargo bench --bench soak");
    let (directory, sandbox) =
        Bench::sandbox(TenantOptions { mailboxes: TENANT, requests_kept: 1_000, ..TenantOptions::default() })
            .await;
    for role in OPTIONAL_ROLES {
        sandbox.graph.faults().give_role(role);
    }
    let relay = Relay::start(sandbox.soar.broker.address().port()).await;
    let port = format!("stomp_port={}", relay.port);
    let edit = move |text: String| {
        let lines = text.lines().map(|line| if line.starts_with("stomp_port=") { &port } else { line });
        lines.collect::<Vec<_>>().join("\n").replacen(
            "[resilient]",
            "[resilient]\nrequest_retry_delay=0.2",
            1,
        )
    };
    let bench = Bench::start_in(directory, sandbox, &OPTIONS, edit).await;
    let load = Arc::new(Load::new(bench));
    load.hurry(REMEMBERED).await;
    let mut report =
        Report::new(minutes * PERIODS_A_MINUTE, load.take_tally(), load.bench.processor_seconds());
    load.clean_up();
    let before = at_rest(&load.bench).await;
    let started = Instant::now();
    let world = World { bench: &load.bench, relay: &relay, options: &OPTIONS };
    let (schedule, chance) = (Schedule::new(seed), Rng::with_seed(seed ^ 1));
    let control = Control::start().await;
    let mut source = Source { load: &load, world, chance, schedule, control, started };
    for nth in 0..minutes * PERIODS_A_MINUTE {
        source.period(nth.is_multiple_of(PERIODS_A_MINUTE), |sample| report.sample(sample)).await;
        report.period(load.take_tally(), load.bench.processor_seconds());
        load.clean_up();
    }
    let after = at_rest(&load.bench).await;
    let caller = &load.bench.caller;
    if !report.judge(before, after, caller.late_replies(), caller.unreadable().len()) {
        let mut load = Arc::into_inner(load).unwrap();
        panic!("the soak failed; the daemon's log is in {}", load.bench.keep_directory().display());
    }
}

/// What a period needs.
struct Source<'a> {
    load: &'a Arc<Load>,
    world: World<'a>,
    chance: Rng,
    schedule: Schedule,
    control: Control,
    /// The beginning of the run.
    started: Instant,
}

impl Source<'_> {
    /// One period, until all its calls are answered. It goes by the clock: on a busy machine it has fewer calls.
    async fn period(&mut self, is_searched: bool, mut sampled: impl FnMut(Sample)) {
        let Self { load, world, chance, schedule, control, started } = self;
        let troubles = schedule.next();
        load.now(format!("{troubles:?}"));
        let searched_at = Duration::from_millis(chance.u64(0..8_000));
        let (mut is_searched, mut struck, mut next_sample) = (!is_searched, 0, SAMPLED_EVERY);
        let (mut calls, mut deck, mut calm_since) = (JoinSet::new(), Vec::new(), None::<Instant>);
        let mut is_calm = false;
        let begun = Instant::now();
        let mut ticks = interval(STEP_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            let at = begun.elapsed();
            if at >= TROUBLE && calm_since.is_none() {
                world.calm();
                calm_since = Some(Instant::now());
            } else if calm_since.is_none() && at.as_secs() >= struck {
                for trouble in troubles {
                    world.strike(trouble, struck);
                }
                struck += 1;
            }
            if at >= next_sample {
                sampled(Sample::of(&load.bench, started.elapsed()));
                next_sample += SAMPLED_EVERY;
            }
            if at >= PERIOD {
                break;
            }
            if at >= searched_at && !is_searched {
                is_searched = true;
                let load = load.clone();
                calls.spawn(async move { load.search_tenant().await });
            }
            let was_calm = is_calm;
            is_calm = calm_since.is_some_and(|since| since.elapsed() >= CATCH_UP);
            // What is measured has the same mix in each period.
            if deck.is_empty() || is_calm != was_calm {
                deck = load::deck(chance);
            }
            let (step, of_call) = (deck.pop().unwrap(), load.clone());
            calls.spawn(async move { of_call.step(step, is_calm).await });
            if is_calm && deck.len().is_multiple_of(CONTROLLED_EVERY) {
                load.note_control(control.time().await);
            }
        }
        while let Some(ended) = calls.join_next().await {
            ended.unwrap();
        }
    }
}

/// The daemon without work: the fewest files and threads of some seconds, since it may be renewing its token.
async fn at_rest(bench: &Bench) -> Rest {
    sleep(IDLE).await;
    let mut least = Rest::of(bench);
    for _ in 0..RESTED.as_secs() {
        sleep(Duration::from_secs(1)).await;
        least = least.least(Rest::of(bench));
    }
    least
}

/// A whole number of the environment.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no whole number")))
}
