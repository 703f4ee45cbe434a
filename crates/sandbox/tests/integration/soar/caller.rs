//! SOAR's side of the queue: calls and their replies.

use std::sync::Arc;
use std::time::Duration;

use net::Trust;
use net::tls::client_config;
use sandbox::soar::INCIDENT;
use sandbox::soar::caller::{Caller, CallerError, CallerOptions, Origin};
use serde_json::{Value, json};
use stomp::{ClientCommand, Frame, ServerCommand};

use super::{TestSoar, answer};
use crate::stomp_client::{self, SOON, StompClient};

/// The app's side of the queue.
async fn connect_app(setting: &TestSoar) -> StompClient {
    let key = &setting.soar.options().api_key;
    let config = client_config(&Trust::SystemAnd(setting.ca.clone()), None).unwrap();
    let address = setting.soar.broker.address();
    let mut app = StompClient::connect(address, &Arc::new(config), &key.id, &key.secret, "0,0").await;
    assert_eq!(app.next().await.command, ServerCommand::Connected);
    app.send(
        Frame::new(ClientCommand::Subscribe)
            .with_header("id", "1")
            .with_header("destination", "actions.201.fn_exchange_online")
            .with_header("ack", "client-individual"),
    )
    .await;
    app
}

/// Answers a call.
async fn reply(app: &mut StompClient, call: &Frame<ServerCommand>, body: &str) {
    app.send(
        Frame::new(ClientCommand::Send)
            .with_header("destination", call.header("reply-to").unwrap())
            .with_header("correlation-id", call.header("correlation-id").unwrap())
            .with_header("persistent", "true")
            .with_body(body.to_owned()),
    )
    .await;
}

const DONE: &str = r#"{"message_type":0,"message":"Completed","complete":true,"results":{"version":"1.0"}}"#;

#[tokio::test]
async fn call_has_the_form_of_soars_calls() {
    let setting = TestSoar::new().await;
    let mut app = connect_app(&setting).await;
    let caller = setting.soar.caller(&setting.ca).await.unwrap();
    let inputs = json!({"exo_email_address": "a@b.example"});
    let call = caller.call("exchange_online_get_message", inputs.clone()).await.unwrap();
    let message = app.next().await;
    assert_eq!(message.header("correlation-id"), Some(call.correlation()));
    assert!(call.correlation().starts_with("invid:"));
    assert_eq!(message.header("reply-to"), Some("/queue/acks.201.fn_exchange_online"));
    assert_eq!(message.header("destination"), Some("/queue/actions.201.fn_exchange_online"));
    for (name, value) in [
        ("persistent", "true"),
        ("Co3ContentType", "application/json"),
        ("Co3MessagePayload", "FunctionDataDTO"),
        ("expires", "0"),
        ("priority", "4"),
    ] {
        assert_eq!(message.header(name), Some(value));
    }
    for name in ["Co3ContextToken", "JMSXUserID", "timestamp", "message-id", "ack"] {
        assert!(message.header(name).is_some(), "{name}");
    }
    let body: Value = serde_json::from_slice(&message.body).unwrap();
    assert_eq!(body["function"]["name"], "exchange_online_get_message");
    assert_eq!(body["inputs"], inputs);
    assert!(body["workflow"].is_object() && body["workflow_instance"].is_object());
    assert!(
        body["playbook_instance"].is_null() && body["groups"].is_array() && body["principal"].is_object()
    );

    caller.call_from(Origin::Playbook, "exchange_online_get_message", inputs).await.unwrap();
    let body: Value = serde_json::from_slice(&app.next().await.body).unwrap();
    assert!(body["workflow"].is_null() && body["workflow_instance"].is_null());
    assert!(body["playbook_instance"].is_object());
}

#[tokio::test]
async fn replies_reach_their_call() {
    let setting = TestSoar::new().await;
    let mut app = connect_app(&setting).await;
    let caller = setting.soar.caller(&setting.ca).await.unwrap();
    let first = caller.call("f", json!({})).await.unwrap();
    let second = caller.call("f", json!({})).await.unwrap();
    let (one, two) = (app.next().await, app.next().await);
    reply(&mut app, &two, r#"{"message_type":1,"message":"It failed","complete":true}"#).await;
    reply(&mut app, &one, r#"{"message_type":0,"message":"Starting","complete":false}"#).await;
    reply(&mut app, &one, r#"{"message_type":0,"message":"Half way","complete":false}"#).await;
    reply(&mut app, &one, DONE).await;
    let reply = first.reply(SOON).await.unwrap();
    assert_eq!((reply.message_type, reply.message.as_str(), reply.complete), (0, "Completed", true));
    assert_eq!(reply.results, json!({"version": "1.0"}));
    assert_eq!(reply.raw_body, DONE);
    assert_eq!(reply.headers.get("persistent"), Some("true"));
    assert_eq!(first.statuses(), ["Starting", "Half way"]);
    let reply = second.reply(SOON).await.unwrap();
    assert_eq!((reply.message_type, reply.message.as_str()), (1, "It failed"));
    assert_eq!(reply.results, Value::Null);
    assert!(second.statuses().is_empty());
    // All replies are acknowledged.
    assert!(setting.soar.broker.until(SOON, |b| b.queue_depth(&setting.soar.acks_queue()) == 0).await);
}

#[tokio::test]
async fn final_replies_are_counted_and_missing_ones_described() {
    let setting = TestSoar::new().await;
    let mut app = connect_app(&setting).await;
    let caller = setting.soar.caller(&setting.ca).await.unwrap();
    let call = caller.call("f", json!({})).await.unwrap();
    let message = app.next().await;
    reply(&mut app, &message, r#"{"message_type":0,"message":"Starting","complete":false}"#).await;
    assert_eq!(call.statuses_up_to(1, SOON).await, ["Starting"]);
    let missing = call.reply(Duration::from_millis(20)).await.unwrap_err().to_string();
    assert!(missing.contains("Starting") && missing.contains(call.correlation()), "{missing}");
    reply(&mut app, &message, "no JSON").await;
    reply(&mut app, &message, DONE).await;
    reply(&mut app, &message, DONE).await;
    assert!(setting.soar.broker.until(SOON, |b| b.frames(ClientCommand::Ack) == 4).await);
    assert_eq!(caller.replies(call.correlation()), 2);
    assert_eq!(caller.unreadable().len(), 1);
    assert_eq!(caller.unreadable()[0].body, "no JSON");
}

#[tokio::test]
async fn caller_can_send_invalid_messages() {
    let setting = TestSoar::new().await;
    let mut app = connect_app(&setting).await;
    let caller = setting.soar.caller(&setting.ca).await.unwrap();
    let mut headers = caller.usual_headers("invid:7");
    headers.remove("reply-to");
    caller.send_raw(headers, &b"\xff\0{"[..]).await.unwrap();
    let message = app.next().await;
    assert_eq!(&message.body[..], b"\xff\0{");
    assert_eq!(message.header("reply-to"), None);
    assert_eq!(message.header("correlation-id"), Some("invid:7"));
}

#[tokio::test]
async fn broker_restart_neither_loses_nor_repeats_replies() {
    let setting = TestSoar::new().await;
    let caller = setting.soar.caller(&setting.ca).await.unwrap();
    let mut app = connect_app(&setting).await;
    let call = caller.call("f", json!({})).await.unwrap();
    let message = app.next().await;
    setting.soar.broker.stop().await;
    let waiting = tokio::spawn(async move {
        // The caller may not have noticed the broken connection yet. A message that it sends then is lost.
        loop {
            match caller.call("g", json!({})).await {
                Err(CallerError::Unconfirmed) => {}
                call => return (caller, call),
            }
        }
    });
    setting.soar.broker.restart().unwrap();
    let mut app = connect_app(&setting).await;
    let again = app.next().await;
    assert_eq!(again.header("message-id"), message.header("message-id"));
    reply(&mut app, &again, DONE).await;
    app.send(stomp_client::ack(&again)).await;
    assert_eq!(call.reply(SOON).await.unwrap().message, "Completed");
    // A call that was made without a broker arrives.
    let (caller, later) = waiting.await.unwrap();
    let later = later.unwrap();
    assert_eq!(app.next().await.header("correlation-id"), Some(later.correlation()));
    setting.soar.broker.cut_connections();
    assert!(setting.soar.broker.until(SOON, |b| b.consumers(&setting.soar.acks_queue()) == 1).await);
    assert_eq!(caller.replies(call.correlation()), 1);
}

#[tokio::test]
async fn refused_login_of_a_caller_is_reported() {
    let setting = TestSoar::new().await;
    let options = CallerOptions {
        host: "localhost".to_owned(),
        port: setting.soar.broker.address().port(),
        login: "soar".to_owned(),
        passcode: "wrong".to_owned(),
        trust: Trust::SystemAnd(setting.ca.clone()),
        org: 201,
        destination: "fn_exchange_online".to_owned(),
    };
    match Caller::connect(options).await.unwrap_err() {
        CallerError::Refused(words) => assert_eq!(words, "User name [soar] or password is invalid."),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn caller_connects_again_after_a_lost_connect() {
    let setting = TestSoar::new().await;
    setting.soar.broker.lose_connects(1);
    setting.soar.caller(&setting.ca).await.unwrap();
    assert_eq!(setting.soar.broker.connects().len(), 2);
}

#[tokio::test]
async fn workflow_instance_runs_until_its_call_is_answered() {
    let setting = TestSoar::new().await;
    let mut app = connect_app(&setting).await;
    let caller = setting.soar.caller(&setting.ca).await.unwrap();
    let call = caller.call("exchange_online_get_message", json!({"incident_id": INCIDENT})).await.unwrap();
    caller.call_from(Origin::Playbook, "exchange_online_get_message", json!({})).await.unwrap();
    let list = format!("/rest/orgs/201/incidents/{INCIDENT}/workflow_instances");
    let (_, running) = answer(setting.get(&list)).await;
    let instances = running["entities"].as_array().unwrap();
    assert_eq!((instances.len(), &instances[0]["status"]), (1, &json!("running")), "{running}");
    assert_eq!(instances[0]["workflow"]["programmatic_name"], "example_exchange_online");

    let message = app.next().await;
    reply(&mut app, &message, r#"{"message_type":0,"message":"Half way","complete":false}"#).await;
    reply(&mut app, &message, DONE).await;
    call.reply(SOON).await.unwrap();
    let own = format!("/rest/orgs/201/workflow_instances/{}", instances[0]["workflow_instance_id"]);
    let (_, ended) = answer(setting.get(&own)).await;
    assert_eq!(ended["status"], "completed", "{ended}");
    assert!(ended["end_date"].as_i64() >= ended["start_date"].as_i64(), "{ended}");
}

#[tokio::test]
async fn reply_to_a_closed_call_counts_as_late() {
    let setting = TestSoar::new().await;
    let mut app = connect_app(&setting).await;
    let caller = setting.soar.caller(&setting.ca).await.unwrap();
    let call = caller.call("f", json!({})).await.unwrap();
    let correlation = call.correlation().to_owned();
    let message = app.next().await;
    reply(&mut app, &message, DONE).await;
    call.reply(SOON).await.unwrap();
    assert_eq!(call.close(), 1);
    assert_eq!((caller.replies(&correlation), caller.late_replies()), (0, 0));

    reply(&mut app, &message, DONE).await;
    // The reply to a later call shows that the one before it has arrived.
    let later = caller.call("f", json!({})).await.unwrap();
    let message = app.next().await;
    reply(&mut app, &message, DONE).await;
    later.reply(SOON).await.unwrap();
    assert_eq!((caller.replies(&correlation), caller.late_replies()), (0, 1));
}
