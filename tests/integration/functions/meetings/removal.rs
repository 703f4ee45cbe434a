//! `exchange_online_remove_meetings`: the mail is gone, and the entries go as well.

use fn_exchange_online::functions::PriorRun;

use super::*;

/// The fates of the mailboxes, in their order.
fn calendars(answer: &Value) -> Vec<&str> {
    let calendars = answer["content"]["calendars"].as_array().unwrap().iter();
    calendars.map(|calendar| calendar["fate"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn entries_go_where_the_mail_is_gone() {
    let mut invited = Invited::to_prize(6, &[]).await;
    let series = prize("series").weekly(4);
    let boxes = invited.mailboxes.clone();
    invited.deliver(MeetingMessage::request(series.clone()), &boxes[..3]);
    let uid = prize("prize").uid;
    assert!(invited.fixture.graph().accept_meeting(&boxes[0], &uid));
    assert!(invited.fixture.graph().tentatively_accept_meeting(&boxes[1], &series.uid));
    for mailbox in &boxes {
        for message in invited.fixture.graph().messages(mailbox) {
            assert!(invited.fixture.graph().purge_message(mailbox, &message.id));
        }
    }
    assert!(invited.fixture.graph().remove_event(&boxes[5], &uid));
    let (outbox, entries) = (invited.outbox(), invited.left());
    let answer = invited.remove(&[&uid, &series.uid], "all users").await;
    assert_eq!(answer["success"], true, "{}", answer["reason"]);
    assert_eq!((invited.left(), invited.outbox()), (0, outbox));
    let content = &answer["content"];
    assert_eq!(calendars(&answer), ["removed", "removed", "removed", "removed", "removed", "no_entry"]);
    let counts = ["meetings_removed", "meetings_accepted", "meetings_tentative", "mailboxes_looked_into"];
    assert_eq!(counts.map(|key| content[key].as_u64().unwrap()), [entries as u64, 1, 1, 6]);
    assert_eq!((&content["complete"], &answer["reason"]), (&json!(true), &Value::Null));
    let note = last_note(&invited.fixture);
    assert!(note[0].contains("8 calendar entries removed, 1 of them had been accepted"), "{note:?}");
    invited.assert_others_stay();

    let again = invited.remove(&[&uid, &series.uid], "all").await;
    assert_eq!((&again["success"], calendars(&again)), (&json!(false), vec!["no_entry"; 6]));
    assert_eq!(again["reason"], "No entry of the 2 meetings was found in 6 mailboxes.");

    let restored = invited.restore(&answer).await;
    assert_eq!(restored["success"], true, "{}", restored["reason"]);
    assert_eq!(restored["content"]["meetings_restored"], entries);
    assert_eq!(invited.left(), entries);
    let file = invited.fixture.file("exo-meetings-removed").await;
    let text = String::from_utf8(file).unwrap();
    let again = invited.fixture.call(RestoreMessages, json!({"exo_deletion_results": text})).await;
    assert_eq!(
        (again["content"]["meetings_already_there"].as_u64(), invited.left()),
        (Some(entries as u64), entries)
    );
}

#[tokio::test]
async fn redelivered_removal_reports_what_it_removed() {
    let mut invited = Invited::to_prize(4, &[]).await;
    let inputs = json!({
        "incident_id": INCIDENT, "exo_ical_uid": prize("prize").uid, "exo_email_address": "all",
    });
    let first = invited.fixture.call(RemoveMeetings, inputs.clone()).await;
    assert_eq!(first["content"]["meetings_removed"], 4);
    for prior_run in [PriorRun::Possible, PriorRun::Likely] {
        invited.fixture.context.call.prior_run = prior_run;
        let again = invited.fixture.run(RemoveMeetings, inputs.clone()).await.unwrap();
        assert_eq!(calendars(&again), ["already_removed"; 4]);
        assert_eq!((&again["success"], &again["content"]["meetings_removed"]), (&json!(true), &json!(4)));
    }
    assert_eq!(invited.fixture.files("exo-meetings-removed").len(), 1);
    invited.fixture.note();
}

#[tokio::test]
async fn mailboxes_that_fail_are_named() {
    let mut invited = Invited::to_prize(4, &[]).await;
    let boxes = invited.mailboxes.clone();
    let who = format!("{}, missing@contoso.example, {}", boxes[0], boxes[1]);
    let target = Target::containing(format!("/users/{}/events", encoded(&boxes[1])));
    invited.fixture.graph().faults().next(1, target, Fault::Status(403, RetryAfter::Absent));
    let uid = prize("prize").uid;
    let answer = invited.remove(&[&uid], &who).await;
    assert_eq!(calendars(&answer), ["removed", "no_mailbox", "failed"]);
    assert_eq!((&answer["content"]["complete"], invited.left()), (&json!(false), 3));
    assert!(
        answer["reason"].as_str().unwrap().starts_with("1 of 3 mailboxes: could not be looked into"),
        "{answer}"
    );
    let note = last_note(&invited.fixture);
    assert!(note[0].starts_with("Incomplete:"), "{note:?}");
}

#[tokio::test]
async fn first_users_only_are_not_all() {
    let mut invited = Invited::to_prize(5, &[("max_users", "3")]).await;
    let uid = prize("prize").uid;
    let answer = invited.remove(&[&uid], "all").await;
    assert_eq!(
        (calendars(&answer).len(), &answer["content"]["complete"], invited.left()),
        (3, &json!(false), 2)
    );
    assert!(answer["reason"].as_str().unwrap().contains("max_users"), "{answer}");
}

#[tokio::test]
async fn missing_uid_is_refused() {
    let invited = Invited::new(1, &[]).await;
    for uid in ["", " \n "] {
        let inputs = json!({"exo_ical_uid": uid, "exo_email_address": "all"});
        let error = invited.fixture.failed(RemoveMeetings, inputs).await;
        assert!(error.contains("exo_ical_uid"), "{error}");
    }
}
