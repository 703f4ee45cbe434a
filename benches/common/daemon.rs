//! The program as it is deployed, in a process of its own, so that its memory and its processor time are its own;
//! the sandbox it works with is in the benchmark's process.
#![allow(dead_code, unreachable_pub)] // each benchmark uses its part

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sandbox::Sandbox;
use sandbox::graph::TenantOptions;
use sandbox::soar::caller::{Caller, Reply};
use sandbox::soar::{INCIDENT, SoarOptions};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Long enough for any call of a benchmark.
const CALL_WITHIN: Duration = Duration::from_secs(600);

/// Changes the text of an `app.config`.
type Edit = Box<dyn Fn(String) -> String + Send + Sync>;

/// A sandbox and a daemon that is subscribed. The daemon ends with this value.
pub struct Bench {
    pub sandbox: Sandbox,
    pub caller: Caller,
    process: Child,
    app_config: PathBuf,
    edit: Edit,
    directory: TempDir,
}

impl Bench {
    /// With `options` in the section `[fn_exchange_online]`.
    pub async fn start(tenant: TenantOptions, options: &[(&str, &str)]) -> Self {
        let (directory, sandbox) = Self::sandbox(tenant).await;
        Self::start_in(directory, sandbox, options, |text| text).await
    }

    /// A sandbox alone, for [`Self::start_in`].
    pub async fn sandbox(tenant: TenantOptions) -> (TempDir, Sandbox) {
        let directory = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::start(directory.path(), tenant, SoarOptions::default()).await.unwrap();
        (directory, sandbox)
    }

    /// Starts a daemon for this sandbox. `edit` changes the text of its `app.config` before it is written.
    pub async fn start_in(
        directory: TempDir,
        sandbox: Sandbox,
        options: &[(&str, &str)],
        edit: impl Fn(String) -> String + Send + Sync + 'static,
    ) -> Self {
        let app_config = sandbox.write_app_config(options).unwrap();
        // The file exists, so it keeps its mode.
        std::fs::write(&app_config, edit(sandbox.app_config(options))).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_fn-exchange-online"))
            .args(["run", "--config-file"])
            .arg(&app_config)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let queue = sandbox.soar.actions_queue();
        let soon = Duration::from_secs(20);
        assert!(sandbox.soar.broker.until(soon, |broker| broker.consumers(&queue) > 0).await);
        let caller = sandbox.caller().await.unwrap();
        Self { sandbox, caller, process, app_config, edit: Box::new(edit), directory }
    }

    /// The inputs of a query of the whole tenant, by sender, with note and file.
    pub fn tenant_query(sender: &str) -> Value {
        json!({
            "incident_id": INCIDENT,
            "exo_email_address": "all",
            "exo_email_address_sender": sender,
            "exo_query_output_format": ["Incident note", "Incident attachment"],
        })
    }

    /// Calls a function that has to succeed.
    pub async fn call(&self, function: &str, inputs: Value) -> Reply {
        let call = self.caller.call(function, inputs).await.unwrap();
        let reply = call.reply(CALL_WITHIN).await.unwrap();
        assert_eq!(reply.results["success"], json!(true), "{}", reply.message);
        reply
    }

    /// The most memory the daemon ever had, in MiB.
    pub fn peak_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }

    /// A line of the daemon's `/proc/PID/status` that is a number: of KiB, or of things.
    pub fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.split(':').next() == Some(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// How many files, sockets and others the daemon has open.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process.id())).unwrap().count()
    }

    /// Keeps the directory with the daemon's log after the end. Returns its path.
    pub fn keep_directory(&mut self) -> PathBuf {
        self.directory.disable_cleanup(true);
        self.directory.path().to_owned()
    }

    /// Changes the configuration of the running daemon; it takes effect in a moment.
    pub fn configure(&self, options: &[(&str, &str)]) {
        std::fs::write(&self.app_config, (self.edit)(self.sandbox.app_config(options))).unwrap();
        let signalled =
            Command::new("kill").args(["-s", "HUP", &self.process.id().to_string()]).status().unwrap();
        assert!(signalled.success());
    }

    /// The same as [`Self::processor_seconds`], to the nanosecond (`/proc/PID/task/TID/schedstat`), where no thread
    /// has ended in between.
    pub fn processor_time(&self) -> Duration {
        processor_time(self.process.id())
    }

    /// The processor time the daemon has used, in user and in kernel mode, in seconds (`proc_pid_stat(5)`, fields
    /// 14 and 15, in ticks of 10 ms).
    pub fn processor_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let after_name = stat.rsplit_once(')').unwrap().1;
        let ticks = after_name.split_whitespace().skip(11).take(2);
        ticks.map(|field| field.parse::<f64>().unwrap()).sum::<f64>() / 100.0
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing more to do about it either way.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The processor time of a process, in user and in kernel mode (`/proc/PID/task/TID/schedstat`). Leaves out threads
/// that have ended.
pub fn processor_time(process: u32) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let of_task = |task: std::io::Result<std::fs::DirEntry>| {
        let schedstat = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        schedstat.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
    };
    tasks.filter_map(of_task).sum()
}
