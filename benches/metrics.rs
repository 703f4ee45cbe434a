//! What being watched costs: small calls over the broker with `/metrics` read each second, next to the same without a
//! listener.
//!
//! It is taken apart first: what counting costs for a call, and what reading costs, as parts of the processor time that
//! calls take. Together they have to stay below two parts in a hundred. Then it is tried as a whole, in rounds: one
//! daemon has the listener in every other of them (its configuration is changed in between, as an operator would). On a
//! machine that does other things neighbouring rounds differ by more than what is looked for, so their ratios fail the
//! benchmark only where three of four are over the limit.
//!
//! `cargo bench --bench metrics`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "common/daemon.rs"]
mod daemon;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use daemon::Bench;
use fn_exchange_online::functions::Function;
use fn_exchange_online::worker::{self, CallOutcome, DeliveryAction, ReplyOutcome};
use futures_util::{StreamExt, stream};
use graph::{self, Sent};
use sandbox::graph::TenantOptions;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{interval, sleep};

/// Rounds of each kind.
const PAIRS: usize = 15;
/// Calls of a round, and before it, so that the change of the configuration is over.
const CALLS: u32 = 6000;
const BEFORE: u32 = 300;
const AT_ONCE: usize = 25;
/// Readings, and counted calls, whose time is taken.
const SCRAPES: u32 = 500;
const COUNTED: u32 = 1_000_000;
const SCRAPED_EVERY: Duration = Duration::from_secs(1);
/// What it may cost.
const MOST: f64 = 1.02;

struct Round {
    /// Of the processor, for each call.
    microseconds: f64,
    calls_per_second: f64,
    scrapes: u32,
}

#[tokio::main]
async fn main() {
    let bench = Bench::start(TenantOptions::default(), &[]).await;
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let listen = address.to_string();
    bench.configure(&[("health_listen", listen.as_str())]);
    while TcpStream::connect(address).await.is_err() {
        sleep(Duration::from_millis(10)).await;
    }
    let cost = taken_apart(&bench, address).await;
    assert!(cost < MOST - 1.0, "being watched costs {:.1} %", cost * 100.0);
    let (mut costs, mut throughputs) = (Vec::new(), Vec::new());
    println!(
        "{:>4} {:>14} {:>14} {:>7} {:>10} {:>10} {:>7}",
        "", "off µs/call", "on", "ratio", "off calls/s", "on", "scrapes"
    );
    for pair in 0..PAIRS {
        // Which comes first changes, so that a machine that becomes slower or faster favours neither.
        let mut rounds = [None, None];
        for on in [pair % 2 == 0, pair % 2 != 0] {
            let options: &[_] = if on { &[("health_listen", listen.as_str())] } else { &[] };
            bench.configure(options);
            while TcpStream::connect(address).await.is_ok() != on {
                sleep(Duration::from_millis(10)).await;
            }
            rounds[usize::from(on)] = Some(round(&bench, on.then_some(address)).await);
        }
        let [Some(off), Some(on)] = rounds else { unreachable!() };
        let cost = on.microseconds / off.microseconds;
        println!(
            "{pair:>4} {:>14.1} {:>14.1} {cost:>7.3} {:>10.0} {:>10.0} {:>7}",
            off.microseconds, on.microseconds, off.calls_per_second, on.calls_per_second, on.scrapes
        );
        costs.push(cost);
        throughputs.push(on.calls_per_second / off.calls_per_second);
    }
    let ([low, cost, high], [_, throughput, _]) = (quartiles(costs), quartiles(throughputs));
    println!("processor time: {cost:.3} of what it is without (quartiles {low:.3} and {high:.3})");
    println!("throughput: {throughput:.3} of what it is without");
    assert!(low < MOST, "three of four rounds say that being watched costs more");
}

/// What counting and reading cost, as a part of what calls cost.
async fn taken_apart(bench: &Bench, address: SocketAddr) -> f64 {
    let call = round(bench, None).await;
    let before = bench.processor_time();
    for _ in 0..SCRAPES {
        scrape(address).await;
    }
    let scrape = (bench.processor_time().saturating_sub(before) / SCRAPES).as_secs_f64();
    let counting = counting().as_secs_f64();
    let each = call.microseconds / 1e6;
    let a_second = each * call.calls_per_second;
    let cost = counting / each + scrape / SCRAPED_EVERY.as_secs_f64() / a_second;
    println!("a call: {:.1} µs; counting alone: {:.3} µs", each * 1e6, counting * 1e6);
    println!(
        "{:.0} calls a second: {:.0} ms, and a reading {:.3} ms",
        call.calls_per_second,
        a_second * 1e3,
        scrape * 1e3
    );
    println!("together: {:.2} %", cost * 100.0);
    cost
}

/// How long it takes to count all that is counted of a small call.
fn counting() -> Duration {
    let (calls, graph) = (worker::Metrics::default(), graph::Metrics::default());
    let started = Instant::now();
    for nth in 0..COUNTED {
        let took = Duration::from_micros(u64::from(nth % 4000));
        calls.delivered(DeliveryAction::New, false);
        let in_flight = [calls.running(), calls.running()];
        graph.answered(Sent::Single, Some(200), false);
        graph.took(took);
        calls.ended(Function::GetMessage, CallOutcome::Succeeded, took);
        calls.replied(ReplyOutcome::Confirmed);
        drop(std::hint::black_box(in_flight));
    }
    std::hint::black_box((&calls, &graph));
    started.elapsed() / COUNTED
}

async fn round(bench: &Bench, scraped: Option<SocketAddr>) -> Round {
    calls(bench, BEFORE).await;
    let before = bench.processor_time();
    let started = Instant::now();
    let (mut scrapes, mut due) = (0, interval(SCRAPED_EVERY));
    {
        let work = calls(bench, CALLS);
        tokio::pin!(work);
        loop {
            tokio::select! {
                () = &mut work => break,
                _ = due.tick(), if scraped.is_some() => {
                    scrape(scraped.unwrap()).await;
                    scrapes += 1;
                }
            }
        }
    }
    let took = started.elapsed();
    let processor = bench.processor_time().saturating_sub(before);
    Round {
        microseconds: processor.as_secs_f64() * 1e6 / f64::from(CALLS),
        calls_per_second: f64::from(CALLS) / took.as_secs_f64(),
        scrapes,
    }
}

async fn calls(bench: &Bench, count: u32) {
    let planted = bench.sandbox.graph.planted();
    let call = |nth: u32| {
        let message = &planted[nth as usize % planted.len()];
        let inputs = json!({ "exo_email_address": message.mailbox, "exo_messages_id": message.id });
        bench.call("exchange_online_get_message", inputs)
    };
    stream::iter(0..count).map(call).buffer_unordered(AT_ONCE).for_each(|_| async {}).await;
}

async fn scrape(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: daemon\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("fn_exchange_online_calls_total"), "{text}");
}

fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|nth| values[values.len() * nth / 4])
}
