//! What only a real broker can prove: a session, the daemon and `selftest` on ActiveMQ.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod daemon;
mod groups;
mod interrupted;
mod prior_run;
mod probe;
mod selftest;
mod session;

#[path = "../support"]
#[allow(dead_code, reason = "these tests use a part of it; `integration` uses the rest")]
mod support {
    pub(crate) mod activemq;
    pub(crate) mod cutter;
    pub(crate) mod deployment;
    pub(crate) mod ports;
    pub(crate) mod selftest;
    pub(crate) mod stomp_client;
    pub(crate) mod tls;
}
