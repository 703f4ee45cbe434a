//! Promise: SOAR's REST interface is used as SOAR expects it, nothing is done twice, and errors are reported
//! in words an operator can act on.
#![cfg(feature = "sandbox")] // for axum and rcgen

mod files;
mod requests;
pub(crate) mod server;
mod signing_in;
mod trouble;

use fn_exchange_online::exit_code::ExitCode;

/// The exit code of the program where `error` is its end.
fn exit_code(error: &soar::Error) -> u8 {
    ExitCode::of_soar(error) as u8
}
