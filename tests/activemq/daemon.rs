//! Promise: what holds on the sandbox's broker holds on a real ActiveMQ over TLS: every call is answered once, and
//! the queue is empty after, whether the broker dies, a daemon stops, or two share the work.

use std::time::Duration;

use crate::support::activemq::{ADMIN, ActiveMq, LOGIN, Tls};
use crate::support::deployment::{Daemon, Deployment, OtherBroker, SOON};
use crate::support::stomp_client::StompClient;
use sandbox::graph::{Fault, Target};
use sandbox::soar::caller::{Call, Caller};
use serde_json::json;
use stomp::{ClientCommand, Frame};

const PROFILE: &str = "exchange_online_get_email_user_profile";

async fn deployment(broker: &ActiveMq) -> Deployment {
    let other = OtherBroker { port: broker.port(), ca_file: broker.ca_file(), login: LOGIN };
    Deployment::with_broker(other).await
}

async fn calls(deployment: &Deployment, soar: &Caller, count: usize) -> Vec<Call> {
    let mut calls = Vec::new();
    for nth in 0..count {
        let inputs = json!({"exo_email_address": deployment.mailbox(nth % 20)});
        calls.push(soar.call(PROFILE, inputs).await.unwrap());
    }
    calls
}

/// Waits for all the answers, and checks that there are no others and nothing is left.
async fn all_answered_once(broker: &ActiveMq, deployment: &Deployment, calls: &[Call]) {
    for call in calls {
        assert_eq!(call.reply(SOON).await.unwrap().message_type, 0);
    }
    let mut admin = StompClient::connect(broker.port(), &broker.ca_file(), ADMIN).await;
    let left = admin.browse(&deployment.queue()).await;
    assert_eq!(left, Vec::<String>::new());
    for call in calls {
        assert_eq!(call.replies(), 1);
    }
}

fn profiles_read(deployment: &Deployment) -> u64 {
    deployment.sandbox.graph.counters().by_kind.get("get user").copied().unwrap_or(0)
}

#[tokio::test]
async fn every_function_is_answered_once() {
    let broker = ActiveMq::start(Tls::V1_2);
    let deployment = deployment(&broker).await;
    let daemon = deployment.daemon().await;
    let soar = deployment.caller().await;
    let mut calls = Vec::new();
    for (function, inputs) in deployment.calls_of_all_functions().await {
        calls.push(soar.call(function, inputs).await.unwrap());
    }
    soar.send_raw(soar.usual_headers("invid:1"), "no call").await.unwrap();
    for call in &calls {
        let reply = call.reply(SOON).await.unwrap();
        assert_eq!(reply.results["success"], json!(true), "{reply:?}");
        assert!(!call.statuses().is_empty());
    }
    assert_eq!(soar.answers_to("invid:1").reply(SOON).await.unwrap().message_type, 1);
    all_answered_once(&broker, &deployment, &calls).await;
    assert_eq!(daemon.count_in_log("WARN"), 1, "only for what is no call:\n{}", daemon.log());
}

#[tokio::test]
async fn killed_broker_loses_and_repeats_nothing() {
    let mut broker = ActiveMq::start(Tls::V1_2);
    let deployment = deployment(&broker).await;
    let mut daemon = deployment.daemon_with(&[("num_workers", "4")]).await;
    let soar = deployment.caller().await;
    deployment.sandbox.graph.faults().set_latency(Duration::from_millis(100), Duration::ZERO);
    let calls = calls(&deployment, &soar, 30).await;
    calls[5].reply(SOON).await.unwrap();
    broker.restart();
    daemon.logged_times("subscribed to", 2).await;
    all_answered_once(&broker, &deployment, &calls).await;
    assert_eq!(profiles_read(&deployment), 30, "none was run twice");
}

#[tokio::test]
async fn stopping_daemon_leaves_its_calls_to_the_other() {
    let broker = ActiveMq::start(Tls::V1_2);
    let deployment = deployment(&broker).await;
    let mut first = deployment.daemon_with(&[("num_workers", "2")]).await;
    let second = deployment.daemon_with(&[("num_workers", "2")]).await;
    let soar = deployment.caller().await;
    deployment.sandbox.graph.faults().set_latency(Duration::from_millis(200), Duration::ZERO);
    let calls = calls(&deployment, &soar, 20).await;
    calls[3].reply(SOON).await.unwrap();
    assert_eq!(first.stop().await.code(), Some(0));
    all_answered_once(&broker, &deployment, &calls).await;
    assert_eq!(profiles_read(&deployment), 20, "none was run twice");
    for daemon in [&first, &second] {
        assert!(daemon.count_in_log("call started") >= 2, "{}", daemon.log());
    }
}

#[tokio::test]
async fn sigterm_leaves_waiting_calls_to_the_next_daemon() {
    let broker = ActiveMq::start(Tls::V1_2);
    let deployment = deployment(&broker).await;
    let mut daemon = deployment.daemon_with(&[("num_workers", "1"), ("stomp_prefetch_limit", "5")]).await;
    let soar = deployment.caller().await;
    let delay = Fault::Delay(Duration::from_secs(1));
    deployment.sandbox.graph.faults().next(1, Target::containing("GET /users/"), delay);
    let calls = calls(&deployment, &soar, 8).await;
    assert_eq!(calls[0].statuses_up_to(1, SOON).await.len(), 1);
    assert_eq!(daemon.stop().await.code(), Some(0));
    assert_eq!(calls[0].reply(SOON).await.unwrap().message_type, 0);
    assert_eq!(daemon.count_in_log("call started"), 1, "{}", daemon.log());
    assert!(calls[1..].iter().all(|call| call.replies() == 0));

    let _next = deployment.daemon().await;
    all_answered_once(&broker, &deployment, &calls).await;
    assert_eq!(profiles_read(&deployment), 8);
}

#[tokio::test]
async fn message_with_too_many_headers_is_answered_once() {
    let broker = ActiveMq::start(Tls::V1_2);
    let deployment = deployment(&broker).await;
    let daemon = deployment.daemon().await;
    let soar = deployment.caller().await;
    let mut admin = StompClient::connect(broker.port(), &broker.ca_file(), ADMIN).await;
    let mut send = Frame::new(ClientCommand::Send).with_header("destination", deployment.queue());
    for (name, value) in soar.usual_headers("invid:7").iter().filter(|(name, _)| *name != "destination") {
        send = send.with_header(name, value);
    }
    // SOAR's broker adds its own to those.
    for nth in 0..243 {
        send = send.with_header(format!("header{nth}"), "value");
    }
    admin.write(send.with_body("{}")).await;
    let reply = soar.answers_to("invid:7").reply(SOON).await.unwrap();
    assert_eq!(reply.message_type, 1);
    assert!(reply.message.contains("cannot be read") && reply.message.contains("headers"), "{reply:?}");
    let call = calls(&deployment, &soar, 1).await;
    all_answered_once(&broker, &deployment, &call).await;
    assert_eq!(daemon.count_in_log("subscribed to"), 1, "{}", daemon.log());
}

#[tokio::test]
async fn reloads_that_reconnect_lose_and_repeat_nothing() {
    let broker = ActiveMq::start(Tls::V1_2);
    let deployment = deployment(&broker).await;
    let text = |workers| deployment.app_config(&[("num_workers", workers)], &[]);
    let file = deployment.write("app.config", &text("4"));
    let mut daemon = Daemon::spawn(&["run", "--config-file", file.to_str().unwrap()]);
    daemon.subscribed().await;
    let soar = deployment.caller().await;
    deployment.sandbox.graph.faults().set_latency(Duration::from_millis(100), Duration::ZERO);
    let mut sent = Vec::new();
    for reload in 1..=5 {
        sent.extend(calls(&deployment, &soar, 20).await);
        deployment.write("app.config", &text(if reload % 2 == 0 { "4" } else { "8" }));
        daemon.signal("HUP").await;
        daemon.logged_times("calls come over the new connection", reload).await;
    }
    all_answered_once(&broker, &deployment, &sent).await;
    assert_eq!(profiles_read(&deployment), 100, "none was run twice");
}

#[tokio::test]
async fn refused_login_ends_the_program() {
    let broker = ActiveMq::start(Tls::V1_2);
    let wrong = OtherBroker { port: broker.port(), ca_file: broker.ca_file(), login: (LOGIN.0, "wrong") };
    let deployment = Deployment::with_broker(wrong).await;
    let (code, _, log) = deployment.spawn(&deployment.app_config(&[], &[])).outcome().await;
    assert_eq!(code, 30, "{log}");
    assert!(log.contains("fn-exchange-online: the broker refused the login"), "{log}");
}
