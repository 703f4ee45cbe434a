//! What the lines of the log hold, and what they never hold.

use super::*;

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
    assert_eq!((level, module), ("INFO", "worker.function_run"));
    assert!(rest.starts_with("call completed success=true elapsed_ms="), "{rest}");
    assert!(!lines.first().unwrap().0.contains("correlation_id"), "{text}");
    assert_eq!(running.stderr(), text, "stderr and the file differ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batch_part_is_logged_for_its_call() {
    let mut running = Running::start_without_http2(&[("loglevel", "DEBUG"), ("log_format", "json")]).await;
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
            let identified =
                part["request_id"].is_string() || part["error"].as_str().unwrap().contains("request-id");
            assert!(identified && part["function"] == QUERY && part["resource"].is_string(), "{part}");
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
async fn request_of_a_search_is_logged_for_its_call() {
    let mut running = Running::start(&[("loglevel", "DEBUG"), ("log_format", "json")]).await;
    let inputs = json!({
        "incident_id": INCIDENT, "exo_email_address": "all", "exo_message_subject": "a",
        "exo_query_output_format": ["Exchange Online data table"],
    });
    let call = running.caller.call(QUERY, inputs).await.unwrap();
    call.reply(PATIENCE).await.unwrap();
    assert!(running.stop().success());
    let lines: Vec<Value> = running.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let requests = lines.iter().filter(|line| {
        let text = line["message"].as_str().unwrap();
        let resource = line["resource"].as_str().unwrap_or_default();
        text.starts_with("graph request") && resource.ends_with("/messages")
    });
    // The 10 mailboxes, and the 3 users who have none.
    assert_eq!(requests.clone().count(), 13);
    for request in requests {
        assert!(request["correlation_id"] == call.correlation() && request["function"] == QUERY, "{request}");
        assert!(request["client_request_id"].is_string() && request["batch"].is_null(), "{request}");
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
    let [("ERROR", "worker.function_run", line)] = lines[..] else { panic!("{text}") };
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
    assert_eq!((&failed["level"], &failed["module"]), (&json!("ERROR"), &json!("worker.function_run")));
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
