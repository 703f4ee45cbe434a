//! The sandbox behaves as Microsoft Graph, SOAR's REST interface and SOAR's broker do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod broker;
mod graph;
mod page;
mod soar;
mod stomp_client;
