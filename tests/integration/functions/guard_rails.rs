//! The guard rails of `[fn_exchange_online]`: what they let through, and that they cannot be got around.

use fn_exchange_online::functions::{Function, PriorRun};
use sandbox::graph::TenantOptions;
use serde_json::{Value, json};

use crate::functions::common::*;

const RESULTS: &str = "exo_query_messages_results";

/// A tenant with messages in three mailboxes, and with `options`; the mailboxes, and the messages by mailbox.
pub(crate) async fn fixture(options: &[(&str, &str)]) -> (Fixture, Vec<(String, Vec<String>)>) {
    let fixture = Fixture::configured(empty(6), options).await;
    let lists = (0..3).map(|nth| {
        let mailbox = fixture.mailbox(nth);
        let ids = fixture.put_many(&mailbox, 4);
        (mailbox, ids)
    });
    let lists = lists.collect();
    (fixture, lists)
}

/// What a query would have found.
pub(crate) fn results(lists: &[(String, Vec<String>)]) -> Value {
    let results = lists.iter().map(|(mailbox, ids)| {
        let list: Vec<_> = ids.iter().map(|id| json!({"id": id})).collect();
        json!({"email_address": mailbox, "status_code": 200, "email_list": list})
    });
    let content = json!({
        "incident_id": INCIDENT, "exo_query_output_format": ["Incident note"], "email_results": results.collect::<Vec<_>>(),
    });
    json!({ RESULTS: content.to_string() })
}

pub(crate) fn message(mailbox: &str, id: &str) -> Value {
    json!({"exo_email_address": mailbox, "exo_messages_id": id})
}

/// Every function that changes a mailbox, with the inputs for a change of `mailbox`.
pub(crate) fn changes(mailbox: &str, id: &str) -> [(Function, Value); 5] {
    let list = results(&[(mailbox.to_owned(), vec![id.to_owned()])]);
    let soon = (chrono::Utc::now() + chrono::TimeDelta::days(1)).timestamp_millis();
    let mut moved = message(mailbox, id);
    moved["exo_destination_mailfolder_id"] = json!({"id": 1, "name": "junkemail"});
    [
        (DeleteEmail, message(mailbox, id)),
        (DeleteMessagesFromQueryResults, list),
        (MoveMessageToFolder, moved),
        (SendMessage, json!({"exo_email_address": mailbox, "exo_recipients": "a@example.com"})),
        (
            CreateMeeting,
            json!({
                "exo_meeting_email_address": mailbox, "exo_meeting_start_time": soon,
                "exo_meeting_end_time": soon + 3_600_000, "exo_meeting_subject": "S", "exo_meeting_body": "B",
            }),
        ),
    ]
}

impl Fixture {
    /// Asserts that no mailbox was changed, nor was Graph asked to change one.
    pub(crate) fn assert_mailboxes_untouched(&self) {
        let asked = self.asked();
        assert!(asked.iter().all(|request| request.starts_with("GET ")), "{asked:?}");
        let graph = self.graph();
        assert!(graph.deleted().is_empty() && graph.moved().is_empty() && graph.sent_mail().is_empty());
        assert!(graph.mailboxes().iter().all(|mailbox| graph.events(mailbox).is_empty()));
    }
}

#[tokio::test]
async fn call_over_deletion_limit_deletes_nothing() {
    let (fixture, lists) = fixture(&[("max_deletions", "11")]).await;
    let answer = fixture.run(DeleteMessagesFromQueryResults, results(&lists)).await.unwrap();
    assert_eq!(answer["success"], false);
    let reason = answer["reason"].as_str().unwrap();
    for part in ["Nothing was deleted", "12 messages", "11 at most", "max_deletions", "Narrow"] {
        assert!(reason.contains(part), "{reason}");
    }
    let lists_of = |key: &str| -> usize {
        let mailboxes = answer["content"]["delete_results"].as_array().unwrap();
        mailboxes.iter().map(|mailbox| mailbox[key].as_array().unwrap().len()).sum()
    };
    assert_eq!((lists_of("deleted_list"), lists_of("not_deleted_list")), (0, 12));
    let note = lines(&fixture.note());
    assert_eq!(note[0], "Incomplete: no message deleted, 12 not deleted");
    assert!(reason.starts_with(&note[1]), "{note:?}");
    assert_eq!(note[2], "Not deleted:");
    assert!(note[3].ends_with(": (no subject) (4 messages)"), "{note:?}");
    fixture.assert_mailboxes_untouched();
    let refused = &fixture.trail()[0];
    assert_eq!((&refused["outcome"], &refused["messages"]), (&json!("refused"), &json!(12)));

    // One less, and each counted once, however often it is listed.
    let mut twice = lists.clone();
    twice[0].1.pop();
    twice.push(twice[1].clone());
    fixture.done(DeleteMessagesFromQueryResults, results(&twice)).await;
    assert_eq!(fixture.graph().deleted().len(), 11);
}

#[tokio::test]
async fn hourly_limit_counts_all_calls() {
    let (fixture, lists) = fixture(&[("max_deletions_per_hour", "6")]).await;
    let single = fixture.put(&lists[2].0, mail("single"));
    fixture.done(DeleteEmail, message(&lists[2].0, &single)).await;
    fixture.done(DeleteMessagesFromQueryResults, results(&lists[..1])).await;
    let answer = fixture.run(DeleteMessagesFromQueryResults, results(&lists[1..2])).await.unwrap();
    let reason = answer["reason"].as_str().unwrap();
    for part in ["Nothing was deleted", "1 are left", "max_deletions_per_hour"] {
        assert!(reason.contains(part), "{reason}");
    }
    assert_eq!(answer["content"]["failures"][0]["code"], "TooManyDeletionsPerHour");
    fixture.done(DeleteEmail, message(&lists[1].0, &lists[1].1[0])).await;
    let refused = fixture.failed(DeleteEmail, message(&lists[1].0, &lists[1].1[1])).await;
    assert!(refused.contains("max_deletions_per_hour"), "{refused}");
    assert_eq!(fixture.graph().deleted().len(), 6);
    assert_eq!(fixture.trail().iter().filter(|line| line["outcome"] == "refused").count(), 2);
}

#[tokio::test]
async fn default_limit_is_that_of_a_query() {
    let (fixture, lists) = fixture(&[("max_messages", "3")]).await;
    let answer = fixture.run(DeleteMessagesFromQueryResults, results(&lists[..1])).await.unwrap();
    assert!(answer["reason"].as_str().unwrap().contains("3 at most"), "{answer}");
    fixture.assert_mailboxes_untouched();
}

#[tokio::test]
async fn id_as_pattern_protects_and_allows() {
    let probe = Fixture::with(empty(6)).await;
    let user =
        probe.graph().users().into_iter().find(|user| user.user_principal_name == probe.mailbox(0)).unwrap();
    let (denying, lists) = fixture(&[("mailboxes_denied", &user.id.to_uppercase())]).await;
    let refused = denying.failed(DeleteEmail, message(&lists[0].0, &lists[0].1[0])).await;
    assert!(refused.contains("mailboxes_denied"), "{refused}");
    let (allowing, lists) = fixture(&[("mailboxes_allowed", &user.id)]).await;
    allowing.done(DeleteEmail, message(&lists[0].0, &lists[0].1[0])).await;
    let refused = allowing.failed(DeleteEmail, message(&lists[1].0, &lists[1].1[0])).await;
    assert!(refused.contains("mailboxes_allowed"), "{refused}");
}

#[tokio::test]
async fn deletion_setting_determines_kind_of_deletion() {
    for (deletion, permanently) in
        [("recoverable", Some(false)), ("deleted_items", None), ("permanent", Some(true))]
    {
        let (fixture, lists) = fixture(&[("deletion", deletion)]).await;
        let single = fixture.put(&lists[0].0, mail("single"));
        let answer = fixture.done(DeleteEmail, message(&lists[0].0, &single)).await;
        assert_eq!(answer["content"], json!({"value": true}));
        let answer = fixture.done(DeleteMessagesFromQueryResults, results(&lists)).await;
        assert_eq!(answer["content"]["failures"], json!([]));
        assert_eq!(answer["content"]["delete_results"][0]["deleted_list"].as_array().unwrap().len(), 4);
        let (deleted, moved) = (fixture.graph().deleted(), fixture.graph().moved());
        if let Some(permanently) = permanently {
            assert_eq!((deleted.len(), moved.len()), (13, 0));
            assert!(deleted.iter().all(|deleted| deleted.permanently == permanently), "{deletion}");
        } else {
            assert_eq!((deleted.len(), moved.len()), (0, 13));
            assert!(moved.iter().all(|moved| moved.folder == "deleteditems"));
        }
    }
}

#[tokio::test]
async fn applied_deletion_with_failed_answer_counts_as_deleted() {
    for (deletion, part) in [("deleted_items", "/move"), ("permanent", "/permanentDelete")] {
        let (fixture, lists) = fixture(&[("deletion", deletion)]).await;
        for fault in
            [Fault::DoneButStatus(429, SOON), Fault::DoneButStatus(504, RetryAfter::Absent), Fault::CutBody]
        {
            let id = fixture.put(&lists[0].0, mail("single"));
            fixture.graph().faults().next(1, Target::containing(part), fault);
            fixture.done(DeleteEmail, message(&lists[0].0, &id)).await;
        }
        fixture.graph().faults().next(5, Target::containing(part), Fault::DoneButStatus(429, SOON));
        let answer = fixture.done(DeleteMessagesFromQueryResults, results(&lists)).await;
        assert_eq!(answer["content"]["failures"], json!([]), "{deletion}");
        let again = fixture.run(DeleteEmail, message(&lists[0].0, &lists[0].1[0])).await.unwrap();
        // An immutable id still names a message in Deleted Items, which is moved there once more.
        let expected = if deletion == "permanent" { json!("ErrorItemNotFound") } else { Value::Null };
        assert_eq!(again["content"]["error"]["code"], expected);
    }
}

#[tokio::test]
async fn missing_message_after_earlier_run_counts_as_deleted() {
    for deletion in ["deleted_items", "permanent"] {
        let (mut fixture, lists) = fixture(&[("deletion", deletion)]).await;
        let inputs = message(&lists[0].0, &lists[0].1[0]);
        fixture.done(DeleteEmail, inputs.clone()).await;
        fixture.context.call.prior_run = PriorRun::Likely;
        fixture.done(DeleteEmail, inputs).await;
        fixture.done(DeleteMessagesFromQueryResults, results(&lists)).await;
        let graph = fixture.graph();
        let deleted = graph.deleted().into_iter().map(|message| message.id);
        let moved = graph.moved().into_iter().map(|message| message.new_id);
        let ended: std::collections::BTreeSet<_> = deleted.chain(moved).collect();
        assert_eq!(ended.len(), 12, "{deletion}");
        // An unknown part of the address is not a missing message.
        graph.faults().be_national();
        let again = fixture.run(DeleteEmail, message(&lists[0].0, &lists[0].1[1])).await;
        assert_eq!(again.is_err(), deletion == "permanent");
    }
}

#[tokio::test]
async fn unknown_outcome_is_recorded_as_such() {
    let done = Fault::DoneButStatus(504, RetryAfter::Absent);
    // What is refused afterwards says nothing of what was done before.
    for then in [None, Some(Fault::Status(429, SOON)), Some(Fault::Status(403, RetryAfter::Absent))] {
        let retries = if then.is_some() { "2" } else { "0" };
        let (fixture, lists) = fixture(&[("max_retries_total", retries)]).await;
        fixture.graph().faults().next(1, Target::containing("DELETE"), done);
        if let Some(fault) = then {
            fixture.graph().faults().next(usize::MAX, Target::containing("DELETE"), fault);
        }
        let error = fixture.failed(DeleteEmail, message(&lists[0].0, &lists[0].1[0])).await;
        assert!(error.contains("may have been carried out all the same"), "{error}");
        let trail = fixture.trail();
        assert_eq!(
            (trail.len(), &trail[0]["outcome"], &trail[0]["principal"]),
            (1, &json!("unknown"), &json!("Mary")),
            "{then:?}"
        );
    }
}

#[tokio::test]
async fn bulk_deletion_reports_indeterminate_messages() {
    let (fixture, lists) = fixture(&[("max_retries_total", "1")]).await;
    let id = &lists[0].1[0];
    let part =
        || Target::containing(format!("DELETE /users/{}/messages/{}", encoded(&lists[0].0), encoded(id)));
    fixture.graph().faults().next(1, part(), Fault::DoneButStatus(504, RetryAfter::Absent));
    fixture.graph().faults().next(1, part(), Fault::Status(403, RetryAfter::Absent));
    let answer = fixture.run(DeleteMessagesFromQueryResults, results(&lists)).await.unwrap();
    let failures = answer["content"]["failures"].as_array().unwrap();
    assert_eq!((failures.len(), &failures[0]["id"]), (1, &json!(id)));
    assert!(failures[0]["message"].as_str().unwrap().ends_with("It may have been deleted all the same"));
    let unknown: Vec<_> = fixture.trail().into_iter().filter(|line| line["outcome"] == "unknown").collect();
    assert_eq!((unknown.len(), &unknown[0]["message_id"]), (1, &json!(id)));
}

#[tokio::test]
async fn cloud_without_permanent_delete_is_reported() {
    let (fixture, lists) = fixture(&[("deletion", "permanent")]).await;
    fixture.graph().faults().be_national();
    let error = fixture.failed(DeleteEmail, message(&lists[0].0, &lists[0].1[0])).await;
    assert!(error.contains("permanentDelete") && error.contains("deleted_items"), "{error}");
    let answer = fixture.run(DeleteMessagesFromQueryResults, results(&lists)).await.unwrap();
    assert_eq!(answer["success"], false);
    let failures = answer["content"]["failures"].as_array().unwrap();
    assert!(failures.len() == 12 && failures.iter().all(|it| it["code"] == "PermanentDeleteNotOffered"));
    assert!(fixture.graph().deleted().is_empty());
}

#[tokio::test]
async fn missing_mailbox_is_reported_for_every_deletion() {
    for deletion in ["recoverable", "deleted_items", "permanent"] {
        let tenant = TenantOptions { users_without_mailbox: 1, ..empty(3) };
        let fixture = Fixture::configured(tenant, &[("deletion", deletion)]).await;
        let without = fixture.graph().users().into_iter().find(|user| !user.has_mailbox).unwrap();
        let without = without.user_principal_name;
        let unknown = "unknown@contoso.example".to_owned();
        // The service has several codes for a user without a mailbox, and answers with all of them in turn.
        for mailbox in [&without; 7].into_iter().chain([&unknown]) {
            let answer = fixture.run(DeleteEmail, message(mailbox, "AAMk=")).await.unwrap();
            assert_eq!(answer["success"], false);
            assert!(answer["content"]["error"]["code"].is_string(), "{answer}");
            let reason = answer["reason"].as_str().unwrap();
            assert!(reason.contains("was not found") && !reason.contains("permanentDelete"), "{reason}");
        }
        let lists = [(without, vec!["AAMk=".to_owned()])];
        let answer = fixture.run(DeleteMessagesFromQueryResults, results(&lists)).await.unwrap();
        let failure = &answer["content"]["failures"][0];
        assert_eq!(failure["status_code"], 404, "{deletion}: {failure}");
        assert!(failure["code"].is_string(), "{deletion}: {failure}");
    }
}

#[tokio::test]
async fn dry_run_changes_nothing_and_reports_no_success() {
    let (fixture, lists) = fixture(&[("dry_run", "true")]).await;
    for (function, inputs) in changes(&lists[0].0, &lists[0].1[0]) {
        let answer = fixture.run(function, inputs).await.unwrap();
        assert_eq!(answer["success"], false, "{function:?}");
        let reason = answer["reason"].as_str().unwrap();
        assert!(reason.starts_with("Dry run: ") && reason.contains("Nothing was changed"), "{reason}");
        let content = &answer["content"];
        if function == DeleteMessagesFromQueryResults {
            assert_eq!(content["delete_results"][0]["deleted_list"], json!([]));
            assert_eq!(content["failures"][0]["code"], "DryRun");
            let note = fixture.note();
            assert!(note.starts_with("<div><b>Dry run: ") && note.contains("nothing was changed"), "{note}");
        } else {
            // Older scripts ask for this before they write that something was done.
            assert_eq!(content["error"]["code"], "DryRun", "{function:?}");
            assert_eq!(content["error"]["message"], reason);
        }
    }
    fixture.assert_mailboxes_untouched();
    let trail = fixture.trail();
    let acts: Vec<_> = trail.iter().filter(|line| line["act"] != "write note").collect();
    assert_eq!(acts.len(), 5);
    for act in acts {
        assert_eq!(act["dry_run"], true);
        assert!(act["outcome"].as_str().unwrap().starts_with("would be "), "{act}");
    }
}

#[tokio::test]
async fn dry_run_reports_refusals_and_missing_messages() {
    let (fixture, lists) = fixture(&[("dry_run", "true"), ("max_deletions", "11")]).await;
    let mailbox = &lists[0].0;
    fixture.graph().faults().next(
        1,
        Target::containing(mailbox.as_str()),
        Fault::Status(403, RetryAfter::Absent),
    );
    let refused = fixture.failed(DeleteEmail, message(mailbox, &lists[0].1[0])).await;
    assert!(refused.contains("Mail.ReadWrite"), "{refused}");
    fixture.graph().faults().next(1, Target::containing("GET"), Fault::Status(404, RetryAfter::Absent));
    let gone = fixture.run(MoveMessageToFolder, changes(mailbox, &lists[0].1[0])[2].1.clone()).await.unwrap();
    assert!(gone["reason"].as_str().unwrap().contains("was not found"), "{gone}");
    let answer = fixture.run(DeleteMessagesFromQueryResults, results(&lists)).await.unwrap();
    assert!(answer["reason"].as_str().unwrap().contains("max_deletions"));
    fixture.assert_mailboxes_untouched();
}
