//! What fails at the message broker, with its exit code; and that no call is taken.

use std::time::Instant;

use sandbox::certificates::Certificates;
use serde_json::json;
use stomp::ClientCommand;

use crate::cli_selftest::{PROFILE, selftest};
use crate::support::deployment::{Deployment, SOON};
use crate::support::ports::ClosedPort;

#[tokio::test]
async fn closed_broker_port_exits_with_30() {
    let deployment = Deployment::new().await;
    let closed = ClosedPort::new();
    let port = closed.number().to_string();
    let outcome = selftest(&deployment, &deployment.app_config(&[("stomp_port", &port)], &[])).await;
    outcome.first_failure("broker.sign_in", 30, &["cannot reach the broker"]);
    assert_eq!(outcome.check("broker.subscription")["outcome"], "skipped");
    assert_eq!(outcome.check("graph.request")["outcome"], "passed");
}

#[tokio::test]
async fn refused_login_exits_with_30() {
    let deployment = Deployment::new().await;
    deployment.sandbox.soar.broker.refuse_logins(Some("User name [x] or password is invalid."));
    let outcome = selftest(&deployment, &deployment.app_config(&[], &[])).await;
    outcome.first_failure("broker.sign_in", 30, &["refused the login", "password is invalid"]);
}

#[tokio::test]
async fn missing_ca_file_exits_with_22_and_wrong_one_with_23() {
    let deployment = Deployment::new().await;
    let text = deployment.app_config(&[("stomp_cafile", "/nowhere/ca.pem")], &[]);
    selftest(&deployment, &text).await.first_failure("broker.sign_in", 22, &["/nowhere/ca.pem"]);
    let another = Certificates::generate().unwrap();
    let another = deployment.write("another.pem", another.ca_pem()).display().to_string();
    let text = deployment.app_config(&[("stomp_cafile", &another)], &[]);
    selftest(&deployment, &text).await.first_failure("broker.sign_in", 23, &["certificate of the broker"]);
}

#[tokio::test]
async fn queue_without_read_permission_exits_with_32() {
    let deployment = Deployment::new().await;
    let login = &deployment.sandbox.soar.options().api_key.id;
    deployment.sandbox.soar.broker.allow_reading(login, &deployment.queue(), false);
    let outcome = selftest(&deployment, &deployment.app_config(&[], &[])).await;
    outcome.first_failure("broker.subscription", 32, &["not authorised to read", &deployment.queue()]);
    let advice = outcome.check("broker.subscription")["advice"].as_str().unwrap();
    assert!(advice.contains("message destination"), "{advice}");
}

#[tokio::test]
async fn hanging_broker_exits_with_33_after_selftest_timeout() {
    let deployment = Deployment::new().await;
    deployment.sandbox.soar.broker.mute(true);
    let started = Instant::now();
    let outcome = selftest(&deployment, &deployment.app_config(&[("selftest_timeout", "1")], &[])).await;
    outcome.first_failure("broker.sign_in", 33, &["did not answer within 1s"]);
    assert!(started.elapsed() < SOON);
}

#[tokio::test]
async fn lost_connect_is_retried() {
    let deployment = Deployment::new().await;
    deployment.sandbox.soar.broker.lose_connects(1);
    let outcome = selftest(&deployment, &deployment.app_config(&[], &[])).await;
    assert_eq!(outcome.code, 0, "{:#}", outcome.report);
}

#[tokio::test]
async fn selftest_does_not_affect_queued_calls_or_running_daemon() {
    let deployment = Deployment::new().await;
    let soar = deployment.caller().await;
    let inputs = json!({"exo_email_address": deployment.mailbox(0)});
    let waiting = soar.call(PROFILE, inputs.clone()).await.unwrap();
    assert_eq!(selftest(&deployment, &deployment.app_config(&[], &[])).await.code, 0);
    let broker = &deployment.sandbox.soar.broker;
    assert_eq!((broker.queue_depth(&deployment.queue()), broker.unacknowledged(&deployment.queue())), (1, 0));
    assert_eq!(broker.consumers(&deployment.queue()), 0, "it has unsubscribed");
    assert_eq!(broker.frames(ClientCommand::Disconnect), 1, "and taken leave");

    let daemon = deployment.daemon().await;
    waiting.reply(SOON).await.unwrap();
    assert_eq!(selftest(&deployment, &deployment.app_config(&[], &[])).await.code, 0);
    soar.call(PROFILE, inputs).await.unwrap().reply(SOON).await.unwrap();
    assert_eq!(daemon.count_in_log("subscribed to"), 1, "{}", daemon.log());
    assert_eq!(daemon.count_in_log("redelivered=true"), 0, "{}", daemon.log());
}
