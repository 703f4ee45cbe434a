//! What a customer's first day brings, all functions together: a proxy that speaks only HTTP/1.1, mailboxes that
//! answer slowly, owners who tidy up while an incident is handled.

use std::time::Duration;

use futures_util::future::join_all;
use sandbox::graph::TenantOptions;
use serde_json::{Value, json};

use crate::functions::common::{
    CreateMeeting, DeleteEmail, DeleteMessagesFromQueryResults, Fixture, GetEmailUserProfile, GetMessage,
    INCIDENT, MoveMessageToFolder, Owner, QueryEmails, SendMessage, WriteMessageAsAttachment, empty, mail,
    query,
};

const SUBJECT: &str = "Reset your password";

fn message(mailbox: &str, id: &str) -> Value {
    json!({"exo_email_address": mailbox, "exo_messages_id": id})
}

/// A tenant in which each mailbox holds the message.
async fn hit(mailboxes: usize, options: &[(&str, &str)]) -> Fixture {
    let fixture = Fixture::configured(empty(mailboxes), options).await;
    for mailbox in fixture.graph().mailboxes() {
        fixture.put(&mailbox, mail(SUBJECT));
    }
    fixture
}

/// The proxy answers 411 where an empty POST has no `Content-Length`, as the service does over HTTP/1.1.
#[tokio::test(flavor = "multi_thread")]
async fn all_functions_work_over_http_1_1() {
    let tenant = TenantOptions { http1_only: true, ..empty(4) };
    let fixture = Fixture::configured(tenant, &[("deletion", "permanent")]).await;
    let names = fixture.graph().mailboxes();
    let ids: Vec<_> = names.iter().map(|mailbox| fixture.put(mailbox, mail(SUBJECT))).collect();
    let (first, id) = (&names[0], &ids[0]);

    let profile = fixture.done(GetEmailUserProfile, json!({"exo_email_address": first})).await;
    assert_eq!(profile["content"]["userPrincipalName"], first.as_str());
    assert_eq!(fixture.done(GetMessage, message(first, id)).await["content"]["subject"], SUBJECT);
    let mut inputs = message(first, id);
    inputs["incident_id"] = json!(INCIDENT);
    fixture.done(WriteMessageAsAttachment, inputs).await;
    let mut inputs = message(first, id);
    inputs["exo_destination_mailfolder_id"] = json!("junkemail");
    let moved = fixture.done(MoveMessageToFolder, inputs).await;
    let moved_id = moved["content"]["new_message_id"].as_str().unwrap();
    fixture.done(DeleteEmail, message(first, moved_id)).await;

    let (owner, file) = (Owner::Incident(INCIDENT), vec![b'x'; 10 << 20]);
    fixture.sandbox.soar.rest.add_attachment(owner, "10.bin", "application/x-test", &file).await.unwrap();
    let large = json!({
        "incident_id": INCIDENT, "exo_email_address": first, "exo_recipients": "a@b.example",
        "exo_message_subject": "Large", "exo_attachment_names": "10.bin",
    });
    fixture.done(SendMessage, large).await;
    assert_eq!(fixture.graph().sent_mail()[0].attachments[0].bytes().len(), file.len());
    let start = chrono::Utc::now().timestamp_millis() + 86_400_000;
    let meeting = json!({
        "exo_meeting_email_address": first, "exo_meeting_start_time": start,
        "exo_meeting_end_time": start + 60_000, "exo_meeting_subject": "s", "exo_meeting_body": "b",
    });
    fixture.done(CreateMeeting, meeting).await;

    let found = fixture.done(QueryEmails, query("all", json!({"exo_message_subject": SUBJECT}))).await;
    assert_eq!(found["content"]["messages_found"], 3);
    let inputs = json!({"exo_query_messages_results": found["raw"]});
    let deleted = fixture.done(DeleteMessagesFromQueryResults, inputs).await;
    assert_eq!(deleted["content"]["messages_deleted"], 3);
    let graph = fixture.graph().deleted();
    assert!(graph.len() == 4 && graph.iter().all(|deleted| deleted.permanently), "{graph:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_were_moved_after_the_query_are_deleted() {
    let fixture = hit(12, &[]).await;
    let found = fixture.done(QueryEmails, query("all", json!({"exo_message_subject": SUBJECT}))).await;
    let lists = found["content"]["email_results"].as_array().unwrap();
    for list in lists.iter().step_by(3) {
        let id = list["email_list"][0]["id"].as_str().unwrap();
        let mut inputs = message(list["email_address"].as_str().unwrap(), id);
        inputs["exo_destination_mailfolder_id"] = json!("archive");
        fixture.done(MoveMessageToFolder, inputs).await;
    }
    assert_eq!(fixture.graph().moved().len(), 4);
    let inputs = json!({"exo_query_messages_results": found["raw"]});
    let deleted = fixture.done(DeleteMessagesFromQueryResults, inputs).await;
    assert_eq!((&deleted["content"]["messages_deleted"], &deleted["reason"]), (&json!(12), &Value::Null));
    assert_eq!(fixture.graph().deleted().len(), 12);
}

/// A batch of 20 parts runs four at a time, so it takes five times as long as a part.
#[tokio::test(flavor = "multi_thread")]
async fn search_of_slow_mailboxes_reaches_each() {
    let fixture = hit(200, &[("timeout", "1"), ("max_retries_total", "1"), ("max_messages", "1000")]).await;
    fixture.graph().faults().set_latency(Duration::from_millis(400), Duration::ZERO);
    let found = fixture.done(QueryEmails, query("all", json!({"exo_message_subject": SUBJECT}))).await;
    assert_eq!(found["content"]["messages_found"], 200);
    assert_eq!(found["content"]["not_searched"], json!([]));
}

/// None of these requests is in a batch, so only the gate of the mailbox holds them back.
#[tokio::test(flavor = "multi_thread")]
async fn calls_for_one_mailbox_keep_to_four_requests() {
    let fixture = Fixture::with(empty(1)).await;
    let mailbox = fixture.mailbox(0);
    let ids = fixture.put_many(&mailbox, 60);
    fixture.graph().faults().set_latency(Duration::from_millis(10), Duration::ZERO);
    fixture.graph().faults().gather(4);
    let calls = ids.iter().enumerate().map(|(nth, id)| {
        let (function, mut inputs) =
            (if nth < 50 { GetMessage } else { WriteMessageAsAttachment }, message(&mailbox, id));
        inputs["incident_id"] = json!(INCIDENT);
        inputs["exo_attachment_name"] = json!(format!("{nth}.eml"));
        fixture.done(function, inputs)
    });
    join_all(calls).await;
    let counters = fixture.graph().counters();
    assert_eq!((counters.most_in_one_mailbox, counters.throttled), (4, 0));
}
