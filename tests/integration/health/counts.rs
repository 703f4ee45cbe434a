//! What is counted is what happened.

use std::time::Duration;

use fn_exchange_online::functions::Function;
use sandbox::graph::{Fault, RetryAfter, Target};
use sandbox::soar::caller::Origin;
use serde_json::json;

use crate::health::watcher::Watcher;
use crate::health::{LISTEN, watched};
use crate::support::deployment::{Daemon, Deployment, SOON};
use crate::support::exposition::{Metrics, promtool};
use crate::support::rsa::Files;

#[tokio::test]
async fn calls_and_requests_are_counted() {
    let deployment = Deployment::new().await;
    let (daemon, watcher) = watched(&deployment, &[]).await;
    watcher.until("/readyz", 200).await;
    let none = watcher.metrics().await;
    let soar = deployment.caller().await;
    let mut calls = deployment.calls_of_all_functions().await;
    let not_there = json!({"exo_email_address": "unknown@nowhere.example", "exo_messages_id": "AAMk"});
    calls.push(("exchange_online_get_message", not_there));
    calls.push(("exchange_online_of_another_app", json!({})));
    let all = calls.len() as f64;
    for (nth, (function, inputs)) in calls.into_iter().enumerate() {
        let origin = if nth == 0 { Origin::Playbook } else { Origin::Workflow };
        soar.call_from(origin, function, inputs).await.unwrap().reply(SOON).await.unwrap();
    }
    deployment.queue_is_empty().await;
    let metrics = watcher
        .until_metrics("every reply is confirmed", |metrics| {
            metrics.of("replies_total", &[("outcome", "confirmed")]) == all
        })
        .await;
    for function in Function::ALL {
        let name = ("function", function.name());
        let ended = |outcome| metrics.of("calls_total", &[name, ("outcome", outcome)]);
        let failed = f64::from(u8::from(function == Function::GetMessage));
        assert_eq!(ended("succeeded"), 1.0, "{function:?}");
        assert_eq!(ended("failed") + ended("unsuccessful"), failed, "{function:?}");
        assert_eq!(metrics.of("call_duration_seconds_count", &[name]), 1.0 + failed);
        assert!(metrics.of("call_duration_seconds_sum", &[name]) > 0.0);
    }
    assert_eq!(metrics.of("calls_total", &[("function", "unknown"), ("outcome", "failed")]), 1.0);
    for (caller, calls) in [("workflow", all - 2.0), ("playbook", 1.0), ("unknown", 0.0)] {
        assert_eq!(metrics.of("calls_started_total", &[("caller", caller)]), calls, "{caller}");
    }
    assert_eq!(metrics.of("deliveries_total", &[("action", "new")]), all);
    assert_eq!(metrics.one("calls_in_flight"), 0.0);
    let graph = deployment.sandbox.graph.counters();
    let sent = |how| metrics.sum("graph_requests_total", &[("sent", how)]);
    assert_eq!(sent("single") + sent("batch"), graph.http_requests as f64);
    assert_eq!(sent("part"), graph.sub_requests as f64);
    assert_eq!(metrics.one("graph_request_duration_seconds_count"), graph.http_requests as f64);
    assert_eq!(metrics.one("graph_queue_length") + metrics.one("graph_requests_at_work"), 0.0);
    assert!((32.0..=256.0).contains(&metrics.one("graph_request_window")));
    // Without a file of the trail, intents are in the log as well.
    let acts = daemon.count_in_log("[audit]") - daemon.count_in_log("outcome=begun");
    assert!(acts >= 5, "{acts} lines of the audit trail");
    assert_eq!(metrics.sum("audited_acts_total", &[]), acts as f64);
    let acts = |act, outcome| metrics.of("audited_acts_total", &[("act", act), ("outcome", outcome)]);
    for act in ["move_message", "send_message", "create_meeting", "attach_message"] {
        assert_eq!(acts(act, "done"), 1.0, "{act}");
    }
    assert!(acts("delete_message", "done") >= 1.0 && acts("search_mailboxes", "done") >= 1.0);
    assert_eq!(acts("read_message", "not_done"), 1.0, "the mailbox that does not exist");
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    assert_eq!(metrics.of("build_info", &version), 1.0);
    assert_eq!(metrics.series(), none.series(), "all series are there from the start");
}

#[tokio::test]
async fn exposition_is_valid_and_anonymous() {
    let deployment = Deployment::new().await;
    let (mut daemon, watcher) = watched(&deployment, &[]).await;
    daemon.subscribed().await;
    let soar = deployment.caller().await;
    for (function, inputs) in deployment.calls_of_all_functions().await {
        soar.call(function, inputs).await.unwrap().reply(SOON).await.unwrap();
    }
    let (_, text) = watcher.get("/metrics").await;
    for hidden in ["@", "localhost", "127.0.0.1", deployment.sandbox.graph.tenant_id(), "Message 0"] {
        assert!(!text.contains(hidden), "{hidden}");
    }
    if let Some((passed, output)) = promtool(&["check", "metrics"], &text) {
        assert!(passed, "{output}");
    }
}

#[tokio::test]
async fn throttling_is_counted_with_its_duration() {
    let deployment = Deployment::new().await;
    let (mut daemon, watcher) = watched(&deployment, &[]).await;
    daemon.subscribed().await;
    deployment.sandbox.graph.faults().next(
        1,
        Target::HttpRequest,
        Fault::Status(429, RetryAfter::Seconds(2)),
    );
    let soar = deployment.caller().await;
    let inputs = json!({"exo_email_address": deployment.mailbox(1)});
    let call = soar.call("exchange_online_get_email_user_profile", inputs).await.unwrap();
    let throttled = |metrics: &Metrics| metrics.of("graph_throttled_total", &[("sent", "single")]) == 1.0;
    let waiting = watcher.until_metrics("a throttled request", throttled).await;
    assert_eq!((waiting.one("calls_in_flight"), waiting.one("graph_pause_seconds")), (1.0, 0.0));
    assert_eq!(call.reply(SOON).await.unwrap().message_type, 0);
    let metrics = watcher.metrics().await;
    assert_eq!(metrics.of("graph_requests_total", &[("sent", "single"), ("status", "429")]), 1.0);
    assert_eq!(metrics.of("graph_throttled_total", &[("sent", "single")]), 1.0);
    assert_eq!(metrics.of("graph_retries_total", &[("reason", "throttled")]), 1.0);
    let waited = metrics.of("graph_retry_wait_seconds_total", &[("reason", "throttled")]);
    assert!((2.0..=2.3).contains(&waited), "{waited}");
}

#[tokio::test]
async fn redeliveries_are_counted() {
    let deployment = Deployment::new().await;
    let (mut daemon, watcher) = watched(&deployment, &[]).await;
    daemon.subscribed().await;
    deployment.sandbox.graph.faults().set_latency(Duration::from_secs(1), Duration::ZERO);
    let soar = deployment.caller().await;
    let inputs = json!({"exo_email_address": deployment.mailbox(1)});
    let call = soar.call("exchange_online_get_email_user_profile", inputs).await.unwrap();
    daemon.logged("call started").await;
    deployment.sandbox.soar.broker.cut_connections();
    daemon.logged_times("subscribed to", 2).await;
    deployment.queue_is_empty().await;
    drop(call);
    let metrics = watcher.metrics().await;
    assert!(metrics.one("redeliveries_total") >= 1.0);
    let again = metrics.sum("deliveries_total", &[]) - metrics.of("deliveries_total", &[("action", "new")]);
    assert!(again >= 1.0, "{again}");
    assert_eq!(metrics.one("broker_connections_total"), 2.0);
}

#[tokio::test]
async fn counts_survive_a_reload() {
    let deployment = Deployment::new().await;
    let configure = |app: &[(&str, &str)]| {
        let text = deployment.app_config(&[], &[&[LISTEN], app].concat());
        deployment.write("app.config", &text).display().to_string()
    };
    let mut daemon = Daemon::spawn(&["run", "--config-file", &configure(&[])]);
    let watcher = Watcher::of(&mut daemon, 1).await;
    daemon.subscribed().await;
    let soar = deployment.caller().await;
    for nth in 1..=2 {
        let inputs = json!({"exo_email_address": deployment.mailbox(1)});
        let call = soar.call("exchange_online_get_email_user_profile", inputs).await.unwrap();
        call.reply(SOON).await.unwrap();
        let metrics = watcher.metrics().await;
        assert_eq!(metrics.sum("calls_total", &[]), f64::from(nth));
        assert_eq!(metrics.sum("graph_requests_total", &[("status", "200")]), f64::from(nth));
        assert_eq!(metrics.of("token_requests_total", &[("outcome", "granted")]), f64::from(nth));
        if nth == 1 {
            // Graph's client is another then, and so are its token and its window.
            configure(&[("max_concurrent_requests", "3")]);
            daemon.signal("HUP").await;
            watcher
                .until_metrics("the other client", |metrics| metrics.one("graph_request_window") == 3.0)
                .await;
        }
    }
}

#[tokio::test]
async fn client_certificate_expiry_is_exposed() {
    let deployment = Deployment::new().await;
    let files = Files::make(deployment.directory(), "soar-exchange", 90);
    let (certificate, key) = (files.certificate.display().to_string(), files.key.display().to_string());
    let options = [("client_certificate_file", certificate.as_str()), ("client_certificate_key_file", &key)];
    let app_config = deployment.app_config(&[], &[&[LISTEN], &options[..]].concat());
    let app_config: String = app_config
        .lines()
        .filter(|line| !line.starts_with("client_secret"))
        .fold(String::new(), |text, line| text + line + "\n");
    let mut daemon = deployment.spawn(&app_config);
    let watcher = Watcher::of(&mut daemon, 1).await;
    let days = async || {
        let ends = watcher.metrics().await.one("certificate_expiry_timestamp_seconds");
        (ends - chrono::Utc::now().timestamp() as f64) / 86_400.0
    };
    let left = days().await;
    assert!((89.9..=90.0).contains(&left), "{left} days");
    // A replaced certificate shows without a restart.
    let renewed = Files::make(deployment.directory(), "soar-exchange-renewed", 365);
    std::fs::copy(&renewed.key, &files.key).unwrap();
    std::fs::copy(&renewed.certificate, &files.certificate).unwrap();
    let left = days().await;
    assert!((364.9..=365.0).contains(&left), "{left} days");
}
