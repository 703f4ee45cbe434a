//! `sandbox --call`: has the SOAR of a served sandbox call the daemon, and shows the reply.

use std::io::ErrorKind;
use std::path::Path;

use serde_json::{Value, json};

use super::{in_a_shell, inputs, program};
use crate::cli::invoke::inputs::Given;
use crate::cli::invoke::progress::ProgressDisplay;
use crate::cli::invoke::{named, write};
use crate::cli::{ExitCode, Failure};
use net::http::{client_builder, tls_config};
use net::{Proxy, Trust};
use sandbox::page::{Endpoint, Line, PostedCall};
use sandbox::soar::INCIDENT;

/// Calls `function` in the sandbox that is served in `directory`. Standard output has only the results.
pub(super) async fn call(
    function: &str,
    given: Vec<Given>,
    playbook: bool,
    directory: &Path,
) -> Result<(), Failure> {
    let function = named(function)?;
    let endpoint = Endpoint::open(directory).map_err(|error| not_served(directory, &error))?;
    let values = inputs::read(function, given, directory).await?;
    let name = function.name().to_owned();
    let call = PostedCall { playbook, function: name, inputs: values, incident: INCIDENT };
    let mut lines = Lines::of(&endpoint, &call).await?;
    let display = ProgressDisplay::on_stderr();
    while let Some(line) = lines.next().await? {
        match line {
            Line::Called { daemons: 0 } => display.line(&format!(
                "No daemon is subscribed: the call of {} waits in the queue. Start one in another terminal:\n  {} run \
                 --config-file {}",
                function.name(),
                program(),
                in_a_shell(&directory.join("app.config"))
            )),
            Line::Called { .. } => display.status(&format!("SOAR has called {}", function.name())),
            Line::Status(status) => display.status(&status),
            Line::Failed(why) => return Err(Failure::new(ExitCode::Failed, &why)),
            Line::Replied { message_type, message, results, added, script_failure } => {
                if message_type != 0 || results.is_null() {
                    return Err(Failure::new(ExitCode::Failed, &message));
                }
                // A soft failure is reported at the end, as such.
                if results["success"] == json!(true) {
                    display.line(&message);
                }
                if let Some(added) = added {
                    display.line(&format!("The scripts after the function: {added}"));
                }
                if let Some(why) = script_failure {
                    display.line(&format!("A script after the function did not run to its end: {why}"));
                }
                return show(&results);
            }
        }
    }
    Err(unreachable(&"the connection ended before the reply"))
}

fn show(results: &Value) -> Result<(), Failure> {
    write(results.to_string().as_bytes())?;
    if results["success"] == json!(true) {
        Ok(())
    } else {
        Err(Failure::new(ExitCode::Failed, &results["reason"].as_str().unwrap_or_default()))
    }
}

/// The lines of the sandbox's answer, as they arrive.
struct Lines {
    response: reqwest::Response,
    received: Vec<u8>,
}

impl Lines {
    async fn of(endpoint: &Endpoint, call: &PostedCall) -> Result<Self, Failure> {
        let tls = tls_config(&Trust::System, None).map_err(|error| unreachable(&error))?;
        // The sandbox is on this machine, where no proxy leads.
        let client = client_builder(tls, &Proxy::Explicit { http: None, https: None }, None).build();
        let client = client.map_err(|error| unreachable(&error))?;
        let request = client.post(endpoint.url()).bearer_auth(endpoint.token()).json(call);
        let response = request.send().await.and_then(reqwest::Response::error_for_status);
        Ok(Self { response: response.map_err(|error| unreachable(&error))?, received: Vec::new() })
    }

    async fn next(&mut self) -> Result<Option<Line>, Failure> {
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                return serde_json::from_slice(&line).map(Some).map_err(|error| unreachable(&error));
            }
            match self.response.chunk().await.map_err(|error| unreachable(&error))? {
                Some(bytes) => self.received.extend_from_slice(&bytes),
                None => return Ok(None),
            }
        }
    }
}

fn not_served(directory: &Path, error: &std::io::Error) -> Failure {
    let why = if error.kind() == ErrorKind::NotFound { String::new() } else { format!(" ({error})") };
    let message = format!(
        "no sandbox is served in {}{why}. Start one in another terminal:\n  {} sandbox --serve --directory {}",
        directory.display(),
        program(),
        in_a_shell(directory)
    );
    Failure::new(ExitCode::Failed, &message)
}

fn unreachable(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(ExitCode::Failed, &format!("the sandbox cannot be called: {error}"))
}
