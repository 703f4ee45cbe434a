//! Promise: the log goes to stderr and to `logdir/logfile`, one line for each event, with the call's ids. It is rotated
//! as configured, holds no secrets and no mail, and no failure of it stops a call.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

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
        let directory = tempfile::tempdir().unwrap();
        let tenant = TenantOptions { mailboxes: 10, messages_per_mailbox: 5, ..TenantOptions::default() };
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
        let deadline = Instant::now() + PATIENCE;
        while !fs::read_to_string(file).unwrap_or_default().contains(text) {
            assert!(Instant::now() < deadline, "{text:?} is not in {}: {}", file.display(), self.stderr());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_log_lines_of_a_call_have_its_ids() {
    let mut running = Running::start(&[("loglevel", "DEBUG")]).await;
    running.until("ready: listening for calls").await;
    let call = running.caller.call(
        QUERY,
        json!({
            "incident_id": INCIDENT, "exo_email_address": running.sandbox.graph.mailboxes()[0],
            "exo_message_subject": "password",
            "exo_query_output_format": ["Incident note"],
        }),
    );
    let call = call.await.unwrap();
    call.reply(PATIENCE).await.unwrap();
    assert!(running.stop().success());

    let text = running.text();
    let lines: Vec<_> = text.lines().map(|line| (line, parts(line))).collect();
    let place = |text: &str| lines.iter().rposition(|(line, _)| line.contains(text)).unwrap();
    let of_call = &lines[place("call started")..=place("call completed")];
    assert!(of_call.iter().any(|(line, _)| line.contains("[graph.transport]")), "{text}");
    // It serves others, too, but this call asked for it.
    assert!(of_call.iter().any(|(line, _)| line.contains("access token fetched")), "{text}");
    let ids = format!("correlation_id={} function={QUERY} incident={INCIDENT}", call.correlation());
    for (line, _) in of_call {
        assert!(line.contains(&ids), "{line}\nhas not {ids}");
    }
    let (level, module, rest) = of_call.last().unwrap().1;
    assert_eq!((level, module), ("INFO", "worker.call"));
    assert!(rest.starts_with("call completed success=true elapsed_ms="), "{rest}");
    assert!(!lines.first().unwrap().0.contains("correlation_id"), "{text}");
    assert_eq!(running.stderr(), text, "stderr and the file differ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batch_part_is_logged_for_its_call() {
    let mut running = Running::start(&[("loglevel", "DEBUG"), ("log_format", "json")]).await;
    let query = |subject: &str| {
        running.caller.call(
            QUERY,
            json!({
                "incident_id": INCIDENT, "exo_email_address": "all", "exo_message_subject": subject,
                "exo_query_output_format": ["Exchange Online data table"],
            }),
        )
    };
    // Side by side, so that they share batches.
    let (first, second) = tokio::join!(query("a"), query("e"));
    let (first, second) = (first.unwrap(), second.unwrap());
    let _ = tokio::join!(first.reply(PATIENCE), second.reply(PATIENCE));
    assert!(running.stop().success());
    let lines: Vec<Value> = running.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for call in [first.correlation(), second.correlation()] {
        let parts = lines.iter().filter(|line| {
            let text = line["message"].as_str().unwrap();
            line["correlation_id"] == call && text.starts_with("graph request in a batch")
        });
        // The 10 mailboxes, and the 3 users who have none.
        assert_eq!(parts.clone().count(), 13);
        for part in parts {
            let told =
                part["request_id"].is_string() || part["error"].as_str().unwrap().contains("request-id");
            assert!(told && part["function"] == QUERY && part["resource"].is_string(), "{part}");
            // The batch's own lines are of no call, or they would be of several.
            let of_batch: Vec<_> = lines
                .iter()
                .filter(|line| line["batch"] == part["batch"] && line["correlation_id"].is_null())
                .collect();
            let sent = of_batch.iter().filter(|line| line["module"] == "graph.transport");
            assert!(part["batch"].is_string() && sent.clone().count() == 1, "{part}");
            assert!(sent.clone().all(|line| line["client_request_id"].is_string()), "{of_batch:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn warning_level_still_names_the_call() {
    let mut running = Running::start(&[("loglevel", "ERROR")]).await;
    let call = running.caller.call(PROFILE, json!({})).await.unwrap();
    assert_eq!(call.reply(PATIENCE).await.unwrap().message_type, 1);
    assert!(running.stop().success());
    let text = running.text();
    let lines: Vec<_> = text.lines().map(parts).collect();
    let [("ERROR", "worker.call", line)] = lines[..] else { panic!("{text}") };
    assert!(
        line.starts_with("call failed error=\"The input \\\"exo_email_address\\\" is required"),
        "{line}"
    );
    assert!(line.contains(&format!("correlation_id={} function={PROFILE}", call.correlation())), "{line}");
    assert!(!line.contains("incident="), "an empty field is written: {line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_are_recorded_at_any_level() {
    let mut running = Running::start(&[("loglevel", "CRITICAL")]).await;
    let planted = running.sandbox.graph.planted().swap_remove(0);
    let inputs = json!({ "exo_email_address": planted.mailbox, "exo_messages_id": planted.id });
    running.call("exchange_online_delete_email", inputs).await;
    assert!(running.stop().success());
    let text = running.text();
    let (level, module, line) = parts(text.trim_end());
    assert_eq!((level, module), ("INFO", "audit"));
    assert!(line.starts_with("delete message ") && line.contains(&planted.mailbox), "{line}");
    assert!(line.contains("outcome=deleted") && line.contains("correlation_id="), "{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn query_and_deletion_log_summary_counts() {
    let running = Running::start(&[]).await;
    let inputs = json!({
        "incident_id": INCIDENT, "exo_email_address": "all", "exo_message_subject": Phish::default().subject,
        "exo_query_output_format": ["Exchange Online data table"],
    });
    let found = running.call(QUERY, inputs).await;
    running.until("listed=13 searched=10 without_mailbox=3 failed=0 left_out=0 messages=7").await;
    let inputs = json!({ "exo_query_messages_results": found.results["raw"] });
    running.call("exchange_online_delete_messages_from_query_results", inputs).await;
    running.until("listed=7 deleted=7 already_gone=0 not_deleted=0 mailboxes=7").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn untrusted_text_adds_no_line() {
    let mut running = Running::start(&[]).await;
    let name = "x\n2026-11-23 08:47:52,260 INFO [audit] forged\r\x1b[2K\u{2028}\u{202e}\"=\\";
    running.call(name, json!({})).await;
    assert!(running.stop().success());
    let text = running.text();
    let forged: Vec<_> = text.lines().filter(|line| line.contains("forged")).collect();
    let [line] = forged[..] else { panic!("{text}") };
    assert_eq!(parts(line).0, "WARNING");
    let escaped = r#"forged\r\u{1b}[2K\u{2028}\u{202e}\"=\\""#;
    assert!(line.contains(escaped) && line.contains("function=\"x\\n2026"), "{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_lines_have_the_same_fields() {
    let mut running = Running::start(&[("log_format", "json")]).await;
    let call = running.caller.call(QUERY, json!({ "incident_id": INCIDENT, "x": "a\nb" })).await.unwrap();
    call.reply(PATIENCE).await.unwrap();
    assert!(running.stop().success());
    let text = running.text();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let failed = lines.iter().find(|line| line["message"] == "call failed").unwrap();
    assert_eq!((&failed["level"], &failed["module"]), (&json!("ERROR"), &json!("worker.call")));
    assert_eq!(failed["correlation_id"], call.correlation());
    assert_eq!((&failed["function"], &failed["incident"]), (&json!(QUERY), &json!(INCIDENT)));
    assert!(failed["elapsed_ms"].is_number(), "{failed}");
    let time = chrono::DateTime::parse_from_rfc3339(failed["time"].as_str().unwrap()).unwrap();
    assert!((chrono::Utc::now() - time.to_utc()).num_seconds().abs() < 60, "{time}");
    assert_eq!(running.stderr(), text, "stderr and the file differ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_has_no_secrets_and_no_mail() {
    let mut running = Running::start(&[("loglevel", "DEBUG")]).await;
    let phish = Phish::default();
    let planted = running.sandbox.graph.planted().swap_remove(0);
    let message = json!({ "exo_email_address": planted.mailbox, "exo_messages_id": planted.id });
    assert_eq!(running.call("exchange_online_get_message", message).await.message_type, 0);
    let found = running.call(
        QUERY,
        json!({
            "incident_id": INCIDENT, "exo_email_address": "all", "exo_message_subject": phish.subject,
            "exo_query_output_format": ["Incident note"],
        }),
    );
    let raw = found.await.results["raw"].clone();
    let delete = "exchange_online_delete_messages_from_query_results";
    assert_eq!(running.call(delete, json!({ "exo_query_messages_results": raw })).await.message_type, 0);
    // A text that is no result of a query, quoted by no error.
    running.call(delete, json!({ "exo_query_messages_results": "{\"email_results\": MAILTEXT" })).await;
    let send = json!({ "exo_email_address": planted.mailbox, "exo_recipients": "a@sandbox.example",
        "exo_message_subject": "SUBJECTTEXT", "exo_message_body": "BODYTEXT" });
    assert_eq!(running.call("exchange_online_send_message", send.clone()).await.message_type, 0);
    // Graph's own words may quote what was asked; they are for the analyst only.
    running.sandbox.graph.faults().take_role("Mail.Send");
    let refused = running.call("exchange_online_send_message", send).await;
    assert!(refused.message.contains("Access is denied"), "{}", refused.message);
    assert!(running.stop().success());
    let text = running.text();
    assert!(text.contains("ErrorAccessDenied"), "{text}");
    let options = running.sandbox.soar.options();
    for secret in [
        options.api_key.secret.as_str(),
        running.sandbox.graph.client_secret(),
        "Bearer",
        &phish.subject,
        "credential renewal portal",
        "MAILTEXT",
        "Access is denied",
        "SUBJECTTEXT",
        "BODYTEXT",
    ] {
        assert!(!text.contains(secret), "{secret} is in the log");
    }
    assert!(text.contains("outcome=sent"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_file_is_rotated() {
    let options = [("log_max_bytes", "100000"), ("log_backup_count", "2")];
    let mut running = Running::start_with(&options, |logs| {
        fs::write(logs.join("app.log"), "a\n".repeat(49_999)).unwrap();
        fs::write(logs.join("app.log.1"), "one").unwrap();
        fs::write(logs.join("app.log.2"), "two").unwrap();
    })
    .await;
    assert!(running.stop().success());
    let logs = running.directory.path().join("logs");
    assert!(running.text().contains("starting") && !running.text().contains("a\na\n"));
    assert_eq!(fs::read_to_string(logs.join("app.log.1")).unwrap(), "a\n".repeat(49_999));
    assert_eq!(fs::read_to_string(logs.join("app.log.2")).unwrap(), "one");
    assert!(!logs.join("app.log.3").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotation_can_be_disabled() {
    for option in [("log_max_bytes", "0"), ("log_backup_count", "0")] {
        let mut running = Running::start_with(&[option], |logs| {
            fs::write(logs.join("app.log"), "a\n".repeat(6_000_000)).unwrap();
        })
        .await;
        assert!(running.stop().success());
        assert!(running.text().starts_with("a\na\n") && running.text().contains("starting"), "{option:?}");
        assert!(!running.directory.path().join("logs/app.log.1").exists(), "{option:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moved_log_file_is_created_again() {
    let running = Running::start(&[]).await;
    running.until("signed in").await;
    let moved = running.directory.path().join("logs/moved.log");
    fs::rename(running.log(), &moved).unwrap();
    running.profile().await;
    running.until("call completed").await;
    assert!(!fs::read_to_string(&moved).unwrap().contains("call started"));
    fs::remove_file(running.log()).unwrap();
    running.profile().await;
    running.until("call completed").await;
    assert!(!running.text().contains("signed in"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_directory_costs_only_lines() {
    let running = Running::start(&[]).await;
    running.until("signed in").await;
    let (logs, away) = (running.directory.path().join("logs"), running.directory.path().join("away"));
    fs::rename(&logs, &away).unwrap();
    assert_eq!(running.profile().await.message_type, 0);
    let stderr = running.directory.path().join("stderr");
    running.until_in(&stderr, "the log file cannot be written").await;
    running.until_in(&stderr, "call completed").await;
    fs::create_dir(&logs).unwrap();
    assert_eq!(running.profile().await.message_type, 0);
    running.until("call completed").await;
    let text = running.text();
    assert!(
        parts(text.lines().next().unwrap()).2.contains("lines of the log could not be written here"),
        "{text}"
    );
    assert_eq!(running.stderr().matches("the log file cannot be written").count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_disk_does_not_stop_calls() {
    let mut running = Running::start(&[("logdir", "/dev"), ("logfile", "full")]).await;
    for _ in 0..3 {
        assert_eq!(running.profile().await.message_type, 0);
    }
    assert!(running.stop().success());
    let stderr = running.stderr();
    assert_eq!(stderr.matches("call completed").count(), 3, "{stderr}");
    assert_eq!(stderr.matches("the log file cannot be written: No space left").count(), 1, "{stderr}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocked_stderr_does_not_stop_calls() {
    let mut running = Running::start_on(&[], |_| (), |_| Stdio::piped()).await;
    // Each call's lines hold this; a pipe holds 64 KiB.
    let long = "x".repeat(4000);
    for _ in 0..25 {
        running.call(&long, json!({})).await;
    }
    running.profile().await;
    running.until("call completed").await;
    assert_eq!(running.text().matches("unknown function").count(), 25);
    assert!(running.stop().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_without_file_goes_to_stderr() {
    let mut running = Running::start(&[("logfile", ""), ("logdir", "/no/such/directory")]).await;
    assert_eq!(running.profile().await.message_type, 0);
    assert!(running.stop().success());
    assert!(running.stderr().contains("call completed"));
    assert_eq!(fs::read_dir(running.directory.path().join("logs")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unwritable_log_ends_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(directory.path(), TenantOptions::default(), SoarOptions::default());
    let sandbox = sandbox.await.unwrap();
    let config = directory.path().join("app.config");
    let missing = directory.path().join("missing");
    // A directory that is not there, one that is a file, and a file that is a directory.
    for (logs, logfile) in
        [(missing.as_path(), "app.log"), (config.as_path(), "app.log"), (directory.path(), ".")]
    {
        fs::write(&config, with_log(&sandbox, logs, &[("logfile", logfile)])).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_fn-exchange-online"))
            .args(["run", "--config-file"])
            .arg(&config)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(logs.to_str().unwrap()) && said.contains("logdir"), "{said}");
    }
    assert_eq!(sandbox.soar.rest.connections(), 0, "it went on without its log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_start_is_in_the_log_file() {
    let directory = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(directory.path(), TenantOptions::default(), SoarOptions::default());
    let sandbox = sandbox.await.unwrap();
    let secret = &sandbox.soar.options().api_key.secret;
    let config = directory.path().join("app.config");
    fs::write(&config, with_log(&sandbox, directory.path(), &[]).replace(secret.as_str(), "wrong")).unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_fn-exchange-online"))
        .args(["run", "--config-file"])
        .arg(&config)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(21));
    let text = fs::read_to_string(directory.path().join("app.log")).unwrap();
    let (level, module, line) = parts(text.lines().last().unwrap());
    assert_eq!((level, module), ("ERROR", "daemon"));
    assert!(line.starts_with("not started: ") && line.contains("code=21"), "{line}");
}
