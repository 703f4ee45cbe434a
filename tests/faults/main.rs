//! Promise: no call is lost and none is done twice, whatever breaks: the broker, connections, daemons, Graph, SOAR.
//!
//! On a real ActiveMQ, with daemons that are processes of their own. SOAR and the Graph tenant live in the test's
//! process, so they outlive every daemon and count what was done. Everything random follows from one seed, which is
//! printed; what is not repeated exactly is how the processes interleave.
//!
//! `FAULTS=long` runs the long form, `FAULTS_SEED` and `FAULTS_CALLS` set seed and size (see CONTRIBUTING.md).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod account;
mod every_frame;
mod orders;
mod outage;
mod plan;
mod redelivery;
mod several_daemons;
mod storm;

#[path = "../support"]
#[allow(dead_code, reason = "these tests use a part of it; `integration` uses the rest")]
mod support {
    pub(crate) mod activemq;
    pub(crate) mod cutter;
    pub(crate) mod deployment;
    pub(crate) mod ports;
    pub(crate) mod stomp_client;
    pub(crate) mod tls;
}

use std::process::Command;

use sandbox::soar::SoarOptions;
use sandbox::soar::customizations::functions_only;
use sandbox::soar::rest::FUNCTIONS;
use support::deployment::{Deployment, OtherBroker};

/// A deployment with a message destination of its own, for tests that share the broker.
async fn with_destination(broker: OtherBroker, destination: &str) -> Deployment {
    let soar = SoarOptions {
        destination: destination.to_owned(),
        customizations: functions_only(destination, FUNCTIONS),
        ..SoarOptions::default()
    };
    Deployment::start(Some(broker), soar).await
}

/// `tests/faults/break` sets the failpoints; a name that nothing reads would break nothing.
#[test]
fn breaks_file_names_existing_failpoints_and_tests() {
    let contains = |directories: &[&str], text: &str| {
        let status = Command::new("grep").args(["-rqE", "--include=*.rs", text]).args(directories).status();
        status.unwrap().success()
    };
    let breaks = include_str!("breaks.txt").lines().filter(|line| !line.starts_with('#'));
    let breaks: Vec<Vec<_>> = breaks.map(|line| line.split('|').map(str::trim).collect()).collect();
    assert_eq!(breaks.len(), 15);
    for columns in &breaks {
        let [name, test, _, guarantee] = columns[..] else { panic!("{columns:?}") };
        // `ensure_once` names its failpoint after the effect.
        let effect = name.strip_prefix("skip-lookup: ").unwrap_or(name);
        let is_read = contains(&["src", "crates"], &format!("\"({name}|{effect})\""));
        assert!(is_read, "no code reads the failpoint {name:?}");
        assert!(contains(&["tests/faults"], &format!("fn [a-z_]*{test}")), "no test is named {test}");
        assert!(!guarantee.is_empty());
    }
}
