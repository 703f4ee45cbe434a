//! Promise: no call is lost and none is done twice, whatever breaks: the broker, connections, daemons, Graph, SOAR.
//!
//! On a real ActiveMQ, with daemons that are processes of their own. SOAR and the Graph tenant live in the test's
//! process, so they outlive every daemon and count what was done. Everything random follows from one seed, which is
//! printed; what is not repeated exactly is how the processes interleave.
//!
//! `FAULTS=long` runs the long form, `FAULTS_SEED` and `FAULTS_CALLS` set seed and size (see CONTRIBUTING.md).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "../common/activemq.rs"]
mod activemq;
#[path = "../common/cutter.rs"]
mod cutter;
#[path = "../common/deployment.rs"]
mod deployment;
#[path = "../common/stomp_client.rs"]
mod stomp_client;
#[path = "../common/tls.rs"]
mod tls;

mod account;
mod every_frame;
mod orders;
mod outage;
mod plan;
mod redelivery;
mod several_daemons;
mod storm;

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
