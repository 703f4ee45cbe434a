//! Alive and ready.

use sandbox::graph::TokenRefusal;
use sandbox::soar::rest::Failure;
use serde_json::json;

use crate::health::watched;
use crate::support::deployment::{Deployment, SOON};
use crate::support::exposition::Metrics;

#[tokio::test]
async fn daemon_is_ready_once_subscribed() {
    let deployment = Deployment::new().await;
    deployment.sandbox.soar.rest.fail_next("/functions/", usize::MAX, Failure::Status(503));
    let (mut daemon, watcher) = watched(&deployment, &[]).await;
    assert_eq!(watcher.get("/healthz").await, (200, "alive\n".to_owned()));
    let (status, reason) = watcher.get("/readyz").await;
    assert_eq!((status, reason.as_str()), (503, "waiting for SOAR and its broker; the log says why\n"));
    assert_eq!(watcher.metrics().await.one("broker_subscribed"), 0.0);
    deployment.sandbox.soar.rest.heal();
    daemon.subscribed().await;
    assert_eq!(watcher.until("/readyz", 200).await, "ready\n");
    let metrics = watcher.metrics().await;
    assert_eq!(metrics.one("broker_subscribed"), 1.0);
    assert_eq!(metrics.one("broker_connections_total"), 1.0);
}

#[tokio::test]
async fn daemon_without_broker_is_alive_but_not_ready() {
    let deployment = Deployment::new().await;
    let broker = &deployment.sandbox.soar.broker;
    let (_daemon, watcher) = watched(&deployment, &[]).await;
    watcher.until("/readyz", 200).await;
    broker.stop().await;
    let reason = watcher.until("/readyz", 503).await;
    assert_eq!(reason, "the broker: not subscribed; the log says why\n");
    assert_eq!(watcher.get("/healthz").await.0, 200);
    let metrics =
        watcher.until_metrics("failures", |metrics| metrics.one("broker_failures_total") > 0.0).await;
    assert_eq!(metrics.one("broker_subscribed"), 0.0);
    assert_eq!(metrics.one("broker_connections_total"), 1.0);
    broker.restart().unwrap();
    watcher.until("/readyz", 200).await;
    assert_eq!(watcher.metrics().await.one("broker_connections_total"), 2.0);
}

#[tokio::test]
async fn daemon_without_token_is_not_ready_and_asks_rarely() {
    let deployment = Deployment::new().await;
    let faults = deployment.sandbox.graph.faults();
    faults.refuse_tokens(Some(TokenRefusal::InvalidSecret));
    let (mut daemon, watcher) = watched(&deployment, &[]).await;
    daemon.subscribed().await;
    let refused = "Entra ID: no access token; the log says why\n";
    for _ in 0..50 {
        let (status, _) = watcher.get("/readyz").await;
        assert_eq!(status, 503);
    }
    assert_eq!(watcher.until("/readyz", 503).await, refused);
    let metrics = watcher.metrics().await;
    let asked = metrics.of("token_requests_total", &[("outcome", "refused")]);
    assert!((1.0..=4.0).contains(&asked), "{asked} requests for a token");
    assert_eq!(metrics.one("token_valid"), 0.0);
    assert_eq!(metrics.find("token_expiry_timestamp_seconds", &[]), None);
    faults.refuse_tokens(None);
    watcher.until("/readyz", 200).await;
    let metrics = watcher.metrics().await;
    let [fetched, expires] =
        ["token_fetched_timestamp_seconds", "token_expiry_timestamp_seconds"].map(|name| metrics.one(name));
    let now = chrono::Utc::now().timestamp() as f64;
    assert!(fetched <= now + 1.0 && fetched > now - 60.0 && expires > now, "{fetched} {now} {expires}");
    assert_eq!(metrics.one("token_valid"), 1.0);
}

#[tokio::test]
async fn daemon_refused_by_soar_is_not_ready() {
    let deployment = Deployment::new().await;
    let (mut daemon, watcher) = watched(&deployment, &[]).await;
    daemon.logged("ready: listening for calls").await;
    let rest = &deployment.sandbox.soar.rest;
    rest.fail_next("GET /rest/orgs/", usize::MAX, Failure::Status(400));
    assert_eq!(watcher.until("/readyz", 503).await, "SOAR: it refuses us or fails; the log says why\n");
    daemon.logged("not ready: SOAR does not take us").await;
    assert!(daemon.log().contains("HTTP status 400") && !daemon.log().contains("asked to fail"));
    assert_eq!(watcher.get("/healthz").await.0, 200);
    rest.heal();
    watcher.until("/readyz", 200).await;
}

#[tokio::test]
async fn stopping_daemon_is_alive_but_not_ready() {
    let deployment = Deployment::new().await;
    let (mut daemon, watcher) = watched(&deployment, &[]).await;
    watcher.until("/readyz", 200).await;
    deployment
        .sandbox
        .graph
        .faults()
        .set_latency(std::time::Duration::from_secs(3), std::time::Duration::ZERO);
    let soar = deployment.caller().await;
    let inputs = json!({"exo_email_address": deployment.mailbox(1)});
    let call = soar.call("exchange_online_get_email_user_profile", inputs).await.unwrap();
    daemon.logged("call started").await;
    daemon.signal("TERM").await;
    daemon.logged("stopping: SIGTERM").await;
    assert_eq!(watcher.get("/readyz").await, (503, "stopping\n".to_owned()));
    assert_eq!(watcher.get("/healthz").await.0, 200);
    assert_eq!(call.reply(SOON).await.unwrap().message_type, 0);
    assert_eq!(daemon.ended().await.code(), Some(0));
}

#[tokio::test]
async fn unwritable_trail_is_reported_and_calls_continue() {
    let deployment = Deployment::new().await;
    let directory = deployment.directory().join("trail");
    std::fs::create_dir(&directory).unwrap();
    let trail = directory.join("acts.jsonl").display().to_string();
    let (_daemon, watcher) = watched(&deployment, &[("audit_file", &trail)]).await;
    watcher.until("/readyz", 200).await;
    let of_trail =
        |metrics: &Metrics| (metrics.one("audit_trail_writable"), metrics.one("audit_trail_lines_waiting"));
    assert_eq!(of_trail(&watcher.metrics().await), (1.0, 0.0));
    let away = directory.with_extension("away");
    std::fs::rename(&directory, &away).unwrap();
    let mailbox = deployment.mailbox(0);
    let id = deployment.add_message(&mailbox, "x", "y");
    let inputs = json!({"exo_email_address": mailbox, "exo_messages_id": id});
    let soar = deployment.caller().await;
    let reply = soar.call("exchange_online_delete_email", inputs).await.unwrap().reply(SOON).await.unwrap();
    assert!(reply.message.contains("audit_file"), "{}", reply.message);
    assert_eq!(of_trail(&watcher.metrics().await), (0.0, 0.0));
    assert_eq!(watcher.get("/readyz").await.0, 200);
    // Without another call.
    std::fs::rename(&away, &directory).unwrap();
    watcher.until_metrics("it can be written", |metrics| metrics.one("audit_trail_writable") == 1.0).await;
}
