//! Promise: a call that comes over the broker is done at Microsoft Graph, and its status messages and result go
//! back; what is no call, or fails, is answered with an error, leaves the queue, and disturbs no other call.

use std::time::Duration;

use crate::support::deployment::{Deployment, SOON};
use sandbox::graph::{Fault, RetryAfter, Target};
use sandbox::soar::caller::{Origin, Reply};
use sandbox::soar::rest::Owner;
use sandbox::soar::{INCIDENT, caller::Caller};
use serde_json::{Value, json};

const PROFILE: &str = "exchange_online_get_email_user_profile";
const MESSAGE: &str = "exchange_online_get_message";

/// Sends `body` as the message of a call, and waits for the answer.
async fn answer_to(soar: &Caller, correlation: &str, body: impl Into<bytes::Bytes>) -> Reply {
    soar.send_raw(soar.usual_headers(correlation), body).await.unwrap();
    soar.answers_to(correlation).reply(SOON).await.unwrap()
}

fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// Checks what every result has.
fn check_results(function: &str, inputs: &Value, reply: &Reply) {
    assert_eq!((reply.message_type, reply.message.as_str()), (0, "Completed"), "{function}");
    let results = &reply.results;
    let mut expected = vec!["content", "inputs", "metrics", "raw", "reason", "success", "version"];
    if function.contains("get_message")
        || function.contains("get_email_user_profile")
        || function.contains("create_meeting")
    {
        expected.insert(3, "pretty_string");
        let pretty = results["pretty_string"].as_str().unwrap();
        assert!(pretty.starts_with("{\n    \""), "{function}: {pretty}");
        assert_eq!(serde_json::from_str::<Value>(pretty).unwrap(), results["content"], "{function}");
    }
    assert_eq!(keys(results), expected, "{function}");
    assert_eq!(results["version"], json!("1.0"), "{function}");
    assert_eq!(results["success"], json!(true), "{function}");
    // The folder of the message that is restored is not known, and the reason says where it went.
    if !function.contains("restore_messages") {
        assert_eq!(results["reason"], Value::Null, "{function}");
    }
    assert_eq!(results["inputs"], *inputs, "{function}");
    let raw: Value = serde_json::from_str(results["raw"].as_str().unwrap()).unwrap();
    assert_eq!(raw, results["content"], "{function}");
    let metrics = &results["metrics"];
    assert_eq!(
        keys(metrics),
        ["execution_time_ms", "host", "package", "package_version", "timestamp", "version"],
        "{function}"
    );
    assert_eq!(metrics["package"], json!("fn-exchange-online"));
    assert_eq!(metrics["version"], json!("1.0"));
    assert!(metrics["execution_time_ms"].is_u64());
    let timestamp = metrics["timestamp"].as_str().unwrap();
    assert!(chrono::NaiveDateTime::parse_from_str(timestamp, "%Y-%m-%d %H:%M:%S").is_ok(), "{timestamp}");
}

#[tokio::test]
async fn each_function_is_called_done_and_answered_once() {
    let deployment = Deployment::new().await;
    let _daemon = deployment.daemon().await;
    let soar = deployment.caller().await;
    let mut calls = Vec::new();
    for (function, inputs) in deployment.calls_of_all_functions().await {
        calls.push((function, soar.call(function, inputs.clone()).await.unwrap(), inputs));
    }
    for (function, call, inputs) in &calls {
        let reply = call.reply(SOON).await.unwrap();
        check_results(function, inputs, &reply);
        assert_eq!(reply.headers.get("persistent"), Some("true"), "a reply outlives the broker");
        let statuses = call.statuses();
        assert!(!statuses.is_empty() && statuses.iter().all(|status| !status.is_empty()), "{function}");
    }
    deployment.queue_is_empty().await;
    for (function, call, _) in &calls {
        assert_eq!(call.replies(), 1, "{function}");
    }
    assert_eq!(soar.unreadable(), []);

    let graph = &deployment.sandbox.graph;
    assert_eq!(graph.deleted().len(), 3);
    assert_eq!(graph.moved().len(), 2);
    assert_eq!(graph.sent_mail().len(), 1);
    assert_eq!(graph.events(&deployment.mailbox(1)).len(), 1);
    assert_eq!(graph.users_deleted(), Vec::<String>::new());
    let files = deployment.sandbox.soar.rest.attachments(Owner::Incident(INCIDENT));
    let (of_plans, others): (Vec<_>, Vec<_>) = files.iter().partition(|file| file.name.starts_with("exo-"));
    assert_eq!(others.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["evidence.eml"]);
    // The plan that was there, the one that was made, the claim, the outcome, and the calendar entries that were removed.
    assert_eq!(of_plans.len(), 5);
}

#[tokio::test]
async fn invalid_call_is_answered_during_a_running_call() {
    let deployment = Deployment::new().await;
    let daemon = deployment.daemon().await;
    let soar = deployment.caller().await;
    let delay = Fault::Delay(Duration::from_secs(3));
    deployment.sandbox.graph.faults().next(1, Target::containing("GET /users/"), delay);
    let running = soar.call(PROFILE, json!({"exo_email_address": deployment.mailbox(0)})).await.unwrap();
    assert_eq!(running.statuses_up_to(1, SOON).await.len(), 1);

    let named = |inputs: &str| format!(r#"{{"function":{{"name":"{PROFILE}"}},"inputs":{inputs}}}"#);
    let deep = format!(r#"{{"x": {}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let broken: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", b"".into(), "not valid JSON"),
        ("cut", br#"{"function": {"name": "exchange"#.into(), "not valid JSON"),
        ("an array", b"[1, 2]".into(), "names no function"),
        ("null", b"null".into(), "names no function"),
        ("a rule's action", br#"{"action_id": 7, "incident": {"id": 2095}}"#.into(), "names no function"),
        ("a function without name", br#"{"function": {"id": 3}, "inputs": {}}"#.into(), "names no function"),
        ("a name that is no text", br#"{"function": {"name": 3}, "inputs": {}}"#.into(), "names no function"),
        ("no UTF-8", b"{\"function\": \"\xff\xfe\"}".into(), "not UTF-8"),
        ("inputs in a list", named("[1]").into(), "not a JSON object"),
        ("inputs in a text", named("\"x\"").into(), "not a JSON object"),
        ("no inputs", named("null").into(), "\"exo_email_address\" is required"),
        ("deeper than anybody reads", named(&deep).into(), "not valid JSON"),
        ("half a character", named(r#"{"exo_email_address": "\ud83d"}"#).into(), "not valid JSON"),
        (
            "unknown function",
            br#"{"function": {"name": "exchange_online_format_disk"}, "inputs": {}}"#.into(),
            "no function \"exchange_online_format_disk\"",
        ),
    ];
    for (what, body, words) in &broken {
        let reply = answer_to(&soar, what, body.clone()).await;
        assert_eq!((reply.message_type, reply.complete), (1, true), "{what}: {reply:?}");
        assert!(reply.message.contains(words), "{what}: {}", reply.message);
        assert_eq!(reply.results, Value::Null, "{what}");
    }
    let queue = deployment.queue();
    let only_one_left = |depth| depth == 1;
    assert!(deployment.sandbox.soar.broker.until(SOON, |b| only_one_left(b.queue_depth(&queue))).await);
    assert_eq!(running.replies(), 0, "the call beside them is still running");

    assert!(running.reply(SOON).await.unwrap().results["success"] == json!(true));
    deployment.queue_is_empty().await;
    for (what, ..) in &broken {
        assert_eq!(soar.replies(what), 1, "{what}");
    }
    assert_eq!(deployment.sandbox.soar.broker.connects().len(), 2, "no connection was made again");
    assert!(!daemon.log().contains("panicked"), "{}", daemon.log());
}

#[tokio::test]
async fn missing_inputs_are_all_named_before_any_request() {
    let deployment = Deployment::new().await;
    let _daemon = deployment.daemon().await;
    let soar = deployment.caller().await;
    let inputs = json!({"exo_email_address": "  ", "exo_messages_id": null});
    let reply = soar.call(MESSAGE, inputs).await.unwrap().reply(SOON).await.unwrap();
    assert_eq!(reply.message_type, 1);
    for name in ["exo_email_address", "exo_messages_id"] {
        assert!(reply.message.contains(&format!("\"{name}\"")), "{}", reply.message);
    }
    let counters = deployment.sandbox.graph.counters();
    assert_eq!((counters.http_requests, counters.token_requests), (0, 0));
}

#[tokio::test]
async fn message_without_reply_to_is_logged_and_acknowledged() {
    let deployment = Deployment::new().await;
    let mut daemon = deployment.daemon().await;
    let soar = deployment.caller().await;
    let mut headers = soar.usual_headers("invid:7");
    headers.remove("reply-to");
    let body = json!({
        "function": {"name": PROFILE},
        "inputs": {"exo_email_address": deployment.mailbox(0)},
    });
    soar.send_raw(headers.clone(), body.to_string()).await.unwrap();
    soar.send_raw(headers, "{").await.unwrap();
    daemon.logged_times("names no reply destination", 2).await;
    deployment.queue_is_empty().await;
    assert_eq!(soar.replies("invid:7"), 0);
}

#[tokio::test]
async fn graph_error_fails_only_its_call_and_logs_no_secrets() {
    let deployment = Deployment::new().await;
    let daemon = deployment.daemon().await;
    let soar = deployment.caller().await;
    let faults = deployment.sandbox.graph.faults();
    let (bad, good) = (deployment.mailbox(0), deployment.mailbox(1));
    let id = deployment.add_message(&bad, "Secret subject", "Secret body");
    faults.next(1, Target::containing("/messages/"), Fault::Status(403, RetryAfter::Absent));
    let failing = json!({"exo_email_address": bad, "exo_messages_id": id});
    let failing = soar.call(MESSAGE, failing).await.unwrap();
    let working = soar.call(PROFILE, json!({"exo_email_address": good})).await.unwrap();
    let reply = failing.reply(SOON).await.unwrap();
    assert_eq!(reply.message_type, 1);
    for words in ["403", "Mail.Read", bad.as_str()] {
        assert!(reply.message.contains(words), "{words}: {}", reply.message);
    }
    assert_eq!(working.reply(SOON).await.unwrap().message_type, 0);
    deployment.queue_is_empty().await;
    let log = daemon.log();
    for secret in ["Secret", deployment.sandbox.graph.client_secret(), "Bearer"] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
}

#[tokio::test]
async fn concurrent_calls_reach_but_do_not_exceed_num_workers() {
    let deployment = Deployment::new().await;
    let workers = [("num_workers", "3"), ("stomp_prefetch_limit", "9")];
    let _daemon = deployment.daemon_with(&workers).await;
    let soar = deployment.caller().await;
    deployment.sandbox.graph.faults().set_latency(Duration::from_millis(200), Duration::ZERO);
    let mut calls = Vec::new();
    for nth in 0..9 {
        let inputs = json!({"exo_email_address": deployment.mailbox(nth)});
        calls.push(soar.call(PROFILE, inputs).await.unwrap());
    }
    for call in &calls {
        assert_eq!(call.reply(SOON).await.unwrap().message_type, 0);
    }
    let counters = deployment.sandbox.graph.counters();
    assert_eq!(counters.most_http_requests, 3);
    assert_eq!((counters.http_requests, counters.token_requests), (9, 1), "one token for all");
}

#[tokio::test]
async fn prefetch_equals_num_workers_by_default() {
    let deployment = Deployment::new().await;
    let _daemon = deployment.daemon_with(&[("num_workers", "2")]).await;
    let soar = deployment.caller().await;
    deployment.sandbox.graph.faults().set_latency(Duration::from_millis(100), Duration::ZERO);
    let mut calls = Vec::new();
    for nth in 0..5 {
        let inputs = json!({"exo_email_address": deployment.mailbox(nth)});
        calls.push(soar.call(PROFILE, inputs).await.unwrap());
    }
    assert!(calls[0].statuses_up_to(1, SOON).await.len() == 1);
    assert!(deployment.sandbox.soar.broker.unacknowledged(&deployment.queue()) <= 2);
    for call in &calls {
        assert_eq!(call.reply(SOON).await.unwrap().message_type, 0);
    }
    let subscribes = deployment.sandbox.soar.broker.subscribes();
    let ours = subscribes.iter().find(|headers| headers.get("destination") == Some(&deployment.queue()));
    let ours = ours.unwrap();
    assert_eq!(ours.get("activemq.prefetchSize"), Some("2"));
    assert_eq!(ours.get("ack"), Some("client-individual"));
}

#[tokio::test]
async fn trap_exception_turns_failed_call_into_result() {
    let deployment = Deployment::new().await;
    let _daemon = deployment.daemon_with(&[("trap_exception", "true")]).await;
    let soar = deployment.caller().await;
    let reply = soar.call(MESSAGE, json!({})).await.unwrap().reply(SOON).await.unwrap();
    assert_eq!((reply.message_type, reply.complete), (0, true));
    assert!(reply.message.contains(MESSAGE) && reply.message.contains("trap_exception"), "{}", reply.message);
    assert_eq!(keys(&reply.results), ["reason", "success"]);
    assert_eq!(reply.results["success"], json!(false));
    assert!(reply.results["reason"].as_str().unwrap().contains("\"exo_messages_id\""));
}

#[tokio::test]
async fn playbook_call_gets_same_results_as_workflow_call() {
    let deployment = Deployment::new().await;
    let mut daemon = deployment.daemon().await;
    let soar = deployment.caller().await;
    let inputs = json!({"exo_email_address": deployment.mailbox(0)});
    let call = soar.call_from(Origin::Playbook, PROFILE, inputs.clone()).await.unwrap();
    check_results(PROFILE, &inputs, &call.reply(SOON).await.unwrap());
    daemon.logged("call completed").await;
    let log = daemon.log();
    let line = log.lines().find(|line| line.contains("call completed")).unwrap();
    let instance = call.correlation().trim_start_matches("invid:");
    for field in [
        "playbook=\"Example: Exchange Online (PB)\"".to_owned(),
        "playbook_id=4".to_owned(),
        format!("playbook_instance={instance}"),
    ] {
        assert!(line.contains(&field), "{field} is not in {line}");
    }
    assert!(!line.contains("workflow"), "{line}");
}

#[tokio::test]
async fn surrogates_in_body_are_decoded_and_reply_is_ascii() {
    let deployment = Deployment::new().await;
    let _daemon = deployment.daemon().await;
    let soar = deployment.caller().await;
    let mailbox = deployment.mailbox(0);
    let id = deployment.add_message(&mailbox, "Grüße 😀 aus 東京", "Schöne Grüße");
    let mut body = format!(
        r#"{{"function":{{"name":"{MESSAGE}"}},"inputs":{{"exo_email_address":"{mailbox}","exo_messages_id":"{id}","comment":""#
    )
    .into_bytes();
    body.extend_from_slice(b"\xED\xA0\xBD\xED\xB8\x80 and \xED\xA0\xBD alone");
    body.extend_from_slice(br#""}}"#);
    let reply = answer_to(&soar, "invid:1", body).await;
    assert_eq!(reply.message_type, 0, "{reply:?}");
    assert_eq!(reply.results["inputs"]["comment"], json!("😀 and \u{FFFD} alone"));
    assert_eq!(reply.results["content"]["subject"], json!("Grüße 😀 aus 東京"));
    assert!(reply.raw_body.is_ascii());
}

#[tokio::test]
async fn large_result_is_delivered_complete() {
    let deployment = Deployment::new().await;
    let _daemon = deployment.daemon().await;
    let soar = deployment.caller().await;
    let mailbox = deployment.mailbox(0);
    let text = "All work and no play makes Jack a dull boy. ".repeat(100_000);
    let id = deployment.add_message(&mailbox, "Long", &text);
    let inputs = json!({"exo_email_address": mailbox, "exo_messages_id": id});
    let reply = soar.call(MESSAGE, inputs.clone()).await.unwrap().reply(SOON).await.unwrap();
    check_results(MESSAGE, &inputs, &reply);
    assert_eq!(reply.results["content"]["body"]["content"].as_str().unwrap().trim_end(), text.trim_end());
    assert!(reply.raw_body.len() > 12_000_000, "{}", reply.raw_body.len());
    deployment.queue_is_empty().await;
}

#[tokio::test]
async fn old_call_that_changes_something_is_refused() {
    let deployment = Deployment::new().await;
    let _daemon = deployment.daemon().await;
    let soar = deployment.caller().await;
    let mailbox = deployment.mailbox(1);
    let hours_ago = |hours: i64| chrono::Utc::now().timestamp_millis() - hours * 3_600_000;
    let call = async |function: &str, sent_at: i64, nth: i64| {
        let id = deployment.add_message(&mailbox, "Old", "Hello.");
        let inputs = json!({"exo_email_address": mailbox, "exo_messages_id": id});
        let correlation = format!("invid:{nth}");
        let mut headers = soar.usual_headers(&correlation);
        headers.remove("timestamp");
        headers.push("timestamp", sent_at.to_string());
        let body = json!({"function": {"name": function}, "inputs": inputs}).to_string();
        soar.send_raw(headers, body).await.unwrap();
        soar.answers_to(correlation).reply(SOON).await.unwrap()
    };
    let delete = "exchange_online_delete_email";
    for (sent_at, nth) in [(hours_ago(25), 1), (0, 2)] {
        let reply = call(delete, sent_at, nth).await;
        assert_eq!(reply.message_type, 1);
        assert!(reply.message.contains("max_call_age"), "{}", reply.message);
    }
    assert_eq!(deployment.sandbox.graph.deleted().len(), 0);
    for (function, hours, nth) in [(delete, 23, 3), (MESSAGE, 25, 4)] {
        assert_eq!(call(function, hours_ago(hours), nth).await.message_type, 0);
    }
}
