//! How the command line and files name inputs and incident.

use super::*;

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
        "exo_query_output_format must be one of Exchange Online data table, Incident attachment, Incident note, \
         and \"Incident notes\" is not (did you mean Incident note?)",
        "exchange_online_query_emails has no input exo_adress (did you mean exo_email_address?); it has incident_id,",
        "exo_mail_folders is given twice",
    ] {
        assert!(ended.stderr.contains(complaint), "{complaint}\n{}", ended.stderr);
    }
    assert_eq!(desk.invoke(&["get_message", "--input", "x"]).code, 2);
    assert_eq!(desk.invoke(&[]).code, 2);
    let unknown = desk.invoke(&["get_mesage"]);
    assert!(
        unknown.code == 2 && unknown.stderr.contains("a similar value exists: 'get_message'"),
        "{unknown:?}"
    );
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
    assert!(ended.stderr.contains("Exchange Online: 7 messages deleted\n"), "{ended:?}");
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
