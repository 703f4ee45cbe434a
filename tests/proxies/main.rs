//! Promise: a proxy leads to the broker, to SOAR and to Graph where the settings say so and nowhere else; what goes
//! wrong with it is told as the proxy's fault; and its password is never shown.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/deployment.rs"]
mod deployment;
#[path = "../common/house.rs"]
mod house;
#[path = "../common/peer.rs"]
mod peer;
#[path = "../common/rsa.rs"]
mod rsa;
#[path = "../common/session.rs"]
mod session;
#[path = "../common/tinyproxy.rs"]
mod tinyproxy;
#[path = "../common/tls.rs"]
mod tls;

mod broker;
mod daemon;
mod http;
