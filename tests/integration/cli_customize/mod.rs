//! Promise: `customize` says what an import would do, asks, imports, and lets the daemon read its calls; twice in a row
//! it does nothing the second time, and whatever SOAR refuses is reported with a remedy.

mod failing;
mod importing;
mod keeping;
mod playbooks;

use std::path::PathBuf;
use std::process::Stdio;

use crate::support::deployment::Daemon;
use fn_exchange_online::config::{Environment, load_soar};
use fn_exchange_online::customize::{Examples, Pack, ScriptLanguage, export, export_packs};
use sandbox::Sandbox;
use sandbox::graph::TenantOptions;
use sandbox::soar::SoarOptions;
use sandbox::soar::customizations::older_app;
use sandbox::soar::rest::{Failure, Rest};
use serde_json::{Value, json};
use soar::{Client, Decision};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

const DESTINATION: &str = "fn_exchange_online";
const KINDS: [&str; 8] = [
    "message_destinations",
    "functions",
    "fields",
    "types",
    "actions",
    "workflows",
    "scripts",
    "incident_types",
];

struct Fixture {
    sandbox: Sandbox,
    directory: tempfile::TempDir,
}

/// How the program ended, and what it printed.
struct Output {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Output {
    #[track_caller]
    fn assert_contains(&self, code: i32, texts: &[&str]) {
        let all = self.all();
        assert_eq!(self.code, code, "{all}");
        for text in texts {
            assert!(all.contains(text), "{text:?} is not in:\n{all}");
        }
    }

    fn all(&self) -> String {
        [&*self.stdout, &*self.stderr].concat()
    }

    /// The lines of the preview below the title of a kind.
    fn changes_of(&self, title: &str) -> Vec<&str> {
        let below = self.stdout.lines().skip_while(|line| *line != title).skip(1);
        below.take_while(|line| line.starts_with(' ')).map(str::trim_end).collect()
    }
}

impl Fixture {
    /// A SOAR with these customizations.
    async fn with(customizations: Value) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let tenant = TenantOptions { mailboxes: 10, ..TenantOptions::default() };
        let soar = SoarOptions { customizations, ..SoarOptions::default() };
        let sandbox = Sandbox::start(directory.path(), tenant, soar).await.unwrap();
        // The last version that gets rules and workflows.
        sandbox.soar.rest.set_version("45.3.0");
        Self { sandbox, directory }
    }

    /// A SOAR that knows nothing of us.
    async fn fresh() -> Self {
        Self::with(json!({})).await
    }

    /// A SOAR as the older app left it.
    async fn older() -> Self {
        Self::with(older_app(export_packs(ScriptLanguage::Python, &[Pack::Core]).unwrap())).await
    }

    fn rest(&self) -> &Rest {
        &self.sandbox.soar.rest
    }

    /// SOAR's section of a configuration, and nothing else; with these options.
    fn app_config(&self, options: &str) -> PathBuf {
        let section = self.sandbox.soar.app_config_section(&self.sandbox.ca_file());
        self.write(&format!("{section}request_max_retries=1\nrequest_retry_delay=0\n{options}"))
    }

    fn write(&self, text: &str) -> PathBuf {
        let path = self.directory.path().join("customize.config");
        std::fs::write(&path, text).unwrap();
        path
    }

    async fn customize(&self, arguments: &[&str], answers: &str) -> Output {
        self.customize_as(&self.app_config(""), arguments, answers).await
    }

    async fn customize_as(&self, app_config: &PathBuf, arguments: &[&str], answers: &str) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_fn-exchange-online"))
            .args(["customize", "--config-file"])
            .arg(app_config)
            .args(arguments)
            .env_remove("APP_CONFIG_FILE")
            .env_remove("LOGLEVEL")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        // A command that does not ask may have ended.
        let _ = child.stdin.take().unwrap().write_all(answers.as_bytes()).await;
        let output = child.wait_with_output().await.unwrap();
        Output {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Imports a file as it is.
    async fn import(&self, file: &Value) {
        let environment: Environment = [("", ""); 0].into_iter().collect();
        let (settings, _) = load_soar(&self.app_config(""), &environment).unwrap();
        let client = Client::connect(&settings).await.unwrap();
        let import = client.start_import(file).await.unwrap();
        assert_eq!(client.decide(import, Decision::Accept).await.unwrap(), "ACCEPTED");
    }

    /// How many requests there were of that method to paths that contain this.
    fn count(&self, method: &str, path: &str) -> usize {
        let is_one = |seen: &&_| {
            let sandbox::soar::rest::Recorded { method: m, path: p, .. } = seen;
            m == method && p.contains(path)
        };
        self.rest().requests().iter().filter(is_one).count()
    }

    /// How many requests may have changed something.
    fn changes(&self) -> usize {
        ["POST", "PUT", "DELETE", "PATCH"].iter().map(|method| self.count(method, "")).sum()
    }

    fn listed(&self) -> Value {
        self.rest().destination(DESTINATION).unwrap()["api_keys"].clone()
    }
}

fn list<'v>(all: &'v Value, kind: &str) -> &'v [Value] {
    all[kind].as_array().map_or(&[], Vec::as_slice)
}

/// Section, uuid and number of everything.
fn identities(all: &Value) -> Vec<(&'static str, String, String)> {
    let number = |one: &Value| one.get("workflow_id").or(one.get("id")).unwrap().to_string();
    KINDS
        .iter()
        .flat_map(|kind| list(all, kind).iter().map(|one| (*kind, one["uuid"].to_string(), number(one))))
        .collect()
}

/// How many objects of a kind the import file has.
fn ours(kind: &str) -> usize {
    let with_playbooks = kind == "playbooks";
    let examples = if with_playbooks { Examples::Playbooks } else { ScriptLanguage::Python3.into() };
    export(examples).unwrap()[kind].as_array().unwrap().len()
}

/// How many objects the import file with rules and workflows has.
fn all_of_ours() -> usize {
    ["message_destinations", "functions", "fields", "actions", "workflows", "scripts", "types"]
        .map(ours)
        .iter()
        .sum::<usize>()
        - 1
}
