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
    pub(crate) mod stomp_client;
    pub(crate) mod tls;
}

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

/// What does not apply proves nothing; `tests/faults/break` runs them.
#[test]
fn each_patch_that_breaks_a_guarantee_applies_to_the_sources() {
    for patch in std::fs::read_dir("tests/faults/breaks").unwrap() {
        let patch = patch.unwrap().path();
        let applied =
            std::process::Command::new("git").args(["apply", "--check"]).arg(&patch).output().unwrap();
        assert!(
            applied.status.success(),
            "{}: {}",
            patch.display(),
            String::from_utf8_lossy(&applied.stderr)
        );
    }
}
