//! `exchange_online_restore_messages`: what was removed is as it was, and what others did since stays.

mod of_plans;

use std::collections::BTreeMap;

use fn_exchange_online::functions::{Call, PriorRun};
use sandbox::graph::MessageState;
use serde_json::{Value, json};

use crate::functions::common::*;
use crate::functions::guard_rails::results;
use crate::functions::quarantine::{Quarantine, kept};

const RESULTS: &str = "exo_deletion_results";
const DIGEST: &str = "exo_plan_digest";

/// All messages of all mailboxes, without the mark of the quarantine.
fn everything(fixture: &Fixture) -> BTreeMap<(String, String), MessageState> {
    let graph = fixture.graph();
    let mailboxes = graph.mailboxes().into_iter();
    let all = mailboxes.flat_map(|mailbox| {
        let messages = graph.snapshot(&mailbox).into_iter();
        messages
            .map(move |(id, state)| ((mailbox.clone(), id), MessageState { properties: Vec::new(), ..state }))
    });
    all.collect()
}

/// Five mailboxes with five messages each in different folders and states, and the result of their deletion.
async fn removed(deletion: &str) -> (Fixture, Vec<(String, Vec<String>)>, Before, Value) {
    let fixture = Fixture::configured(empty(6), &[("deletion", deletion)]).await;
    let graph = fixture.graph();
    let mut lists = Vec::new();
    for mailbox in (0..5).map(|nth| fixture.mailbox(nth)) {
        let folder = graph.make_folder(&mailbox, "inbox", "Suppliers", false).unwrap();
        fixture.put_many(&mailbox, 6);
        let ids: Vec<String> = graph.snapshot(&mailbox).into_keys().take(5).collect();
        for (nth, id) in ids.iter().enumerate() {
            assert!(graph.mark_read(&mailbox, id, nth % 2 == 0));
            if nth > 2 {
                assert!(graph.move_message(&mailbox, id, &folder));
                assert!(graph.flag_message(&mailbox, id, "flagged"));
                assert!(graph.categorise_message(&mailbox, id, &["Red", "Büro"]));
            }
        }
        lists.push((mailbox, ids));
    }
    let before = everything(&fixture);
    let mut inputs = results(&lists);
    let listed: Value = serde_json::from_str(inputs["exo_query_messages_results"].as_str().unwrap()).unwrap();
    inputs["exo_query_messages_results"] = json!(with_folders(listed, &before).to_string());
    let content = fixture.done(DeleteMessagesFromQueryResults, inputs).await["content"].clone();
    assert_eq!(content["messages_deleted"], 25);
    fixture.asked();
    (fixture, lists, before, content)
}

type Before = BTreeMap<(String, String), MessageState>;

/// Adds to each message what a query lists as well.
fn with_folders(mut results: Value, before: &Before) -> Value {
    for mailbox in results["email_results"].as_array_mut().unwrap() {
        let address = mailbox["email_address"].as_str().unwrap().to_owned();
        for message in mailbox["email_list"].as_array_mut().unwrap() {
            let id = message["id"].as_str().unwrap().to_owned();
            message["parentFolderId"] = json!(before[&(address.clone(), id)].folder_id);
        }
    }
    results
}

fn fates(content: &Value) -> BTreeMap<String, usize> {
    let mut fates = BTreeMap::new();
    for entry in content["results"].as_array().unwrap() {
        *fates.entry(entry["fate"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    fates
}

fn entry<'a>(content: &'a Value, id: &str) -> &'a Value {
    content["results"].as_array().unwrap().iter().find(|entry| entry["id"] == id).unwrap()
}

#[tokio::test]
async fn one_message_comes_back_by_its_mark_alone() {
    let q = Quarantine::new().await;
    let before = q.state();
    q.delete().await;
    q.asked();
    let inputs = json!({"exo_email_address": q.mailbox, "exo_messages_id": q.id});
    let answer = q.fixture.done(RestoreMessages, inputs.clone()).await;
    assert_eq!(q.asked(), ["GET", "POST move"]);
    assert_eq!((answer["content"]["messages_restored"].as_u64(), &answer["reason"]), (Some(1), &Value::Null));
    let after = q.state();
    assert_eq!((&after.folder_id, kept(&after)), (&before.folder_id, kept(&before)));
    let line = q.fixture.trail().pop().unwrap();
    assert_eq!((&line["act"], &line["outcome"]), (&json!("restore message"), &json!("restored")));
    assert_eq!(line["destination"], json!(before.folder_id));

    let answer = q.fixture.done(RestoreMessages, inputs).await;
    assert_eq!(
        (fates(&answer["content"]).into_keys().collect::<Vec<_>>(), q.asked()),
        (vec!["already_restored".to_owned()], vec!["GET".to_owned()])
    );
    assert_eq!(q.state(), after);
}

#[tokio::test]
async fn quarantined_messages_come_back_by_their_result() {
    let (fixture, _, before, content) = removed("quarantine").await;
    let inputs = json!({ RESULTS: content.to_string() });
    let answer = fixture.done(RestoreMessages, inputs.clone()).await;
    assert_eq!(fates(&answer["content"]), BTreeMap::from([("restored".to_owned(), 25)]));
    assert_eq!(everything(&fixture), before);
    assert_eq!(fixture.asked().len(), 50);

    let changes = fixture.graph().moved().len();
    let answer = fixture.done(RestoreMessages, inputs).await;
    assert_eq!(fates(&answer["content"]), BTreeMap::from([("already_restored".to_owned(), 25)]));
    assert_eq!((fixture.graph().moved().len(), everything(&fixture)), (changes, before));
}

#[tokio::test]
async fn what_owners_did_since_is_reported() {
    let (fixture, lists, before, content) = removed("quarantine").await;
    let graph = fixture.graph();
    let (mailbox, ids) = &lists[0];
    let folder = before[&(mailbox.clone(), ids[3].clone())].folder_id.clone();
    assert!(graph.mark_read(mailbox, &ids[1], true) && graph.flag_message(mailbox, &ids[1], "complete"));
    assert!(graph.move_message(mailbox, &ids[2], "archive"));
    assert!(graph.remove_folder(mailbox, &folder));
    let (other, other_ids) = &lists[1];
    assert!(graph.purge_message(other, &other_ids[0]));
    assert!(graph.delete_message(other, &other_ids[1]) && graph.delete_message(other, &other_ids[1]));
    let changed = everything(&fixture);

    let inputs = json!({ RESULTS: content.to_string() });
    let answer = fixture.done(RestoreMessages, inputs.clone()).await;
    let content = &answer["content"];
    assert!(fixture.asked().len() <= 75);
    let expected = [("not_found", 1), ("not_touched", 2), ("restored", 20), ("restored_to_inbox", 2)];
    assert_eq!(fates(content), expected.map(|(fate, count)| (fate.to_owned(), count)).into());
    assert_eq!(entry(content, &ids[1])["changed"], json!(["flag", "read"]));
    assert_eq!(entry(content, &ids[2])["changed"], json!(["moved"]));
    assert!(entry(content, &other_ids[1])["reason"].as_str().unwrap().contains("Recoverable Items"));
    let after = everything(&fixture);
    for (key, was) in &before {
        let Some(is) = after.get(key) else { continue };
        match key.1.as_str() {
            id if id == ids[2] || id == other_ids[1] => assert_eq!(is, &changed[key]),
            id if id == ids[3] || id == ids[4] => assert_eq!((is.folder, kept(is)), ("inbox", kept(was))),
            _ => assert_eq!(is, was),
        }
    }
    let note = lines(&fixture.sandbox.soar.rest.notes(INCIDENT).pop().unwrap().content);
    assert_eq!(
        note[0],
        "Incomplete: 22 messages restored, 2 of them to the Inbox; 2 not touched, 1 not found"
    );
    let reason = answer["reason"].as_str().unwrap();
    assert!(
        reason.contains("2 went to the Inbox") && reason.contains("2 not touched, 1 not found"),
        "{reason}"
    );

    let answer = fixture.done(RestoreMessages, inputs).await;
    let expected = [("already_restored", 22), ("not_found", 1), ("not_touched", 2)];
    assert_eq!(fates(&answer["content"]), expected.map(|(fate, count)| (fate.to_owned(), count)).into());
    assert_eq!(everything(&fixture), after);
}

#[tokio::test]
async fn mailboxes_alone_know_where_messages_were() {
    for are_hidden_listed in [true, false] {
        let (mut fixture, lists, before, _) = removed("quarantine").await;
        let graph = fixture.graph();
        graph.list_hidden_folders(are_hidden_listed);
        let job = fixture.context.call.reference().to_string();
        let (mailbox, ids) = &lists[0];
        assert!(graph.move_message(mailbox, &ids[0], "archive"));
        assert!(graph.mark_read(mailbox, &ids[1], true));
        fixture.context.call = Call::by_hand();
        fixture.context.graph = graph::Client::new(&fixture.settings.graph).unwrap();
        fixture.asked();
        let answer = fixture.done(RestoreMessages, json!({ DIGEST: job })).await;
        let asked = fixture.asked();
        assert!(asked.len() <= 75, "{}", asked.len());
        let content = &answer["content"];
        let expected = [("not_touched", 1), ("restored", 24)];
        assert_eq!(fates(content), expected.map(|(fate, count)| (fate.to_owned(), count)).into());
        assert_eq!((&content["complete"], &content["mailboxes_looked_into"]), (&json!(true), &json!(6)));
        assert_eq!(entry(content, &ids[1])["changed"], json!(["read"]));
        for (key, is) in everything(&fixture) {
            let is_moved = key.1 == ids[0];
            assert!(if is_moved { is.folder == "archive" } else { is == before[&key] }, "{key:?}");
        }
    }
}

#[tokio::test]
async fn unknown_job_restores_nothing() {
    let (fixture, _, _, _) = removed("quarantine").await;
    let before = everything(&fixture);
    let answer = fixture.run(RestoreMessages, json!({ DIGEST: "ab".repeat(32) })).await.unwrap();
    assert_eq!(answer["success"], false);
    assert_eq!(answer["reason"], "No message of this job was found in 6 mailboxes.");
    assert_eq!(everything(&fixture), before);
}

#[tokio::test]
async fn deleted_messages_come_back_from_where_they_are() {
    for deletion in ["recoverable", "deleted_items"] {
        for is_found_by_id in [false, true] {
            let (fixture, _, before, content) = removed(deletion).await;
            fixture.graph().find_recoverable_by_id(is_found_by_id);
            let inputs = json!({ RESULTS: content.to_string() });
            let answer = fixture.done(RestoreMessages, inputs.clone()).await;
            assert_eq!(
                fates(&answer["content"]),
                BTreeMap::from([("restored".to_owned(), 25)]),
                "{deletion}"
            );
            assert_eq!(everything(&fixture), before);
            let asked = fixture.asked();
            assert!(asked.len() <= 75, "{}: {asked:#?}", asked.len());
            let answer = fixture.done(RestoreMessages, inputs).await;
            assert_eq!(fates(&answer["content"]), BTreeMap::from([("already_restored".to_owned(), 25)]));
        }
    }
}

#[tokio::test]
async fn purged_messages_are_not_found() {
    let (fixture, _, _, content) = removed("permanent").await;
    let answer = fixture.run(RestoreMessages, json!({ RESULTS: content.to_string() })).await.unwrap();
    assert_eq!(answer["success"], false);
    assert_eq!(fates(&answer["content"]), BTreeMap::from([("not_found".to_owned(), 25)]));
}

#[tokio::test]
async fn message_of_unknown_origin_goes_to_the_inbox() {
    let q = Quarantine::configured("recoverable", &[]).await;
    let before = q.state();
    q.delete().await;
    let inputs = json!({"exo_email_address": q.mailbox, "exo_messages_id": q.id});
    let answer = q.fixture.done(RestoreMessages, inputs.clone()).await;
    assert_eq!((q.state().folder, kept(&q.state())), ("inbox", kept(&before)));
    assert_eq!(answer["reason"], "The message is in the Inbox: the folder that it was in is not known.");
    let moved = q.fixture.graph().moved().len();
    let answer = q.fixture.done(RestoreMessages, inputs).await;
    assert_eq!(answer["content"]["messages_already_restored"], 1);
    assert_eq!(q.fixture.graph().moved().len(), moved);
}

#[tokio::test]
async fn message_that_was_not_removed_is_left_alone() {
    let q = Quarantine::new().await;
    let before = q.state();
    let inputs = json!({"exo_email_address": q.mailbox, "exo_messages_id": q.id});
    let answer = q.fixture.run(RestoreMessages, inputs).await.unwrap();
    assert_eq!(answer["success"], false);
    assert_eq!(
        answer["reason"],
        "The message was not restored: it is in its mailbox, and not removed as far as is known."
    );
    assert_eq!(q.state(), before);
}

#[tokio::test]
async fn move_back_with_a_lost_answer_is_made_once() {
    for fault in [Fault::DoneButStatus(504, RetryAfter::Absent), Fault::CutBody, Fault::Status(429, SOON)] {
        let q = Quarantine::new().await;
        let before = q.state();
        q.delete().await;
        let moved = q.fixture.graph().moved().len();
        q.fixture.graph().faults().next(1, Target::containing("/move"), fault);
        let inputs = json!({"exo_email_address": q.mailbox, "exo_messages_id": q.id});
        q.fixture.done(RestoreMessages, inputs).await;
        assert_eq!(q.fixture.graph().moved().len(), moved + 1, "{fault:?}");
        assert_eq!(q.state().folder_id, before.folder_id);
    }
}

#[tokio::test]
async fn state_that_cannot_be_set_is_reported() {
    let q = Quarantine::new().await;
    q.delete().await;
    assert!(q.fixture.graph().mark_read(&q.mailbox, &q.id, false));
    q.fixture.graph().faults().next(2, Target::containing("PATCH"), Fault::Status(403, RetryAfter::Absent));
    let inputs = json!({"exo_email_address": q.mailbox, "exo_messages_id": q.id});
    let answer = q.fixture.done(RestoreMessages, inputs).await;
    let entry = &answer["content"]["results"][0];
    assert_eq!((&entry["partial"], &entry["changed"]), (&json!(true), &json!(["unread"])));
    assert!(answer["reason"].as_str().unwrap().contains("unread could not be undone"), "{answer}");
}

#[tokio::test]
async fn guard_rails_hold_for_restorations() {
    let (mut fixture, lists, _, content) = removed("quarantine").await;
    let before = everything(&fixture);
    let protected = lists[0].0.clone();
    for (rail, value, fate, count) in [
        ("dry_run", "true", "dry_run", 25),
        ("hold", "true", "not_reached", 25),
        ("mailboxes_denied", protected.as_str(), "refused", 5),
    ] {
        fixture.apply_rails(&[(rail, value)]);
        let answer = fixture.run(RestoreMessages, json!({ RESULTS: content.to_string() })).await.unwrap();
        assert_eq!(fates(&answer["content"])[fate], count, "{rail}: {answer}");
        if rail == "hold" {
            let lines = fixture.trail().into_iter();
            let stops: Vec<_> = lines.filter(|line| line["act"] == "restore messages").collect();
            assert_eq!((stops.len(), &stops[0]["messages"]), (1, &json!(25)));
        }
        if rail == "mailboxes_denied" {
            assert_eq!(fates(&answer["content"])["restored"], 20);
        } else {
            assert_eq!((everything(&fixture), &answer["success"]), (before.clone(), &json!(false)));
        }
    }
}

#[tokio::test]
async fn messages_are_named_in_one_way() {
    let fixture = Fixture::with(empty(2)).await;
    let mailbox = fixture.mailbox(0);
    for inputs in [
        json!({}),
        json!({"exo_email_address": mailbox}),
        json!({ DIGEST: "ab".repeat(32), "exo_messages_id": "x", "exo_email_address": mailbox }),
        json!({ DIGEST: "ab".repeat(32), RESULTS: "{}" }),
        json!({ RESULTS: "{}", "exo_email_address": mailbox }),
    ] {
        let error = fixture.failed(RestoreMessages, inputs.clone()).await;
        assert!(error.starts_with("Say in one way"), "{inputs}: {error}");
    }
    for (inputs, part) in [
        (json!({ DIGEST: "abc" }), "is neither the digest of a plan"),
        (json!({ RESULTS: "[]" }), "is not the result of a deletion"),
        (json!({ RESULTS: "{}" }), "has neither delete_results nor results"),
        (json!({ "exo_messages_id": "x" }), "exo_email_address"),
    ] {
        let error = fixture.failed(RestoreMessages, inputs.clone()).await;
        assert!(error.contains(part), "{inputs}: {error}");
    }
    fixture.assert_mailboxes_untouched();
}

#[tokio::test]
async fn message_in_doubt_is_not_moved_to_the_inbox() {
    let mut q = Quarantine::new().await;
    q.delete().await;
    let before = q.state();
    q.fixture.context.call = Call { prior_run: PriorRun::Possible, ..Call::by_hand() };
    q.fixture.graph().faults().next(1, Target::containing("/move"), Fault::Status(404, RetryAfter::Absent));
    let inputs = json!({"exo_email_address": q.mailbox, "exo_messages_id": q.id});
    let answer = q.fixture.run(RestoreMessages, inputs).await.unwrap();
    assert_eq!((&answer["content"]["messages_in_doubt"], q.state()), (&json!(1), before));
}

#[tokio::test]
async fn stopped_restoration_of_one_is_on_record_as_that() {
    let mut q = Quarantine::new().await;
    q.delete().await;
    q.fixture.apply_rails(&[("hold", "true")]);
    let inputs = json!({"exo_email_address": q.mailbox, "exo_messages_id": q.id});
    q.fixture.run(RestoreMessages, inputs).await.unwrap();
    let line = q.fixture.trail().pop().unwrap();
    assert_eq!((&line["act"], &line["outcome"]), (&json!("restore messages"), &json!("refused")));
}

#[tokio::test]
async fn search_for_a_job_is_on_record_and_shows_what_may_be_read() {
    for denied in ["", "*@contoso.example"] {
        let mut q = Quarantine::new().await;
        let job = q.fixture.context.call.reference().to_string();
        q.delete().await;
        q.fixture.apply_rails(&[("mailboxes_denied_reading", denied)]);
        q.fixture.context.call = Call::by_hand();
        let inputs = json!({"incident_id": INCIDENT, DIGEST: job, "exo_email_address": q.mailbox});
        let answer = q.fixture.done(RestoreMessages, inputs).await;
        assert_eq!(answer["content"]["messages_restored"], 1, "{answer}");
        let note = q.fixture.note();
        assert_eq!(note.contains("Invoice"), denied.is_empty(), "{note}");
        let trail = q.fixture.trail();
        let search = trail.iter().find(|line| line["act"] == "search mailboxes").unwrap();
        assert_eq!((&search["searched"], &search["messages"]), (&json!(q.mailbox), &json!(1)));
    }
}
