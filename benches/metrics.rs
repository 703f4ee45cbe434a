//! What being watched costs: small calls over the broker with `/metrics` read each second, beside the same without a
//! listener. One daemon has the listener in every other round (its configuration is changed in between, as an operator
//! would), so whatever else the machine does meets both alike. A round counts the processor time that the daemon takes
//! for a call; the median over neighbouring rounds has to stay below two parts in a hundred.
//!
//! `cargo bench --bench metrics`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "common/daemon.rs"]
mod daemon;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use daemon::Bench;
use fn_exchange_online::sandbox::graph::TenantOptions;
use futures_util::{StreamExt, stream};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{interval, sleep};

/// Rounds of each kind.
const PAIRS: usize = 31;
/// Calls of a round, and before it, so that the change of the configuration is over.
const CALLS: u32 = 6000;
const BEFORE: u32 = 300;
const AT_ONCE: usize = 25;
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
    let (cost, throughput) = (median(costs), median(throughputs));
    println!("median: processor time {cost:.4}, throughput {throughput:.4} of what it is without");
    assert!(cost < MOST, "being watched costs {:.1} %", (cost - 1.0) * 100.0);
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

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
