//! Promise: `selftest` tells what works and what does not, says what to do, ends with the exit code of the first
//! failure, tries everything it can however much is broken, takes no call, and shows no secret.

mod arguments;
mod broker;
mod graph;
mod passing;
mod settings;
mod soar;

use tokio::net::TcpSocket;

use crate::support::deployment::Deployment;
use crate::support::selftest::{Outcome, PROFILE, selftest, selftest_with, spawn};

/// Runs it for a person.
async fn words(deployment: &Deployment, app_config: &str, arguments: &[&str]) -> (i32, String) {
    let (code, out, log) = spawn(deployment, app_config, arguments).outcome().await;
    assert_eq!(log, "");
    (code, out)
}

/// A port at which no server listens. It stays taken until the end of the test, so that no other test listens there.
fn closed_port() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    (socket, port)
}
