//! The documents agree with the program, and the sources with the documents.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod attacks;
mod documents;
mod functions;
mod language;
mod memory;
mod packages;
mod readme;
mod rooms;
mod sources;
mod supply_chain;
mod template;
mod tutorial;

#[path = "../support"]
mod support {
    pub(crate) mod app_config;
}

use std::path::Path;

const PROGRAM: &str = env!("CARGO_BIN_EXE_fn-exchange-online");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
