//! Promise: `selftest` tells what works and what does not, says what to do, ends with the exit code of the first
//! failure, tries everything it can however much is broken, takes no call, and shows no secret.

mod arguments;
mod broker;
mod graph;
mod passing;
mod settings;
mod soar;

use crate::support::deployment::Deployment;
use crate::support::selftest::{Outcome, PROFILE, selftest, selftest_with, spawn};

/// Runs it for a person.
async fn words(deployment: &Deployment, app_config: &str, arguments: &[&str]) -> (i32, String) {
    let (code, out, log) = spawn(deployment, app_config, arguments).outcome().await;
    assert_eq!(log, "");
    (code, out)
}
