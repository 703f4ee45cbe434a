//! A change at Graph is made once: when the call ran before and its reply was lost, and when the outcome of an
//! attempt is unknown.

mod changes;
mod mails;

use std::time::{Duration, Instant};

use chrono::{SecondsFormat, TimeDelta, Utc};
use fn_exchange_online::functions::{Function, PriorRun};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::functions::common::{
    CreateMeeting, DeleteEmail, DeleteMessagesFromQueryResults, Fault, Fixture, INCIDENT,
    MoveMessageToFolder, Owner, RetryAfter, SOON, SendMessage, Target, decoded, empty, mail,
};

/// The call may have run before.
const MAY_HAVE_BEEN_RUN: [PriorRun; 2] = [PriorRun::Possible, PriorRun::Likely];

/// Failures that do not show whether the request was carried out. With `DONE` it was, with `NOT_DONE` it was not.
const DONE: [Fault; 6] = [
    Fault::DoneButStatus(504, RetryAfter::Absent),
    Fault::DoneButStatus(500, RetryAfter::Absent),
    Fault::CutBody,
    Fault::DoneButStatus(504, SOON),
    Fault::DoneButStatus(503, SOON),
    Fault::DoneButStatus(429, SOON),
];
const NOT_DONE: [Fault; 5] = [
    Fault::Status(504, RetryAfter::Absent),
    Fault::Status(502, RetryAfter::Absent),
    Fault::Close,
    Fault::Status(503, SOON),
    Fault::Status(429, SOON),
];

fn mail_to(fixture: &Fixture) -> Value {
    json!({
        "exo_email_address": fixture.mailbox(0), "exo_recipients": "a@b.example",
        "exo_message_subject": "Warning", "exo_message_body": "<b>Look out</b>",
    })
}

/// Inputs for a mail that is too large for one request.
async fn large_mail_to(fixture: &Fixture) -> Value {
    let content = vec![7; 4 << 20];
    let owner = Owner::Incident(INCIDENT);
    fixture.sandbox.soar.rest.add_attachment(owner, "large.bin", "a/b", &content).await.unwrap();
    let mut inputs = mail_to(fixture);
    inputs["incident_id"] = json!(INCIDENT);
    inputs["exo_attachment_names"] = json!("large.bin");
    inputs
}

fn message_to_move(fixture: &Fixture) -> Value {
    let phish = fixture.graph().planted().remove(0);
    let id = fixture.graph().immutable_id(&phish.mailbox, &phish.id).unwrap();
    json!({
        "exo_email_address": phish.mailbox, "exo_messages_id": id,
        "exo_destination_mailfolder_id": "junkemail",
    })
}

fn message_to_delete(fixture: &Fixture) -> Value {
    let phish = fixture.graph().planted().remove(0);
    json!({"exo_email_address": phish.mailbox, "exo_messages_id": phish.id})
}

/// Runs a call twice, the second time as one that ran before. Both runs must have the same result.
async fn run_again(fixture: &mut Fixture, before: PriorRun, function: Function, inputs: Value) {
    fixture.context.call.prior_run = PriorRun::None;
    let first = fixture.done(function, inputs.clone()).await;
    fixture.context.call.prior_run = before;
    let second = fixture.done(function, inputs).await;
    assert_eq!(first["content"], second["content"], "{before:?}");
    assert_eq!(first["reason"], second["reason"]);
}

fn drafts(fixture: &Fixture) -> usize {
    fixture.graph().messages(&fixture.mailbox(0)).iter().filter(|message| message.folder == "drafts").count()
}

fn sent(fixture: &Fixture) -> usize {
    fixture.graph().sent_mail().len()
}
