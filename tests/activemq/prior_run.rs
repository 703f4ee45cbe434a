//! Promise: on a real ActiveMQ the daemon knows whether a call may have been run before, from the broker's mark and
//! from the broker's own start.

use std::time::Duration;

use crate::support::activemq::{ActiveMq, LOGIN, Tls};
use crate::support::deployment::{Daemon, Deployment, OtherBroker, SOON};
use chrono::{TimeDelta, Utc};
use sandbox::graph::{Fault, Target};
use serde_json::{Value, json};

/// No answer of the sandbox's SOAR takes as long.
const ANSWER_TIME: TimeDelta = TimeDelta::milliseconds(500);
const SEND: &str = "exchange_online_send_message";
/// What the log says of a call.
const NONE: &str = "earlier runs prior_run=None";
const POSSIBLE: &str = "earlier runs prior_run=Possible";
const LIKELY: &str = "earlier runs prior_run=Likely";

async fn deployment(broker: &ActiveMq) -> Deployment {
    let other = OtherBroker { port: broker.port(), ca_file: broker.ca_file(), login: LOGIN };
    Deployment::with_broker(other).await
}

/// A daemon whose log says what it knows of earlier runs.
async fn daemon(deployment: &Deployment) -> Daemon {
    deployment.daemon_with(&[("loglevel", "DEBUG")]).await
}

/// Waits until a new message is certainly younger than the connection of a daemon that is subscribed. The daemon
/// compares the message with the connection by the `Date` of SOAR's answers, which has whole seconds, so the difference
/// of the clocks is known to a second, and to the time that the answer took.
async fn clock_moves_on() {
    let subscribed = Utc::now();
    let certain = subscribed + TimeDelta::seconds(1) + ANSWER_TIME;
    while let Ok(left) = (certain - Utc::now()).to_std() {
        tokio::time::sleep(left).await;
    }
}

fn mail(deployment: &Deployment, subject: &str) -> Value {
    json!({
        "exo_email_address": deployment.mailbox(0), "exo_recipients": deployment.mailbox(1),
        "exo_message_subject": subject, "exo_message_body": "x",
    })
}

/// The requests that read from Graph: only a look-up does when a mail is sent.
fn look_ups(deployment: &Deployment) -> Vec<&'static str> {
    let by_kind = deployment.sandbox.graph.counters().by_kind;
    by_kind.into_keys().filter(|kind| kind.starts_with("list ") || kind.starts_with("get ")).collect()
}

#[tokio::test]
async fn fresh_message_of_fresh_daemon_is_not_looked_up() {
    let broker = ActiveMq::start(Tls::V1_2);
    let deployment = deployment(&broker).await;
    let daemon = daemon(&deployment).await;
    clock_moves_on().await;
    let soar = deployment.caller().await;
    for nth in 0..3 {
        let call = soar.call(SEND, mail(&deployment, &format!("Fresh {nth}"))).await.unwrap();
        assert_eq!(call.reply(SOON).await.unwrap().message_type, 0);
    }
    assert_eq!(daemon.count_in_log(NONE), 3, "{}", daemon.log());
    assert_eq!(look_ups(&deployment), Vec::<&str>::new());
}

#[tokio::test]
async fn message_of_killed_broker_was_likely_run() {
    let mut broker = ActiveMq::start(Tls::V1_2);
    let deployment = deployment(&broker).await;
    let soar = deployment.caller().await;
    let _queued = soar.call(SEND, mail(&deployment, "Queued")).await.unwrap();
    broker.restart();
    let mut daemon = daemon(&deployment).await;
    daemon.logged(LIKELY).await;
    clock_moves_on().await;
    assert_eq!(daemon.count_in_log("redelivered=false"), 1, "{}", daemon.log());
    let call = soar.call(SEND, mail(&deployment, "After")).await.unwrap();
    assert_eq!(call.reply(SOON).await.unwrap().message_type, 0);
    assert_eq!((daemon.count_in_log(LIKELY), daemon.count_in_log(NONE)), (1, 1), "{}", daemon.log());
}

#[tokio::test]
async fn queued_message_of_running_broker_was_possibly_run() {
    let broker = ActiveMq::start(Tls::V1_2);
    let deployment = deployment(&broker).await;
    let soar = deployment.caller().await;
    let call = soar.call(SEND, mail(&deployment, "Queued")).await.unwrap();
    let daemon = daemon(&deployment).await;
    assert_eq!(call.reply(SOON).await.unwrap().message_type, 0);
    assert_eq!(daemon.count_in_log(POSSIBLE), 1, "{}", daemon.log());
}

#[tokio::test]
async fn message_of_killed_daemon_was_likely_run() {
    let broker = ActiveMq::start(Tls::V1_2);
    let deployment = deployment(&broker).await;
    let mut first = daemon(&deployment).await;
    clock_moves_on().await;
    let soar = deployment.caller().await;
    let slow = Fault::Delay(Duration::from_secs(20));
    deployment.sandbox.graph.faults().next(1, Target::containing("sendMail"), slow);
    let call = soar.call(SEND, mail(&deployment, "Interrupted")).await.unwrap();
    first.logged(NONE).await;
    first.signal("KILL").await;
    let mut second = daemon(&deployment).await;
    second.logged(LIKELY).await;
    assert_eq!(second.count_in_log("redelivered=true"), 1, "{}", second.log());
    assert_eq!(call.replies(), 0, "the first run was interrupted");
}
