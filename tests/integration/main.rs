//! The program from outside: what it promises, over real sockets and with real processes. One module for each promise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod app_config;
mod app_config_dialect;
mod attacks;
mod audit;
mod certificates;
mod cli_common;
mod cli_config;
mod cli_customize;
mod cli_invoke;
mod cli_measure;
mod cli_package;
mod cli_run;
mod cli_selftest;
mod config_watch;
mod customizations;
mod customizations_sdk;
mod customize_scripts;
mod daemon_bounds;
mod daemon_calls;
mod daemon_delivery;
mod daemon_handover;
mod daemon_killed;
mod daemon_lifecycle;
mod daemon_memory;
mod daemon_reload;
mod daemon_stop;
mod functions;
mod graph_client;
mod graph_scheduler;
mod health;
mod logs;
mod older_calls;
mod password_store;
mod proxies;
mod quarantine_and_back;
mod removal_plans;
mod resilient_clients;
mod sandbox_command;
mod sandbox_customizations;
mod sandbox_process;
mod secrets;
mod soak_trend;
mod soar_rest;
mod stomp_codec;
mod stomp_failures;
mod stomp_groups;
mod stomp_session;
mod systemd_notify;

#[path = "../../benches/soak/trend.rs"]
mod trend;

#[path = "../support"]
mod support {
    pub(crate) mod app_config;
    pub(crate) mod browser;
    pub(crate) mod context;
    pub(crate) mod deployment;
    pub(crate) mod exposition;
    pub(crate) mod graph_tenant;
    pub(crate) mod gzip_bomb;
    pub(crate) mod open_bao;
    pub(crate) mod peer;
    pub(crate) mod permit;
    pub(crate) mod poll;
    pub(crate) mod ports;
    pub(crate) mod python_packages;
    pub(crate) mod resilient_sdk;
    pub(crate) mod rsa;
    pub(crate) mod selftest;
    pub(crate) mod session;
    pub(crate) mod terminal;
    pub(crate) mod tinyproxy;
    pub(crate) mod tls;
}
