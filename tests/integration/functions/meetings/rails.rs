//! The guard rails hold for calendar entries as for messages.

use std::time::Duration;

use fn_exchange_online::config::GuardSettings;
use fn_exchange_online::functions::Call;
use sandbox::graph::Tenant;

use super::*;
use crate::functions::removal_plan::{all, fates};

#[tokio::test]
async fn dry_run_removes_no_entry() {
    let mut invited = Invited::to_prize(3, &[("dry_run", "true")]).await;
    let inputs = invited.planned("Quarantine").await;
    let answer = invited.fixture.call(ApplyPlan, inputs).await;
    assert_eq!((fates(&answer), invited.left()), (all("dry_run", 3), 3));
    let results = answer["content"]["results"].as_array().unwrap();
    assert!(results.iter().all(|message| message["meeting"] == "dry_run"), "{answer}");
    assert_eq!(answer["content"]["meetings"], json!([]));

    let answer = invited.remove(&[&prize("prize").uid], "all").await;
    assert_eq!((&answer["success"], &answer["content"]["meetings_dry_run"]), (&json!(false), &json!(3)));
    assert_eq!((invited.left(), invited.fixture.files("exo-meetings-removed").len()), (3, 0));
    let acts = invited.fixture.trail();
    let would =
        acts.iter().filter(|act| act["outcome"] == "would be removed" && act["act"] == "remove meeting");
    assert_eq!(would.count(), 6);
}

#[tokio::test]
async fn hold_and_protected_mailboxes_keep_entries() {
    let mut invited = Invited::to_prize(3, &[]).await;
    let uid = prize("prize").uid;
    let protected = invited.mailboxes[1].clone();
    invited.fixture.apply_rails(&[("hold", "true")]);
    let answer = invited.remove(&[&uid], "all").await;
    assert_eq!((&answer["success"], invited.left()), (&json!(false), 3), "{answer}");
    invited.fixture.apply_rails(&[("mailboxes_denied", &protected)]);
    let answer = invited.remove(&[&uid], "all").await;
    assert_eq!((answer["content"]["meetings_removed"].as_u64(), invited.left()), (Some(2), 1));
    assert_eq!(answer["content"]["calendars"][1]["fate"], "refused");
    invited.fixture.apply_rails(&[("dry_run", "true")]);
    let restored = invited.restore(&answer).await;
    assert_eq!((restored["content"]["meetings_restored"].as_u64(), invited.left()), (Some(0), 1));
}

#[tokio::test]
async fn too_many_entries_are_refused_as_a_whole() {
    let mut invited = Invited::to_prize(3, &[]).await;
    invited.fixture.apply_rails(&[("max_deletions", "2")]);
    let answer = invited.remove(&[&prize("prize").uid], "all").await;
    assert_eq!((&answer["success"], invited.left()), (&json!(false), 3));
    let reason = answer["reason"].as_str().unwrap();
    assert!(reason.starts_with("Nothing was removed: 3 calendar entries were found"), "{reason}");
}

#[tokio::test]
async fn each_removal_and_return_is_on_record() {
    let mut invited = Invited::to_prize(2, &[]).await;
    let answer = invited.remove(&[&prize("prize").uid], "all").await;
    invited.restore(&answer).await;
    let acts = invited.fixture.trail();
    let count = |act: &str, outcome: &str| {
        acts.iter().filter(|line| line["act"] == act && line["outcome"] == outcome).count()
    };
    assert_eq!((count("remove meeting", "removed"), count("restore meeting", "restored")), (2, 2));
    assert!(acts.iter().all(|line| line["act"] != "remove meeting" || line["event_id"].is_string()));
    let uid = json!(prize("prize").uid);
    assert!(acts.iter().all(|line| line["act"] != "restore meeting" || line["event_id"] == uid));
    let text = std::fs::read_to_string(invited.fixture.settings.audit.file.as_ref().unwrap()).unwrap();
    assert!(!text.contains("You have won"), "the trail holds no word of a meeting");
}

#[tokio::test]
async fn dry_run_in_the_middle_is_not_one_of_all() {
    for by_plan in [true, false] {
        let mut invited = Invited::to_prize(6, &SLOW).await;
        let (function, inputs) = invited.removal(by_plan).await;
        let policy = invited.fixture.apply_rails(&[]);
        invited.fixture.context.call = Call::by_hand();
        let graph = invited.fixture.graph();
        graph.faults().set_latency(Duration::from_millis(5), Duration::ZERO);
        let rails = GuardSettings { dry_run: true, ..invited.fixture.settings.guard.clone() };
        let switch = async {
            let is_one_gone = |graph: &Tenant| graph.counters().by_kind.contains_key("delete event");
            assert!(graph.until(Duration::from_secs(20), is_one_gone).await);
            policy.replace_rails(rails);
        };
        let (answer, ()) = tokio::join!(invited.fixture.run(function, inputs), switch);
        answer.unwrap();
        let left = invited.left();
        assert!((1..6).contains(&left), "{left}");
        let note = last_note(&invited.fixture);
        let entries =
            if left == 5 { "1 calendar entry".to_owned() } else { format!("{} calendar entries", 6 - left) };
        assert!(note.iter().any(|line| line.contains(&format!("{entries} removed"))), "{note:?}");
        assert!(note.iter().any(|line| line.contains("would have been removed")), "{note:?}");
        assert!(by_plan || note[0].starts_with("Incomplete:"), "{note:?}");
    }
}
