//! Promise: logs, audit trail and command output hold no secret and no mail content, at any level and whatever fails.
//!
//! Every function runs with mails, inputs and files that are full of marks, with and without faults. Then all output is
//! searched for the marks, in each encoding.

mod logins;
mod marks;

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::support::deployment::{Daemon, Deployment, SOON};
use futures_util::future::join_all;
use marks::{MAIL, Marks};
use sandbox::graph::{Address, Attachment, Fault, NewMessage, RetryAfter, Target, TenantOptions};
use sandbox::soar::INCIDENT;
use sandbox::soar::caller::{Caller, Reply};
use sandbox::soar::rest::{Failure, Owner};
use serde_json::{Value, json};

/// A round of calls leaves more lines than this in every file.
const LEAST: usize = 10;

/// A daemon at its most verbose, and everything else that writes.
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

/// Environment variables that make many programs more verbose.
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
        let resilient = [
            &[("logdir", logs.as_str()), ("logfile", "app.log"), ("request_retry_delay", "0.05")],
            resilient,
        ]
        .concat();
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
        let file = Attachment::file("zqFILEzq.txt", "text/plain", &b"zqFILEzq"[..]);
        let message = NewMessage {
            subject: "About zqSUBJECTzq".to_owned(),
            from: Address::new("zqSUBJECTzq", "eve@elsewhere.example"),
            received: TenantOptions::default().now,
            html: true,
            body: "<p>zqBODYzq</p>".to_owned(),
            attachments: vec![file],
            ..NewMessage::default()
        };
        self.deployment.sandbox.graph.add_message(&self.mailbox, message).unwrap()
    }

    async fn call(&self, function: &str, inputs: Value) -> Reply {
        let function = format!("exchange_online_{function}");
        // The caller's connection is cut as well.
        let deadline = Instant::now() + SOON;
        let call = loop {
            match self.soar.call(&function, inputs.clone()).await {
                Ok(call) => break call,
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
        };
        call.reply(SOON).await.unwrap()
    }

    /// Runs every function and returns the results of the query.
    async fn every_function(&mut self) -> Value {
        let mailbox = self.mailbox.clone();
        let message =
            |id: &str| json!({"incident_id": INCIDENT, "exo_email_address": mailbox, "exo_messages_id": id});
        let mut named = message(&self.mail());
        named["exo_attachment_name"] = json!("zqNAMEzq.eml");
        let mut moved = message(&self.mail());
        moved["exo_destination_mailfolder_id"] = json!({"id": 1, "name": "junkemail"});
        let send = |attachments: &str| {
            json!({
                "incident_id": INCIDENT, "exo_email_address": mailbox, "exo_recipients": "a@elsewhere.example",
                "exo_message_subject": "zqSENTSUBJECTzq", "exo_attachment_names": attachments,
                "exo_message_body": {"format": "html", "content": "<p>zqSENTBODYzq</p>"},
            })
        };
        let start = chrono::Utc::now().timestamp_millis() + 86_400_000;
        let meeting = json!({
            "exo_meeting_email_address": mailbox, "exo_meeting_start_time": start,
            "exo_meeting_end_time": start + 1_800_000, "exo_meeting_subject": "zqMEETINGzq",
            "exo_meeting_body": "zqAGENDAzq", "exo_meeting_location": "zqPLACEzq",
        });
        let calls = [
            ("get_email_user_profile", json!({"exo_email_address": mailbox})),
            ("get_message", message(&self.mail())),
            ("write_message_as_attachment", named),
            ("move_message_to_folder", moved),
            ("send_message", send("")),
            ("send_message", send("zqNAMEzq.txt")),
            ("create_meeting", meeting),
            ("delete_email", message(&self.mail())),
        ];
        let replies = join_all(calls.map(|(function, inputs)| self.call(function, inputs))).await;
        self.replies.extend(replies);

        self.mail();
        let query = |who: &str, what: Value| {
            let mut inputs = json!({
                "incident_id": INCIDENT, "exo_email_address": who,
                "exo_query_output_format": ["Incident note", "Incident attachment"],
            });
            inputs.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
            inputs
        };
        let queries = [
            query("all", json!({"exo_message_body": "zqSOUGHTzq"})),
            query(&mailbox, json!({"exo_message_subject": "zqSOUGHTzq"})),
            query("all", json!({"exo_message_subject": "zqSUBJECTzq"})),
        ];
        let replies = join_all(queries.map(|inputs| self.call("query_emails", inputs))).await;
        let found = replies[2].results.clone();
        self.replies.extend(replies);
        let raw = found["raw"].as_str().unwrap_or("{\"email_results\": zqSTRAYzq").to_owned();
        let inputs = json!({"exo_query_messages_results": raw});
        self.replies.push(self.call("delete_messages_from_query_results", inputs).await);
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
            let lines = text.lines().count();
            assert!(lines > least, "only {lines} lines are in {place}");
            self.assert_clean(place, &text);
        }
        // An analyst may read the message of Graph, but no secret.
        let secrets = Marks(self.marks.0[MAIL.len()..].to_vec());
        for reply in &self.replies {
            assert!(secrets.found_in(&reply.message).is_empty(), "{}", reply.message);
        }
    }

    fn assert_clean(&self, place: &str, text: &str) {
        let found = self.marks.found_in(text);
        if !found.is_empty() {
            let lines: Vec<_> = text.lines().filter(|line| !self.marks.found_in(line).is_empty()).collect();
            panic!("{found:?} in {place}:\n{}", lines.join("\n"));
        }
    }
}

const AGAIN: RetryAfter = RetryAfter::Decimal(0.01);
const REFUSED: Event = Event::Graph(Fault::Status(400, RetryAfter::Absent));
const FORBIDDEN: Event = Event::Graph(Fault::Status(403, RetryAfter::Absent));
const THROTTLED: Event = Event::Graph(Fault::Status(429, AGAIN));

/// What happens to the calls of one daemon.
#[derive(Clone, Copy)]
enum Event {
    CallsSucceed,
    /// Graph fails, in batches and out of them.
    Graph(Fault),
    /// Signing in at Entra ID and at SOAR fails.
    SignIn,
    /// SOAR fails, for reads and for writes.
    Soar(Failure),
    /// Messages arrive that are not calls, and the connection breaks.
    Broker,
    /// An operator runs commands.
    Commands,
}

async fn nothing_leaks(format: &str, events: &[Event]) {
    let mut stage = Stage::new(format).await;
    for &event in events {
        match event {
            Event::CallsSucceed => stage.calls_succeed().await,
            Event::Graph(fault) => stage.graph_fails(fault).await,
            Event::SignIn => stage.sign_in_fails().await,
            Event::Soar(failure) => stage.soar_fails(failure).await,
            Event::Broker => stage.broker_fails().await,
            Event::Commands => stage.commands_run().await,
        }
    }
    stage.end(LEAST).await;
}

impl Stage {
    async fn calls_succeed(&mut self) {
        // The marks do go through the program.
        let found = self.every_function().await;
        assert!(found["raw"].as_str().unwrap().contains("zqSUBJECTzq"));
        assert!(
            self.replies.iter().all(|reply| reply.message_type == 0),
            "a function failed without a fault"
        );
        let sent = self.deployment.sandbox.graph.sent_mail();
        assert!(sent.iter().all(|mail| mail.subject == "zqSENTSUBJECTzq") && sent.len() == 2);
        let notes = self.deployment.sandbox.soar.rest.notes(INCIDENT);
        assert!(notes.iter().any(|note| note.content.contains("zqSOUGHTzq")));
    }

    async fn graph_fails(&mut self, fault: Fault) {
        let graph = &self.deployment.sandbox.graph;
        // Every other request fails, so that calls get beyond their first one.
        let turn = AtomicUsize::new(0);
        let every_other = move |_: &str| turn.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        graph.faults().next(40, Target::Path(Box::new(every_other)), fault);
        graph.faults().next(1, Target::Batch, fault);
        self.every_function().await;
        self.deployment.sandbox.graph.faults().clear();
    }

    async fn sign_in_fails(&mut self) {
        self.deployment.sandbox.graph.revoke_tokens();
        let refused = Fault::Status(401, RetryAfter::Absent);
        self.deployment.sandbox.graph.faults().next(2, Target::Token, refused);
        self.every_function().await;
        self.deployment.sandbox.soar.rest.end_sessions();
        self.every_function().await;
    }

    async fn soar_fails(&mut self, failure: Failure) {
        self.deployment.sandbox.soar.rest.fail_next("GET /rest/orgs/201/incidents", 1, failure);
        self.deployment.sandbox.soar.rest.fail_next("POST /rest/orgs/201/incidents", 3, failure);
        self.every_function().await;
        self.deployment.sandbox.soar.rest.heal();
    }

    async fn broker_fails(&mut self) {
        for body in ["zqSTRAYzq", "{\"function\": {\"name\": \"zqSTRAYzq", "{\"inputs\": \"zqSTRAYzq\"}", ""]
        {
            self.soar.send_raw(self.soar.usual_headers("stray"), body).await.unwrap();
        }
        let stray = json!({"exo_recipients": 7, "exo_message_body": "zqSTRAYzq"});
        self.replies.push(self.call("send_message", stray).await);
        self.deployment.sandbox.soar.broker.cut_connections();
        self.every_function().await;
    }

    async fn commands_run(&mut self) {
        let id = self.mail();
        let (to, id) = (format!("exo_email_address={}", self.mailbox), format!("exo_messages_id={id}"));
        let commands: [&[&str]; 4] = [
            &["invoke", "get_message", "--input", &to, "--input", &id],
            &["invoke", "delete_email", "--input", &to, "--input", &id],
            &["selftest"],
            &["customize", "--dry-run"],
        ];
        for command in commands {
            self.by_hand(command).await;
        }
    }
}

/// One test for each list of events; the tests run next to each other.
macro_rules! nothing_leaks {
    ($($name:ident: $format:literal, $events:expr;)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            nothing_leaks($format, &$events).await;
        }
    )+};
}

nothing_leaks! {
    text_holds_no_secret_and_no_mail: "text", [Event::CallsSucceed, Event::Commands];
    text_holds_none_when_graph_refuses: "text", [REFUSED, FORBIDDEN, THROTTLED];
    text_holds_none_when_graph_is_unavailable: "text",
        [Event::Graph(Fault::Status(503, AGAIN)), Event::Graph(Fault::DoneButStatus(504, AGAIN))];
    text_holds_none_when_graph_answers_nonsense: "text",
        [Event::Graph(Fault::Html), Event::Graph(Fault::BrokenJson)];
    text_holds_none_when_graph_breaks_off: "text", [Event::Graph(Fault::CutBody), Event::Graph(Fault::Close)];
    text_holds_none_when_sign_in_and_broker_fail: "text", [Event::SignIn, Event::Broker];
    text_holds_none_when_soar_refuses: "text",
        [Failure::Status(403), Failure::Status(500), Failure::DoneButStatus(502)].map(Event::Soar);
    text_holds_none_when_soar_breaks_off: "text",
        [Event::Soar(Failure::CutBefore), Event::Soar(Failure::CutAfter)];
    json_holds_no_secret_and_no_mail: "json", [Event::CallsSucceed, Event::Commands];
    json_holds_none_when_graph_fails: "json", [REFUSED, Event::Graph(Fault::BrokenJson)];
    json_holds_none_when_sign_in_and_broker_fail: "json", [Event::SignIn, Event::Broker];
    json_holds_none_when_soar_fails: "json",
        [Failure::Status(403), Failure::DoneButStatus(502), Failure::CutAfter].map(Event::Soar);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_sign_in_shows_no_secret() {
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
