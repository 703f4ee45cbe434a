//! Entries come back as appointments, once, whatever happens on the way.

use sandbox::graph::RESTORE_ROLES;

use super::*;

#[tokio::test]
async fn series_comes_back_with_its_recurrence_and_zone() {
    let mut invited = Invited::new(2, &[]).await;
    let (mailbox, series) = (invited.mailboxes[0].clone(), prize("series").weekly(6));
    invited.deliver(MeetingMessage::request(series.clone()), std::slice::from_ref(&mailbox));
    let before = invited.fixture.graph().events(&mailbox).pop().unwrap().object;
    let answer = invited.remove(&[&series.uid], &mailbox).await;
    let restored = invited.restore(&answer).await;
    assert_eq!(restored["content"]["meetings_restored"], 1, "{}", restored["reason"]);
    let after = invited.fixture.graph().events(&mailbox).pop().unwrap().object;
    for key in ["subject", "recurrence", "type", "start", "end", "location", "reminderMinutesBeforeStart"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    assert_ne!(after["iCalUId"], before["iCalUId"], "no update of the organizer reaches it");
    assert_eq!(
        restored["reason"],
        "1 calendar entry restored as appointments, without organizer, attendees, answer and updates."
    );
}

#[tokio::test]
async fn return_with_a_lost_answer_is_made_once() {
    for fault in [Fault::DoneButStatus(504, RetryAfter::Absent), Fault::CutBody, Fault::Status(429, SOON)] {
        let mut invited = Invited::to_prize(1, &[]).await;
        let answer = invited.remove(&[&prize("prize").uid], "all").await;
        invited.fixture.graph().faults().next(1, Target::containing("POST"), fault);
        invited.restore(&answer).await;
        assert_eq!(invited.left(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn meeting_that_is_there_again_is_not_doubled() {
    let mut invited = Invited::to_prize(1, &[]).await;
    let boxes = invited.mailboxes.clone();
    let answer = invited.remove(&[&prize("prize").uid], "all").await;
    // An update by the organizer enters it again.
    invited.deliver(MeetingMessage::request(prize("prize")), &boxes);
    let restored = invited.restore(&answer).await;
    assert_eq!((restored["content"]["meetings_already_there"].as_u64(), invited.left()), (Some(1), 1));
}

#[tokio::test]
async fn entry_that_cannot_come_back_is_reported() {
    let mut invited = Invited::to_prize(2, &[]).await;
    let answer = invited.remove(&[&prize("prize").uid], "all").await;
    let target = Target::containing("POST");
    invited.fixture.graph().faults().next(1, target, Fault::Status(403, RetryAfter::Absent));
    let restored = invited.restore(&answer).await;
    assert_eq!((restored["content"]["meetings_restored"].as_u64(), invited.left()), (Some(1), 1));
    let reason = restored["reason"].as_str().unwrap();
    assert!(reason.starts_with("1 calendar entry not restored. 1 calendar entry restored"), "{reason}");
    let restored = invited.restore(&answer).await;
    assert_eq!((restored["content"]["meetings_restored"].as_u64(), invited.left()), (Some(1), 2));
}

/// A tenant whose administrator has consented to export and import, with an accepted series in a calendar.
async fn with_consent() -> (Invited, String, String) {
    let mut invited = Invited::new(3, &[]).await;
    for role in RESTORE_ROLES {
        invited.fixture.graph().faults().give_role(role);
    }
    let (mailbox, series) = (invited.mailboxes[0].clone(), prize("series").weekly(6));
    let boxes = invited.mailboxes.clone();
    invited.deliver(MeetingMessage::request(series.clone()), &boxes);
    let day = start().date_naive() + TimeDelta::weeks(2);
    invited.deliver(MeetingMessage::request(series.clone()).on(day), &boxes);
    assert!(invited.fixture.graph().accept_meeting(&mailbox, &series.uid));
    (invited, mailbox, series.uid)
}

#[tokio::test]
async fn exported_entries_come_back_in_full() {
    let (mut invited, mailbox, uid) = with_consent().await;
    let (before, outbox) = (invited.entries(&mailbox), invited.outbox());
    let answer = invited.remove(&[&uid], "all").await;
    assert_eq!((answer["content"]["meetings_removed"].as_u64(), invited.left()), (Some(3), 0));
    assert!(!answer.to_string().contains("exported"), "a result is small");
    let file = String::from_utf8(invited.fixture.file("exo-meetings-removed").await).unwrap();
    let inputs = json!({"exo_deletion_results": file});
    let restored = invited.fixture.call(RestoreMessages, inputs.clone()).await;
    assert_eq!(restored["content"]["calendars"][0]["fate"], "restored_in_full", "{}", restored["reason"]);
    assert_eq!(restored["reason"], "3 calendar entries restored with organizer, attendees and answer.");
    assert_eq!((invited.entries(&mailbox), invited.outbox()), (before.clone(), outbox));
    let again = invited.fixture.call(RestoreMessages, inputs).await;
    assert_eq!(
        (again["content"]["meetings_already_there"].as_u64(), invited.entries(&mailbox)),
        (Some(3), before)
    );
}

#[tokio::test]
async fn plans_keep_exports_in_their_file() {
    let (mut invited, mailbox, _) = with_consent().await;
    let before = invited.entries(&mailbox);
    let inputs = invited.planned("Quarantine").await;
    let answer = invited.fixture.call(ApplyPlan, inputs).await;
    assert_eq!((answer["content"]["meetings_accepted"].as_u64(), invited.left()), (Some(1), 0));
    let digest = json!({"incident_id": INCIDENT, "exo_plan_digest": answer["content"]["plan_digest"]});
    let restored = invited.fixture.call(RestoreMessages, digest).await;
    assert_eq!(restored["success"], true, "{}", restored["reason"]);
    let master =
        |entries: &[CalendarEntry]| entries.iter().find(|one| one.kind == "seriesMaster").cloned().unwrap();
    assert_eq!(master(&invited.entries(&mailbox)), master(&before));
}

#[tokio::test]
async fn import_with_a_lost_answer_is_made_once() {
    for fault in [Fault::CutBody, Fault::Status(503, SOON)] {
        let (mut invited, mailbox, uid) = with_consent().await;
        invited.remove(&[&uid], &mailbox).await;
        let file = String::from_utf8(invited.fixture.file("exo-meetings-removed").await).unwrap();
        invited.fixture.graph().faults().next(1, Target::containing("importItem"), fault);
        let inputs = json!({"exo_deletion_results": file});
        let restored = invited.fixture.call(RestoreMessages, inputs).await;
        assert_eq!(restored["success"], true, "{fault:?}: {}", restored["reason"]);
        let entries = invited.entries(&mailbox);
        let masters = entries.iter().filter(|one| one.kind == "seriesMaster").count();
        assert_eq!(masters, 1, "{fault:?}: {entries:?}");
    }
}

#[tokio::test]
async fn entry_that_cannot_be_imported_comes_back_as_an_appointment() {
    let (mut invited, mailbox, uid) = with_consent().await;
    invited.remove(&[&uid], &mailbox).await;
    let file = String::from_utf8(invited.fixture.file("exo-meetings-removed").await).unwrap();
    invited.fixture.graph().faults().take_role(RESTORE_ROLES[0]);
    invited.fixture.graph().revoke_tokens();
    let restored = invited.fixture.call(RestoreMessages, json!({"exo_deletion_results": file})).await;
    assert_eq!(restored["content"]["calendars"][0]["fate"], "restored", "{}", restored["reason"]);
    assert!(invited.entries(&mailbox)[0].is_organizer);
}
