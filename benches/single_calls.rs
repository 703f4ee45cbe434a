//! One call of each function over the sandbox without latency: how long it takes, and how many requests it makes
//! of Graph and of SOAR, which should be none that it does not need.
//!
//! The times hold both sides, ours and the sandbox's, in one process.
//!
//! `cargo bench --bench single_calls`

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use fn_exchange_online::functions::{Call, Context, Function, Inputs};
use sandbox::Sandbox;
use sandbox::graph::{Address, NewMessage, TenantOptions};
use sandbox::soar::rest::Owner;
use sandbox::soar::{INCIDENT, SoarOptions};

use serde_json::{Value, json};

#[path = "../tests/support/context.rs"]
mod context;
use context::context;

const CALLS: u32 = 200;

#[tokio::main]
async fn main() {
    let directory = tempfile::tempdir().unwrap();
    let tenant = TenantOptions { mailboxes: 20, messages_per_mailbox: 10, ..TenantOptions::default() };
    let sandbox = Sandbox::start(directory.path(), tenant, SoarOptions::default()).await.unwrap();
    let file = sandbox.write_app_config(&[]).unwrap();
    let context = context(&file).await;
    let incident = Owner::Incident(INCIDENT);
    sandbox.soar.rest.add_attachment(incident, "kept.txt", "text/plain", b"kept").await.unwrap();

    println!("{:<52} {:>9} {:>8} {:>8}", "function", "time", "Graph", "SOAR");
    // The quota of the message trace allows fewer calls, and a plan is about many messages.
    let is_measured = |function: &Function| {
        !matches!(
            function,
            Function::TraceMessage
                | Function::PlanRemoval
                | Function::ApplyPlan
                | Function::RestoreMessages
                | Function::RemoveMeetings
        )
    };
    for function in Function::ALL.into_iter().filter(is_measured) {
        // The first call opens connections and fetches the token.
        call(&sandbox, &context, function, 0).await;
        let graph_before = sandbox.graph.counters().http_requests;
        let soar_before = sandbox.soar.rest.requests().len();
        let mut took = Duration::ZERO;
        for number in 1..=CALLS {
            took += call(&sandbox, &context, function, number).await;
        }
        let of_graph = each(sandbox.graph.counters().http_requests - graph_before);
        let of_soar = each((sandbox.soar.rest.requests().len() - soar_before) as u64);
        assert_eq!((of_graph, of_soar), needed(function), "{function:?} makes requests it does not need");
        let micros = took.as_micros() / u128::from(CALLS);
        println!("{:<52} {micros:>6} µs {of_graph:>8} {of_soar:>8}", function.name());
    }
}

/// How many requests that is for each call.
fn each(requests: u64) -> u64 {
    assert_eq!(requests % u64::from(CALLS), 0, "some calls made more requests than others");
    requests / u64::from(CALLS)
}

/// The requests one call needs: of Graph, and of SOAR.
fn needed(function: Function) -> (u64, u64) {
    match function {
        Function::GetEmailUserProfile
        | Function::GetMessage
        | Function::GetAttachments
        | Function::DeleteEmail
        | Function::MoveMessageToFolder => (1, 0),
        // The time zone, the event.
        Function::CreateMeeting => (2, 0),
        // Each writes to the incident.
        Function::WriteMessageAsAttachment
        | Function::QueryEmails
        | Function::TraceMessage
        | Function::DeleteMessagesFromQueryResults => (1, 1),
        // The incident's files, and the bytes of one.
        Function::SendMessage => (1, 2),
        Function::PlanRemoval
        | Function::ApplyPlan
        | Function::RestoreMessages
        | Function::RemoveMeetings => {
            unreachable!("it is not measured")
        }
    }
}

/// Calls `function` once; returns how long that took.
async fn call(sandbox: &Sandbox, context: &Context, function: Function, number: u32) -> Duration {
    let mailbox = sandbox.graph.mailboxes().swap_remove(number as usize % 20);
    let message = || {
        let new = NewMessage {
            subject: format!("Number {number}"),
            from: Address::new("Mallory", "mallory@example.org"),
            received: Utc::now(),
            html: false,
            body: "Nothing to see here.".to_owned(),
            ..NewMessage::default()
        };
        sandbox.graph.add_message(&mailbox, new).unwrap()
    };
    let inputs = inputs(function, &mailbox, message);
    let Value::Object(inputs) = inputs else { unreachable!() };
    let context = Context { call: Call::by_hand(), ..context.clone() };
    let started = Instant::now();
    let outcome = function.run(&context, &Inputs::new(inputs)).await.unwrap();
    assert!(outcome.success, "{function:?}: {:?}", outcome.reason);
    started.elapsed()
}

fn inputs(function: Function, mailbox: &str, message: impl Fn() -> String) -> Value {
    let tomorrow = Utc::now() + TimeDelta::days(1);
    match function {
        Function::GetEmailUserProfile => json!({ "exo_email_address": mailbox }),
        Function::GetMessage | Function::GetAttachments | Function::DeleteEmail => {
            json!({ "exo_email_address": mailbox, "exo_messages_id": message() })
        }
        Function::WriteMessageAsAttachment => {
            json!({ "incident_id": INCIDENT, "exo_email_address": mailbox, "exo_messages_id": message() })
        }
        Function::MoveMessageToFolder => json!({
            "exo_email_address": mailbox,
            "exo_messages_id": message(),
            "exo_destination_mailfolder_id": "junkemail",
        }),
        Function::SendMessage => json!({
            "incident_id": INCIDENT,
            "exo_email_address": mailbox,
            "exo_recipients": "security@example.org",
            "exo_message_subject": "Number",
            "exo_message_body": "<p>Text</p>",
            "exo_attachment_names": "kept.txt",
        }),
        Function::CreateMeeting => json!({
            "exo_meeting_email_address": mailbox,
            "exo_meeting_start_time": tomorrow.timestamp_millis(),
            "exo_meeting_end_time": (tomorrow + TimeDelta::hours(1)).timestamp_millis(),
            "exo_meeting_subject": "Number",
            "exo_meeting_body": "<p>Text</p>",
        }),
        Function::QueryEmails => json!({
            "incident_id": INCIDENT,
            "exo_email_address": mailbox,
            "exo_message_subject": "Number",
            "exo_query_output_format": ["Incident note"],
        }),
        Function::TraceMessage => json!({
            "incident_id": INCIDENT,
            "exo_internet_message_id": "<number@example.org>",
            "exo_start_date": (Utc::now() - TimeDelta::days(1)).timestamp_millis(),
            "exo_query_output_format": ["Incident note"],
        }),
        Function::DeleteMessagesFromQueryResults => json!({
            "exo_query_messages_results": json!({
                "incident_id": INCIDENT,
                "exo_query_output_format": ["Incident note"],
                "email_results": [{ "email_address": mailbox, "email_list": [{ "id": message() }] }],
            })
            .to_string(),
        }),
        Function::PlanRemoval
        | Function::ApplyPlan
        | Function::RestoreMessages
        | Function::RemoveMeetings => {
            unreachable!("it is not measured")
        }
    }
}
