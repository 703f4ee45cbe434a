//! Promise: a daemon that is killed after it has done what a call asks for, and before it could say so, costs
//! nothing and doubles nothing: the next one finds what was done, and answers.

use std::time::Duration;

use crate::support::deployment::{Daemon, Deployment, SOON};
use sandbox::graph::{Fault, Target};
use sandbox::soar::INCIDENT;
use sandbox::soar::caller::{Call, Reply};
use sandbox::soar::rest::Owner;
use serde_json::{Value, json};

/// Long enough to silence the broker while a call waits for Graph.
const BEFORE_IT_IS_DONE: Duration = Duration::from_secs(1);

/// What the broker does between the death of the one daemon and the birth of the next.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Broker {
    /// It lives on, and marks the message as delivered again.
    Lives,
    /// It is killed, too, and forgets the mark.
    IsKilled,
}

/// Runs a call in a daemon that is killed when everything but the reply is done; then in another, which answers it.
async fn killed_before_it_answers(
    deployment: &Deployment,
    broker: Broker,
    function: &str,
    inputs: Value,
) -> Reply {
    let mut first = deployment.daemon().await;
    let soar = deployment.caller().await;
    let faults = deployment.sandbox.graph.faults();
    faults.next(1, Target::Path(Box::new(|_| true)), Fault::Delay(BEFORE_IT_IS_DONE));
    let call: Call = soar.call(function, inputs).await.unwrap();
    assert_eq!(call.statuses_up_to(1, SOON).await.len(), 1);
    let sandbox = &deployment.sandbox.soar.broker;
    // From now on the reply gets nowhere.
    sandbox.mute(true);
    first.logged("call completed").await;
    first.signal("KILL").await;
    first.ended().await;
    sandbox.mute(false);
    if broker == Broker::IsKilled {
        sandbox.stop().await;
        sandbox.restart().unwrap();
    }
    let mut second = deployment.daemon().await;
    let reply = call.reply(SOON).await.unwrap();
    assert_eq!((reply.message_type, &reply.results["success"]), (0, &json!(true)), "{function}: {reply:?}");
    deployment.queue_is_empty().await;
    assert_eq!(call.replies(), 1, "{function}");
    second.logged("call completed").await;
    let marked = second.count_in_log("redelivered=true") > 0;
    assert_eq!(marked, broker == Broker::Lives, "{}", second.log());
    stop(second).await;
    reply
}

/// A note is not written by who was cut off and did not get the call again: here while it waited for Graph.
#[tokio::test]
async fn disconnected_daemon_does_not_repeat_redelivered_call() {
    let deployment = Deployment::new().await;
    let mut first = deployment.daemon().await;
    let soar = deployment.caller().await;
    let faults = deployment.sandbox.graph.faults();
    faults.next(1, Target::containing("/messages"), Fault::Delay(Duration::from_secs(15)));
    let inputs = json!({
        "incident_id": INCIDENT, "exo_email_address": deployment.mailbox(0), "exo_message_subject": "x",
        "exo_query_output_format": ["Incident note"],
    });
    let call = soar.call("exchange_online_query_emails", inputs).await.unwrap();
    assert_eq!(call.statuses_up_to(1, SOON).await.len(), 1);
    first.signal("STOP").await;
    deployment.sandbox.soar.broker.cut_connections();
    let second = deployment.daemon().await;
    assert_eq!(call.reply(SOON).await.unwrap().message_type, 0);
    deployment.queue_is_empty().await;
    let notes = || deployment.sandbox.soar.rest.notes(INCIDENT).len();
    assert_eq!((notes(), first.count_in_log("call completed")), (1, 0));
    first.signal("CONT").await;
    first.logged_times("subscribed to", 2).await;
    stop(first).await;
    assert_eq!((notes(), call.replies()), (1, 1));
    stop(second).await;
}

async fn stop(mut daemon: Daemon) {
    assert_eq!(daemon.stop().await.code(), Some(0));
}

#[tokio::test]
async fn mail_is_sent_once_after_daemon_kill() {
    for broker in [Broker::Lives, Broker::IsKilled] {
        let deployment = Deployment::new().await;
        let inputs = json!({
            "exo_email_address": deployment.mailbox(0), "exo_recipients": "a@b.example",
            "exo_message_subject": "Warning", "exo_message_body": "Look out",
        });
        let reply =
            killed_before_it_answers(&deployment, broker, "exchange_online_send_message", inputs).await;
        assert_eq!(reply.results["content"], json!({"value": true, "failed_attachments": null}));
        assert_eq!(deployment.sandbox.graph.sent_mail().len(), 1, "{broker:?}");
    }
}

#[tokio::test]
async fn meeting_is_created_once_after_daemon_kill() {
    for broker in [Broker::Lives, Broker::IsKilled] {
        let deployment = Deployment::new().await;
        let start = chrono::Utc::now().timestamp_millis() + 86_400_000;
        let organizer = deployment.mailbox(0);
        let inputs = json!({
            "exo_meeting_email_address": organizer, "exo_meeting_start_time": start,
            "exo_meeting_end_time": start + 1_800_000, "exo_meeting_subject": "x", "exo_meeting_body": "y",
        });
        let reply =
            killed_before_it_answers(&deployment, broker, "exchange_online_create_meeting", inputs).await;
        let events = deployment.sandbox.graph.events(&organizer);
        assert_eq!((events.len(), &json!(events[0].id)), (1, &reply.results["content"]["id"]), "{broker:?}");
    }
}

#[tokio::test]
async fn moved_message_is_found_after_daemon_kill() {
    for broker in [Broker::Lives, Broker::IsKilled] {
        let deployment = Deployment::new().await;
        let mailbox = deployment.mailbox(0);
        let id = deployment.add_message(&mailbox, "Move me", "Hello.");
        let inputs = json!({
            "exo_email_address": mailbox, "exo_messages_id": id, "exo_destination_mailfolder_id": "junkemail",
        });
        let function = "exchange_online_move_message_to_folder";
        let reply = killed_before_it_answers(&deployment, broker, function, inputs).await;
        let moved = deployment.sandbox.graph.moved();
        assert_eq!((moved.len(), &json!(moved[0].new_id)), (1, &reply.results["content"]["new_message_id"]));
    }
}

#[tokio::test]
async fn message_is_deleted_once_after_daemon_kill() {
    for broker in [Broker::Lives, Broker::IsKilled] {
        let deployment = Deployment::new().await;
        let mailbox = deployment.mailbox(0);
        let id = deployment.add_message(&mailbox, "Delete me", "Hello.");
        let inputs = json!({"exo_email_address": mailbox, "exo_messages_id": id});
        let reply =
            killed_before_it_answers(&deployment, broker, "exchange_online_delete_email", inputs).await;
        assert_eq!(reply.results["content"], json!({"value": true}), "{broker:?}");
        assert_eq!(deployment.sandbox.graph.deleted().len(), 1);
    }
}

#[tokio::test]
async fn note_and_file_are_written_once_after_daemon_kill() {
    for broker in [Broker::Lives, Broker::IsKilled] {
        let deployment = Deployment::new().await;
        let inputs = json!({
            "incident_id": INCIDENT, "exo_email_address": deployment.mailbox(0), "exo_message_subject": "x",
            "exo_query_output_format": ["Incident note", "Incident attachment"],
        });
        killed_before_it_answers(&deployment, broker, "exchange_online_query_emails", inputs).await;
        let rest = &deployment.sandbox.soar.rest;
        let written = (rest.notes(INCIDENT).len(), rest.attachments(Owner::Incident(INCIDENT)).len());
        assert_eq!(written, (1, 2), "{broker:?}");
    }
}

#[tokio::test]
async fn message_is_attached_once_after_daemon_kill() {
    for broker in [Broker::Lives, Broker::IsKilled] {
        let deployment = Deployment::new().await;
        let mailbox = deployment.mailbox(0);
        let id = deployment.add_message(&mailbox, "Evidence", "Hello.");
        let inputs = json!({"incident_id": INCIDENT, "exo_email_address": mailbox, "exo_messages_id": id});
        let function = "exchange_online_write_message_as_attachment";
        killed_before_it_answers(&deployment, broker, function, inputs).await;
        let attached = deployment.sandbox.soar.rest.attachments(Owner::Incident(INCIDENT));
        assert_eq!(attached.len(), 1, "{broker:?}");
    }
}
