//! The program as it is deployed: its own process, run with an `app.config` against the sandbox, whose servers live
//! in the test's process. The broker may be another than the sandbox's.
#![allow(clippy::print_stderr)] // of a test that fails

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use net::Trust;
use sandbox::Sandbox;
use sandbox::graph::{Address, Delivery, Meeting, MeetingMessage, NewMessage, OPTIONAL_ROLES, TenantOptions};
use sandbox::soar::caller::{Caller, CallerOptions};
use sandbox::soar::rest::{ApiKey, Owner};
use sandbox::soar::{INCIDENT, SoarOptions};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::timeout;

use removal_plan::PlanFile;

#[path = "removal_plan.rs"]
mod removal_plan;

/// Long enough for whatever is to happen, on a machine that has other things to do, too.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// How long a program may take to stop: its own bound for running calls, and some more.
pub(crate) const STOPPED_WITHIN: Duration = Duration::from_secs(40);

/// A broker on `localhost` that is not the sandbox's.
#[derive(Debug, Clone)]
pub(crate) struct OtherBroker {
    pub(crate) port: u16,
    pub(crate) ca_file: PathBuf,
    /// Who the daemon is to it, and SOAR, too.
    pub(crate) login: (&'static str, &'static str),
}

pub(crate) struct Deployment {
    pub(crate) sandbox: Sandbox,
    directory: TempDir,
    broker: Option<OtherBroker>,
}

impl Deployment {
    /// A SOAR and a tenant of twenty mailboxes.
    pub(crate) async fn new() -> Self {
        Self::start(None, SoarOptions::default()).await
    }

    /// The same, but for the broker.
    pub(crate) async fn with_broker(broker: OtherBroker) -> Self {
        Self::start(Some(broker), SoarOptions::default()).await
    }

    /// A deployment with this broker and SOAR.
    pub(crate) async fn start(broker: Option<OtherBroker>, soar: SoarOptions) -> Self {
        let tenant = TenantOptions { mailboxes: 20, messages_per_mailbox: 12, ..TenantOptions::default() };
        Self::with_tenant(broker, soar, tenant).await
    }

    /// The same with this tenant.
    pub(crate) async fn with_tenant(
        broker: Option<OtherBroker>,
        mut soar: SoarOptions,
        tenant: TenantOptions,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        if let Some(OtherBroker { login: (id, secret), .. }) = &broker {
            soar.api_key = ApiKey { id: (*id).to_owned(), secret: (*secret).to_owned(), handle: 17 };
        }
        let sandbox = Sandbox::start(directory.path(), tenant, soar).await.unwrap();
        for role in OPTIONAL_ROLES {
            sandbox.graph.faults().give_role(role);
        }
        // Tests call more than the service allows.
        sandbox.graph.faults().set_trace_quota(100_000, Duration::from_secs(300));
        Self { sandbox, directory, broker }
    }

    /// The temporary directory, for what else a test writes.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The text of an `app.config` with these options in `[resilient]` and in `[fn_exchange_online]`.
    pub(crate) fn app_config(&self, resilient: &[(&str, &str)], app: &[(&str, &str)]) -> String {
        // The log goes to stderr only.
        let mut text = with_option(&self.sandbox.app_config(&[]), "[resilient]", "logfile", "");
        if let Some(broker) = &self.broker {
            let (port, ca_file) = (broker.port.to_string(), broker.ca_file.display().to_string());
            for (key, value) in [("stomp_port", port), ("stomp_cafile", ca_file)] {
                text = with_option(&text, "[resilient]", key, &value);
            }
        }
        for (key, value) in resilient {
            text = with_option(&text, "[resilient]", key, value);
        }
        for (key, value) in app {
            text = with_option(&text, "[fn_exchange_online]", key, value);
        }
        text
    }

    /// Writes `text` into a file of that name.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Starts the program with nothing special in its `app.config`, and waits until it is subscribed.
    pub(crate) async fn daemon(&self) -> Daemon {
        self.daemon_with(&[]).await
    }

    /// The same with options of `[resilient]`.
    pub(crate) async fn daemon_with(&self, resilient: &[(&str, &str)]) -> Daemon {
        let mut daemon = self.spawn(&self.app_config(resilient, &[]));
        daemon.subscribed().await;
        daemon
    }

    /// Starts the program with that `app.config`.
    pub(crate) fn spawn(&self, app_config: &str) -> Daemon {
        let file = self.write(&format!("app-{}.config", fastrand::u64(..)), app_config);
        Daemon::spawn(&["run", "--config-file", &file.display().to_string()])
    }

    /// SOAR's side of the queue.
    pub(crate) async fn caller(&self) -> Caller {
        let Some(OtherBroker { port, ca_file, login: (login, passcode) }) = &self.broker else {
            return self.sandbox.caller().await.unwrap();
        };
        let options = CallerOptions {
            host: "localhost".to_owned(),
            port: *port,
            login: (*login).to_owned(),
            passcode: (*passcode).to_owned(),
            trust: Trust::SystemAnd(ca_file.clone()),
            org: self.sandbox.soar.options().organisation.id,
            destination: self.sandbox.soar.options().destination.clone(),
        };
        Caller::connect(options).await.unwrap()
    }

    /// The queue calls are in.
    pub(crate) fn queue(&self) -> String {
        self.sandbox.soar.actions_queue()
    }

    /// Waits until the sandbox's broker has no call left.
    pub(crate) async fn queue_is_empty(&self) {
        let queue = self.queue();
        let empty = self.sandbox.soar.broker.until(SOON, |broker| broker.queue_depth(&queue) == 0).await;
        assert!(empty, "{} calls are left in the queue", self.sandbox.soar.broker.queue_depth(&queue));
    }

    /// The address of a mailbox.
    pub(crate) fn mailbox(&self, nth: usize) -> String {
        self.sandbox.graph.mailboxes()[nth].clone()
    }

    /// Puts a message into a mailbox; gives its id.
    pub(crate) fn add_message(&self, mailbox: &str, subject: &str, body: &str) -> String {
        let message = NewMessage {
            subject: subject.to_owned(),
            from: Address::new("Zoë", "zoe@elsewhere.example"),
            received: TenantOptions::default().now,
            html: false,
            body: body.to_owned(),
            ..NewMessage::default()
        };
        self.sandbox.graph.add_message(mailbox, message).unwrap()
    }

    /// A call of each function that succeeds, whichever of them runs first.
    #[allow(clippy::too_many_lines, reason = "a call of each function")]
    pub(crate) async fn calls_of_all_functions(&self) -> Vec<(&'static str, Value)> {
        let mailbox = self.mailbox(1);
        let ids: Vec<String> =
            (0..8).map(|nth| self.add_message(&mailbox, &format!("Message {nth}"), "Hello.")).collect();
        let start = chrono::Utc::now().timestamp_millis() + 86_400_000;
        let results = json!({"email_results": [
            {"email_address": mailbox, "status_code": 200, "email_list": [{"id": ids[4]}]},
        ]});
        let planned = json!({"messages_found": 1, "email_results": [
            {"email_address": mailbox, "status_code": 200, "email_list": [{"id": ids[5]}]},
        ]});
        let plan = self.removal_plan(INCIDENT, &mailbox, &ids[6]).await;
        assert!(self.sandbox.graph.move_message(&mailbox, &ids[7], "deleteditems"));
        let sent = chrono::Utc::now() - chrono::TimeDelta::minutes(10);
        let from = Address::new("Zoë", "zoe@elsewhere.example");
        let mail = Delivery::new("<traced@elsewhere.example>", from, "Message", sent).to([&mailbox]);
        self.sandbox.graph.deliver(&mail);
        let organizer = Address::new("Prize Office", "prize@attacker.example");
        let meeting = Meeting::new("prize", organizer, "You have won", sent + chrono::TimeDelta::days(3));
        let (uid, invitation) = (meeting.uid.clone(), MeetingMessage::request(meeting));
        let invitation = Delivery::of_meeting("<prize@attacker.example>", invitation, sent).to([&mailbox]);
        self.sandbox.graph.deliver(&invitation);
        vec![
            (
                "exchange_online_trace_message",
                json!({
                    "incident_id": INCIDENT,
                    "exo_internet_message_id": "<traced@elsewhere.example>",
                    "exo_recipient": mailbox,
                    "exo_start_date": (sent - chrono::TimeDelta::hours(1)).timestamp_millis(),
                    "exo_query_output_format": ["Exchange Online data table"],
                }),
            ),
            ("exchange_online_get_email_user_profile", json!({"exo_email_address": mailbox})),
            (
                "exchange_online_get_message",
                json!({"exo_email_address": mailbox, "exo_messages_id": ids[0], "unknown": [1, "ü"]}),
            ),
            (
                "exchange_online_get_attachments",
                json!({"exo_email_address": mailbox, "exo_messages_id": ids[0]}),
            ),
            (
                "exchange_online_write_message_as_attachment",
                json!({
                    "incident_id": INCIDENT,
                    "exo_email_address": mailbox,
                    "exo_messages_id": ids[1],
                    "exo_attachment_name": "evidence.eml",
                }),
            ),
            (
                "exchange_online_move_message_to_folder",
                json!({
                    "exo_email_address": mailbox,
                    "exo_messages_id": ids[2],
                    "exo_destination_mailfolder_id": {"id": 126, "name": "junkemail"},
                }),
            ),
            (
                "exchange_online_send_message",
                json!({
                    "exo_email_address": mailbox,
                    "exo_recipients": "one@elsewhere.example, two@elsewhere.example",
                    "exo_message_subject": "Warning",
                    "exo_message_body": {"format": "html", "content": "<p>Look out.</p>"},
                }),
            ),
            (
                "exchange_online_create_meeting",
                json!({
                    "exo_meeting_email_address": mailbox,
                    "exo_meeting_start_time": start,
                    "exo_meeting_end_time": start + 1_800_000,
                    "exo_meeting_subject": "What we learn from it",
                    "exo_meeting_body": "Half an hour.",
                }),
            ),
            (
                "exchange_online_delete_email",
                json!({"exo_email_address": mailbox, "exo_messages_id": ids[3]}),
            ),
            (
                "exchange_online_query_emails",
                json!({
                    "incident_id": INCIDENT,
                    "exo_email_address": mailbox,
                    "exo_email_address_sender": "zoe@elsewhere.example",
                    "exo_query_output_format": [{"id": 1, "name": "Exchange Online data table"}],
                }),
            ),
            (
                "exchange_online_delete_messages_from_query_results",
                json!({"exo_query_messages_results": results.to_string()}),
            ),
            (
                "exchange_online_plan_removal",
                json!({"incident_id": INCIDENT, "exo_query_messages_results": planned.to_string()}),
            ),
            ("exchange_online_apply_plan", plan.inputs(INCIDENT)),
            (
                "exchange_online_restore_messages",
                json!({"exo_email_address": mailbox, "exo_messages_id": ids[7]}),
            ),
            (
                "exchange_online_remove_meetings",
                json!({"incident_id": INCIDENT, "exo_ical_uid": uid, "exo_email_address": mailbox}),
            ),
        ]
    }

    /// Attaches a plan of one message to an incident.
    pub(crate) async fn removal_plan(&self, incident: i64, mailbox: &str, id: &str) -> PlanFile {
        let plan = PlanFile::of(&self.sandbox.graph, incident, mailbox, id);
        let (owner, rest) = (Owner::Incident(incident), &self.sandbox.soar.rest);
        rest.add_attachment(owner, &plan.name, "application/json", &plan.bytes).await.unwrap();
        plan
    }
}

/// `text` with an option at the head of a section, in place of the one it has.
fn with_option(text: &str, section: &str, key: &str, value: &str) -> String {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.starts_with('[') {
            inside = line == section;
        }
        if !(inside && line.split('=').next() == Some(key)) {
            lines.push(line.to_owned());
        }
        if line == section {
            lines.push(format!("{key}={value}"));
        }
    }
    lines.join("\n") + "\n"
}

/// A running program. It ends with this value, if not before.
pub(crate) struct Daemon {
    process: Child,
    log: watch::Receiver<String>,
    out: watch::Receiver<String>,
}

impl Daemon {
    /// Starts the program with these arguments, without the environment variables that it looks at.
    pub(crate) fn spawn(arguments: &[&str]) -> Self {
        Self::spawn_in(&[], arguments)
    }

    /// The same, with these environment variables.
    pub(crate) fn spawn_in(environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_fn-exchange-online"))
            .args(arguments)
            .env_clear()
            .envs(
                ["PATH", "HOME", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "FAILPOINTS"]
                    .iter()
                    .filter_map(|name| std::env::var_os(name).map(|value| (name, value))),
            )
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let log = collected(process.stderr.take().unwrap());
        let out = collected(process.stdout.take().unwrap());
        Self { process, log, out }
    }

    /// Waits until the broker has confirmed a subscription.
    pub(crate) async fn subscribed(&mut self) {
        self.logged("subscribed to").await;
    }

    /// Waits until `text` is in the log.
    pub(crate) async fn logged(&mut self, text: &str) {
        self.logged_times(text, 1).await;
    }

    /// Waits until `text` is in the log that many times.
    pub(crate) async fn logged_times(&mut self, text: &str, times: usize) {
        let mut log = self.log.clone();
        let waited = timeout(SOON, log.wait_for(|log| log.matches(text).count() >= times)).await;
        assert!(matches!(waited, Ok(Ok(_))), "{text:?} is not in the log {times} times");
    }

    /// What it has written to stderr so far.
    pub(crate) fn log(&self) -> String {
        self.log.borrow().clone()
    }

    /// How many times `text` is in the log.
    pub(crate) fn count_in_log(&self, text: &str) -> usize {
        self.log.borrow().matches(text).count()
    }

    /// Its process's number.
    pub(crate) fn id(&self) -> u32 {
        self.process.id().unwrap()
    }

    /// Sends it a signal: `TERM`, `INT`, `KILL`, …
    pub(crate) async fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.id().to_string()]).status().await.unwrap();
        assert!(status.success());
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        self.signal("TERM").await;
        self.ended().await
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        timeout(STOPPED_WITHIN, self.ended_at_last()).await.expect("it ends")
    }

    /// Waits until it has ended by itself, whenever that is.
    pub(crate) async fn ended_at_last(&mut self) -> ExitStatus {
        let status = self.process.wait().await.unwrap();
        // The pipes are closed; what was written last may still be on its way to us.
        for output in [&mut self.log, &mut self.out] {
            while output.changed().await.is_ok() {}
        }
        status
    }

    /// Waits until it has ended; its exit code, stdout and stderr.
    pub(crate) async fn outcome(mut self) -> (i32, String, String) {
        let status = self.ended().await;
        (status.code().unwrap(), self.out.borrow().clone(), self.log.borrow().clone())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the program's log:\n{}---", *self.log.borrow());
        }
    }
}

/// All that comes out of `output`, until it is closed.
fn collected(output: impl AsyncRead + Unpin + Send + 'static) -> watch::Receiver<String> {
    let (sender, receiver) = watch::channel(String::new());
    tokio::spawn(async move {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            sender.send_modify(|text| {
                text.push_str(&line);
                text.push('\n');
            });
        }
    });
    receiver
}
