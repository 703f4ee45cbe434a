//! Small calls on a real ActiveMQ with the memory and the journal that it is delivered with: the daemon next to
//! consumers that do nothing but what every consumer must do at the broker, in the same run and with the same
//! messages.
//!
//! All take turns of a few calls, so that what else the machine does reaches all of them alike. Needs ActiveMQ
//! (`apt-get install activemq openssl`).
//!
//! `cargo bench --bench activemq_calls`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod load;
mod null_consumer;
mod stages;
mod wire;

#[path = "../common/daemon.rs"]
mod daemon;

#[path = "../../tests/support"]
#[allow(dead_code, reason = "this benchmark uses a part of it")]
mod support {
    pub(crate) mod activemq;
    pub(crate) mod cutter;
    pub(crate) mod deployment;
    pub(crate) mod ports;
    pub(crate) mod stomp_client;
    pub(crate) mod tls;
}

use std::time::Duration;

use daemon::processor_time;
use load::{Answer, Load};
use null_consumer::{Grouping, NullConsumer};
use serde_json::{Value, json};
use stages::{PARTS, Tap};
use support::activemq::{ADMIN, ActiveMq, LOGIN, Setup, Tls};
use support::deployment::{Deployment, OtherBroker};
use support::stomp_client::StompClient;
use wire::Wire;

/// `num_workers`, and so the prefetch, where nothing else is configured.
pub(crate) const WORKERS: u32 = 25;
const FUNCTION: &str = "exchange_online_get_message";
/// How many turns each consumer gets, how many calls a turn has, and how many of them before the first, in which
/// Java compiles the broker's code.
const TURNS: u32 = 15;
pub(crate) const CALLS: u32 = 200;
const BEFORE: u32 = 1500;
/// How many calls a turn has where one follows another.
const ONE_BY_ONE: u32 = 40;
/// The least part of the null consumer's calls that the daemon has to reach.
const LEAST: f64 = 0.8;

/// The queues of calls and replies.
#[derive(Debug, Clone)]
pub(crate) struct Queues {
    pub(crate) actions: String,
    pub(crate) acks: String,
}

/// A consumer of calls, and the load that it gets.
struct Contestant {
    name: &'static str,
    load: Load,
    /// The number of its process, if it has its own.
    process: Option<u32>,
    turns: Vec<Turn>,
}

/// What was measured in a turn.
struct Turn {
    /// Calls a second while as many are outstanding as the daemon takes.
    at_once: f64,
    /// Calls a second, one after another.
    one_by_one: f64,
    /// The processor time of a call, at the broker and in the consumer's process; many at once.
    broker: Duration,
    consumer: Option<Duration>,
    late_statuses: u32,
}

/// The broker, and what is at both its ends.
struct Bench {
    broker: ActiveMq,
    deployment: Deployment,
    inputs: Value,
}

#[tokio::main]
async fn main() {
    let bench = Bench::start().await;
    let queues = bench.queues();
    let mut daemon = bench.deployment.daemon_with(&[]).await;
    let mut load = bench.load(&queues).await;
    let answer = load.run(BEFORE, WORKERS).await.last;
    let mut contestants = vec![Contestant::new("daemon", load, Some(daemon.id()))];
    let mut consumers = Vec::new();
    for (name, queue, grouping) in [
        ("null consumer, a transaction each", "test.each", Grouping::Each),
        ("null consumer, shared transactions", "test.shared", Grouping::Shared(WORKERS as usize)),
    ] {
        let queues = Queues { actions: format!("{queue}.calls"), acks: format!("{queue}.replies") };
        consumers.push(NullConsumer::start(bench.wire().await, &queues, answer.clone(), grouping).await);
        let mut load = bench.load(&queues).await;
        load.run(BEFORE, WORKERS).await;
        contestants.push(Contestant::new(name, load, None));
    }
    let before = bench.requests();
    for _ in 0..TURNS {
        for contestant in &mut contestants {
            contestant.turn(&bench.broker).await;
        }
    }
    print_table(&answer, &contestants);
    let ((graph, soar), calls) = (bench.requests(), TURNS * (CALLS + ONE_BY_ONE));
    let (graph, soar) = (graph - before.0, soar - before.1);
    println!("requests for {calls} calls of the daemon: {graph} to Graph, {soar} to SOAR's REST API");
    let ratio = ratio(&contestants[0], &contestants[1], |turn| turn.at_once);
    daemon.stop().await;
    drop((contestants, consumers));
    let shared = bench.print_stages(&answer).await;
    for queue in [&queues.actions, &queues.acks] {
        let mut admin = StompClient::connect(bench.broker.port(), &bench.broker.ca_file(), ADMIN).await;
        assert_eq!(admin.browse(queue).await, Vec::<String>::new());
    }
    assert!(shared > 1.5, "replies that are ready together share a transaction: {shared}");
    assert!(ratio > LEAST, "the daemon reaches {ratio:.2} of a consumer that does nothing");
}

impl Bench {
    async fn start() -> Self {
        let broker = ActiveMq::start_with(Tls::V1_2, Setup::AsDelivered);
        let other = OtherBroker { port: broker.port(), ca_file: broker.ca_file(), login: LOGIN };
        let deployment = Deployment::with_broker(other).await;
        let mailbox = deployment.mailbox(0);
        let id = deployment.add_message(&mailbox, "Hello", "Hello.");
        let inputs = json!({"exo_email_address": mailbox, "exo_messages_id": id});
        Self { broker, deployment, inputs }
    }

    fn queues(&self) -> Queues {
        Queues { actions: self.deployment.queue(), acks: self.deployment.sandbox.soar.acks_queue() }
    }

    /// How many requests Graph and SOAR's REST API have had.
    fn requests(&self) -> (u64, usize) {
        let sandbox = &self.deployment.sandbox;
        (sandbox.graph.counters().http_requests, sandbox.soar.rest.requests().len())
    }

    async fn wire(&self) -> Wire {
        Wire::connect(self.broker.port(), &self.broker.ca_file()).await
    }

    async fn load(&self, queues: &Queues) -> Load {
        Load::new(self.wire().await, queues, FUNCTION, self.inputs.clone()).await
    }

    /// Prints where the time goes of calls that come one after another, for the daemon and for a null consumer.
    /// Returns how many replies of the daemon share a transaction where many calls come at once.
    async fn print_stages(&self, answer: &Answer) -> f64 {
        let tap = Tap::new(&self.broker).await;
        let (port, ca_file) = (tap.port.to_string(), tap.ca_file().display().to_string());
        let queues = self.queues();
        let mut daemon =
            self.deployment.daemon_with(&[("stomp_port", &port), ("stomp_cafile", &ca_file)]).await;
        let mut load = self.load(&queues).await;
        let (of_daemon, commit_of_daemon) = tap.measure(&mut load).await;
        load.run(CALLS, WORKERS).await;
        let shared = tap.replies_in_a_transaction();
        daemon.stop().await;

        let wire = Wire::connect(tap.port, &tap.ca_file()).await;
        let consumer = NullConsumer::start(wire, &queues, answer.clone(), Grouping::Each).await;
        let (of_null, commit_of_null) = tap.measure(&mut load).await;
        drop(consumer);

        println!("\n{:<48} {:>9} {:>14}", "one call after another, median", "daemon", "null consumer");
        for ((part, of_daemon), of_null) in PARTS.iter().zip(of_daemon).zip(of_null) {
            println!("{part:<48} {:>6.2} ms {:>11.2} ms", millis(of_daemon), millis(of_null));
        }
        let (of_daemon, of_null) = (millis(commit_of_daemon), millis(commit_of_null));
        println!("{:<48} {of_daemon:>6.2} ms {of_null:>11.2} ms", "COMMIT to its receipt");
        println!("\nreplies of the daemon in a transaction, {WORKERS} calls at once: {shared:.1}");
        shared
    }
}

impl Contestant {
    fn new(name: &'static str, load: Load, process: Option<u32>) -> Self {
        Self { name, load, process, turns: Vec::new() }
    }

    async fn turn(&mut self, broker: &ActiveMq) {
        let broker = broker.id().unwrap();
        let (before, consumer) = (processor_time(broker), self.process.map(processor_time));
        let run = self.load.run(CALLS, WORKERS).await;
        let each = |process, before| processor_time(process).saturating_sub(before) / CALLS;
        let (broker, consumer) =
            (each(broker, before), self.process.zip(consumer).map(|(process, before)| each(process, before)));
        let one_by_one = self.load.run(ONE_BY_ONE, 1).await.per_second();
        let (at_once, late_statuses) = (run.per_second(), run.late_statuses);
        self.turns.push(Turn { at_once, one_by_one, broker, consumer, late_statuses });
    }
}

fn print_table(answer: &Answer, contestants: &[Contestant]) {
    let (statuses, bytes) = (answer.statuses.len(), answer.reply.len());
    println!(
        "{FUNCTION}: {statuses} status message and a reply of {bytes} bytes; medians of {TURNS} turns\n"
    );
    println!(
        "{:<36} {:>10} {:>7} {:>13} {:>7} {:>12} {:>14}",
        "", "25 at once", "ratio", "one by one", "ratio", "broker's CPU", "consumer's CPU"
    );
    let base = &contestants[1];
    for contestant in contestants {
        let of = |value: fn(&Turn) -> f64| median(contestant.turns.iter().map(value).collect());
        let broker = median(contestant.turns.iter().map(|turn| turn.broker).collect());
        let consumer: Option<Vec<_>> = contestant.turns.iter().map(|turn| turn.consumer).collect();
        let consumer = consumer.map_or("-".to_owned(), |all| format!("{:.2} ms", millis(median(all))));
        println!(
            "{:<36} {:>8.0}/s {:>7.2} {:>11.0}/s {:>7.2} {:>9.2} ms {consumer:>14}",
            contestant.name,
            of(|turn| turn.at_once),
            ratio(contestant, base, |turn| turn.at_once),
            of(|turn| turn.one_by_one),
            ratio(contestant, base, |turn| turn.one_by_one),
            millis(broker),
        );
    }
    let late: u32 = contestants.iter().flat_map(|one| &one.turns).map(|turn| turn.late_statuses).sum();
    println!("status messages that the broker delivered after their final reply: {late}");
}

/// The median of the ratios of both in the same turn.
fn ratio(of: &Contestant, to: &Contestant, value: fn(&Turn) -> f64) -> f64 {
    median(of.turns.iter().zip(&to.turns).map(|(of, to)| value(of) / value(to)).collect())
}

pub(crate) fn median<T: PartialOrd + Copy>(mut values: Vec<T>) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).unwrap());
    values[values.len() / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
