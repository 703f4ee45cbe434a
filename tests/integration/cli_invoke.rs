//! Promise: `invoke` runs one function by hand: inputs in plain words, results as JSON on standard output, the rest
//! on standard error, and nothing at SOAR unless an incident is named.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use fn_exchange_online::audit::{Initiator, Trail};
use fn_exchange_online::config::{Environment, Settings};
use fn_exchange_online::functions::{
    Call, Context, Error, ErrorKind, Function, IncidentSink, InputKind, Inputs, Lease, Status,
};
use fn_exchange_online::guard::Guard;
use sandbox::Sandbox;
use sandbox::graph::{Fault, Phish, Target, TenantOptions};
use sandbox::soar::rest::Owner;
use sandbox::soar::{INCIDENT, SoarOptions};

use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// A sandbox, its `app.config`, and an empty directory to work in.
struct Desk {
    sandbox: Sandbox,
    config: PathBuf,
    directory: TempDir,
    _of_sandbox: TempDir,
}

/// What came of a command.
#[derive(Debug)]
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn payload(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

impl Desk {
    async fn new() -> Self {
        let of_sandbox = tempfile::tempdir().unwrap();
        let tenant = TenantOptions { mailboxes: 12, messages_per_mailbox: 5, ..TenantOptions::default() };
        let sandbox = Sandbox::start(of_sandbox.path(), tenant, SoarOptions::default()).await.unwrap();
        let config = sandbox.write_app_config(&[("max_retries_total", "1")]).unwrap();
        let directory = tempfile::tempdir().unwrap();
        Self { sandbox, config, directory, _of_sandbox: of_sandbox }
    }

    fn invoke(&self, arguments: &[&str]) -> Ended {
        self.invoke_reading(arguments, "")
    }

    fn invoke_reading(&self, arguments: &[&str], stdin: &str) -> Ended {
        let mut child = Command::new(env!("CARGO_BIN_EXE_fn-exchange-online"))
            .args(["invoke", "--config-file"])
            .arg(&self.config)
            .args(arguments)
            .current_dir(self.directory.path())
            .env_remove("LOGLEVEL")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Who reads nothing may have ended already.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let output = child.wait_with_output().unwrap();
        Ended {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The files in the working directory, with their bytes.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<_> = fs::read_dir(self.directory.path())
            .unwrap()
            .map(Result::unwrap)
            .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
            .collect();
        files.sort();
        files
    }

    fn soar_was_spoken_to(&self) -> bool {
        self.sandbox.soar.rest.connections() > 0
    }

    /// The inputs that name a planted message.
    fn planted(&self) -> (String, String, [String; 2]) {
        let planted = self.sandbox.graph.planted().swap_remove(0);
        let inputs =
            [format!("exo_email_address={}", planted.mailbox), format!("exo_messages_id={}", planted.id)];
        (planted.mailbox, planted.id, inputs)
    }

    /// What the daemon's functions work with.
    async fn context(&self) -> Context {
        let settings = Settings::load(&self.config, &Environment::default()).unwrap().settings;
        Context {
            graph: graph::Client::new(&settings.graph).unwrap(),
            sink: soar::Client::connect(&settings.soar).await.unwrap().into(),
            call: Call::by_hand(),
            lease: Lease::undisputed(),
            guard: Guard::new(Arc::new(settings.guard), Trail::in_log(), Initiator::default()),
            limits: settings.limits,
            status: Status::channel().0,
        }
    }
}

/// `--input` before each.
fn inputs<'a>(given: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    given.into_iter().flat_map(|given| ["--input", given]).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn list_shows_all_functions_and_their_inputs() {
    let desk = Desk::new().await;
    let all = desk.invoke(&["--list"]);
    assert_eq!((all.code, all.stderr.as_str()), (0, ""));
    for function in Function::ALL {
        let one = desk.invoke(&[function.name(), "--list"]);
        for listed in [&all.stdout, &one.stdout] {
            let described = &listed[listed.find(&format!("{}\n", function.name())).unwrap()..];
            let described = described.split("\n\n").next().unwrap();
            for input in function.spec().inputs {
                let name = format!("    {}{} ", input.name, if input.required { "*" } else { "" });
                let line = described.lines().find(|line| line.starts_with(&name)).unwrap();
                assert!(line.contains(input.kind.name()) && line.ends_with(input.meaning), "{line}");
                for option in input.kind.options() {
                    assert!(described.contains(option), "{option}");
                }
            }
        }
        assert_eq!(one.stdout.matches("exchange_online_").count(), 1, "{}", one.stdout);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn required_inputs_are_enforced_as_declared() {
    let desk = Desk::new().await;
    let context = desk.context().await;
    for function in Function::ALL {
        let Err(ErrorKind::Input(error)) =
            function.run(&context, &Inputs::default()).await.map_err(Error::into_kind)
        else {
            panic!("{function:?} ran without inputs");
        };
        let declared: BTreeSet<_> =
            function.spec().inputs.iter().filter(|input| input.required).map(|input| input.name).collect();
        assert_eq!(error.missing().iter().copied().collect::<BTreeSet<_>>(), declared, "{function:?}");
    }
    assert_eq!(desk.sandbox.graph.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn input_types_are_enforced_as_declared() {
    let desk = Desk::new().await;
    let context = desk.context().await;
    for function in Function::ALL {
        // A list in a list is a value of no kind.
        let wrong: Map<String, Value> =
            function.spec().inputs.iter().map(|input| (input.name.to_owned(), json!([[]]))).collect();
        let said = function.run(&context, &Inputs::new(wrong)).await.unwrap_err().to_string();
        for input in function.spec().inputs {
            let expected = match input.kind {
                InputKind::Text => "a text",
                InputKind::Number => "a whole number",
                InputKind::Boolean => "true or false",
                InputKind::DateTime => "a date and time",
                InputKind::Select(_) => "a choice",
                InputKind::MultiSelect(_) => "a list of choices",
            };
            let complaint = format!("The input \"{}\" must be {expected}", input.name);
            assert!(said.contains(&complaint), "{function:?}: {complaint}\n{said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_go_to_stdout_without_contacting_soar() {
    let desk = Desk::new().await;
    let user = desk.sandbox.graph.mailboxes().swap_remove(0);
    let given = format!("exo_email_address={user}");
    for name in ["get_email_user_profile", "exchange_online_get_email_user_profile"] {
        let ended = desk.invoke(&[name, "--input", &given]);
        assert_eq!(ended.code, 0, "{ended:?}");
        let payload = ended.payload();
        assert_eq!((&payload["version"], &payload["success"]), (&json!("1.0"), &json!(true)));
        assert_eq!(payload["content"]["userPrincipalName"], user.as_str());
        assert_eq!(payload["inputs"], json!({ "exo_email_address": user }));
        assert_eq!(payload["raw"], json!(payload["content"].to_string()));
        assert!(ended.stderr.contains(&format!("Reading the profile of {user}")), "{ended:?}");
        assert!(!ended.stderr.contains('\x1b'), "drawn on what is no terminal: {ended:?}");
    }
    assert!(!desk.soar_was_spoken_to());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_function_exits_with_1() {
    let desk = Desk::new().await;
    let ended =
        desk.invoke(&["get_email_user_profile", "--input", "exo_email_address=nobody@sandbox.example"]);
    assert_eq!(ended.code, 1);
    assert_eq!(ended.payload()["success"], json!(false));
    assert!(ended.stderr.contains("nobody@sandbox.example was not found"), "{ended:?}");

    let ended = desk.invoke(&["get_message"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""));
    assert!(ended.stderr.contains("\"exo_email_address\", \"exo_messages_id\" are required"), "{ended:?}");
    assert_eq!(desk.sandbox.graph.counters().http_requests, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn query_without_incident_prints_note_to_stderr() {
    let desk = Desk::new().await;
    let subject = format!("exo_message_subject={}", Phish::default().subject);
    let outputs = "exo_query_output_format=incident note, Incident attachment";
    let given = inputs(["exo_email_address=all", &subject, "exo_has_attachments=unknown", outputs]);
    let ended = desk.invoke(&[&["query_emails"][..], &given].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
    let content = &ended.payload()["content"];
    assert_eq!(content["messages_found"], json!(7));
    assert_eq!(content["incident_id"], Value::Null);
    assert_eq!(content["exo_query_output_format"], json!(["Incident note", "Incident attachment"]));
    assert_eq!(ended.stderr.matches("7 messages found in 12 mailboxes.").count(), 1, "{ended:?}");
    assert!(!desk.soar_was_spoken_to());
    assert!(desk.files().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn query_with_incident_writes_note_and_attachment() {
    let desk = Desk::new().await;
    let incident = INCIDENT.to_string();
    let given = inputs([
        "exo_email_address=all",
        "exo_email_address_sender=it-service@c0ntoso-support.example",
        "exo_query_output_format=Incident note",
        "exo_query_output_format=Incident attachment",
    ]);
    let ended = desk.invoke(&[&["query_emails", "--incident", &incident][..], &given].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(ended.payload()["inputs"]["incident_id"], json!(INCIDENT));
    assert_eq!(ended.payload()["content"]["incident_id"], json!(INCIDENT));
    assert_eq!(desk.sandbox.soar.rest.notes(INCIDENT).len(), 1);
    assert_eq!(desk.sandbox.soar.rest.attachments(Owner::Incident(INCIDENT)).len(), 1);
    assert!(!ended.stderr.contains("messages found in"), "shown as well: {ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn message_without_incident_is_saved_without_overwriting() {
    let desk = Desk::new().await;
    let (mailbox, id, [address, message]) = desk.planted();
    let mime = desk.sandbox.graph.mime(&mailbox, &id).unwrap();
    let given = inputs([address.as_str(), &message, "exo_attachment_name=../evidence.eml"]);
    let arguments = [&["write_message_as_attachment"][..], &given].concat();
    for name in ["_.._evidence.eml", "_.._evidence-2.eml"] {
        let ended = desk.invoke(&arguments);
        assert_eq!(ended.code, 0, "{ended:?}");
        assert_eq!(ended.payload()["content"], json!({ "attachment_name": name }));
    }
    let expected = [("_.._evidence-2.eml".to_owned(), mime.clone()), ("_.._evidence.eml".to_owned(), mime)];
    assert_eq!(desk.files(), expected);
    assert!(!desk.soar_was_spoken_to());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interrupted_message_download_leaves_no_file() {
    let desk = Desk::new().await;
    let (_, _, [address, message]) = desk.planted();
    desk.sandbox.graph.faults().next(100, Target::containing("$value"), Fault::CutBody);
    let given = inputs([address.as_str(), &message]);
    let ended = desk.invoke(&[&["write_message_as_attachment"][..], &given].concat());
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{ended:?}");
    assert!(ended.stderr.contains("its content could not be read"), "{ended:?}");
    assert_eq!(desk.files(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn message_with_incident_is_saved_as_attachment() {
    let desk = Desk::new().await;
    let (mailbox, id, [address, message]) = desk.planted();
    let incident = INCIDENT.to_string();
    let given = inputs([address.as_str(), &message]);
    let ended =
        desk.invoke(&[&["write_message_as_attachment", "--incident", &incident][..], &given].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
    let attached = desk.sandbox.soar.rest.attachments(Owner::Incident(INCIDENT));
    assert_eq!(attached[0].name, format!("message-{mailbox}-{id}.eml"));
    assert_eq!(Some(attached[0].bytes().await.unwrap()), desk.sandbox.graph.mime(&mailbox, &id));
    assert_eq!(desk.files(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attachments_are_sent_only_from_an_incident() {
    let desk = Desk::new().await;
    let sender = format!("exo_email_address={}", desk.sandbox.graph.mailboxes()[0]);
    let given = inputs([
        sender.as_str(),
        "exo_recipients=soc@sandbox.example",
        "exo_message_body=<p>x=y</p>",
        "exo_attachment_names=list.txt",
        "incident_id=2095",
    ]);
    let ended = desk.invoke(&[&["send_message"][..], &given].concat());
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""));
    assert!(ended.stderr.contains("--incident") && ended.stderr.contains("Nothing was sent"), "{ended:?}");
    assert!(desk.sandbox.graph.sent_mail().is_empty() && !desk.soar_was_spoken_to());

    let owner = Owner::Incident(INCIDENT);
    desk.sandbox.soar.rest.add_attachment(owner, "list.txt", "text/plain", b"a,b").await.unwrap();
    let ended = desk.invoke(&[&["send_message", "--incident", "2095"][..], &given].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(desk.sandbox.graph.sent_mail().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_words_become_the_encodings_of_soar() {
    let desk = Desk::new().await;
    let organizer = format!("exo_meeting_email_address={}", desk.sandbox.graph.mailboxes()[0]);
    let start =
        DateTime::from_timestamp_millis((Utc::now() + TimeDelta::days(1)).timestamp_millis()).unwrap();
    let end = start + TimeDelta::minutes(30);
    let starts = format!("exo_meeting_start_time={}", start.to_rfc3339());
    let ends = format!("exo_meeting_end_time={}", end.timestamp_millis());
    let subject = "exo_meeting_subject=a=b";
    let given =
        inputs([organizer.as_str(), &starts, &ends, subject, "exo_meeting_body=x", "exo_meeting_location="]);
    let ended = desk.invoke(&[&["create_meeting"][..], &given].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
    let echoed = &ended.payload()["inputs"];
    assert_eq!(echoed["exo_meeting_start_time"], json!(start.timestamp_millis()));
    assert_eq!(echoed["exo_meeting_end_time"], json!(end.timestamp_millis()));
    assert_eq!(echoed["exo_meeting_subject"], json!("a=b"));

    let (_, _, [address, message]) = desk.planted();
    let given = inputs([address.as_str(), &message, "exo_destination_mailfolder_id=JunkEmail"]);
    let ended = desk.invoke(&[&["move_message_to_folder"][..], &given].concat());
    assert_eq!(ended.payload()["inputs"]["exo_destination_mailfolder_id"], json!("junkemail"), "{ended:?}");

    for (word, value) in [("yes", json!(true)), ("FALSE", json!(false)), ("unknown", Value::Null)] {
        let flag = format!("exo_has_attachments={word}");
        let output = "exo_query_output_format=exchange online data table";
        let given = inputs([address.as_str(), &flag, "exo_message_subject=x", output]);
        let ended = desk.invoke(&[&["query_emails"][..], &given].concat());
        assert_eq!(ended.payload()["inputs"]["exo_has_attachments"], value, "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invalid_arguments_are_all_reported_at_once() {
    let desk = Desk::new().await;
    let given = inputs([
        "exo_has_attachments=maybe",
        "exo_start_date=yesterday",
        "incident_id=one",
        "exo_query_output_format=Incident notes",
        "exo_adress=x",
        "exo_mail_folders=a",
        "exo_mail_folders=b",
    ]);
    let ended = desk.invoke(&[&["query_emails"][..], &given].concat());
    assert_eq!((ended.code, ended.stdout.as_str()), (2, ""));
    for complaint in [
        "exo_has_attachments must be yes, no or unknown",
        "exo_start_date must be a time such as 2026-11-23T08:00:00Z",
        "incident_id must be a whole number",
        "exo_query_output_format must be of Exchange Online data table, Incident attachment, Incident note",
        "exchange_online_query_emails has no input exo_adress; it has incident_id,",
        "exo_mail_folders is given twice",
    ] {
        assert!(ended.stderr.contains(complaint), "{complaint}\n{}", ended.stderr);
    }
    assert_eq!(desk.invoke(&["get_message", "--input", "x"]).code, 2);
    assert_eq!(desk.invoke(&[]).code, 2);
    let unknown = desk.invoke(&["get_mesage"]);
    assert!(unknown.code == 2 && unknown.stderr.contains("invoke --list"), "{unknown:?}");
    assert_eq!(desk.sandbox.graph.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn command_line_inputs_override_inputs_from_file() {
    let desk = Desk::new().await;
    let (mailbox, id, _) = desk.planted();
    let file = json!({ "exo_email_address": {"format": "text", "content": mailbox}, "exo_messages_id": "x" });
    fs::write(desk.directory.path().join("in.json"), file.to_string()).unwrap();
    let given = format!("exo_messages_id={id}");
    let ended = desk.invoke(&["get_message", "--inputs", "in.json", "--input", &given]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(ended.payload()["content"]["id"], json!(id));

    for (file, why) in
        [("none.json", "none.json"), ("-", "standard input: it is not a JSON object (line 1, column")]
    {
        let ended = desk.invoke_reading(&["get_message", "--inputs", file], "[1]SECRET");
        assert_eq!(ended.code, 2, "{ended:?}");
        assert!(ended.stderr.contains(&format!("cannot read the inputs from {why}")), "{ended:?}");
        assert!(!ended.stderr.contains("SECRET"), "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn query_result_is_accepted_by_delete_function() {
    let desk = Desk::new().await;
    let subject = format!("exo_message_subject={}", Phish::default().subject);
    let given = inputs(["exo_email_address=all", &subject, "exo_query_output_format=Incident note"]);
    let found = desk.invoke(&[&["query_emails"][..], &given].concat()).payload();
    let stdin = json!({ "exo_query_messages_results": found["raw"] }).to_string();
    let function = "delete_messages_from_query_results";
    let ended = desk.invoke_reading(&[function, "--inputs", "-"], &stdin);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(desk.sandbox.graph.deleted().len(), 7);
    assert!(ended.stderr.contains("7 messages deleted."), "{ended:?}");
    assert!(!desk.soar_was_spoken_to());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ambiguous_or_unused_incident_option_is_rejected() {
    let desk = Desk::new().await;
    let (_, _, [address, message]) = desk.planted();
    let results = json!({ "incident_id": 7, "email_results": [] }).to_string();
    let results = format!("exo_query_messages_results={results}");
    let cases = [
        (
            "write_message_as_attachment",
            inputs([address.as_str(), &message, "incident_id=7"]),
            "which one is meant",
        ),
        ("delete_messages_from_query_results", inputs([results.as_str()]), "which one is meant"),
        ("get_message", inputs([address.as_str(), &message]), "does not write to an incident"),
    ];
    for (function, given, why) in cases {
        let ended = desk.invoke(&[&[function, "--incident", "2095"][..], &given].concat());
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{ended:?}");
        assert!(ended.stderr.contains(why), "{ended:?}");
    }
    assert!(!desk.soar_was_spoken_to());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_soar_login_exits_with_21() {
    let desk = Desk::new().await;
    let secret = &desk.sandbox.soar.options().api_key.secret;
    let text = fs::read_to_string(&desk.config).unwrap().replace(secret.as_str(), "wrong");
    fs::write(&desk.config, text).unwrap();
    let (_, _, [address, message]) = desk.planted();
    let given = inputs([address.as_str(), &message]);
    let ended = desk.invoke(&[&["write_message_as_attachment", "--incident", "2095"][..], &given].concat());
    assert_eq!((ended.code, ended.stdout.as_str()), (21, ""), "{ended:?}");
}

#[tokio::test]
async fn long_names_and_numbers_fit_into_a_file_name() {
    let desk = Desk::new().await;
    let (mailbox, id, _) = desk.planted();
    let (sink, _reports) = IncidentSink::local(desk.directory.path());
    let context = Context { sink, ..desk.context().await };
    let values = json!({ "exo_email_address": mailbox, "exo_messages_id": id,
        "exo_attachment_name": format!("{}.eml", "ü".repeat(300)) });
    let values = values.as_object().unwrap();
    for _ in 0..2 {
        let inputs = Inputs::new(values.clone());
        assert!(Function::WriteMessageAsAttachment.run(&context, &inputs).await.unwrap().success);
    }
    let names: Vec<_> = desk.files().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), 2);
    assert!(
        names
            .iter()
            .all(|name| name.starts_with("üüü") && Path::new(name).extension() == Some("eml".as_ref())),
        "{names:?}"
    );
}
