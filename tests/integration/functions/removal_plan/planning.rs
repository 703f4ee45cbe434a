//! What a plan freezes, and what it says.

use super::*;
use chrono::TimeDelta;
use sandbox::graph::{Address, Delivery};
use sha256_of::sha256;

mod sha256_of {
    use graph::attachments::Sha256;

    pub(super) fn sha256(bytes: &[u8]) -> String {
        Sha256::of(bytes).to_string()
    }
}

#[tokio::test]
async fn plan_freezes_what_was_found_and_changes_nothing() {
    let mut fixture = campaign(4, 2, &[]).await;
    let moved = fixture.mailbox(0);
    let id = fixture.graph().messages(&moved).into_iter().find(|one| one.subject == SUBJECT).unwrap().id;
    assert!(
        fixture.graph().move_message(&moved, &id, "junkemail")
            && fixture.graph().mark_read(&moved, &id, true)
    );
    let before = fixture.everything();
    let results = fixture.found().await;
    fixture.asked();
    let plan = fixture.plan_of(results).await;
    let content = &plan["content"];
    assert_eq!((&plan["success"], &plan["reason"]), (&json!(true), &Value::Null));
    assert_eq!((&content["messages"], &content["mailboxes"]), (&json!(8), &json!(4)));
    assert_eq!((&content["complete"], &content["not_planned"]), (&json!(true), &json!([])));
    assert_eq!(
        content["counts"]["folders"],
        json!([
            {"name": "Inbox", "messages": 7}, {"name": "Junk Email", "messages": 1},
        ])
    );
    let digest = content["plan_digest"].as_str().unwrap().to_owned();
    assert_eq!(content["plan_attachment"], format!("exo-removal-plan-{}.json", &digest[..12]));

    // The digest is that of the file without it.
    let bytes = fixture.file("exo-removal-plan-").await;
    let text = String::from_utf8(bytes).unwrap();
    let canonical = text.replace(&format!(",\"digest\":\"{digest}\""), "");
    assert_eq!(sha256(canonical.as_bytes()), digest);
    let file: Value = serde_json::from_str(&text).unwrap();
    let frozen = file["messages"].as_array().unwrap();
    let read = frozen.iter().find(|message| message["is_read"] == true).unwrap();
    assert_eq!((&read["mailbox"], &read["folder"]), (&json!(moved), &json!("Junk Email")));
    assert_eq!((&file["created_by"]["name"], &file["incident_id"]), (&json!("Mary"), &json!(INCIDENT)));
    let users = fixture.graph().users();
    assert!(frozen.iter().all(|message| users.iter().any(|user| message["mailbox_id"] == user.id)));

    assert_eq!(fixture.everything(), before);
    let asked = fixture.asked();
    assert!(asked.iter().all(|request| request.starts_with("GET ")), "{asked:?}");
    let trail = fixture.trail();
    let line = trail.iter().find(|line| line["act"] == "plan removal").unwrap();
    assert_eq!((&line["outcome"], &line["messages"]), (&json!("planned"), &json!(8)));

    let note = lines(&fixture.note());
    assert_eq!(note[0], "Exchange Online: removal plan of 8 messages in 4 mailboxes");
    for line in [
        "Nothing was removed: this is a plan. Its digest stands for exactly these messages.",
        &format!("Digest: {digest}"),
        "By folder: Inbox 7, Junk Email 1",
        "Samples:",
    ] {
        assert!(note.iter().any(|has| has == line), "{line}: {note:#?}");
    }
    assert!(note.iter().any(|line| line.starts_with("By mailbox: ") && line.contains(&format!("{moved} 2"))));
    assert!(note.iter().any(|line| line.starts_with("By day of reception (UTC): ")), "{note:#?}");
    let samples = note.iter().filter(|line| line.starts_with(&format!("“{SUBJECT}” from {SENDER}")));
    assert_eq!(samples.count(), 8);
}

#[tokio::test]
async fn plan_says_what_is_missing_in_it() {
    let mut fixture = campaign(4, 1, &[("mailboxes_denied_reading", "*2@nowhere.example")]).await;
    let results = fixture.found().await;
    let mut content: Value = serde_json::from_str(results.as_str().unwrap()).unwrap();
    // A message that went away, a mailbox that does not exist, and a list that was cut.
    let gone = content["email_results"][0].clone();
    let address = gone["email_address"].as_str().unwrap().to_owned();
    assert!(fixture.graph().purge_message(&address, gone["email_list"][0]["id"].as_str().unwrap()));
    content["email_results"].as_array_mut().unwrap().truncate(3);
    content["email_results"][1]["email_address"] = json!("unknown@contoso.example");
    content["limit_reached"] = json!("max_messages");
    let plan = fixture.plan_of(json!(content.to_string())).await;
    assert_eq!(plan["success"], true);
    let reason = plan["reason"].as_str().unwrap();
    for part in [
        "The query found 4 messages, and the results that were given hold 3 messages.",
        "The query ended at a limit (max_messages).",
        "What is listed for 1 mailbox could not be read and is not in the plan.",
        "1 message was not found any more and not in the plan.",
    ] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    let content = &plan["content"];
    assert_eq!((&content["messages"], &content["complete"]), (&json!(1), &json!(false)));
    assert_eq!(content["incomplete_because"].as_array().unwrap().len(), 3);
    let missing = content["not_planned"].as_array().unwrap();
    assert_eq!(missing.len(), 2, "{missing:?}");
    assert!(lines(&fixture.note())[0].starts_with("Incomplete: removal plan of 1 message in 1 mailbox"));

    let bare = json!(content_of_list(&address, &[]).to_string());
    let nothing = fixture.plan_of(bare).await;
    assert_eq!(nothing["success"], false);
    assert!(nothing["reason"].as_str().unwrap().starts_with("No plan was made"), "{}", nothing["reason"]);
    assert_eq!(fixture.files("exo-removal-plan-").len(), 1);
}

fn content_of_list(mailbox: &str, ids: &[&str]) -> Value {
    let list: Vec<_> = ids.iter().map(|id| json!({"id": id})).collect();
    json!([{"email_address": mailbox, "email_list": list}])
}

#[tokio::test]
async fn older_ids_and_aliases_become_one_message() {
    let mut fixture = campaign(2, 1, &[]).await;
    let mailbox = fixture.mailbox(0);
    let id = fixture.graph().messages(&mailbox).into_iter().find(|one| one.subject == SUBJECT).unwrap().id;
    let immutable = fixture.graph().immutable_id(&mailbox, &id).unwrap();
    let user = fixture.graph().users().into_iter().find(|user| user.user_principal_name == mailbox).unwrap();
    let mut list = content_of_list(&mailbox, &[&id, &immutable]);
    list.as_array_mut().unwrap().push(content_of_list(&user.id, &[&immutable])[0].clone());
    let plan = fixture.plan_of(json!(list.to_string())).await;
    assert_eq!((&plan["success"], &plan["content"]["messages"]), (&json!(true), &json!(1)), "{plan}");
    let file: Value = serde_json::from_slice(&fixture.file("exo-removal-plan-").await).unwrap();
    assert_eq!(file["messages"][0]["id"], immutable);
}

#[tokio::test]
async fn plan_of_a_trace_looks_the_copies_up() {
    let mut fixture = Fixture::with(TenantOptions { now: Utc::now(), ..empty(4) }).await;
    fixture.graph().faults().give_role("ExchangeMessageTrace.Read.All");
    let users = fixture.graph().mailboxes();
    let sent = Utc::now() - TimeDelta::hours(1);
    let delivery = Delivery::new("<a@evil.example>", Address::new("", SENDER), SUBJECT, sent);
    fixture.graph().deliver(&delivery.to([&users[0], &users[1], &"out@partner.example".to_owned()]));
    let traced = json!({
        "incident_id": INCIDENT, "exo_internet_message_id": "<a@evil.example>",
        "exo_query_output_format": ["Exchange Online data table"],
    });
    let raw = fixture.call(TraceMessage, traced).await["raw"].clone();
    let plan = fixture.plan_of(raw).await;
    assert_eq!((&plan["success"], &plan["content"]["messages"]), (&json!(true), &json!(2)), "{plan}");
    assert_eq!(plan["content"]["not_planned"][0]["email_address"], "out@partner.example");
}

#[tokio::test]
async fn redelivered_call_keeps_its_plan() {
    let mut fixture = campaign(2, 1, &[]).await;
    let results = fixture.found().await;
    let first = fixture.plan_of(results.clone()).await;
    let mailbox = fixture.mailbox(0);
    let id = fixture.graph().messages(&mailbox).into_iter().find(|one| one.subject == SUBJECT).unwrap().id;
    assert!(fixture.graph().mark_read(&mailbox, &id, true));
    fixture.context.call.prior_run = fn_exchange_online::functions::PriorRun::Likely;
    let inputs = json!({"incident_id": INCIDENT, "exo_query_messages_results": results});
    let second = fixture.done(PlanRemoval, inputs).await;
    assert_eq!(first["content"], second["content"]);
    assert_eq!(fixture.files("exo-removal-plan-").len(), 1);
    fixture.note();
}

#[tokio::test]
async fn plan_over_the_limit_is_not_made() {
    let mut fixture = campaign(2, 2, &[("max_plan_messages", "3")]).await;
    let results = fixture.found().await;
    let refused =
        fixture.failed(PlanRemoval, json!({"incident_id": INCIDENT, "exo_query_messages_results": results}));
    let refused = refused.await;
    assert!(refused.contains("4 messages") && refused.contains("max_plan_messages"), "{refused}");
    assert_eq!(fixture.files("exo-"), Vec::<String>::new());
}
