//! 500 calls of one small function over the broker: how long they take as SOAR may send them, all at once, next to
//! one after another, and what each costs the daemon's processor.
//!
//! The sandbox has the other core; on a machine with few of them it takes its part of the time, but none of the
//! daemon's processor time.
//!
//! `cargo bench --bench broker_calls`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "common/daemon.rs"]
mod daemon;
#[path = "common/pace.rs"]
mod pace;

use std::time::{Duration, Instant};

use daemon::Bench;
use futures_util::future::join_all;
use pace::NEAR;
use sandbox::graph::{Pace, Planted, TenantOptions, optimum};
use serde_json::{Value, json};

const CALLS: u32 = 500;
/// `num_workers` where nothing else is configured.
const WORKERS: u32 = 25;

#[tokio::main]
async fn main() {
    println!(
        "{:>8} {:>8} {:>9} {:>9} {:>6} {:>8} {:>14} {:>9}",
        "latency", "at once", "seconds", "bound", "ratio", "ms/call", "processor/call", "peak MiB"
    );
    for pace in [None, Some(NEAR)] {
        for at_once in [WORKERS, 1] {
            let bench = Bench::start(TenantOptions::default(), &[]).await;
            let planted = bench.sandbox.graph.planted();
            // Opens the connections and fetches the token.
            join_all((0..WORKERS).map(|nth| get(&bench, &planted, nth))).await;
            bench.sandbox.graph.faults().set_pace(pace);
            let before = bench.processor_seconds();
            let started = Instant::now();
            if at_once == 1 {
                for nth in 0..CALLS {
                    get(&bench, &planted, nth).await;
                }
            } else {
                join_all((0..CALLS).map(|nth| get(&bench, &planted, nth))).await;
            }
            let seconds = started.elapsed().as_secs_f64();
            let processor = bench.processor_seconds() - before;
            let bound = pace.map_or(0.0, |pace| bound(pace, at_once as usize));
            let ratio = if bound > 0.0 { format!("{:.2}", seconds / bound) } else { "-".to_owned() };
            println!(
                "{:>8} {at_once:>8} {seconds:>9.2} {bound:>9.2} {ratio:>6} {:>8.2} {:>11.2} ms {:>9.1}",
                if pace.is_some() { "12 ms" } else { "none" },
                seconds * 1000.0 / f64::from(CALLS),
                processor * 1000.0 / f64::from(CALLS),
                bench.peak_mib(),
            );
        }
    }
}

/// The shortest time that the model allows for all calls, with a round trip for each.
fn bound(pace: Pace, at_once: usize) -> f64 {
    let draws = pace.draws(TenantOptions::default().seed, CALLS as usize);
    let each: Vec<_> = draws.into_iter().map(|draw| draw + pace.round_trip).collect();
    optimum(&each, at_once, Duration::ZERO).as_secs_f64()
}

/// One call, from the message to the reply.
async fn get(bench: &Bench, planted: &[Planted], nth: u32) -> Value {
    let Planted { mailbox, id, .. } = &planted[nth as usize % planted.len()];
    let inputs = json!({ "exo_email_address": mailbox, "exo_messages_id": id });
    let reply = bench.call("exchange_online_get_message", inputs).await;
    assert_eq!(reply.results["content"]["id"], json!(id));
    reply.results
}
