//! Promise: `invoke` runs one function by hand: inputs in plain words, results as JSON on standard output, the rest
//! on standard error, and nothing at SOAR unless an incident is named.

mod arguments;
mod deleting;
mod listing;
mod results;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::context::context;
use chrono::{DateTime, TimeDelta, Utc};
use fn_exchange_online::functions::{Context, Error, ErrorKind, Function, IncidentSink, InputKind, Inputs};
use sandbox::Sandbox;
use sandbox::graph::{Address, Fault, NewMessage, Phish, Target, TenantOptions};
use sandbox::soar::rest::Owner;
use sandbox::soar::{INCIDENT, SoarOptions};

use net::untrusted::text::is_unsafe_to_display;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// A sandbox, its `app.config`, and an empty directory to work in.
struct Desk {
    sandbox: Sandbox,
    config: PathBuf,
    directory: TempDir,
    _of_sandbox: TempDir,
}

/// What came of a command.
#[derive(Debug)]
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn payload(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

impl Desk {
    async fn new() -> Self {
        let of_sandbox = tempfile::tempdir().unwrap();
        let tenant = TenantOptions { mailboxes: 12, messages_per_mailbox: 5, ..TenantOptions::default() };
        let sandbox = Sandbox::start(of_sandbox.path(), tenant, SoarOptions::default()).await.unwrap();
        let config = sandbox.write_app_config(&[("max_retries_total", "1")]).unwrap();
        let directory = tempfile::tempdir().unwrap();
        Self { sandbox, config, directory, _of_sandbox: of_sandbox }
    }

    fn invoke(&self, arguments: &[&str]) -> Ended {
        self.invoke_reading(arguments, "")
    }

    fn invoke_reading(&self, arguments: &[&str], stdin: &str) -> Ended {
        let mut child = Command::new(env!("CARGO_BIN_EXE_fn-exchange-online"))
            .args(["invoke", "--config-file"])
            .arg(&self.config)
            .args(arguments)
            .current_dir(self.directory.path())
            .env_remove("LOGLEVEL")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Who reads nothing may have ended already.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let output = child.wait_with_output().unwrap();
        Ended {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The files in the working directory, with their bytes.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<_> = fs::read_dir(self.directory.path())
            .unwrap()
            .map(Result::unwrap)
            .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
            .collect();
        files.sort();
        files
    }

    fn soar_was_spoken_to(&self) -> bool {
        self.sandbox.soar.rest.connections() > 0
    }

    /// The inputs that name a planted message.
    fn planted(&self) -> (String, String, [String; 2]) {
        let planted = self.sandbox.graph.planted().swap_remove(0);
        let inputs =
            [format!("exo_email_address={}", planted.mailbox), format!("exo_messages_id={}", planted.id)];
        (planted.mailbox, planted.id, inputs)
    }

    /// What the daemon's functions work with.
    async fn context(&self) -> Context {
        context(&self.config).await
    }
}

/// `--input` before each.
fn inputs<'a>(given: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    given.into_iter().flat_map(|given| ["--input", given]).collect()
}
