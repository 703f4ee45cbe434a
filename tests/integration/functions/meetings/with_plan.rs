//! `exo_include_meetings`: calendar entries go with the messages of a plan.

use fn_exchange_online::functions::Call;
use fn_exchange_online::functions::PriorRun;

use super::*;
use crate::functions::removal_plan::{all, fates};

/// The fates of the calendar entries of all messages, by their numbers.
fn meeting_fates(answer: &Value) -> Vec<(String, usize)> {
    let mut counts = std::collections::BTreeMap::new();
    for message in answer["content"]["results"].as_array().unwrap() {
        if let Some(fate) = message["meeting"].as_str() {
            *counts.entry(fate.to_owned()).or_insert(0) += 1;
        }
    }
    counts.into_iter().collect()
}

fn one(fate: &str, count: usize) -> Vec<(String, usize)> {
    vec![(fate.to_owned(), count)]
}

/// `MEETINGS=500` is the size of the proof before a release (CONTRIBUTING.md).
#[tokio::test]
async fn all_entries_of_a_campaign_go_and_come_back() {
    let size: usize = std::env::var("MEETINGS").map_or(25, |size| size.parse().unwrap());
    let limits = [("max_messages", "10000")];
    let mut invited = Invited::new(size, &limits).await;
    let boxes = invited.mailboxes.clone();
    // An organizer in the tenant would see answers in the inbox.
    let inside = Address::new("Inside", &*boxes[0]);
    let single = prize("single");
    let series = Meeting { organizer: inside, ..prize("series").weekly(5) };
    let (half, rest) = boxes[1..].split_at(size / 2);
    invited.deliver(MeetingMessage::request(single.clone()), half);
    invited.deliver(MeetingMessage::request(series.clone()), rest);
    let accepted = size * 24 / 100;
    for mailbox in half.iter().take(accepted / 2) {
        assert!(invited.fixture.graph().accept_meeting(mailbox, &single.uid));
    }
    for mailbox in rest.iter().take(accepted - accepted / 2) {
        assert!(invited.fixture.graph().accept_meeting(mailbox, &series.uid));
    }
    // Updates: another place, which keeps the answers, and another time of one occurrence.
    let moved = Meeting { location: "Elsewhere".to_owned(), ..single.clone() };
    let updated: Vec<String> = half.iter().step_by(3).cloned().collect();
    invited.deliver(MeetingMessage::request(moved), &updated);
    let day = start().date_naive() + TimeDelta::weeks(1);
    let later: Vec<String> = rest.iter().step_by(4).cloned().collect();
    invited.deliver(MeetingMessage::request(series.clone()).on(day), &later);
    let entries = invited.left();
    assert_eq!(entries, size - 1 + later.len());
    let before: Vec<_> = boxes.iter().map(|mailbox| invited.entries(mailbox)).collect();

    let (outbox, inbox) = (invited.outbox(), invited.fixture.graph().messages(&boxes[0]).len());
    // The organizer inside is a sender of the campaign, too.
    let senders = [ORGANIZER.to_owned(), boxes[0].clone()];
    let mut found = Vec::new();
    for sender in &senders {
        let inputs = query("all", json!({"exo_email_address_sender": sender}));
        let answer = invited.fixture.call(QueryEmails, inputs).await;
        found.extend(answer["content"]["email_results"].as_array().unwrap().clone());
    }
    let plan = invited.fixture.plan_of(Value::String(Value::Array(found).to_string())).await;
    let inputs = with(&approval(&plan["content"], "Quarantine"), "exo_include_meetings", true);
    let answer = invited.fixture.call(ApplyPlan, inputs).await;
    let messages = size - 1 + updated.len() + later.len();
    assert_eq!(fates(&answer), all("removed", messages as u64), "{}", answer["reason"]);
    assert_eq!(meeting_fates(&answer), one("removed", messages));
    assert_eq!((invited.left(), &answer["content"]["settled"]), (0, &json!(true)));
    assert_eq!(answer["content"]["meetings_removed"], entries);
    assert_eq!(answer["content"]["meetings_accepted"], accepted);
    let line = format!("{entries} calendar entries removed, {accepted} of them had been accepted.");
    assert!(last_note(&invited.fixture).contains(&line), "{:?}", last_note(&invited.fixture));
    assert_eq!(
        (invited.outbox(), invited.fixture.graph().messages(&boxes[0]).len()),
        (outbox.clone(), inbox)
    );
    invited.assert_others_stay();

    let digest = json!({"incident_id": INCIDENT, "exo_plan_digest": answer["content"]["plan_digest"]});
    let answer = invited.fixture.call(RestoreMessages, digest.clone()).await;
    assert_eq!(answer["content"]["meetings_restored"], entries, "{}", answer["reason"]);
    for (mailbox, before) in boxes.iter().zip(&before) {
        let mut was: Vec<_> = before.iter().map(restorable).collect();
        let mut is: Vec<_> = invited.entries(mailbox).iter().map(restorable).collect();
        was.sort();
        is.sort();
        assert_eq!(is, was, "{mailbox}");
    }
    let again = invited.fixture.call(RestoreMessages, digest).await;
    assert_eq!(again["content"]["meetings_restored"], 0);
    assert_eq!(
        (invited.left(), again["content"]["meetings_already_there"].as_u64()),
        (entries, Some(entries as u64))
    );
    assert_eq!(invited.outbox(), outbox);
    invited.assert_others_stay();
}

#[tokio::test]
async fn entries_go_whatever_becomes_of_the_messages() {
    for (action, comes_back) in [("Delete", true), ("Purge", true)] {
        let mut invited = Invited::to_prize(3, &[]).await;
        let before: Vec<_> = invited.entries(&invited.mailboxes[0]).iter().map(restorable).collect();
        let inputs = invited.planned(action).await;
        let answer = invited.fixture.call(ApplyPlan, inputs).await;
        assert_eq!((fates(&answer), meeting_fates(&answer)), (all("removed", 3), one("removed", 3)));
        assert_eq!((invited.left(), invited.outbox()), (0, vec![]));
        let restored = invited.restore(&answer).await;
        assert_eq!(restored["content"]["meetings_restored"], 3, "{action}: {}", restored["reason"]);
        let after: Vec<_> = invited.entries(&invited.mailboxes[0]).iter().map(restorable).collect();
        assert_eq!(after == before, comes_back, "{action}");
        let text =
            invited.fixture.graph().events(&invited.mailboxes[0]).last().unwrap().object["body"].clone();
        assert!(text["content"].as_str().unwrap().contains("Please join."), "{action}: {text}");
        assert_eq!(invited.outbox(), vec![]);
    }
}

#[tokio::test]
async fn message_whose_entry_is_left_is_not_purged() {
    let mut invited = Invited::to_prize(2, &[]).await;
    let inputs = invited.planned("Purge").await;
    let lookup = Target::containing("eventMessage");
    invited.fixture.graph().faults().next(1, lookup, Fault::Status(403, RetryAfter::Absent));
    let answer = invited.fixture.call(ApplyPlan, inputs.clone()).await;
    assert_eq!(fates(&answer), [("removed".to_owned(), 1), ("refused".to_owned(), 1)], "{answer}");
    assert_eq!((invited.left(), &answer["content"]["settled"]), (1, &json!(false)));
    let codes = answer["content"]["results"].as_array().unwrap().iter().map(|one| &one["code"]);
    assert!(codes.into_iter().any(|code| code == "MeetingLeft"), "{answer}");
    let again = invited.fixture.call(ApplyPlan, inputs).await;
    assert_eq!((fates(&again)[0].clone(), invited.left()), (("removed".to_owned(), 1), 0), "{again}");
}

#[tokio::test]
async fn entries_stay_where_they_were_not_asked_for() {
    let mut invited = Invited::to_prize(2, &[]).await;
    let inputs = with(&invited.planned("Quarantine").await, "exo_include_meetings", false);
    let answer = invited.fixture.call(ApplyPlan, inputs).await;
    assert_eq!((fates(&answer), invited.left()), (all("removed", 2), 2));
    assert_eq!(meeting_fates(&answer), vec![]);
}

#[tokio::test]
async fn mailboxes_alone_bring_entries_back() {
    let mut invited = Invited::to_prize(4, &[]).await;
    let mailbox = invited.mailboxes[1].clone();
    assert!(invited.fixture.graph().accept_meeting(&mailbox, &prize("prize").uid));
    let before = invited.entries(&mailbox);
    let inputs = invited.planned("Quarantine").await;
    let answer = invited.fixture.call(ApplyPlan, inputs).await;
    assert_eq!(invited.left(), 0);
    // Without the incident's files.
    let digest = json!({"exo_plan_digest": answer["content"]["plan_digest"]});
    let restored = invited.fixture.call(RestoreMessages, digest).await;
    assert_eq!(restored["content"]["meetings_restored"], 4, "{}", restored["reason"]);
    let after = invited.entries(&mailbox);
    assert_eq!(
        after.iter().map(restorable).collect::<Vec<_>>(),
        before.iter().map(restorable).collect::<Vec<_>>()
    );
    assert_eq!((after[0].show_as.as_str(), after[0].is_organizer), ("busy", true));
    let event = invited.fixture.graph().events(&mailbox).pop().unwrap();
    assert!(event.object["body"]["content"].as_str().unwrap().contains("Please join."), "{}", event.object);
    assert_eq!(event.object["attendees"], json!([]));
}

#[tokio::test]
async fn redelivered_call_knows_what_it_removed() {
    let mut invited = Invited::to_prize(3, &[]).await;
    let mailbox = invited.mailboxes[0].clone();
    assert!(invited.fixture.graph().accept_meeting(&mailbox, &prize("prize").uid));
    let inputs = invited.planned("Quarantine").await;
    // The first run loses its messages to a refusal right after the entries went.
    let faults = invited.fixture.graph().faults();
    faults.next(3, Target::containing("/move"), Fault::Status(403, RetryAfter::Absent));
    let answer = invited.fixture.call(ApplyPlan, inputs.clone()).await;
    assert_eq!((fates(&answer), invited.left()), (all("failed", 3), 0));
    assert_eq!(answer["content"]["settled"], false);

    let answer = invited.fixture.call(ApplyPlan, inputs).await;
    assert_eq!((fates(&answer), meeting_fates(&answer)), (all("removed", 3), one("already_removed", 3)));
    assert_eq!(answer["content"]["meetings_accepted"], 1);
    let restored = invited.restore(&answer).await;
    assert_eq!((restored["content"]["meetings_restored"].as_u64(), invited.left()), (Some(3), 3));
}

#[tokio::test]
async fn lost_answer_to_a_removal_is_looked_up() {
    let mut invited = Invited::to_prize(2, &[]).await;
    let inputs = invited.planned("Quarantine").await;
    let faults = invited.fixture.graph().faults();
    for fault in [Fault::DoneButStatus(504, RetryAfter::Absent), Fault::Status(429, SOON)] {
        faults.next(1, Target::containing("DELETE"), fault);
    }
    invited.fixture.context.call = Call { prior_run: PriorRun::None, ..Call::by_hand() };
    let answer = invited.fixture.run(ApplyPlan, inputs).await.unwrap();
    assert_eq!((meeting_fates(&answer), invited.left()), (one("removed", 2), 0));
}

#[tokio::test]
async fn owners_own_meeting_is_not_touched() {
    let mut invited = Invited::new(3, &[]).await;
    let owner = invited.mailboxes[0].clone();
    let organizer = Address::new("Owner", &*owner);
    // The organizer's calendar has the entry of the organizer, and a message about it lies in the mailbox.
    let inputs = json!({
        "exo_meeting_email_address": owner,
        "exo_meeting_start_time": start().timestamp_millis(),
        "exo_meeting_end_time": (start() + TimeDelta::hours(1)).timestamp_millis(),
        "exo_meeting_subject": "You have won", "exo_meeting_body": "Please join.",
        "exo_meeting_required_attendees": invited.mailboxes[1],
    });
    let created = invited.fixture.call(CreateMeeting, inputs).await;
    let uid = created["content"]["iCalUId"].as_str().unwrap().to_owned();
    let meeting = Meeting { uid: uid.clone(), organizer, ..prize("own") };
    let all_boxes = invited.mailboxes.clone();
    invited.deliver(MeetingMessage::request(meeting), &all_boxes);
    let outbox = invited.outbox();
    let inputs = query("all", json!({"exo_email_address_sender": owner}));
    let found = invited.fixture.call(QueryEmails, inputs).await["raw"].clone();
    let plan = invited.fixture.plan_of(found).await;
    let inputs = with(&approval(&plan["content"], "Delete"), "exo_include_meetings", true);
    let answer = invited.fixture.call(ApplyPlan, inputs).await;
    assert_eq!(fates(&answer), all("removed", 3));
    assert_eq!(meeting_fates(&answer), [("organizer".to_owned(), 1), ("removed".to_owned(), 2)]);
    assert_eq!((invited.left(), invited.outbox()), (1, outbox.clone()));
    assert!(invited.entries(&owner)[0].is_organizer);
    let note = last_note(&invited.fixture);
    assert!(note[0].contains("Incomplete") && note[1].contains("1 message"), "{note:?}");

    let answer = invited.remove(&[&uid], "all").await;
    assert_eq!(answer["content"]["meetings_organizer"], 1, "{answer}");
    assert_eq!((invited.left(), invited.outbox()), (1, outbox));
}

#[tokio::test]
async fn entry_that_its_owner_removed_is_reported() {
    let mut invited = Invited::to_prize(3, &[]).await;
    let inputs = invited.planned("Quarantine").await;
    let (gone, late) = (invited.mailboxes[0].clone(), invited.mailboxes[1].clone());
    assert!(invited.fixture.graph().remove_event(&gone, &prize("prize").uid));
    assert!(invited.fixture.graph().accept_meeting(&late, &prize("prize").uid));
    let answer = invited.fixture.call(ApplyPlan, inputs).await;
    assert_eq!(fates(&answer), all("removed", 3));
    assert_eq!(meeting_fates(&answer), [("no_entry".to_owned(), 1), ("removed".to_owned(), 2)]);
    assert_eq!(answer["content"]["meetings_accepted"], 1, "accepted since the plan was made");
    let reason = answer["reason"].as_str().unwrap();
    assert!(reason.contains("1 invitation had none any more"), "{reason}");
}
