//! Promise: SOAR's REST interface is used as SOAR expects it, nothing is done twice, and what goes wrong is said
//! in words an operator can act on.
#![cfg(feature = "sandbox")] // for axum and rcgen

mod files;
mod requests;
mod server;
mod signing_in;
mod trouble;
