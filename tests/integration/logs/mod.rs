//! Promise: the log goes to stderr and to `logdir/logfile`, one line for each event, with the call's ids. It is rotated
//! as configured, holds no secrets and no mail, and no failure of it stops a call.

mod files;
mod lines;

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::support::poll::poll;
use sandbox::Sandbox;
use sandbox::graph::{Phish, TenantOptions};
use sandbox::soar::caller::{Caller, Reply};
use sandbox::soar::{INCIDENT, SoarOptions};
use serde_json::{Value, json};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);
const PROFILE: &str = "exchange_online_get_email_user_profile";
const QUERY: &str = "exchange_online_query_emails";

/// A daemon on a sandbox, with a directory for its logs.
struct Running {
    directory: TempDir,
    sandbox: Sandbox,
    caller: Caller,
    daemon: Child,
}

impl Running {
    /// Starts it, its options of the log among `options` (of `[resilient]`).
    async fn start(options: &[(&str, &str)]) -> Self {
        Self::start_with(options, |_| ()).await
    }

    /// The same, with `prepare` called on the directory of the log before.
    async fn start_with(options: &[(&str, &str)], prepare: impl Fn(&Path)) -> Self {
        Self::start_on(options, prepare, |directory| File::create(directory.join("stderr")).unwrap().into())
            .await
    }

    /// The same, with another standard error.
    async fn start_on(
        options: &[(&str, &str)],
        prepare: impl Fn(&Path),
        stderr: impl Fn(&Path) -> Stdio,
    ) -> Self {
        Self::start_for(TenantOptions::default(), options, prepare, stderr).await
    }

    /// Starts it for a tenant without HTTP/2, where large pieces of work travel in batches.
    async fn start_without_http2(options: &[(&str, &str)]) -> Self {
        let tenant = TenantOptions { http1_only: true, ..TenantOptions::default() };
        let stderr = |directory: &Path| File::create(directory.join("stderr")).unwrap().into();
        Self::start_for(tenant, options, |_| (), stderr).await
    }

    async fn start_for(
        tenant: TenantOptions,
        options: &[(&str, &str)],
        prepare: impl Fn(&Path),
        stderr: impl Fn(&Path) -> Stdio,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let tenant = TenantOptions { mailboxes: 10, messages_per_mailbox: 5, ..tenant };
        let sandbox = Sandbox::start(directory.path(), tenant, SoarOptions::default()).await.unwrap();
        let logs = directory.path().join("logs");
        fs::create_dir(&logs).unwrap();
        prepare(&logs);
        let config = directory.path().join("app.config");
        fs::write(&config, with_log(&sandbox, &logs, options)).unwrap();
        let daemon = Command::new(env!("CARGO_BIN_EXE_fn-exchange-online"))
            .args(["run", "--config-file"])
            .arg(&config)
            .env_remove("LOGLEVEL")
            .env_remove("APP_LOG_DIR")
            .stdin(Stdio::null())
            .stderr(stderr(directory.path()))
            .spawn()
            .unwrap();
        let running = Self { caller: sandbox.caller().await.unwrap(), directory, sandbox, daemon };
        let queue = running.sandbox.soar.actions_queue();
        let listens =
            running.sandbox.soar.broker.until(PATIENCE, |broker| broker.consumers(&queue) > 0).await;
        assert!(listens, "the daemon does not listen: {}", running.stderr());
        running
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("logs/app.log")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn stderr(&self) -> String {
        fs::read_to_string(self.directory.path().join("stderr")).unwrap_or_default()
    }

    async fn call(&self, function: &str, inputs: Value) -> Reply {
        let call = self.caller.call(function, inputs).await.unwrap();
        call.reply(PATIENCE).await.unwrap()
    }

    async fn profile(&self) -> Reply {
        self.call(PROFILE, json!({ "exo_email_address": self.sandbox.graph.mailboxes()[0] })).await
    }

    /// Waits until the log holds `text`.
    async fn until(&self, text: &str) {
        self.until_in(&self.log(), text).await;
    }

    async fn until_in(&self, file: &Path, text: &str) {
        poll(async || {
            let found = fs::read_to_string(file).unwrap_or_default().contains(text);
            found
                .then_some(())
                .ok_or_else(|| format!("{text:?} is not in {}: {}", file.display(), self.stderr()))
        })
        .await;
    }

    /// Ends the daemon as a platform would.
    fn stop(&mut self) -> ExitStatus {
        let pid = self.daemon.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.daemon.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// The sandbox's `app.config` with `logs` for the log, and further options of `[resilient]`.
fn with_log(sandbox: &Sandbox, logs: &Path, options: &[(&str, &str)]) -> String {
    let text = sandbox.app_config(&[]);
    let logdir = text.lines().find(|line| line.starts_with("logdir=")).unwrap();
    let mut lines = vec![format!("logdir={}", logs.display())];
    for (name, value) in options {
        lines.retain(|line| !line.starts_with(&format!("{name}=")));
        lines.push(format!("{name}={value}"));
    }
    text.replace(logdir, &lines.join("\n"))
}

/// A line's parts: level, module, and the rest.
fn parts(line: &str) -> (&str, &str, &str) {
    let (time, rest) = line.split_at(23);
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    assert_eq!(shape, "9999-99-99 99:99:99,999", "{line}");
    let (level, rest) = rest[1..].split_once(" [").unwrap();
    assert!(["DEBUG", "INFO", "WARNING", "ERROR"].contains(&level), "{line}");
    let (module, rest) = rest.split_once("] ").unwrap();
    (level, module, rest)
}
