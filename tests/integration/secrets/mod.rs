//! Promise: whatever happens, and however verbose it is, nothing that the program writes for its operators holds a
//! secret, or a word of anybody's mail.
//!
//! Every function is run with mails, inputs and files that are full of marks, in good times and in bad ones, and all
//! that was written is searched for the marks, in each form that they may be written in.

mod logins;
mod marks;

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::support::deployment::{Daemon, Deployment, SOON};
use marks::{MAIL, Marks};
use sandbox::graph::{Address, Attachment, Fault, NewMessage, RetryAfter, Target, TenantOptions};
use sandbox::soar::INCIDENT;
use sandbox::soar::caller::{Caller, Reply};
use sandbox::soar::rest::{Failure, Owner};
use serde_json::{Value, json};

/// A daemon in its most verbose mood, and what else writes.
struct Stage {
    deployment: Deployment,
    soar: Caller,
    daemon: Daemon,
    marks: Marks,
    mailbox: String,
    config: String,
    environment: Vec<(String, String)>,
    replies: Vec<Reply>,
}

/// What somebody may hope makes a program tell more.
const VERBOSE: [(&str, &str); 4] =
    [("RUST_LOG", "trace"), ("RUST_BACKTRACE", "full"), ("LOGLEVEL", "DEBUG"), ("USER", "mary")];

fn spawn(environment: &[(String, String)], arguments: &[&str]) -> Daemon {
    let environment: Vec<_> =
        environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Daemon::spawn_in(&environment, arguments)
}

impl Stage {
    async fn new(format: &str) -> Self {
        Self::of(Deployment::new().await, &[("log_format", format)], &[], &[]).await
    }

    /// With options of `[resilient]` and of `[fn_exchange_online]`, and variables of the environment.
    async fn of(
        deployment: Deployment,
        resilient: &[(&str, &str)],
        app: &[(&str, &str)],
        environment: &[(&str, &str)],
    ) -> Self {
        let logs = deployment.directory().display().to_string();
        let resilient = [&[("logdir", logs.as_str()), ("logfile", "app.log")], resilient].concat();
        let always = [
            ("max_retries_backoff_factor", "0.02"),
            ("max_retries_total", "2"),
            ("audit_file", "acts.jsonl"),
        ];
        let app = [&always, app].concat();
        let config =
            deployment.write("app.config", &deployment.app_config(&resilient, &app)).display().to_string();
        let environment: Vec<_> = VERBOSE
            .iter()
            .chain(environment)
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect();
        let mut daemon = spawn(&environment, &["run", "--config-file", &config]);
        daemon.subscribed().await;
        let (soar, marks, mailbox) =
            (deployment.caller().await, Marks::of(&deployment), deployment.mailbox(1));
        deployment
            .sandbox
            .soar
            .rest
            .add_attachment(Owner::Incident(INCIDENT), "zqNAMEzq.txt", "text/plain", b"zqFILEzq")
            .await
            .unwrap();
        // What others say quotes what they were asked.
        deployment.sandbox.graph.faults().quote_requests();
        deployment.sandbox.soar.rest.quote_requests();
        Self { deployment, soar, daemon, marks, mailbox, config, environment, replies: Vec::new() }
    }

    /// Puts a mail full of marks into the mailbox; its id.
    fn mail(&self) -> String {
        let file = Attachment {
            name: "zqFILEzq.txt".to_owned(),
            content_type: "text/plain".to_owned(),
            content: bytes::Bytes::from_static(b"zqFILEzq"),
        };
        let message = NewMessage {
            subject: "About zqSUBJECTzq".to_owned(),
            from: Address::new("zqSUBJECTzq", "eve@elsewhere.example"),
            received: TenantOptions::default().now,
            html: true,
            body: "<p>zqBODYzq</p>".to_owned(),
            attachments: vec![file],
            folder: "inbox".to_owned(),
        };
        self.deployment.sandbox.graph.add_message(&self.mailbox, message).unwrap()
    }

    async fn call(&mut self, function: &str, inputs: Value) -> Value {
        let function = format!("exchange_online_{function}");
        // Where connections are cut, so is that of the caller.
        let deadline = Instant::now() + SOON;
        let call = loop {
            match self.soar.call(&function, inputs.clone()).await {
                Ok(call) => break call,
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
        };
        let reply = call.reply(SOON).await.unwrap();
        let results = reply.results.clone();
        self.replies.push(reply);
        results
    }

    /// Runs every function, and gives what the query found.
    async fn every_function(&mut self) -> Value {
        let mailbox = self.mailbox.clone();
        let message =
            |id: &str| json!({"incident_id": INCIDENT, "exo_email_address": mailbox, "exo_messages_id": id});
        self.call("get_email_user_profile", json!({"exo_email_address": mailbox})).await;
        let id = self.mail();
        self.call("get_message", message(&id)).await;
        let mut named = message(&id);
        named["exo_attachment_name"] = json!("zqNAMEzq.eml");
        self.call("write_message_as_attachment", named).await;
        let mut moved = message(&id);
        moved["exo_destination_mailfolder_id"] = json!({"id": 1, "name": "junkemail"});
        self.call("move_message_to_folder", moved).await;
        for attachments in ["", "zqNAMEzq.txt"] {
            let send = json!({
                "incident_id": INCIDENT, "exo_email_address": mailbox, "exo_recipients": "a@elsewhere.example",
                "exo_message_subject": "zqSENTSUBJECTzq", "exo_attachment_names": attachments,
                "exo_message_body": {"format": "html", "content": "<p>zqSENTBODYzq</p>"},
            });
            self.call("send_message", send).await;
        }
        let start = chrono::Utc::now().timestamp_millis() + 86_400_000;
        let meeting = json!({
            "exo_meeting_email_address": mailbox, "exo_meeting_start_time": start,
            "exo_meeting_end_time": start + 1_800_000, "exo_meeting_subject": "zqMEETINGzq",
            "exo_meeting_body": "zqAGENDAzq", "exo_meeting_location": "zqPLACEzq",
        });
        self.call("create_meeting", meeting).await;
        let id = self.mail();
        self.call("delete_email", message(&id)).await;
        self.mail();
        let query = |who: &str, what: Value| {
            let mut inputs = json!({
                "incident_id": INCIDENT, "exo_email_address": who,
                "exo_query_output_format": ["Incident note", "Incident attachment"],
            });
            inputs.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
            inputs
        };
        self.call("query_emails", query("all", json!({"exo_message_body": "zqSOUGHTzq"}))).await;
        self.call("query_emails", query(&mailbox, json!({"exo_message_subject": "zqSOUGHTzq"}))).await;
        let found =
            self.call("query_emails", query("all", json!({"exo_message_subject": "zqSUBJECTzq"}))).await;
        let raw = found["raw"].as_str().unwrap_or("{\"email_results\": zqSTRAYzq").to_owned();
        self.call("delete_messages_from_query_results", json!({"exo_query_messages_results": raw})).await;
        found
    }

    /// Everything that was written for operators, by where.
    fn written(&self) -> Vec<(&'static str, String)> {
        let read = |name: &str| fs::read_to_string(self.deployment.directory().join(name)).unwrap();
        vec![
            ("the log", read("app.log")),
            ("stderr", self.daemon.log()),
            ("the audit trail", read("acts.jsonl")),
        ]
    }

    /// Runs a command; only what `invoke` gives on stdout is mail.
    async fn by_hand(&self, command: &[&str]) {
        let arguments = [command, &["--config-file", &self.config]].concat();
        let (_, out, err) = spawn(&self.environment, &arguments).outcome().await;
        self.assert_clean(command[0], &err);
        if command[0] != "invoke" {
            self.assert_clean(command[0], &out);
        }
    }

    /// Stops the daemon, and searches everything that was written, `least` lines and more everywhere.
    async fn end(mut self, least: usize) {
        assert!(self.daemon.stop().await.success());
        for (place, text) in self.written() {
            assert!(text.lines().count() > least, "there is nothing in {place}");
            self.assert_clean(place, &text);
        }
        // An analyst may read what Graph said, but no secret.
        let secrets = Marks(self.marks.0[MAIL.len()..].to_vec());
        for reply in &self.replies {
            assert!(secrets.found_in(&reply.message).is_empty(), "{}", reply.message);
        }
    }

    fn assert_clean(&self, place: &str, text: &str) {
        let found = self.marks.found_in(text);
        let lines: Vec<_> = text.lines().filter(|line| !self.marks.found_in(line).is_empty()).collect();
        assert!(found.is_empty(), "{found:?} in {place}:\n{}", lines.join("\n"));
    }
}

async fn nothing_is_told(format: &str, faults: &[Fault]) {
    let mut stage = Stage::new(format).await;
    // The marks do go through the program.
    let found = stage.every_function().await;
    assert!(found["raw"].as_str().unwrap().contains("zqSUBJECTzq"));
    assert!(stage.replies.iter().all(|reply| reply.message_type == 0), "a function failed in good times");
    let sent = stage.deployment.sandbox.graph.sent_mail();
    assert!(sent.iter().all(|mail| mail.subject == "zqSENTSUBJECTzq") && sent.len() == 2);
    assert!(
        stage
            .deployment
            .sandbox
            .soar
            .rest
            .notes(INCIDENT)
            .iter()
            .any(|note| note.content.contains("zqSOUGHTzq"))
    );

    // Bad times at Graph, for every request, in batches and out of them.
    for &fault in faults {
        let graph = &stage.deployment.sandbox.graph;
        // Every other request is met, so that calls get beyond their first one.
        let turn = AtomicUsize::new(0);
        let every_other = move |_: &str| turn.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        graph.faults().next(40, Target::Path(Box::new(every_other)), fault);
        graph.faults().next(1, Target::Batch, fault);
        stage.every_function().await;
        stage.deployment.sandbox.graph.faults().clear();
    }
    // At Entra ID, at SOAR, and at the broker.
    stage.deployment.sandbox.graph.revoke_tokens();
    stage.deployment.sandbox.graph.faults().next(2, Target::Token, Fault::Status(401, RetryAfter::Absent));
    stage.every_function().await;
    for failure in [
        Failure::Status(403),
        Failure::Status(500),
        Failure::CutBefore,
        Failure::DoneButStatus(502),
        Failure::CutAfter,
    ] {
        // What reads, and what writes.
        stage.deployment.sandbox.soar.rest.fail_next("GET /rest/orgs/201/incidents", 1, failure);
        stage.deployment.sandbox.soar.rest.fail_next("POST /rest/orgs/201/incidents", 3, failure);
        stage.every_function().await;
    }
    stage.deployment.sandbox.soar.rest.end_sessions();
    stage.deployment.sandbox.soar.rest.heal();
    for body in ["zqSTRAYzq", "{\"function\": {\"name\": \"zqSTRAYzq", "{\"inputs\": \"zqSTRAYzq\"}", ""] {
        stage.soar.send_raw(stage.soar.usual_headers("stray"), body).await.unwrap();
    }
    stage.call("send_message", json!({"exo_recipients": 7, "exo_message_body": "zqSTRAYzq"})).await;
    stage.deployment.sandbox.soar.broker.cut_connections();
    stage.every_function().await;

    // Who asks by hand.
    let id = stage.mail();
    let (to, id) = (format!("exo_email_address={}", stage.mailbox), format!("exo_messages_id={id}"));
    let by_hand: [&[&str]; 4] = [
        &["invoke", "get_message", "--input", &to, "--input", &id],
        &["invoke", "delete_email", "--input", &to, "--input", &id],
        &["selftest"],
        &["customize", "--dry-run"],
    ];
    for command in by_hand {
        stage.by_hand(command).await;
    }
    stage.end(100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_and_no_mail_is_in_anything_that_is_written_as_text() {
    let again = RetryAfter::Decimal(0.01);
    let faults = [
        Fault::Status(400, RetryAfter::Absent),
        Fault::Status(403, RetryAfter::Absent),
        Fault::Status(429, again),
        Fault::Status(503, again),
        Fault::DoneButStatus(504, again),
        Fault::Html,
        Fault::BrokenJson,
        Fault::CutBody,
        Fault::Close,
    ];
    nothing_is_told("text", &faults).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_and_no_mail_is_in_anything_that_is_written_as_json() {
    nothing_is_told("json", &[Fault::Status(400, RetryAfter::Absent), Fault::BrokenJson]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_that_is_refused_tells_no_secret() {
    let deployment = Deployment::new().await;
    let marks = Marks(vec!["zqWRONGSECRETzq".to_owned()]);
    let wrong = [("client_secret", "zqWRONGSECRETzq")];
    let config = deployment.write("wrong.config", &deployment.app_config(&[], &wrong)).display().to_string();
    let (_, out, err) = Daemon::spawn_in(&VERBOSE, &["selftest", "--config-file", &config]).outcome().await;
    assert!(out.contains("AADSTS") || err.contains("AADSTS"), "{out}{err}");
    assert!(marks.found_in(&out).is_empty() && marks.found_in(&err).is_empty(), "{out}{err}");
    let config = deployment.app_config(&[("api_key_secret", "zqWRONGSECRETzq")], &[]);
    let (code, out, err) = deployment.spawn(&config).outcome().await;
    assert_ne!(code, 0);
    assert!(marks.found_in(&out).is_empty() && marks.found_in(&err).is_empty(), "{out}{err}");
}
