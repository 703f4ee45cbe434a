//! What becomes of the messages of a plan, and of all others.

use super::*;
use fn_exchange_online::guard::StopReason;

/// The results by id.
fn result<'a>(answer: &'a Value, id: &str) -> &'a Value {
    answer["content"]["results"].as_array().unwrap().iter().find(|one| one["id"] == id).unwrap()
}

#[tokio::test]
async fn plan_removes_its_messages_and_no_others() {
    for (action, folder) in [
        ("Quarantine", Some("fn-exchange-online quarantine")),
        ("Delete", Some("recoverableitemsdeletions")),
        ("Purge", None),
    ] {
        let mut fixture = campaign(4, 2, &[]).await;
        let innocent: Vec<_> = fixture
            .everything()
            .into_iter()
            .filter(|(mailbox, id, _)| fixture.graph().message(mailbox, id).unwrap().subject != SUBJECT)
            .collect();
        let inputs = fixture.planned(action).await;
        fixture.asked();
        let answer = fixture.call(ApplyPlan, inputs).await;
        assert_eq!((&answer["success"], &answer["reason"]), (&json!(true), &Value::Null), "{action}");
        // Of a message its state, for a quarantine its mark, and its removal; of a mailbox what arrived since, and the
        // folder of its quarantine.
        let (of_message, of_mailbox) = if action == "Quarantine" { (3, 2) } else { (2, 1) };
        assert_eq!(fixture.asked().len(), 8 * of_message + 4 * of_mailbox, "{action}");
        assert_eq!(fates(&answer), all("removed", 8), "{action}");
        let after = fixture.everything();
        assert!(innocent.iter().all(|one| after.contains(one)), "{action}");
        let gone_to: Vec<_> = after.iter().filter(|one| !innocent.contains(one)).map(|one| one.2).collect();
        match folder {
            Some(folder) => assert_eq!(gone_to, vec![folder; 8], "{action}"),
            None => assert_eq!(gone_to, Vec::<&str>::new()),
        }
        let file: Value = serde_json::from_slice(&fixture.file("exo-removal-outcome-").await).unwrap();
        assert_eq!(file["messages"], answer["content"]["results"]);
        assert_eq!((&file["action"], &file["settled"]), (&json!(action.to_lowercase()), &json!(true)));
        let notes = fixture.sandbox.soar.rest.notes(INCIDENT);
        let note = lines(&notes.last().unwrap().content);
        let participle = answer_words(action);
        assert_eq!(note[0], format!("Exchange Online: 8 of 8 messages of the plan {participle}"));
        for line in ["Made by: Mary", "Approved by: Nora", "Applied by: Mary"] {
            assert!(note.iter().any(|has| has == line), "{line}: {note:#?}");
        }
    }
}

fn answer_words(action: &str) -> &'static str {
    match action {
        "Quarantine" => "moved to quarantine",
        "Delete" => "deleted",
        _ => "purged",
    }
}

#[tokio::test]
async fn what_owners_did_since_is_reported() {
    let mut fixture = campaign(6, 1, &[]).await;
    let inputs = fixture.planned("Quarantine").await;
    let mailboxes = fixture.graph().mailboxes();
    let phish = |nth: usize| {
        let mut messages = fixture.graph().messages(&mailboxes[nth]).into_iter();
        let id = messages.find(|one| one.subject == SUBJECT).unwrap().id;
        fixture.graph().immutable_id(&mailboxes[nth], &id).unwrap()
    };
    let ids: Vec<String> = (0..6).map(phish).collect();
    let graph = fixture.graph();
    assert!(graph.move_message(&mailboxes[0], &ids[0], "junkemail"));
    assert!(graph.mark_read(&mailboxes[1], &ids[1], true));
    assert!(graph.purge_message(&mailboxes[2], &ids[2]));
    assert!(graph.delete_message(&mailboxes[3], &ids[3]));
    let arrived =
        fixture.put(&mailboxes[4], sandbox::graph::NewMessage { received: Utc::now(), ..super::phish() });
    let arrived = fixture.graph().immutable_id(&mailboxes[4], &arrived).unwrap();
    fixture.put(&mailboxes[5], sandbox::graph::NewMessage { received: Utc::now(), ..mail("Lunch?") });
    let answer = fixture.call(ApplyPlan, inputs).await;
    assert_eq!(fates(&answer), [("removed".to_owned(), 5), ("gone".to_owned(), 1)]);
    assert_eq!(
        (&result(&answer, &ids[0])["changed"], &result(&answer, &ids[0])["folder"]),
        (&json!(["moved"]), &json!("Junk Email"))
    );
    assert_eq!(result(&answer, &ids[1])["changed"], json!(["read"]));
    assert_eq!(
        (&result(&answer, &ids[2])["fate"], &result(&answer, &ids[2])["reason"]),
        (&json!("gone"), &json!("not found any more"))
    );
    assert_eq!(result(&answer, &ids[3])["folder"], "Deleted Items");
    let arrivals = answer["content"]["arrivals"].as_array().unwrap();
    assert_eq!((arrivals.len(), &arrivals[0]["id"]), (1, &json!(arrived)), "{arrivals:?}");
    assert_eq!(fixture.graph().snapshot(&mailboxes[4])[&arrived].folder, "inbox");
    let reason = answer["reason"].as_str().unwrap();
    for part in [
        "1 of 6 messages was not found any more",
        "Since the plan was made, their owners had 2 moved, 1 read.",
        "1 message like those of the plan arrived since the query; it was not touched.",
    ] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    let notes = fixture.sandbox.soar.rest.notes(INCIDENT);
    let note = lines(&notes.last().unwrap().content);
    assert!(note.iter().any(|line| line == "Arrived since, not touched:"), "{note:#?}");
    assert!(note.iter().any(|line| line.starts_with(&mailboxes[4])), "{note:#?}");
}

#[tokio::test]
async fn dry_run_of_a_plan_changes_nothing_and_claims_nothing() {
    let mut fixture = campaign(3, 1, &[("dry_run", "true")]).await;
    let before = fixture.everything();
    let inputs = fixture.planned("Purge").await;
    for _ in 0..2 {
        let answer = fixture.call(ApplyPlan, inputs.clone()).await;
        assert_eq!((&answer["success"], fates(&answer)), (&json!(false), all("dry_run", 3)));
        let reason = answer["reason"].as_str().unwrap();
        assert!(reason.starts_with("Dry run: 3 of 3 messages would have been purged"), "{reason}");
    }
    assert_eq!(fixture.everything(), before);
    assert_eq!(fixture.files("exo-").len(), 1, "{:?}", fixture.files("exo-"));
    let note = lines(&fixture.sandbox.soar.rest.notes(INCIDENT).last().unwrap().content);
    assert_eq!(note[0], "Dry run: 3 of 3 messages would have been purged; nothing was changed");
}

#[tokio::test]
async fn plan_that_was_cut_short_can_be_applied_again() {
    let mut fixture = campaign(4, 3, &[("max_concurrent_requests", "1")]).await;
    let inputs = fixture.planned("Quarantine").await;
    fixture.context.limits.call_timeout = Duration::from_millis(400);
    fixture.graph().faults().set_latency(Duration::from_millis(60), Duration::ZERO);
    let first = fixture.call(ApplyPlan, inputs.clone()).await;
    assert_eq!(first["content"]["settled"], false, "{:?}", fates(&first));
    assert!(first["reason"].as_str().unwrap().contains("call_timeout"), "{}", first["reason"]);
    assert_eq!(fixture.files("exo-plan-").len(), 2, "{:?}", fixture.files("exo-plan-"));
    fixture.graph().faults().set_latency(Duration::ZERO, Duration::ZERO);
    fixture.context.limits.call_timeout = Duration::from_secs(60);
    let second = fixture.call(ApplyPlan, inputs.clone()).await;
    assert_eq!(second["content"]["settled"], true, "{:?}", fates(&second));
    let numbers = fates(&second);
    assert_eq!(numbers.iter().map(|(_, count)| count).sum::<u64>(), 12);
    assert!(numbers.iter().all(|(fate, _)| fate == "removed" || fate == "already_removed"), "{numbers:?}");
    let quarantined = fixture.everything().into_iter().filter(|one| one.2 == "fn-exchange-online quarantine");
    assert_eq!(quarantined.count(), 12);
    assert_eq!(fixture.call(ApplyPlan, inputs).await["content"]["error"]["code"], "PlanApplied");
}

#[tokio::test]
async fn held_call_applies_nothing_and_claims_nothing() {
    let mut fixture = campaign(2, 1, &[]).await;
    let inputs = fixture.planned("Delete").await;
    fixture.context.call = Call::by_hand();
    fixture.context.guard.stop(StopReason::OnHold);
    let before = fixture.everything();
    let answer = fixture.run(ApplyPlan, inputs).await.unwrap();
    assert_eq!(answer["content"]["error"]["code"], "OnHold", "{answer}");
    assert_eq!((fixture.everything(), fixture.files("exo-plan-")), (before, Vec::new()));
}

#[tokio::test]
async fn stopped_application_accounts_for_all_messages_and_releases_the_plan() {
    let mut fixture = campaign(3, 4, &[("max_concurrent_requests", "1")]).await;
    let inputs = fixture.planned("Delete").await;
    fixture.context.call = Call::by_hand();
    fixture.graph().faults().set_latency(Duration::from_millis(10), Duration::ZERO);
    let stop = async {
        let begun = |graph: &sandbox::graph::Tenant| graph.deleted().len() >= 2;
        assert!(fixture.graph().until(Duration::from_secs(10), begun).await);
        fixture.context.guard.stop(StopReason::OnHold);
    };
    let (answer, ()) = tokio::join!(fixture.run(ApplyPlan, inputs), stop);
    let answer = answer.unwrap();
    let deleted = fixture.graph().deleted().len() as u64;
    let numbers = fates(&answer);
    assert_eq!(
        numbers,
        [("removed".to_owned(), deleted), ("not_reached".to_owned(), 12 - deleted)],
        "{answer}"
    );
    let reason = answer["reason"].as_str().unwrap();
    assert!(reason.starts_with(&format!("Stopped after {deleted} of 12 messages")), "{reason}");
    assert!(reason.contains("(hold)") && reason.contains("can be applied again"), "{reason}");
    assert_eq!((&answer["success"], fixture.files("exo-plan-").len()), (&json!(true), 2));
    assert_eq!(answer["content"]["not_looked_into"].as_array().unwrap().len(), 3, "{answer}");
    assert!(
        fixture.trail().iter().any(|line| line["act"] == "delete messages" && line["outcome"] == "refused")
    );
}

#[tokio::test]
async fn message_of_another_identity_is_not_touched() {
    let mut fixture = campaign(1, 2, &[]).await;
    let results = fixture.found().await;
    let plan = fixture.plan_of(results).await;
    let bytes = fixture.file("exo-removal-plan-").await;
    // A plan that says of an id that another message has it, with the right digest.
    let mut file: Value = serde_json::from_slice(&bytes).unwrap();
    let other = "2026-01-01T00:00:00Z";
    let day = file["messages"][0]["received"].as_str().unwrap()[..10].to_owned();
    file["messages"][0]["received"] = json!(other);
    file["counts"]["days"] = json!([{"name": "2026-01-01", "messages": 1}, {"name": day, "messages": 1}]);
    file.as_object_mut().unwrap().remove("digest");
    let digest = graph::attachments::Sha256::of(file.to_string().as_bytes()).to_string();
    file["digest"] = json!(digest);
    fixture.attach(&format!("exo-removal-plan-{}.json", &digest[..12]), file.to_string().into_bytes()).await;
    let inputs = with(&approval(&plan["content"], "Purge"), "exo_plan_digest", digest);
    let answer = fixture.call(ApplyPlan, inputs).await;
    assert_eq!(fates(&answer), [("removed".to_owned(), 1), ("changed_identity".to_owned(), 1)], "{answer}");
    assert!(fixture.everything().iter().any(|(_, id, _)| file["messages"][0]["id"] == *id));
}

#[tokio::test]
async fn deletion_from_quarantine_records_where_the_message_was() {
    let mut fixture = campaign(2, 1, &[]).await;
    let before = fixture.everything();
    let inputs = fixture.planned("Quarantine").await;
    fixture.graph().faults().next(1, Target::containing("/move"), Fault::Status(403, RetryAfter::Absent));
    let first = fixture.call(ApplyPlan, inputs.clone()).await;
    assert_eq!(fates(&first), [("removed".to_owned(), 1), ("failed".to_owned(), 1)], "{first}");
    let delete = with(&inputs, "exo_removal_action", "Delete");
    let second = fixture.call(ApplyPlan, delete).await;
    assert_eq!(fates(&second), all("removed", 2), "{second}");
    for one in second["content"]["results"].as_array().unwrap() {
        assert_eq!((&one["folder"], &one["changed"]), (&json!("Inbox"), &json!([])), "{one}");
    }
    let inputs = json!({"incident_id": INCIDENT, "exo_plan_digest": inputs["exo_plan_digest"]});
    fixture.call(RestoreMessages, inputs).await;
    assert_eq!(fixture.everything(), before);
}

#[tokio::test]
async fn dry_run_that_is_switched_on_meanwhile_leaves_the_rest() {
    let mut fixture = campaign(3, 4, &[("max_concurrent_requests", "1")]).await;
    let inputs = fixture.planned("Delete").await;
    let rails = GuardSettings { dry_run: true, ..fixture.settings.guard.clone() };
    let answer = fixture.call_under_change(ApplyPlan, inputs, rails).await;
    let deleted = fixture.graph().deleted().len() as u64;
    let left = 12 - deleted;
    assert_eq!(fates(&answer), [("removed".to_owned(), deleted), ("dry_run".to_owned(), left)], "{answer}");
    let reason = answer["reason"].as_str().unwrap();
    for part in [
        format!("{left} of 12 messages were not removed."),
        format!("{left} of 12 messages were left, since a dry run was switched on meanwhile (dry_run)."),
        "can be applied again".to_owned(),
    ] {
        assert!(reason.contains(&part), "{part}: {reason}");
    }
    let note = lines(&fixture.sandbox.soar.rest.notes(INCIDENT).last().unwrap().content);
    assert!(note[0].starts_with("Incomplete:"), "{note:#?}");
}

#[tokio::test]
async fn message_with_a_very_long_message_id_is_removed() {
    let mut fixture = campaign(1, 1, &[]).await;
    let message_id = sandbox::graph::MessageId::Own(format!("<{}@evil.example>", "ü".repeat(3000)));
    let mailbox = fixture.mailbox(0);
    fixture.put(&mailbox, sandbox::graph::NewMessage { message_id, ..phish() });
    let inputs = fixture.planned("Delete").await;
    assert_eq!(fates(&fixture.call(ApplyPlan, inputs).await), all("removed", 2));
}
