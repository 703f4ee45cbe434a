//! Promise: whatever happens to the connection or to the broker, a call is run once and answered once.

use std::time::Duration;

use crate::support::deployment::{Daemon, Deployment, SOON};
use sandbox::graph::{Fault, Target};
use sandbox::soar::broker::CommitFault;
use sandbox::soar::caller::{Call, Caller};
use serde_json::json;
use stomp::ClientCommand;

const PROFILE: &str = "exchange_online_get_email_user_profile";
const MESSAGE: &str = "exchange_online_get_message";

/// How long a slow call takes; a connection is back in less.
const SLOW: Duration = Duration::from_secs(5);

async fn call_for(deployment: &Deployment, soar: &Caller, nth: usize) -> Call {
    soar.call(PROFILE, json!({"exo_email_address": deployment.mailbox(nth)})).await.unwrap()
}

/// A call that has begun and will go on for a while.
async fn running_call(deployment: &Deployment, soar: &Caller) -> Call {
    deployment.sandbox.graph.faults().next(1, Target::containing("GET /users/"), Fault::Delay(SLOW));
    let call = call_for(deployment, soar, 0).await;
    assert_eq!(call.statuses_up_to(1, SOON).await.len(), 1);
    call
}

/// Checks that the daemon still works and, by the order of things, that no more than one reply came to `call`.
async fn answered_once(deployment: &Deployment, soar: &Caller, call: &Call) {
    assert_eq!(call.reply(SOON).await.unwrap().message_type, 0);
    deployment.queue_is_empty().await;
    let after = call_for(deployment, soar, 1).await;
    assert_eq!(after.reply(SOON).await.unwrap().message_type, 0);
    deployment.queue_is_empty().await;
    assert_eq!(call.replies(), 1);
}

/// How many profiles were read: one for each call, where none is run twice.
fn profiles_read(deployment: &Deployment) -> u64 {
    deployment.sandbox.graph.counters().by_kind.get("get user").copied().unwrap_or(0)
}

fn commits(deployment: &Deployment) -> usize {
    deployment.sandbox.soar.broker.frames(ClientCommand::Commit)
}

/// Waits until the message of a call was handed out again.
async fn redelivered(deployment: &Deployment, daemon: &mut Daemon, connections: usize) {
    daemon.logged_times("subscribed to", connections).await;
    let queue = deployment.queue();
    assert!(deployment.sandbox.soar.broker.until(SOON, |broker| broker.unacknowledged(&queue) == 1).await);
}

#[tokio::test]
async fn running_call_is_not_repeated_after_connection_loss() {
    let deployment = Deployment::new().await;
    let mut daemon = deployment.daemon().await;
    let soar = deployment.caller().await;
    let call = running_call(&deployment, &soar).await;
    deployment.sandbox.soar.broker.cut_connections();
    redelivered(&deployment, &mut daemon, 2).await;
    assert_eq!(call.replies(), 0, "it runs on while the message comes again");
    answered_once(&deployment, &soar, &call).await;
    assert_eq!(profiles_read(&deployment), 2);
    assert_eq!(daemon.count_in_log("call started"), 2);
}

#[tokio::test]
async fn call_ended_while_offline_is_answered_on_redelivery() {
    let deployment = Deployment::new().await;
    let mut daemon = deployment.daemon().await;
    let soar = deployment.caller().await;
    let call = running_call(&deployment, &soar).await;
    deployment.sandbox.soar.broker.stop().await;
    daemon.logged("call completed").await;
    deployment.sandbox.soar.broker.restart().unwrap();
    daemon.subscribed().await;
    answered_once(&deployment, &soar, &call).await;
    assert_eq!(profiles_read(&deployment), 2);
}

#[tokio::test]
async fn running_call_is_answered_once_after_broker_restart() {
    let deployment = Deployment::new().await;
    let mut daemon = deployment.daemon().await;
    let soar = deployment.caller().await;
    let call = running_call(&deployment, &soar).await;
    deployment.sandbox.soar.broker.stop().await;
    deployment.sandbox.soar.broker.restart().unwrap();
    redelivered(&deployment, &mut daemon, 2).await;
    answered_once(&deployment, &soar, &call).await;
    assert_eq!(profiles_read(&deployment), 2);
}

#[tokio::test]
async fn uncommitted_reply_is_resent_without_rerunning_call() {
    let deployment = Deployment::new().await;
    let mut daemon = deployment.daemon().await;
    let soar = deployment.caller().await;
    deployment.sandbox.soar.broker.break_commit(CommitFault::CutBefore);
    let call = call_for(&deployment, &soar, 0).await;
    answered_once(&deployment, &soar, &call).await;
    daemon.logged("sending the stored reply").await;
    assert_eq!(profiles_read(&deployment), 2);
    assert_eq!(commits(&deployment), 3);
}

#[tokio::test]
async fn committed_reply_without_receipt_is_not_resent() {
    let deployment = Deployment::new().await;
    let mut daemon = deployment.daemon().await;
    let soar = deployment.caller().await;
    deployment.sandbox.soar.broker.break_commit(CommitFault::CutAfter);
    let call = call_for(&deployment, &soar, 0).await;
    assert_eq!(call.reply(SOON).await.unwrap().message_type, 0);
    daemon.logged_times("subscribed to", 2).await;
    answered_once(&deployment, &soar, &call).await;
    assert_eq!(profiles_read(&deployment), 2);
    assert_eq!(commits(&deployment), 2);
}

#[tokio::test]
async fn redelivery_after_confirmed_reply_is_only_acknowledged() {
    let deployment = Deployment::new().await;
    let mut daemon = deployment.daemon().await;
    let soar = deployment.caller().await;
    deployment.sandbox.soar.broker.break_commit(CommitFault::Forget);
    let call = call_for(&deployment, &soar, 0).await;
    assert_eq!(call.reply(SOON).await.unwrap().message_type, 0);
    // The confirmation of the first has arrived before the second call does.
    let next = call_for(&deployment, &soar, 2).await;
    assert_eq!(next.reply(SOON).await.unwrap().message_type, 0);
    assert_eq!(deployment.sandbox.soar.broker.queue_depth(&deployment.queue()), 1, "the broker forgot");
    let sent = deployment.sandbox.soar.broker.frames(ClientCommand::Send);
    deployment.sandbox.soar.broker.cut_connections();
    daemon.logged("delivered again after its reply was confirmed").await;
    deployment.queue_is_empty().await;
    assert_eq!(deployment.sandbox.soar.broker.frames(ClientCommand::Send), sent);
    answered_once(&deployment, &soar, &call).await;
    assert_eq!(profiles_read(&deployment), 3);
}

#[tokio::test]
async fn missing_transaction_support_is_tolerated_and_logged_once() {
    let deployment = Deployment::new().await;
    deployment.sandbox.soar.broker.refuse_transactions(true);
    let mut daemon = deployment.daemon().await;
    let soar = deployment.caller().await;
    let call = running_call(&deployment, &soar).await;
    deployment.sandbox.soar.broker.cut_connections();
    redelivered(&deployment, &mut daemon, 2).await;
    answered_once(&deployment, &soar, &call).await;
    assert_eq!(profiles_read(&deployment), 2);
    assert_eq!(daemon.count_in_log("refuses transactions"), 1);
    assert_eq!(commits(&deployment), 0);
}

#[tokio::test]
async fn many_calls_survive_many_broken_connections() {
    const CALLS: usize = 40;
    let deployment = Deployment::new().await;
    let mut daemon = deployment.daemon_with(&[("num_workers", "8")]).await;
    let soar = deployment.caller().await;
    deployment.sandbox.graph.faults().set_latency(Duration::from_millis(50), Duration::ZERO);
    let mut calls = Vec::new();
    for nth in 0..CALLS {
        calls.push(call_for(&deployment, &soar, nth % 20).await);
    }
    for cut in 1..=4 {
        match cut % 2 {
            0 => deployment.sandbox.soar.broker.break_commit(CommitFault::CutBefore),
            _ => deployment.sandbox.soar.broker.cut_connections(),
        }
        daemon.logged_times("subscribed to", cut + 1).await;
    }
    for call in &calls {
        assert_eq!(call.reply(SOON).await.unwrap().message_type, 0);
    }
    deployment.queue_is_empty().await;
    assert!(calls.iter().all(|call| call.replies() == 1));
    assert_eq!(profiles_read(&deployment), CALLS as u64);
}

#[tokio::test]
async fn reply_refused_by_broker_is_replaced_by_error() {
    let deployment = Deployment::new().await;
    let mut daemon = deployment.daemon().await;
    let soar = deployment.caller().await;
    let mailbox = deployment.mailbox(0);
    let id = deployment.add_message(&mailbox, "Long", &"Blah. ".repeat(10_000));
    deployment.sandbox.soar.broker.refuse_bodies_over(Some(20_000));
    let inputs = json!({"exo_email_address": mailbox, "exo_messages_id": id});
    let call = soar.call(MESSAGE, inputs).await.unwrap();
    let reply = call.reply(SOON).await.unwrap();
    assert_eq!(reply.message_type, 1);
    for words in ["could not be sent", "too large", "stays done"] {
        assert!(reply.message.contains(words), "{}", reply.message);
    }
    daemon.logged("the broker took an error in place of the reply").await;
    deployment.queue_is_empty().await;
    let next = call_for(&deployment, &soar, 1).await;
    assert_eq!(next.reply(SOON).await.unwrap().message_type, 0);
    assert_eq!(call.replies(), 1);
    assert_eq!(daemon.count_in_log("subscribed to"), 1, "the connection lives on");
}

#[tokio::test]
async fn reply_waits_while_broker_is_full() {
    let deployment = Deployment::new().await;
    let mut daemon = deployment.daemon().await;
    let soar = deployment.caller().await;
    let mailbox = deployment.mailbox(0);
    let id = deployment.add_message(&mailbox, "Long", &"Blah. ".repeat(10_000));
    // No call is to be sent after the broker is full.
    let call = running_call(&deployment, &soar).await;
    let inputs = json!({"exo_email_address": mailbox, "exo_messages_id": id});
    deployment.sandbox.graph.faults().next(
        1,
        Target::containing("messages"),
        Fault::Delay(Duration::from_secs(1)),
    );
    let large = soar.call(MESSAGE, inputs).await.unwrap();
    deployment.sandbox.soar.broker.be_full(true);
    // Longer than it takes until less is tried.
    daemon.logged_times("the broker refused the reply", 8).await;
    deployment.sandbox.soar.broker.be_full(false);
    for call in [&call, &large] {
        let reply = call.reply(SOON).await.unwrap();
        assert_eq!((reply.message_type, call.replies()), (0, 1), "{}", reply.message);
    }
    deployment.queue_is_empty().await;
    assert_eq!(daemon.count_in_log("subscribed to"), 1, "the connection lives on");
}

#[tokio::test]
async fn reply_that_the_broker_refuses_is_logged_and_its_message_acknowledged() {
    let deployment = Deployment::new().await;
    let mut daemon =
        deployment.spawn(&deployment.app_config(&[("stomp_reply_queues", "acks.x, /queue//nowhere")], &[]));
    daemon.subscribed().await;
    let soar = deployment.caller().await;
    let mut headers = soar.usual_headers("invid:5");
    headers.remove("reply-to");
    headers.push("reply-to", "/queue//nowhere");
    soar.send_raw(headers, "{}").await.unwrap();
    daemon.logged("no reply can be sent").await;
    deployment.queue_is_empty().await;
    let next = call_for(&deployment, &soar, 1).await;
    assert_eq!(next.reply(SOON).await.unwrap().message_type, 0);
    assert_eq!(daemon.count_in_log("subscribed to"), 1, "the connection lives on");
}

#[tokio::test]
async fn call_with_a_foreign_reply_to_is_not_run() {
    let deployment = Deployment::new().await;
    let mut daemon = deployment.daemon().await;
    let soar = deployment.caller().await;
    let mailbox = deployment.mailbox(0);
    let id = deployment.add_message(&mailbox, "Secret", "Body");
    let body = json!({
        "function": {"name": "exchange_online_delete_email"},
        "inputs": {"exo_email_address": mailbox, "exo_messages_id": id},
    });
    let foreign = [
        "/queue/actions.201.other_app",
        "/queue/acks.201.other_app",
        "/queue/acks.999.fn_exchange_online",
        "/topic/ActiveMQ.Advisory.Connection",
        "/queue/>",
    ];
    for (nth, reply_to) in foreign.iter().enumerate() {
        let mut headers = soar.usual_headers(&format!("invid:{nth}"));
        headers.remove("reply-to");
        headers.push("reply-to", *reply_to);
        soar.send_raw(headers, body.to_string()).await.unwrap();
    }
    daemon.logged_times("not SOAR's for it (stomp_reply_queues)", foreign.len()).await;
    deployment.queue_is_empty().await;
    assert!(deployment.sandbox.graph.deleted().is_empty());
    let next = call_for(&deployment, &soar, 1).await;
    assert_eq!(next.reply(SOON).await.unwrap().message_type, 0);
    assert_eq!(daemon.count_in_log("call started"), 1);
}

#[tokio::test]
async fn large_reply_is_replaced_by_error_after_repeated_disconnects() {
    let deployment = Deployment::new().await;
    let mut daemon = deployment.daemon().await;
    let soar = deployment.caller().await;
    let mailbox = deployment.mailbox(0);
    let id = deployment.add_message(&mailbox, "Long", &"Blah. ".repeat(100_000));
    for _ in 0..3 {
        deployment.sandbox.soar.broker.break_commit(CommitFault::CutBefore);
    }
    let inputs = json!({"exo_email_address": mailbox, "exo_messages_id": id});
    let call = soar.call(MESSAGE, inputs).await.unwrap();
    let reply = call.reply(SOON).await.unwrap();
    assert_eq!(reply.message_type, 1);
    assert!(reply.message.contains("broke each time"), "{}", reply.message);
    daemon.logged("the connection broke each time").await;
    deployment.queue_is_empty().await;
    assert_eq!(daemon.count_in_log("call started"), 1);
}
