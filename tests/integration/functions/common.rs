//! A SOAR and a tenant for one test, and a way to run functions against them as the worker does.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use fn_exchange_online::audit::{Initiator, Trail};
use fn_exchange_online::config::{Environment, Settings};
use fn_exchange_online::functions::{Call, Context, Function, Inputs, Lease, Outcome, Status};
use fn_exchange_online::guard::{ChangePolicy, DeletionCount, Guard};
use sandbox::Sandbox;
use sandbox::graph::{Address, NewMessage, RecordedRequest, Tenant, TenantOptions};
use sandbox::soar::SoarOptions;
use soar::reply::Results;

use serde_json::value::RawValue;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;

pub(crate) use fn_exchange_online::functions::Function::{
    ApplyPlan, CreateMeeting, DeleteEmail, DeleteMessagesFromQueryResults, GetAttachments,
    GetEmailUserProfile, GetMessage, MoveMessageToFolder, PlanRemoval, QueryEmails, RemoveMeetings,
    RestoreMessages, SendMessage, TraceMessage, WriteMessageAsAttachment,
};
pub(crate) use sandbox::graph::{Fault, RetryAfter, Target};
use sandbox::soar::incidents::NoteFormat;
pub(crate) use sandbox::soar::rest::Owner;
pub(crate) use sandbox::soar::{INCIDENT, TASK};

/// A wait that costs a test little.
pub(crate) const SOON: RetryAfter = RetryAfter::Decimal(0.05);

/// A SOAR, a tenant, and what a function works with.
pub(crate) struct Fixture {
    pub(crate) sandbox: Sandbox,
    pub(crate) context: Context,
    pub(crate) settings: Settings,
    statuses: UnboundedReceiver<String>,
    _directory: TempDir,
}

/// A tenant in which nothing lies but what a test puts there.
pub(crate) fn empty(mailboxes: usize) -> TenantOptions {
    TenantOptions {
        mailboxes,
        users_without_mailbox: 0,
        messages_per_mailbox: 0,
        phish: None,
        ..TenantOptions::default()
    }
}

impl Fixture {
    /// With a small tenant: 12 mailboxes with 6 messages each, a phish in 4 of them, 2 users without a mailbox.
    pub(crate) async fn new() -> Self {
        let mut tenant = TenantOptions {
            mailboxes: 12,
            users_without_mailbox: 2,
            messages_per_mailbox: 6,
            ..TenantOptions::default()
        };
        tenant.phish.as_mut().unwrap().mailboxes = 4;
        Self::with(tenant).await
    }

    pub(crate) async fn with(tenant: TenantOptions) -> Self {
        Self::configured(tenant, &[]).await
    }

    /// With `options` in the section `[fn_exchange_online]`.
    pub(crate) async fn configured(tenant: TenantOptions, options: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::start(directory.path(), tenant, SoarOptions::default()).await.unwrap();
        let options = [&[("max_retries_backoff_factor", "0.05")], options].concat();
        let file = sandbox.write_app_config(&options).unwrap();
        let mut settings = Settings::load(&file, &Environment::default()).unwrap().settings;
        settings.soar.retry_delay = Duration::from_millis(50);
        let (status, statuses) = Status::channel();
        let context = Context {
            graph: graph::Client::new(&settings.graph).unwrap(),
            sink: soar::Client::connect(&settings.soar).await.unwrap().into(),
            call: Call { id: "ID:soar-1234-1".to_owned(), ..Call::by_hand() },
            lease: Lease::undisputed(),
            guard: Guard::new(
                &ChangePolicy::new(settings.guard.clone()),
                Trail::open(settings.audit.clone(), &settings.guard).await.unwrap(),
                DeletionCount::default(),
                Initiator { principal: Some("Mary".to_owned()), ..Initiator::default() },
            ),
            limits: settings.limits,
            zip_password: settings.zip_password.clone(),
            status,
        };
        Self { sandbox, context, settings, statuses, _directory: directory }
    }

    /// Applies other guard rails to the calls that follow.
    pub(crate) fn apply_rails(&mut self, options: &[(&str, &str)]) -> ChangePolicy {
        let file = self.sandbox.write_app_config(options).unwrap();
        let rails = Settings::load(&file, &Environment::default()).unwrap().settings.guard;
        let policy = ChangePolicy::new(rails);
        self.context.guard = Guard::new(
            &policy,
            Trail::at(self.settings.audit.clone()),
            DeletionCount::default(),
            Initiator::default(),
        );
        policy
    }

    pub(crate) fn graph(&self) -> &Tenant {
        &self.sandbox.graph
    }

    /// The outcomes in the audit trail.
    pub(crate) fn trail(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.settings.audit.file.as_ref().unwrap()).unwrap();
        assert!(text.is_ascii() && text.ends_with('\n'));
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["act"] != "guard rails in force" && line["outcome"] != "begun").collect()
    }

    /// Runs a function and makes its results what SOAR gets; the error is what the analyst reads.
    pub(crate) async fn run(&self, function: Function, inputs: Value) -> Result<Value, String> {
        let ran = self.run_raw(function, inputs).await;
        assert_eq!(self.graph().users_deleted(), Vec::<String>::new(), "a user was to be deleted");
        ran
    }

    async fn run_raw(&self, function: Function, inputs: Value) -> Result<Value, String> {
        let Value::Object(map) = inputs.clone() else { panic!("inputs are an object") };
        let started = Instant::now();
        let inputs_read = Inputs::new(map);
        let run = function.run(&self.context, &inputs_read);
        match tokio::time::timeout(Duration::from_secs(60), run).await.expect("a function ends") {
            Ok(outcome) => Ok(payload(&outcome, &inputs, started.elapsed())),
            Err(error) => {
                let error = error.to_string();
                let secret = self.graph().client_secret();
                assert!(
                    !error.contains(secret) && !error.contains("Bearer") && !error.contains("eyJ0eXAi"),
                    "{error}"
                );
                assert!(!error.contains('\n') && error.ends_with(['.', ')']), "{error:?}");
                Err(error)
            }
        }
    }

    /// Runs a function that has to do its work.
    pub(crate) async fn done(&self, function: Function, inputs: Value) -> Value {
        let results = self.run(function, inputs).await.unwrap();
        assert_eq!(results["success"], true, "{}", results["reason"]);
        results
    }

    /// Runs a function that has to fail; returns what the analyst reads.
    pub(crate) async fn failed(&self, function: Function, inputs: Value) -> String {
        self.run(function, inputs).await.map(|results| results["content"].clone()).unwrap_err()
    }

    /// What Graph was asked since the last look, `$batch` calls and the token left out: method, path and query.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.requests().iter().map(|r| format!("{} {}", r.method, r.path_and_query)).collect()
    }

    pub(crate) fn requests(&self) -> Vec<RecordedRequest> {
        let mut requests = self.graph().requests();
        requests
            .retain(|r| r.path_and_query != "/$batch" && !r.path_and_query.ends_with("/oauth2/v2.0/token"));
        self.graph().forget_requests();
        requests
    }

    /// The status messages so far.
    pub(crate) fn status_messages(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.statuses.try_recv().ok()).collect()
    }

    /// The nth mailbox, whose name needs no encoding.
    pub(crate) fn mailbox(&self, nth: usize) -> String {
        let mut plain = self.graph().mailboxes();
        plain.retain(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".@".contains(&byte)));
        plain.swap_remove(nth)
    }

    /// Puts a message into a mailbox's inbox.
    pub(crate) fn put(&self, mailbox: &str, message: NewMessage) -> String {
        self.graph().add_message(mailbox, message).unwrap()
    }

    /// Puts `count` messages into a mailbox, one a minute; the newest is the last.
    pub(crate) fn put_many(&self, mailbox: &str, count: usize) -> Vec<String> {
        let message = |nth: usize| {
            let minutes = chrono::TimeDelta::minutes(i64::try_from(nth).unwrap());
            NewMessage { received: at("2026-01-10T00:00:00Z") + minutes, ..mail(&format!("Number {nth}")) }
        };
        (0..count).map(|nth| self.put(mailbox, message(nth))).collect()
    }

    /// The only note of the incident.
    pub(crate) fn note(&self) -> String {
        let notes = self.sandbox.soar.rest.notes(INCIDENT);
        let [note] = notes.as_slice() else { panic!("{} notes", notes.len()) };
        assert_eq!(note.format, NoteFormat::Html);
        note.content.clone()
    }

    /// The incident's only attachment besides tables: its name, media type and bytes.
    pub(crate) async fn attachment(&self) -> (String, String, Vec<u8>) {
        self.attachment_of(Owner::Incident(INCIDENT)).await
    }

    pub(crate) async fn attachment_of(&self, owner: Owner) -> (String, String, Vec<u8>) {
        let mut attachments = self.sandbox.soar.rest.attachments(owner);
        attachments.retain(|attachment| attachment.content_type != "text/csv");
        let [attachment] = attachments.as_slice() else { panic!("{} attachments", attachments.len()) };
        (attachment.name.clone(), attachment.content_type.clone(), attachment.bytes().await.unwrap())
    }

    /// The name and the lines of the incident's only table, without the mark of its encoding.
    pub(crate) async fn table(&self) -> (String, Vec<String>) {
        let mut attachments = self.sandbox.soar.rest.attachments(Owner::Incident(INCIDENT));
        attachments.retain(|attachment| attachment.content_type == "text/csv");
        let [table] = attachments.as_slice() else { panic!("{} tables", attachments.len()) };
        let text = String::from_utf8(table.bytes().await.unwrap()).unwrap();
        let lines = text.strip_prefix('\u{feff}').unwrap().split_terminator("\r\n");
        (table.name.clone(), lines.map(str::to_owned).collect())
    }

    /// Asserts that neither a note nor a file was written.
    pub(crate) fn assert_incident_untouched(&self) {
        assert!(self.sandbox.soar.rest.notes(INCIDENT).is_empty());
        assert!(self.sandbox.soar.rest.attachments(Owner::Incident(INCIDENT)).is_empty());
        assert!(self.sandbox.soar.rest.attachments(Owner::Task(TASK)).is_empty());
    }
}

fn payload(outcome: &Outcome, inputs: &Value, execution_time: Duration) -> Value {
    let raw_inputs = RawValue::from_string(inputs.to_string()).unwrap();
    let results = Results {
        success: outcome.success,
        reason: outcome.reason.as_deref(),
        content: &outcome.content,
        pretty: outcome.pretty.as_deref(),
        inputs: &raw_inputs,
        execution_time,
    };
    let payload: Value = serde_json::from_slice(&results.to_json()).unwrap();
    assert_eq!(payload["inputs"], *inputs, "inputs are echoed");
    let raw: Value = serde_json::from_str(payload["raw"].as_str().unwrap()).expect("raw is JSON text");
    assert_eq!(raw, payload["content"], "raw is the content");
    payload
}

/// The lines of a note, without markup and empty lines.
pub(crate) fn lines(note: &str) -> Vec<String> {
    let mut text = note.to_owned();
    for end in ["</div>", "</li>"] {
        text = text.replace(end, "\n");
    }
    let pieces = text.split('<').map(|piece| piece.split_once('>').map_or(piece, |(_, text)| text));
    let text: String = pieces.collect();
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// A mail of no importance.
pub(crate) fn mail(subject: &str) -> NewMessage {
    NewMessage {
        subject: subject.to_owned(),
        from: Address::new("Eve", "eve@elsewhere.example"),
        received: at("2026-01-15T12:00:00Z"),
        html: true,
        body: "<p>Hello</p>".to_owned(),
        ..NewMessage::default()
    }
}

/// A mail whose body says `text`.
pub(crate) fn saying(subject: &str, text: &str) -> NewMessage {
    NewMessage { body: text.to_owned(), html: false, ..mail(subject) }
}

/// A mail with a file.
pub(crate) fn with_file(subject: &str) -> NewMessage {
    let file = sandbox::graph::Attachment::file("a.bin", "application/octet-stream", &b"x"[..]);
    NewMessage { attachments: vec![file], ..mail(subject) }
}

pub(crate) fn at(time: &str) -> DateTime<Utc> {
    time.parse().unwrap()
}

pub(crate) fn ms(time: &str) -> i64 {
    at(time).timestamp_millis()
}

/// The inputs of a query for a data table only.
#[allow(clippy::needless_pass_by_value)] // every caller makes it on the spot
pub(crate) fn query(who: &str, criteria: Value) -> Value {
    let mut inputs = json!({
        "incident_id": INCIDENT,
        "exo_email_address": who,
        "exo_query_output_format": [{"id": 1, "name": "Exchange Online data table"}],
    });
    inputs.as_object_mut().unwrap().extend(criteria.as_object().unwrap().clone());
    inputs
}

/// Every message found, as (mailbox, subject).
pub(crate) fn found(results: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mailboxes = results["content"]["email_results"].as_array().unwrap();
    let messages = mailboxes.iter().flat_map(|mailbox| {
        mailbox["email_list"]
            .as_array()
            .unwrap()
            .iter()
            .map(move |message| (text(&mailbox["email_address"]), text(&message["subject"])))
    });
    messages.collect()
}

pub(crate) fn subjects(results: &Value) -> Vec<String> {
    found(results).into_iter().map(|(_, subject)| subject).collect()
}

/// Decodes what is percent-encoded.
pub(crate) fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned()
}

/// Encodes everything that is not a letter or digit or one of `-._~@`.
pub(crate) fn encoded(text: &str) -> String {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    const SEGMENT: &percent_encoding::AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');
    utf8_percent_encode(text, SEGMENT).to_string()
}
