//! What the machine takes from the process, or does to it, costs no call.

use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::health::watched;
use crate::support::deployment::{Daemon, Deployment, SOON};

const PROFILE: &str = "exchange_online_get_email_user_profile";
const QUERY: &str = "exchange_online_query_emails";

/// Sets how many files the process may have open.
fn limit_files(daemon: &Daemon, limit: &str) {
    let (pid, limit) = (daemon.id().to_string(), format!("--nofile={limit}:"));
    assert!(Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn exhausted_descriptors_lose_no_call() {
    let deployment = Deployment::new().await;
    let mut daemon = deployment.spawn(&deployment.app_config(&[], &[("max_retries_total", "0")]));
    daemon.subscribed().await;
    let soar = deployment.caller().await;
    deployment.sandbox.graph.faults().set_latency(Duration::from_millis(50), Duration::ZERO);
    limit_files(&daemon, "4");
    let mut calls = Vec::new();
    for nth in 0..20 {
        let inputs = json!({
            "incident_id": sandbox::soar::INCIDENT, "exo_email_address": deployment.mailbox(nth),
            "exo_has_attachments": true, "exo_query_output_format": ["Incident note"],
        });
        calls.push(soar.call(QUERY, inputs).await.unwrap());
    }
    for call in &calls {
        call.reply(SOON).await.unwrap();
        assert_eq!(call.replies(), 1);
    }
    limit_files(&daemon, "1024");
    let next = soar.call(PROFILE, json!({"exo_email_address": deployment.mailbox(1)})).await.unwrap();
    assert_eq!(next.reply(SOON).await.unwrap().message_type, 0);
    deployment.queue_is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn burst_of_reload_signals_is_survived() {
    let deployment = Deployment::new().await;
    let mut daemon = deployment.daemon().await;
    let soar = deployment.caller().await;
    let mailbox = deployment.mailbox(1);
    let id = deployment.add_message(&mailbox, "SUBJECTTEXT", "BODYTEXT");
    let burst = format!("for n in $(seq 300); do kill -HUP {}; done", daemon.id());
    let mut burst = Command::new("sh").args(["-c", &burst]).spawn().unwrap();
    let inputs = json!({"exo_email_address": mailbox, "exo_messages_id": id});
    let call = soar.call("exchange_online_get_message", inputs).await.unwrap();
    assert_eq!(call.reply(SOON).await.unwrap().message_type, 0);
    assert!(burst.wait().unwrap().success());
    let next = soar.call(PROFILE, json!({"exo_email_address": mailbox})).await.unwrap();
    assert_eq!(next.reply(SOON).await.unwrap().message_type, 0);
    daemon.signal("ABRT").await;
    assert!(!daemon.ended().await.success());
    let secret = deployment.sandbox.graph.client_secret();
    let log = daemon.log();
    assert!(["SUBJECTTEXT", "BODYTEXT", secret].iter().all(|text| !log.contains(text)), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_request_to_the_health_port_has_one_answer() {
    let deployment = Deployment::new().await;
    let (_daemon, watcher) = watched(&deployment, &[]).await;
    watcher.until("/readyz", 200).await;
    let second = "GET /metrics HTTP/1.1\r\nHost: d\r\n\r\n";
    for request in [
        format!(
            "GET /healthz HTTP/1.1\r\nHost: d\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{second}"
        ),
        format!(
            "GET /healthz HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\nContent-Length: 60\r\n\r\n{second}"
        ),
        format!("GET http://evil.example/healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n{second}"),
        format!(
            "GET /healthz HTTP/1.1\r\nHost: evil.example\r\nOrigin: https://evil.example\r\n\r\n{second}"
        ),
        format!("OPTIONS /metrics HTTP/1.1\r\nHost: d\r\nOrigin: https://evil.example\r\n\r\n{second}"),
        format!("GET /metrics HTTP/1.1\r\nHost: d\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n{second}"),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "GET /healthz\r\n\r\n".to_owned(),
        "GET /health\0z HTTP/1.1\r\nHost: d\r\n\r\n".to_owned(),
        "GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: d\r\n\r\n".to_owned(),
        format!("GET /{} HTTP/1.1\r\nHost: d\r\n\r\n", "x".repeat(100_000)),
    ] {
        let answer = watcher.exchange(&request).await;
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{request:.60}: {answer}");
        assert!(!answer.contains("evil.example") && !answer.contains("access-control"), "{answer}");
        assert!(!answer.contains("switching") && !answer.contains("root:"), "{answer}");
    }
    assert_eq!(watcher.get("/healthz").await.0, 200);
}
