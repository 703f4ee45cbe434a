//! Runs the scripts of workflows and playbooks in a Python 3 process, with stand-ins for SOAR's objects.

use std::collections::BTreeMap;
use std::io;
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// The program that runs in Python.
const PROGRAM: &str = include_str!("soar_objects.py");
/// How long a script may run.
const PATIENCE: Duration = Duration::from_secs(30);

/// A script and the objects that it sees.
#[derive(Debug, Serialize)]
pub(super) struct ScriptRun<'t> {
    pub(super) script: &'t str,
    /// Whether it belongs to a playbook, or else to a workflow.
    pub(super) playbook: bool,
    /// The fields of the incident.
    pub(super) incident: Map<String, Value>,
    /// The columns of each data table.
    pub(super) tables: BTreeMap<String, Vec<String>>,
    /// All cells of the row that the process works on.
    pub(super) row: Option<Map<String, Value>>,
    /// The artifact that the process works on.
    pub(super) artifact: Option<Map<String, Value>>,
    /// The task that the process works on: its number, name, instructions and status.
    pub(super) task: Option<Map<String, Value>>,
    /// The user whose act started the process.
    pub(super) principal: Value,
    /// The inputs of the function that follows the script, with what the process itself gives to them.
    pub(super) inputs: Option<Map<String, Value>>,
    /// The fields of the form that started the process.
    pub(super) form: Map<String, Value>,
    /// The results of the functions so far, by their names in the process.
    pub(super) earlier: Map<String, Value>,
    /// The results of the function whose script this is, in a workflow.
    pub(super) results: Option<&'t Value>,
}

/// What a script did.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Effects {
    /// The text of `helper.fail`, or the error that ended the script. What it did before still counts.
    pub(super) failed: Option<String>,
    pub(super) notes: Vec<Text>,
    pub(super) rows: Vec<NewRow>,
    pub(super) artifacts: Vec<NewArtifact>,
    pub(super) tasks: Vec<NewTask>,
    /// The inputs of the function that follows it.
    pub(super) inputs: Map<String, Value>,
    /// The cells that it set in the row it works on.
    pub(super) row: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Text {
    pub(super) format: String,
    pub(super) content: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct NewRow {
    pub(super) table: String,
    pub(super) cells: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct NewArtifact {
    pub(super) kind: String,
    pub(super) value: String,
    pub(super) description: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct NewTask {
    pub(super) name: String,
    pub(super) phase: String,
    pub(super) instructions: String,
}

/// Why a script did not run.
#[derive(Debug, thiserror::Error)]
pub enum NotRun {
    /// There is no Python 3.
    #[error("python3 cannot be started, and without it no script runs: {0}")]
    NoPython(io::Error),
    /// The process broke off.
    #[error("the script's process ended early: {0}")]
    Broken(String),
    /// It took too long.
    #[error("the script did not end within {} s", PATIENCE.as_secs())]
    TooLong,
}

impl ScriptRun<'_> {
    /// Runs the script. It has the rights of this process.
    pub(super) async fn run(&self) -> Result<Effects, NotRun> {
        let broken = |error: &dyn std::fmt::Display| NotRun::Broken(error.to_string());
        let task = serde_json::to_vec(self).map_err(|error| broken(&error))?;
        let mut child = Command::new("python3")
            .args(["-I", "-c", PROGRAM])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(NotRun::NoPython)?;
        let mut stdin = child.stdin.take();
        let write = async {
            if let Some(mut stdin) = stdin.take() {
                // A process that ends before it has read everything says why on standard error.
                let _ = stdin.write_all(&task).await;
            }
        };
        let ended = tokio::time::timeout(PATIENCE, async { tokio::join!(write, child.wait_with_output()).1 });
        let output = ended.await.map_err(|_| NotRun::TooLong)?.map_err(|error| broken(&error))?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            return Err(broken(&stderr.lines().last().unwrap_or("without an error message")));
        }
        serde_json::from_slice(&output.stdout).map_err(|error| broken(&error))
    }
}
