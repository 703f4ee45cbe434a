//! Promise: no call is lost and none is done twice, whatever breaks: the broker, connections, daemons, Graph, SOAR.
//!
//! On a real ActiveMQ, with daemons that are processes of their own. SOAR and the Graph tenant live in the test's
//! process, so they outlive every daemon and count what was done. Everything random follows from one seed, which is
//! printed; what is not repeated exactly is how the processes interleave.
//!
//! `FAULTS=long` runs the long form, `FAULTS_SEED` and `FAULTS_CALLS` set seed and size (see CONTRIBUTING.md).
#![cfg(feature = "sandbox")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod common {
    pub mod activemq;
    pub mod cutter;
    pub mod stomp_client;
    pub mod tls;
}
#[path = "common/deployment.rs"]
mod deployment;

#[path = "faults/account.rs"]
mod account;
#[path = "faults/every_frame.rs"]
mod every_frame;
#[path = "faults/orders.rs"]
mod orders;
#[path = "faults/outage.rs"]
mod outage;
#[path = "faults/plan.rs"]
mod plan;
#[path = "faults/redelivery.rs"]
mod redelivery;
#[path = "faults/several_daemons.rs"]
mod several_daemons;
#[path = "faults/storm.rs"]
mod storm;
