//! What keeps a plan from being applied.

use super::*;

/// The code of a refusal. Nothing was touched.
async fn refused(fixture: &mut Fixture, inputs: Value) -> (String, String) {
    let before = fixture.everything();
    let answer = fixture.call(ApplyPlan, inputs).await;
    assert_eq!((&answer["success"], fixture.everything() == before), (&json!(false), true), "{answer}");
    let reason = answer["reason"].as_str().unwrap().to_owned();
    assert!(reason.starts_with("Nothing was"), "{reason}");
    let trail = fixture.trail();
    let line = trail.iter().rfind(|line| line["outcome"] == "refused").unwrap();
    assert_eq!(line["act"], "delete messages");
    (answer["content"]["error"]["code"].as_str().unwrap().to_owned(), reason)
}

#[tokio::test]
async fn plan_that_is_not_as_approved_is_refused() {
    let mut fixture = campaign(2, 1, &[]).await;
    let inputs = fixture.planned("Quarantine").await;
    let name = fixture.files("exo-removal-plan-").remove(0);
    let other = "ab".repeat(32);
    for (inputs, code) in [
        (with(&inputs, "exo_expected_messages", 3), "OtherCount"),
        (with(&inputs, "exo_expected_messages", -2), "OtherCount"),
        (with(&inputs, "exo_plan_digest", other.clone()), "PlanNotFound"),
        (with(&with(&inputs, "exo_plan_digest", other), "exo_plan_attachment", name.clone()), "OtherDigest"),
        (with(&inputs, "exo_plan_attachment", "other.json"), "PlanNotFound"),
    ] {
        assert_eq!(refused(&mut fixture, inputs).await.0, code);
    }
    assert_eq!(fixture.files("exo-plan-"), Vec::<String>::new(), "nothing is claimed");
    for (name, value) in [
        ("exo_plan_digest", "abc"),
        ("exo_plan_digest", ""),
        ("exo_removal_action", ""),
        ("exo_removal_action", "Shred"),
    ] {
        let error = fixture.failed(ApplyPlan, with(&inputs, name, value)).await;
        assert!(error.contains(name), "{error}");
    }
    // The same plan is applied by the name or the number of its file.
    let by_name = fixture.call(ApplyPlan, with(&inputs, "exo_plan_attachment", name)).await;
    assert_eq!(fates(&by_name), all("removed", 2), "{by_name}");
}

#[tokio::test]
async fn edited_plan_is_refused() {
    let mut fixture = campaign(2, 1, &[]).await;
    let inputs = fixture.planned("Delete").await;
    let name = fixture.files("exo-removal-plan-").remove(0);
    let text = String::from_utf8(fixture.file(&name).await).unwrap();
    let innocent =
        fixture.graph().messages(&fixture.mailbox(0)).into_iter().find(|one| one.subject != SUBJECT);
    let innocent = fixture.graph().immutable_id(&fixture.mailbox(0), &innocent.unwrap().id).unwrap();
    let planned: Value = serde_json::from_str(&text).unwrap();
    let id = planned["messages"][0]["id"].as_str().unwrap();
    let formatted = serde_json::to_string_pretty(&planned).unwrap();
    for edited in [
        text.replace(id, &innocent),
        text.replace("\"is_read\":false", "\"is_read\":true"),
        text.replace(",\"counts\"", ",\"note\":1,\"counts\""),
        text[..text.len() - 2].to_owned(),
        formatted,
        format!("{text}\n"),
    ] {
        // The newest file of the name is an edited one. The original is still there, and still the approved plan.
        fixture.attach("plan.json", edited.into_bytes()).await;
        let (code, reason) = refused(&mut fixture, with(&inputs, "exo_plan_attachment", "plan.json")).await;
        assert_eq!(code, "PlanUnusable", "{reason}");
    }
    // A plan whose digest was computed again has another digest.
    let edited = text.replace(id, &innocent);
    fixture.attach(&name, edited.into_bytes()).await;
    let applied = fixture.call(ApplyPlan, inputs).await;
    assert_eq!(fates(&applied), all("removed", 2), "{applied}");
    assert!(fixture.everything().iter().any(|(_, id, folder)| *id == innocent && *folder == "inbox"));
}

#[tokio::test]
async fn approved_plan_is_found_behind_another_one_of_its_name() {
    let mut fixture = campaign(2, 1, &[]).await;
    let approved = fixture.planned("Delete").await;
    let name = fixture.files("exo-removal-plan-").remove(0);
    let innocent = fixture.put_phish(&fixture.mailbox(0));
    fixture.planned("Delete").await;
    let other = fixture.file("exo-removal-plan-").await;
    fixture.attach(&name, other).await;
    let by_name = with(&approved, "exo_plan_attachment", name);
    let applied = fixture.call(ApplyPlan, by_name).await;
    assert_eq!(fates(&applied), all("removed", 2), "{applied}");
    assert!(fixture.everything().iter().any(|(_, id, folder)| *id == innocent && *folder == "inbox"));
}

#[tokio::test]
async fn plan_of_another_incident_is_refused() {
    let mut fixture = campaign(1, 1, &[]).await;
    fixture.sandbox.soar.rest.add_incident(7, "Another");
    let inputs = fixture.planned("Delete").await;
    let name = fixture.files("exo-removal-plan-").remove(0);
    let bytes = fixture.file(&name).await;
    let soar = soar::Client::connect(&fixture.settings.soar).await.unwrap();
    let content = soar::Content::bytes(bytes);
    soar.attach(soar::Target::Incident(7), &name, "application/json", content).await.unwrap();
    assert_eq!(refused(&mut fixture, with(&inputs, "incident_id", 7)).await.0, "OtherIncident");
}

#[tokio::test]
async fn expired_plan_is_refused() {
    let mut fixture = campaign(1, 1, &[("plan_lifetime", "60")]).await;
    let results = fixture.found().await;
    fixture.context.call = Call::by_hand();
    fixture.context.call.asked_at = Some(Utc::now() - chrono::TimeDelta::seconds(61));
    let inputs = json!({"incident_id": INCIDENT, "exo_query_messages_results": results});
    let plan = fixture.done(PlanRemoval, inputs).await;
    let (code, reason) = refused(&mut fixture, approval(&plan["content"], "Delete")).await;
    assert_eq!(code, "PlanExpired");
    assert!(reason.contains("plan_lifetime"), "{reason}");
}

#[tokio::test]
async fn plan_is_applied_by_one_call() {
    let mut fixture = campaign(3, 1, &[]).await;
    let inputs = fixture.planned("Quarantine").await;
    let applied = fixture.call(ApplyPlan, inputs.clone()).await;
    assert_eq!((fates(&applied), &applied["content"]["settled"]), (all("removed", 3), &json!(true)));
    let (code, reason) = refused(&mut fixture, inputs.clone()).await;
    assert_eq!(code, "PlanApplied");
    assert!(reason.contains("another call applied this plan"), "{reason}");
    assert_eq!(refused(&mut fixture, with(&inputs, "exo_removal_action", "Purge")).await.0, "PlanApplied");
}

#[tokio::test]
async fn maker_of_a_plan_cannot_approve_it() {
    let mut fixture = campaign(1, 1, &[("four_eyes", "true")]).await;
    let inputs = fixture.planned("Quarantine").await;
    for (approver, code) in [
        (Value::Null, "ApproverMissing"),
        (json!("  "), "ApproverMissing"),
        (json!("Mary"), "ApproverIsMaker"),
        (json!(" mARY "), "ApproverIsMaker"),
        // Mary makes the call.
        (json!(APPROVER), "ApproverIsMaker"),
    ] {
        assert_eq!(refused(&mut fixture, with(&inputs, "exo_approved_by", approver)).await.0, code);
    }
    fixture.apply_rails(&[("four_eyes", "true")]);
    let applied = fixture.call(ApplyPlan, inputs).await;
    assert_eq!((fates(&applied), &applied["content"]["approved_by"]), (all("removed", 1), &json!(APPROVER)));
    let trail = fixture.trail();
    let act = trail.iter().find(|line| line["act"] == "quarantine message").unwrap();
    assert_eq!((&act["approved_by"], &act["plan"]), (&json!(APPROVER), &applied["content"]["plan_digest"]));
}

#[tokio::test]
async fn guard_rails_hold_for_a_plan() {
    // Larger than max_deletions, and within max_plan_messages.
    let mut fixture = campaign(3, 2, &[("max_deletions", "1"), ("max_deletions_per_hour", "7")]).await;
    let first = fixture.planned("Delete").await;
    let applied = fixture.call(ApplyPlan, first).await;
    assert_eq!(fates(&applied), all("removed", 6));
    for mailbox in fixture.graph().mailboxes() {
        fixture.put_phish(&mailbox);
    }
    let second = fixture.planned("Delete").await;
    assert_eq!(refused(&mut fixture, second).await.0, "TooManyDeletionsPerHour");
}

#[tokio::test]
async fn protected_mailbox_keeps_its_messages() {
    let probe = campaign(3, 1, &[]).await;
    let denied = probe.mailbox(0);
    let mut fixture = campaign(3, 1, &[("mailboxes_denied", &denied)]).await;
    let inputs = fixture.planned("Delete").await;
    let answer = fixture.call(ApplyPlan, inputs.clone()).await;
    assert_eq!(fates(&answer), [("removed".to_owned(), 2), ("refused".to_owned(), 1)]);
    let results = answer["content"]["results"].as_array().unwrap();
    let kept = results.iter().find(|one| one["fate"] == "refused").unwrap();
    assert_eq!((&kept["mailbox"], &kept["code"]), (&json!(denied), &json!("MailboxRefused")));
    assert_eq!(answer["content"]["settled"], false);
    assert!(answer["reason"].as_str().unwrap().contains("can be applied again"), "{}", answer["reason"]);
    let again = fixture.call(ApplyPlan, inputs).await;
    assert_eq!(fates(&again), [("gone".to_owned(), 2), ("refused".to_owned(), 1)], "{again}");
}

#[tokio::test]
async fn deletion_without_a_plan_is_answered_with_what_to_do() {
    let mut fixture = campaign(1, 1, &[("approval_required", "true")]).await;
    let before = fixture.everything();
    let mailbox = fixture.mailbox(0);
    let (_, id, _) = before[0].clone();
    let one = json!({"exo_email_address": mailbox, "exo_messages_id": id});
    let results = fixture.found().await;
    for (function, inputs) in
        [(DeleteEmail, one), (DeleteMessagesFromQueryResults, json!({"exo_query_messages_results": results}))]
    {
        let answer = fixture.call(function, inputs).await;
        assert_eq!(answer["success"], false);
        let reason = answer["reason"].as_str().unwrap();
        for part in ["approval_required", "exchange_online_plan_removal", "exchange_online_apply_plan"] {
            assert!(reason.contains(part), "{reason}");
        }
    }
    assert_eq!(fixture.everything(), before);
    let inputs = fixture.planned("Delete").await;
    assert_eq!(fates(&fixture.call(ApplyPlan, inputs).await), all("removed", 1));
}

#[tokio::test]
async fn approval_that_is_required_meanwhile_stops_a_deletion() {
    let mut fixture = campaign(3, 4, &[("max_concurrent_requests", "1")]).await;
    let inputs = json!({"exo_query_messages_results": fixture.found().await});
    let rails = GuardSettings { approval_required: true, ..fixture.settings.guard.clone() };
    let answer = fixture.call_under_change(DeleteMessagesFromQueryResults, inputs, rails).await;
    let deleted = fixture.graph().deleted().len();
    let part =
        format!("Stopped after {deleted} of 12 messages: messages are deleted by an approved plan only");
    assert!(answer["reason"].as_str().unwrap().contains(&part), "{}", answer["reason"]);
    assert!(deleted < 12);
}
