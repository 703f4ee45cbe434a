//! Promise: SOAR's own Python programs work with the sandbox's SOAR, and their configuration file starts this program
//! unchanged.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::support::resilient_sdk::{command, output_text};
use fn_exchange_online::customize::{ScriptLanguage, export};
use sandbox::Sandbox;
use sandbox::graph::TenantOptions;
use sandbox::soar::SoarOptions;
use serde_json::{Value, json};

const TABLE: &str = "exo_message_query_results_dt";
const PATIENCE: Duration = Duration::from_secs(60);

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration/resilient_clients").join(name)
}

/// A sandbox with the customizations of this program.
async fn sandbox(directory: &Path) -> Sandbox {
    let customizations = export(ScriptLanguage::Python3).unwrap();
    let soar = SoarOptions { customizations, ..SoarOptions::default() };
    let tenant = TenantOptions { mailboxes: 10, ..TenantOptions::default() };
    Sandbox::start(directory, tenant, soar).await.unwrap()
}

/// Runs a program to its end, and expects success.
async fn finished(mut command: Command) -> String {
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", output_text(&output));
    output_text(&output)
}

#[tokio::test(flavor = "multi_thread")]
async fn resilient_client_works_on_incidents_and_customizations() {
    let directory = tempfile::tempdir().unwrap();
    let sandbox = sandbox(directory.path()).await;
    let mut client = command("python3", directory.path());
    client.arg(source("client.py")).arg(sandbox.write_app_config(&[]).unwrap()).arg(TABLE);
    client.arg(sandbox.soar.broker.address().port().to_string());
    finished(client).await;
    assert!(sandbox.soar.broker.connects().len() == 1, "stomp.py did not connect");
}

#[tokio::test(flavor = "multi_thread")]
async fn sdk_clones_and_extracts_from_the_sandbox() {
    let directory = tempfile::tempdir().unwrap();
    let sandbox = sandbox(directory.path()).await;
    let app_config = sandbox.write_app_config(&[]).unwrap();
    let sdk = async |arguments: &[&str]| {
        let mut sdk = command("resilient-sdk", directory.path());
        sdk.args(arguments).arg("-c").arg(&app_config);
        finished(sdk).await
    };
    sdk(&["clone", "-f", "exchange_online_get_message", "my_get_message"]).await;
    sdk(&["clone", "-w", "example_exchange_online_get_message", "my_workflow"]).await;
    let has = |section: &str, key: &str, name: &str| {
        let all = sandbox.soar.rest.customizations();
        all[section].as_array().unwrap().iter().any(|one| one[key] == name)
    };
    assert!(has("functions", "name", "my_get_message"));
    assert!(has("workflows", "programmatic_name", "my_workflow"));
    assert!(sdk(&["list", "-f"]).await.contains("my_get_message"));
    sdk(&["extract", "-f", "my_get_message", "-n", "mine"]).await;
    let is_export = |path: &Path| path.extension().is_some_and(|end| end == "res");
    let files = fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().path());
    let extracted = files.into_iter().find(|path| is_export(path)).unwrap();
    let extracted: Value = serde_json::from_slice(&fs::read(extracted).unwrap()).unwrap();
    assert_eq!(extracted["functions"][0]["name"], "my_get_message");
}

/// The file that `resilient-circuits config` writes, filled in as an administrator does.
async fn filled_in(directory: &Path, sandbox: &Sandbox) -> PathBuf {
    let path = directory.join("made.config");
    let mut config = command("resilient-circuits", directory);
    config.args(["config", "-c"]).arg(&path);
    finished(config).await;
    let mut text = fs::read_to_string(&path).unwrap();
    let options = sandbox.soar.options();
    for (line, with) in [
        ("host=resilient\n", "host=localhost\n".to_owned()),
        (
            "port=443\n",
            format!(
                "port={}\nstomp_port={}\n",
                sandbox.soar.rest.address().port(),
                sandbox.soar.broker.address().port()
            ),
        ),
        ("api_key_id=ApiKeyId\n", format!("api_key_id={}\n", options.api_key.id)),
        ("api_key_secret=ApiKeySecret\n", format!("api_key_secret={}\n", options.api_key.secret)),
        ("org=My Org\n", format!("org={}\n", options.organisation.name)),
        ("# componentsdir=components\n", format!("componentsdir={}\n", source("components").display())),
        ("logdir=/tmp\n", format!("logdir={}\n", directory.display())),
        ("#cafile=~/.resilient/cert.cer\n", format!("cafile={}\n", sandbox.ca_file().display())),
    ] {
        assert!(text.contains(line), "{line:?} is not in the file:\n{text}");
        text = text.replacen(line, &with, 1);
    }
    // The section that `config -c` writes for the app where it is installed, with the sandbox's Graph.
    let graph = sandbox.app_config(&[]);
    let (_, section) = graph.split_once("[fn_exchange_online]").unwrap();
    fs::write(&path, text + "\n[fn_exchange_online]" + section).unwrap();
    path
}

/// A process that does not outlive its test.
struct Process(Child);

impl Process {
    /// Starts it, and waits until it prints `words` to its standard error.
    fn start(mut command: Command, words: &str) -> Self {
        let mut process = Self(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
        let lines = BufReader::new(process.0.stderr.take().unwrap()).lines();
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        let deadline = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        while let Ok(line) = receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            seen.push(line);
            if seen.last().is_some_and(|line| line.contains(words)) {
                return process;
            }
        }
        panic!("{words:?} is not in:\n{}", seen.join("\n"));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn config_of_resilient_circuits_starts_both_programs() {
    let directory = tempfile::tempdir().unwrap();
    let sandbox = sandbox(directory.path()).await;
    let path = filled_in(directory.path(), &sandbox).await;
    let circuits = |argument: &str| {
        let mut circuits = command("resilient-circuits", directory.path());
        circuits.arg(argument).env("APP_CONFIG_FILE", &path);
        circuits
    };
    let text = finished(circuits("selftest")).await;
    assert!(text.contains("Successfully connected via STOMP!"), "{text}");

    let caller = sandbox.caller().await.unwrap();
    let inputs = json!({"exo_email_address": "a@b.example", "exo_messages_id": "AAMk"});
    let start = circuits("run");
    let running = tokio::task::spawn_blocking(|| Process::start(start, "Subscribed to message destination"));
    let running = running.await.unwrap();
    let call = caller.call("exchange_online_get_message", inputs.clone()).await.unwrap();
    let reply = call.reply(PATIENCE).await.unwrap();
    assert_eq!((reply.message_type, &reply.results["content"]), (0, &inputs), "{}", reply.raw_body);
    assert_eq!(call.statuses(), ["half way"]);
    drop(running);

    let mut daemon = Command::new(env!("CARGO_BIN_EXE_fn-exchange-online"));
    daemon.args(["run", "--config-file"]).arg(&path).env("HOME", directory.path());
    let starting = tokio::task::spawn_blocking(|| Process::start(daemon, "ready: listening for calls"));
    let _daemon = starting.await.unwrap();
    let call = caller.call("exchange_online_get_message", inputs).await.unwrap();
    let reply = call.reply(PATIENCE).await.unwrap();
    assert_eq!((reply.message_type, &reply.results["success"]), (0, &json!(false)), "{}", reply.raw_body);
}
