//! `fn-exchange-online` takes function calls from IBM SOAR's message broker, does them at Microsoft Graph, and
//! posts the results back.
//!
//! A call flows one way, left to right, and its reply flows back the same way; no module knows one to its left:
//!
//! ```text
//!  SOAR broker (ActiveMQ, STOMP 1.2 over TLS)                    Microsoft Graph / Entra ID
//!       │ MESSAGE                        ▲ SEND + ACK, one transaction      ▲ GET, POST, $batch
//!       ▼                                │                                  │
//!  stomp::Session ──Delivery──▶ worker::Worker ──FunctionCall──▶ functions::<nine> ──▶ graph::Client
//!                                    ▲                                  │
//!                                    └────────── Reply ◀────────────────┴──▶ soar::Client (notes, files)
//! ```
//!
//! [`config`] reads `app.config` into typed settings, [`tls`] makes the one TLS configuration every connection
//! uses, [`customize`] makes the file that SOAR imports, [`package`] the app that App Host runs, [`log`] tells what
//! happens, [`guard`] decides what a call may change and [`audit`] records
//! what was changed, [`daemon`] keeps it all going while settings and connections change, [`cli`] is what a person types, and
//! [`sandbox`] is an embedded SOAR and Graph tenant to try it all on.

pub mod audit;
pub mod cli;
pub mod config;
pub mod customize;
pub mod daemon;
pub mod exit_code;
pub mod functions;
pub mod guard;
pub mod log;
pub mod package;
pub mod worker;
