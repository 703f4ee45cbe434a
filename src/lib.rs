//! `fn-exchange-online` takes function calls from IBM SOAR's message broker, carries them out through Microsoft Graph,
//! and sends the results back.
//!
//! A call flows from left to right, and its reply flows back. No module uses one to its left:
//!
//! ```text
//!  SOAR broker (ActiveMQ, STOMP 1.2 over TLS)                    Microsoft Graph / Entra ID
//!       │ MESSAGE                        ▲ SEND + ACK, one transaction      ▲ GET, POST, $batch
//!       ▼                                │                                  │
//!  stomp::Session ──Delivery──▶ worker::Worker ──FunctionCall──▶ functions::<one> ──▶ graph::Client
//!                                    ▲                                  │
//!                                    └────────── Reply ◀────────────────┴──▶ soar::Client (notes, files)
//! ```
//!
//! - [`config`] loads `app.config` into typed settings.
//! - [`daemon`] runs until it is stopped, and applies changed settings and connections.
//! - [`guard`] decides what a call may change, and [`audit`] records what was changed.
//! - [`log`] writes the log.
//! - [`customize`] builds the file that SOAR imports, and [`package`] the app that App Host runs.
//! - [`cli`] is the command line; its command `sandbox` runs an embedded SOAR and Graph tenant.

pub mod audit;
pub mod cli;
pub mod config;
pub mod customize;
pub mod daemon;
pub mod exit_code;
pub mod functions;
pub mod guard;
pub mod log;
pub mod own_file;
pub mod package;
pub mod similar;
pub mod worker;

/// What is shipped allocates with jemalloc: with the allocator of the C library, memory grows under load
/// (`docs/performance.md`). Its options are in `.cargo/config.toml`.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
