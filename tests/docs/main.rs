//! The documents agree with the program.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod functions;
mod readme;
mod template;

#[path = "../support"]
#[allow(dead_code, reason = "these tests use a part of it; `integration` uses the rest")]
mod support {
    pub(crate) mod app_config;
}
