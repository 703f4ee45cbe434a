//! How fast messages are deleted, and that each is deleted once.

use std::collections::{HashMap, HashSet};

use sandbox::graph::{Phish, Scope, TenantOptions, Throttling};
use serde_json::{Value, json};

use super::deletion;
use crate::functions::common::{
    DeleteMessagesFromQueryResults, Fixture, QueryEmails, RetryAfter, empty, query,
};

#[tokio::test]
async fn at_most_four_deletions_are_at_work_in_one_mailbox() {
    let fixture = Fixture::with(empty(2)).await;
    let names = fixture.graph().mailboxes();
    for name in &names {
        fixture.put_many(name, 30);
    }
    let found = fixture.done(QueryEmails, query("all", json!({"exo_start_date": 0}))).await;
    fixture.graph().forget_requests();
    fixture.graph().faults().set_latency(std::time::Duration::from_millis(10), std::time::Duration::ZERO);
    fixture.done(DeleteMessagesFromQueryResults, deletion(&found["content"])).await;
    let counters = fixture.graph().counters();
    assert!((2..=4).contains(&counters.most_in_one_mailbox) && counters.throttled == 0, "{counters:?}");
    assert_eq!(fixture.graph().deleted().len(), 60);
}

#[tokio::test]
async fn throttled_bulk_deletion_deletes_each_message_once() {
    let phish = Phish { mailboxes: 50, copies: 20, ..Phish::default() };
    let tenant = TenantOptions { phish: Some(phish), ..empty(50) };
    let fixture = Fixture::configured(tenant, &[("max_deletions", "1000")]).await;
    let planted = fixture.graph().planted();
    assert_eq!(planted.len(), 1000);
    let entries = planted.chunks(20).map(|messages| {
        let list: Vec<_> = messages.iter().map(|message| json!({"id": message.id})).collect();
        json!({"email_address": messages[0].mailbox, "email_list": list})
    });
    let entries: Vec<_> = entries.collect();
    let throttling =
        Throttling { share: 0.05, scope: Scope::Mailboxes, retry_after: RetryAfter::Seconds(1), times: 2 };
    fixture.graph().faults().throttle(Some(throttling));
    let results = fixture.done(DeleteMessagesFromQueryResults, deletion(&json!(entries))).await;
    let content = &results["content"];
    assert_eq!((&content["failures"], &results["reason"]), (&json!([]), &Value::Null));
    for (entry, result) in entries.iter().zip(content["delete_results"].as_array().unwrap()) {
        assert_eq!(result["email_address"], entry["email_address"]);
        assert_eq!(result["deleted_list"], entry["email_list"]);
        assert_eq!(result["not_deleted_list"], json!([]));
    }
    let deleted: HashSet<_> = fixture.graph().deleted().into_iter().map(|deleted| deleted.id).collect();
    assert_eq!(deleted, planted.into_iter().map(|planted| planted.id).collect());
    let counters = fixture.graph().counters();
    assert!(counters.throttled > 20, "{counters:?}");
    assert!(counters.most_in_one_mailbox <= 4, "{counters:?}");
    let mut answers: HashMap<String, Vec<Option<u16>>> = HashMap::new();
    for request in fixture.requests().into_iter().filter(|request| request.method == "DELETE") {
        answers.entry(request.path_and_query).or_default().push(request.status);
    }
    assert_eq!(answers.len(), 1000);
    for (path, answers) in answers {
        let (last, before) = answers.split_last().unwrap();
        assert_eq!(*last, Some(204), "{path}: {answers:?}");
        assert!(before.iter().all(|status| *status == Some(429)), "{path}: {answers:?}");
    }
}

#[tokio::test]
async fn long_deletions_tell_their_progress_every_few_seconds() {
    let mut fixture = Fixture::with(empty(1)).await;
    let name = fixture.graph().mailboxes().remove(0);
    fixture.put_many(&name, 60);
    let found = fixture.done(QueryEmails, query(&name, json!({"exo_start_date": 0}))).await;
    fixture.status_messages();
    fixture.graph().faults().set_latency(std::time::Duration::from_millis(300), std::time::Duration::ZERO);
    fixture.done(DeleteMessagesFromQueryResults, deletion(&found["content"])).await;
    let status_messages = fixture.status_messages();
    assert_eq!(status_messages[0], "Deleting 60 messages");
    // On a busy machine there are more.
    let progress = &status_messages[1..];
    assert!((1..10).contains(&progress.len()), "{status_messages:?}");
    for text in progress {
        assert!(text.starts_with("Dealt with ") && text.ends_with(" of 60 messages"), "{text}");
    }
}
