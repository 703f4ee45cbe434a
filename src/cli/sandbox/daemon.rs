//! The daemon of the sandbox: this program, in a separate process.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::cli::{ExitCode, Failure};
use sandbox::Sandbox;

/// How long the daemon may take to subscribe, and to end.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Daemon {
    process: Child,
}

impl Daemon {
    /// Starts the daemon and waits until it subscribes to the queue of calls.
    pub(super) async fn start(app_config: &Path, log: &Path, sandbox: &Sandbox) -> Result<Self, Failure> {
        let failed =
            |what: String| Failure::new(ExitCode::Failed, &format!("the daemon does not start: {what}"));
        let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
        let log_file = File::create(log).map_err(|error| failed(error.to_string()))?;
        let process = Command::new(program)
            .args(["run", "--config-file"])
            .arg(app_config)
            // The sandbox is on this machine, which a proxy cannot reach.
            .envs(["NO_PROXY", "no_proxy"].map(|name| (name, "localhost,127.0.0.1")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log_file)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let queue = sandbox.soar.actions_queue();
        if !sandbox.soar.broker.until(PATIENCE, |broker| broker.consumers(&queue) > 0).await {
            return Err(failed(format!("it does not subscribe; see {}", log.display())));
        }
        Ok(Self { process })
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id().unwrap_or_default()
    }

    /// Stops the daemon by SIGTERM, as a container platform does, and waits for its end.
    pub(super) async fn stop(mut self) {
        let asked = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.id())]).status().await;
        if asked.is_ok() {
            let _ = tokio::time::timeout(PATIENCE, self.process.wait()).await;
        }
    }
}
