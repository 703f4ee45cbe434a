//! An application that ends at any moment is continued by the redelivery of its call.

use std::time::Duration;

use super::*;
use fn_exchange_online::functions::{Inputs, PriorRun};

/// Runs the call and drops it after so long, as a process that is killed does.
async fn killed(fixture: &Fixture, inputs: &Value, after: Duration) -> bool {
    let Value::Object(map) = inputs.clone() else { unreachable!() };
    let inputs = Inputs::new(map);
    let ended = tokio::time::timeout(after, ApplyPlan.run(&fixture.context, &inputs)).await.is_ok();
    // Graph ends what it has received.
    assert!(fixture.graph().until(Duration::from_secs(10), |graph| graph.requests_at_work() == 0).await);
    ended
}

#[tokio::test]
async fn redelivered_call_finishes_what_was_begun() {
    for (round, action) in ["Quarantine", "Delete", "Purge", "Quarantine"].into_iter().enumerate() {
        let mut fixture = campaign(5, 2, &[("max_concurrent_requests", "1")]).await;
        let inputs = fixture.planned(action).await;
        let innocent = fixture.everything().len() - 10;
        fixture.context.call = Call::by_hand();
        fixture.graph().faults().set_latency(Duration::from_millis(20), Duration::ZERO);
        let mut kills = 0;
        // Another moment in each round.
        while !killed(&fixture, &inputs, Duration::from_millis(60 + 45 * round as u64)).await && kills < 3 {
            fixture.context.call.prior_run = PriorRun::Possible;
            kills += 1;
        }
        assert!(kills > 0, "{action}");
        fixture.graph().faults().set_latency(Duration::ZERO, Duration::ZERO);
        let answer = fixture.run(ApplyPlan, inputs.clone()).await.unwrap();
        assert_eq!(answer["content"]["settled"], true, "{action}: {answer}");
        let claims = fixture.files("exo-plan-");
        assert_eq!(claims.len(), 1, "{claims:?}");
        let left: Vec<_> = fixture.everything().into_iter().filter(|one| one.2 == "inbox").collect();
        assert_eq!(left.len(), innocent, "{action}");
        let moved = fixture.graph().moved();
        let mut ids: Vec<_> = moved.iter().map(|moved| (&moved.mailbox, &moved.new_id)).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), moved.len(), "{action}: a message was moved twice");
        assert_eq!(fixture.call(ApplyPlan, inputs).await["content"]["error"]["code"], "PlanApplied");
    }
}

#[tokio::test]
async fn call_that_had_ended_is_answered_from_its_file() {
    let mut fixture = campaign(3, 1, &[("plan_lifetime", "3600")]).await;
    let inputs = fixture.planned("Delete").await;
    let first = fixture.call(ApplyPlan, inputs.clone()).await;
    for prior_run in [PriorRun::Possible, PriorRun::Likely] {
        fixture.context.call.prior_run = prior_run;
        let second = fixture.run(ApplyPlan, inputs.clone()).await.unwrap();
        assert_eq!(first["content"], second["content"], "{prior_run:?}");
    }
    assert_eq!(fixture.files("exo-removal-outcome-").len(), 1);
    assert_eq!(fixture.sandbox.soar.rest.notes(INCIDENT).len(), 2, "the plan's and the outcome's");
    assert_eq!(fixture.graph().deleted().len(), 3);
}

#[tokio::test]
async fn removal_by_an_earlier_run_counts_where_the_broker_says_so() {
    // A message that an earlier run has moved into quarantine would be there.
    for (action, fate, part) in
        [("Purge", "already_removed", "by an earlier run"), ("Quarantine", "gone", "not found any more")]
    {
        let mut fixture = campaign(2, 1, &[]).await;
        let inputs = fixture.planned(action).await;
        fixture.context.call = Call::by_hand();
        fixture.context.call.prior_run = PriorRun::Likely;
        for mailbox in fixture.graph().mailboxes() {
            purge(&fixture, &mailbox);
        }
        let answer = fixture.run(ApplyPlan, inputs).await.unwrap();
        assert_eq!(fates(&answer), all(fate, 2));
        assert!(answer["reason"].as_str().unwrap().contains(part), "{}", answer["reason"]);
    }
}

/// Purges the planned message of a mailbox.
fn purge(fixture: &Fixture, mailbox: &str) {
    let mut messages = fixture.graph().messages(mailbox).into_iter();
    let id = messages.find(|one| one.subject == SUBJECT).unwrap().id;
    assert!(fixture.graph().purge_message(mailbox, &id));
}

/// The name of the file by which the call of `fixture` claims or releases the plan.
fn claim(fixture: &Fixture, inputs: &Value, what: &str) -> String {
    let digest = &inputs["exo_plan_digest"].as_str().unwrap()[..12];
    format!("exo-plan-{digest}-{what}-{}.json", fixture.context.call.reference())
}

#[tokio::test]
async fn unsettled_plan_is_released_by_the_redelivered_call() {
    let denied = campaign(2, 1, &[]).await.mailbox(0);
    let mut fixture = campaign(2, 1, &[("mailboxes_denied", &denied)]).await;
    let inputs = fixture.planned("Delete").await;
    fixture.call(ApplyPlan, inputs.clone()).await;
    let reference = fixture.context.call.reference().to_string();
    let outcome = String::from_utf8(fixture.file("exo-removal-outcome-").await).unwrap();
    // Another call was killed between its outcome and its release.
    fixture.context.call = Call::by_hand();
    let own = fixture.context.call.reference().to_string();
    fixture.attach(&claim(&fixture, &inputs, "applied"), own.clone().into_bytes()).await;
    let name = fixture.files("exo-removal-outcome-").remove(0).replace(".json", "-2.json");
    fixture.attach(&name, outcome.replace(&reference, &own).into_bytes()).await;
    fixture.context.call.prior_run = PriorRun::Possible;
    let released = claim(&fixture, &inputs, "released");
    for _ in 0..2 {
        let answer = fixture.run(ApplyPlan, inputs.clone()).await.unwrap();
        assert_eq!(answer["content"]["outcome_attachment"], name.as_str(), "{answer}");
        assert_eq!(fixture.files(&released).len(), 1);
    }
    let next = fixture.call(ApplyPlan, inputs).await;
    assert_eq!(fates(&next), [("gone".to_owned(), 1), ("refused".to_owned(), 1)], "{next}");
}

#[tokio::test]
async fn deletions_of_a_call_without_outcome_count_as_removed() {
    for action in ["Delete", "Quarantine"] {
        let mut fixture = campaign(2, 1, &[]).await;
        let inputs = fixture.planned("Delete").await;
        // A call was killed after its first deletion, and is refused when it is delivered again.
        fixture.context.call = Call::by_hand();
        let own = fixture.context.call.reference().to_string();
        fixture.attach(&claim(&fixture, &inputs, "applied"), own.into_bytes()).await;
        purge(&fixture, &fixture.mailbox(0));
        fixture.context.call.prior_run = PriorRun::Possible;
        let refused = fixture.run(ApplyPlan, with(&inputs, "exo_expected_messages", 9)).await.unwrap();
        assert_eq!(refused["content"]["error"]["code"], "OtherCount");
        let next = fixture.call(ApplyPlan, with(&inputs, "exo_removal_action", action)).await;
        assert_eq!(fates(&next), [("removed".to_owned(), 1), ("already_removed".to_owned(), 1)], "{next}");
    }
}
