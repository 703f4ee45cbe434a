//! Where results, notes and files go, and with which exit code.

use std::os::unix::fs::PermissionsExt;

use super::*;

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
        desk.invoke(&["get_email_user_profile", "--input", "exo_email_address=unknown@sandbox.example"]);
    assert_eq!(ended.code, 1);
    assert_eq!(ended.payload()["success"], json!(false));
    assert!(ended.stderr.contains("unknown@sandbox.example was not found"), "{ended:?}");

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
    assert_eq!(
        ended.stderr.matches("7 messages found, in 7 of 12 mailboxes searched").count(),
        1,
        "{ended:?}"
    );
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
    assert_eq!(desk.sandbox.soar.rest.attachments(Owner::Incident(INCIDENT)).len(), 2);
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
async fn hostile_file_name_stays_in_the_directory() {
    let desk = Desk::new().await;
    let (_, _, [address, message]) = desk.planted();
    let outside = tempfile::tempdir().unwrap();
    let (victim, absolute) = (outside.path().join("victim"), outside.path().join("absolute.eml"));
    fs::write(&victim, "mine").unwrap();
    std::os::unix::fs::symlink(&victim, desk.directory.path().join("link.eml")).unwrap();
    let long = "x".repeat(400);
    let names = [
        "../../up.eml",
        absolute.to_str().unwrap(),
        ".bashrc",
        "..",
        "a\nb\u{202e}fdp.eml",
        &long,
        "$(id)",
        "link.eml",
    ];
    for name in names {
        let name = format!("exo_attachment_name={name}");
        let given = inputs([address.as_str(), &message, &name]);
        let ended = desk.invoke(&[&["write_message_as_attachment"][..], &given].concat());
        assert!(ended.code == 0 || ended.stderr.contains("attachment_name"), "{name:?}: {ended:?}");
    }
    let written: Vec<_> = fs::read_dir(desk.directory.path()).unwrap().map(Result::unwrap).collect();
    assert!(written.len() > 5, "{written:?}");
    for file in written.iter().filter(|file| file.file_name() != "link.eml") {
        let (name, about) = (file.file_name().into_string().unwrap(), file.metadata().unwrap());
        assert!(about.is_file() && about.permissions().mode() & 0o777 == 0o600, "{name:?}");
        assert!(!name.starts_with('.') && !name.contains(is_unsafe_to_display), "{name:?}");
    }
    assert_eq!(fs::read(&victim).unwrap(), b"mine");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1, "nothing was written there");
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
    assert_eq!(attached[0].name, format!("message-{mailbox}-{id}.eml").replace('/', "_"));
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

/// Runs the command on a terminal, and returns what the terminal got.
fn on_terminal(desk: &Desk, arguments: &[&str]) -> String {
    let program = [env!("CARGO_BIN_EXE_fn-exchange-online"), "invoke", "--config-file"].map(str::to_owned);
    let arguments = arguments.iter().map(ToString::to_string);
    let all = program.into_iter().chain([desk.config.display().to_string()]).chain(arguments);
    let line: Vec<_> = all.map(|word| format!("'{word}'")).collect();
    let output = Command::new("script")
        .args(["-qec", &line.join(" "), "/dev/null"])
        .current_dir(desk.directory.path())
        .env("TERM", "dumb")
        // No line of the log comes between those of the results.
        .env("LOGLEVEL", "ERROR")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_cannot_move_the_cursor_of_a_terminal() {
    let desk = Desk::new().await;
    let mailbox = desk.sandbox.graph.mailboxes().swap_remove(0);
    let hostile = "exe.\u{202e}fdp \u{9b}31m \u{1b}]0;x\u{7} \u{7f} \u{2066} \u{200b} \u{e0041} end";
    let message = NewMessage {
        subject: hostile.to_owned(),
        from: Address::new(hostile, "eve@elsewhere.example"),
        received: TenantOptions::default().now,
        html: false,
        body: hostile.to_owned(),
        ..NewMessage::default()
    };
    let id = desk.sandbox.graph.add_message(&mailbox, message).unwrap();
    let given = [format!("exo_email_address={mailbox}"), format!("exo_messages_id={id}")];
    let given = inputs(given.iter().map(String::as_str));
    let shown = on_terminal(&desk, &[&["get_message"][..], &given].concat());
    let begin = shown.find("\n{").expect("results") + 1;
    let results = &shown[begin..];
    let left: Vec<char> =
        results.chars().filter(|c| is_unsafe_to_display(*c) && !matches!(c, '\r' | '\n')).collect();
    assert_eq!(left, Vec::<char>::new(), "{results}");
    let payload: Value = serde_json::from_str(results).unwrap();
    assert_eq!(payload["content"]["subject"], hostile, "an escape means the same");
}
