//! What an applied plan removed comes back, by the plan's digest or by the result.

use super::*;

/// The result of the application of a plan with the messages of `removed`, and the plan's digest.
async fn applied(action: &str) -> (Fixture, Vec<(String, Vec<String>)>, Before, Value) {
    let fixture = Fixture::with(empty(4)).await;
    let graph = fixture.graph();
    let mut lists = Vec::new();
    for mailbox in (0..3).map(|nth| fixture.mailbox(nth)) {
        let folder = graph.make_folder(&mailbox, "inbox", "Suppliers", false).unwrap();
        fixture.put_many(&mailbox, 4);
        let ids: Vec<String> = graph.snapshot(&mailbox).into_keys().take(3).collect();
        assert!(graph.move_message(&mailbox, &ids[0], &folder) && graph.mark_read(&mailbox, &ids[0], true));
        assert!(graph.flag_message(&mailbox, &ids[1], "flagged"));
        lists.push((mailbox, ids));
    }
    let before = everything(&fixture);
    let mut inputs = results(&lists);
    inputs["incident_id"] = json!(INCIDENT);
    let plan = fixture.done(PlanRemoval, inputs).await["content"].clone();
    let inputs = json!({
        "incident_id": INCIDENT, DIGEST: plan["plan_digest"], "exo_expected_messages": 9,
        "exo_removal_action": action,
    });
    let content = fixture.done(ApplyPlan, inputs).await["content"].clone();
    assert_eq!(content["messages_removed"], 9);
    fixture.asked();
    (fixture, lists, before, content)
}

#[tokio::test]
async fn applied_plan_is_undone_by_its_digest() {
    for action in ["Quarantine", "Delete"] {
        let (fixture, lists, before, content) = applied(action).await;
        let (mailbox, ids) = &lists[0];
        let graph = fixture.graph();
        if action == "Quarantine" {
            assert!(graph.mark_read(mailbox, &ids[0], false));
        }
        let inputs = json!({"incident_id": INCIDENT, DIGEST: content["plan_digest"]});
        let answer = fixture.done(RestoreMessages, inputs.clone()).await;
        assert_eq!(fates(&answer["content"]), BTreeMap::from([("restored".to_owned(), 9)]), "{action}");
        assert!(fixture.asked().len() <= 27);
        assert_eq!(everything(&fixture), before);
        assert_eq!(answer["content"]["mailboxes_looked_into"], 0, "the file is enough");
        let answer = fixture.done(RestoreMessages, inputs).await;
        assert_eq!(fates(&answer["content"]), BTreeMap::from([("already_restored".to_owned(), 9)]));
    }
}

#[tokio::test]
async fn applied_plan_is_undone_by_its_result_or_row_by_row() {
    let (fixture, _, before, content) = applied("Delete").await;
    let row = &content["results"][0];
    let inputs = json!({
        "incident_id": INCIDENT, "exo_email_address": row["mailbox"], "exo_messages_id": row["id"],
    });
    let answer = fixture.done(RestoreMessages, inputs).await;
    assert_eq!(answer["content"]["messages_restored"], 1, "the incident's file has its folder: {answer}");
    let answer = fixture.done(RestoreMessages, json!({ RESULTS: content.to_string() })).await;
    let expected = [("already_restored", 1), ("restored", 8)];
    assert_eq!(fates(&answer["content"]), expected.map(|(fate, count)| (fate.to_owned(), count)).into());
    assert_eq!(everything(&fixture), before);
}

#[tokio::test]
async fn edited_outcome_leads_no_message_astray() {
    let (fixture, lists, before, content) = applied("Quarantine").await;
    let digest = content["plan_digest"].as_str().unwrap();
    let name = content["outcome_attachment"].as_str().unwrap();
    let files = fixture.sandbox.soar.rest.attachments(Owner::Incident(INCIDENT));
    let outcome = files.iter().find(|file| file.name == name).unwrap().bytes().await.unwrap();
    let outcome = String::from_utf8(outcome).unwrap();
    let (mailbox, ids) = &lists[0];
    let folder = &before[&(mailbox.clone(), ids[0].clone())].folder_id;
    let other =
        fixture.graph().folders(mailbox).into_iter().find(|it| it.well_known == Some("archive")).unwrap();
    let edited = outcome.replace(folder.as_str(), &other.id);
    assert_ne!(edited, outcome);
    let cut = outcome[..outcome.len() / 2].to_owned();
    for text in [edited, cut] {
        fixture.attach(name, text.into_bytes()).await;
    }
    let answer = fixture.done(RestoreMessages, json!({"incident_id": INCIDENT, DIGEST: digest})).await;
    assert_eq!(fates(&answer["content"]), BTreeMap::from([("restored".to_owned(), 9)]));
    assert_eq!(everything(&fixture), before);
    assert_eq!(answer["content"]["complete"], false);
    assert_eq!(answer["reason"], "1 of the incident's files with outcomes of this plan could not be read.");
}

#[tokio::test]
async fn state_that_was_not_looked_at_is_left_alone() {
    let (fixture, _, before, mut content) = applied("Delete").await;
    for message in content["results"].as_array_mut().unwrap() {
        message["fate"] = json!("already_removed");
        message["flag"] = Value::Null;
        message["is_read"] = json!(message["is_read"] == false);
    }
    fixture.done(RestoreMessages, json!({ RESULTS: content.to_string() })).await;
    assert_eq!(everything(&fixture), before, "the plan does not know what owners did before the removal");
}

#[tokio::test]
async fn what_another_call_quarantined_is_not_of_the_plan() {
    let (fixture, _, before, mut content) = applied("Delete").await;
    content["results"][0]["code"] = json!("AlreadyInQuarantine");
    let answer = fixture.done(RestoreMessages, json!({ RESULTS: content.to_string() })).await;
    assert_eq!(fates(&answer["content"]), BTreeMap::from([("restored".to_owned(), 8)]));
    assert_ne!(everything(&fixture), before);
}

#[tokio::test]
async fn what_its_owner_threw_away_stays_there() {
    let (fixture, lists, _, content) = applied("Delete").await;
    let inputs = json!({ RESULTS: content.to_string() });
    fixture.done(RestoreMessages, inputs.clone()).await;
    let (mailbox, ids) = &lists[0];
    assert!(fixture.graph().delete_message(mailbox, &ids[1]), "into Deleted Items");
    let before = everything(&fixture);
    let answer = fixture.done(RestoreMessages, inputs).await;
    let expected = [("already_restored", 8), ("not_touched", 1)];
    assert_eq!(fates(&answer["content"]), expected.map(|(fate, count)| (fate.to_owned(), count)).into());
    assert_eq!(everything(&fixture), before);
}

#[tokio::test]
async fn outcome_that_cannot_be_read_is_reported() {
    let fixture = Fixture::with(empty(1)).await;
    fixture.attach(&format!("exo-removal-outcome-{}-1.json", "ab".repeat(6)), b"{".to_vec()).await;
    let inputs = json!({"incident_id": INCIDENT, DIGEST: "ab".repeat(32)});
    let answer = fixture.run(RestoreMessages, inputs).await.unwrap();
    assert_eq!(answer["content"]["complete"], false);
    let reason = answer["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("1 of the incident's files") && reason.contains("were deleted are not found"),
        "{reason}"
    );
}
