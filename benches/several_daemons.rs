//! Several daemons on one queue of a real ActiveMQ share a limit of the application, and do not know of each other:
//! how long they take for the same searches, next to one daemon alone and to the shortest time that the model allows,
//! and how the searches spread over them. Needs ActiveMQ (`apt-get install activemq openssl`).
//!
//! `cargo bench --bench several_daemons`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "common/pace.rs"]
mod pace;

#[path = "../tests/support"]
#[allow(dead_code, reason = "this benchmark uses a part of it")]
mod support {
    pub(crate) mod activemq;
    pub(crate) mod deployment;
    pub(crate) mod ports;
    pub(crate) mod tls;
}

use std::time::{Duration, Instant};

use pace::FAR;
use sandbox::graph::{TenantOptions, optimum};
use sandbox::soar::{INCIDENT, SoarOptions};
use serde_json::{Value, json};
use support::activemq::{ActiveMq, LOGIN, Setup, Tls};
use support::deployment::{Daemon, Deployment, OtherBroker};

/// Requests that the application may have at work.
const LIMIT: usize = 8;
const MAILBOXES: usize = 125;
/// Searches of all mailboxes, made at once. Each daemon carries out two at a time.
const SEARCHES: usize = 32;
const WITHIN: Duration = Duration::from_secs(300);
/// The longest time, as a multiple of that of one daemon.
const MOST: f64 = 1.25;
/// The least of Jain's index: 1 where all did the same, and 1/n where one did all.
const LEAST_INDEX: f64 = 0.75;

#[tokio::main]
async fn main() {
    let broker = ActiveMq::start_with(Tls::V1_2, Setup::AsDelivered);
    let other = OtherBroker { port: broker.port(), ca_file: broker.ca_file(), login: LOGIN };
    let tenant = TenantOptions { mailboxes: MAILBOXES, users_without_mailbox: 0, ..TenantOptions::default() };
    let seed = tenant.seed;
    let deployment = Deployment::with_tenant(Some(other), SoarOptions::default(), tenant).await;
    println!(
        "{:>8} {:>8} {:>8} {:>6} {:>24} {:>6}",
        "daemons", "seconds", "optimum", "ratio", "searches of each", "index"
    );
    let mut alone = None;
    for count in [1, 2, 4] {
        let mut daemons = Vec::new();
        for _ in 0..count {
            daemons.push(deployment.daemon_with(&[("num_workers", "2")]).await);
        }
        let faults = deployment.sandbox.graph.faults();
        faults.set_pace(Some(FAR));
        faults.set_application_limit(Some(LIMIT));
        let started = Instant::now();
        search_all(&deployment).await;
        let seconds = started.elapsed().as_secs_f64();
        faults.clear();
        let optimum = optimum(&FAR.draws(seed, SEARCHES * MAILBOXES), LIMIT, FAR.round_trip).as_secs_f64();
        let done = stop(&mut daemons).await;
        let ratio = seconds / optimum;
        let index = jains_index(&done);
        println!(
            "{count:>8} {seconds:>8.1} {optimum:>8.1} {ratio:>6.2} {:>24} {index:>6.2}",
            format!("{done:?}")
        );
        assert_eq!(done.iter().sum::<usize>(), SEARCHES);
        let of_one = seconds / *alone.get_or_insert(seconds);
        assert!(of_one <= MOST, "{count} daemons took {of_one:.2} times as long as one");
        assert!(index >= LEAST_INDEX, "the searches spread over the daemons as {done:?}");
    }
}

/// Jain's index of what each did.
fn jains_index(done: &[usize]) -> f64 {
    let number = |n: usize| f64::from(u32::try_from(n).unwrap());
    let squares: usize = done.iter().map(|n| n * n).sum();
    number(done.iter().sum::<usize>()).powi(2) / (number(done.len()) * number(squares))
}

/// Makes all searches at once, and waits until each was complete.
async fn search_all(deployment: &Deployment) {
    let soar = deployment.caller().await;
    let inputs = json!({
        "incident_id": INCIDENT,
        "exo_email_address": "all",
        "exo_email_address_sender": "no.match@elsewhere.example",
        "exo_query_output_format": ["Incident note"],
    });
    let mut calls = Vec::new();
    for _ in 0..SEARCHES {
        calls.push(soar.call("exchange_online_query_emails", inputs.clone()).await.unwrap());
    }
    for call in calls {
        let reply = call.reply(WITHIN).await.unwrap();
        assert_eq!(reply.results["success"], Value::Bool(true), "{}", reply.message);
    }
}

/// Returns how many calls each daemon completed.
async fn stop(daemons: &mut [Daemon]) -> Vec<usize> {
    let mut done = Vec::new();
    for daemon in daemons {
        daemon.stop().await;
        done.push(daemon.count_in_log("call completed"));
    }
    done
}
