//! A hold in the middle, and runs that end in the middle: no entry is lost, and none is removed or brought back twice.

use std::time::Duration;

use fn_exchange_online::functions::{Call, Function, PriorRun};
use fn_exchange_online::guard::StopReason;
use sandbox::graph::Tenant;

use super::*;

const SOME_TIME: Duration = Duration::from_secs(20);

fn removed(graph: &Tenant) -> u64 {
    graph.counters().by_kind.get("delete event").copied().unwrap_or_default()
}

#[tokio::test]
async fn hold_in_the_middle_accounts_for_every_entry() {
    for by_plan in [true, false] {
        let mut invited = Invited::to_prize(8, &SLOW).await;
        let (function, inputs) = invited.removal(by_plan).await;
        invited.fixture.context.call = Call::by_hand();
        invited.fixture.graph().faults().set_latency(Duration::from_millis(5), Duration::ZERO);
        let stop = async {
            assert!(invited.fixture.graph().until(SOME_TIME, |graph| removed(graph) >= 2).await);
            invited.fixture.context.guard.stop(StopReason::OnHold);
        };
        let (answer, ()) = tokio::join!(invited.fixture.run(function, inputs.clone()), stop);
        let answer = answer.unwrap();
        let left = invited.left();
        assert!((1..8).contains(&left), "{left}");
        assert_eq!(answer["content"]["meetings_removed"], 8 - left, "{answer}");
        let open = if by_plan { "meetings_open" } else { "mailboxes_open" };
        assert_eq!(answer["content"][open], left, "{answer}");
        assert!(answer["reason"].as_str().unwrap().contains("(hold)"), "{answer}");
        assert!(last_note(&invited.fixture)[0].starts_with("Incomplete:"), "{answer}");
        let trail = invited.fixture.trail();
        let stop = trail.iter().find(|line| line["outcome"] == "refused" && line["messages"].is_number());
        let act = if by_plan { "delete messages" } else { "remove meeting" };
        assert_eq!(stop.map(|line| &line["act"]), Some(&json!(act)), "{trail:?}");

        invited.fixture.graph().faults().set_latency(Duration::ZERO, Duration::ZERO);
        invited.fixture.apply_rails(&[]);
        let answer = invited.fixture.call(function, inputs).await;
        assert_eq!(invited.left(), 0, "{answer}");
        assert_eq!(invited.outbox(), vec![]);
    }
}

/// Runs a call, and drops it once Graph was asked so often; then runs it again as the broker delivers it again.
async fn dropped(invited: &mut Invited, function: Function, inputs: &Value, after: usize) -> Value {
    invited.fixture.context.call = Call::by_hand();
    invited.fixture.context.graph = graph::Client::new(&invited.fixture.settings.graph).unwrap();
    invited.fixture.graph().forget_requests();
    let met = |graph: &Tenant| graph.requests().len() > after;
    tokio::select! {
        ended = invited.fixture.run(function, inputs.clone()) => drop(ended.unwrap()),
        _ = invited.fixture.graph().until(SOME_TIME, met) => {}
    }
    assert!(invited.fixture.graph().until(SOME_TIME, |graph| graph.requests_at_work() == 0).await);
    invited.fixture.context.graph = graph::Client::new(&invited.fixture.settings.graph).unwrap();
    invited.fixture.context.call.prior_run = PriorRun::Possible;
    invited.fixture.run(function, inputs.clone()).await.unwrap()
}

#[tokio::test]
async fn run_that_ends_in_the_middle_is_completed() {
    let all = [2, 5, 9, 12, 15, 18, 22, 27, 33, 40];
    let usual = [5, 15, 27];
    let is_proof = std::env::var_os("MEETINGS").is_some();
    for after in if is_proof { &all[..] } else { &usual[..] }.iter().copied() {
        let mut invited = Invited::to_prize(3, &SLOW).await;
        let mailbox = invited.mailboxes[2].clone();
        assert!(invited.fixture.graph().accept_meeting(&mailbox, &prize("prize").uid));
        let (before, outbox) = (invited.entries(&mailbox), invited.outbox());
        let inputs = invited.planned("Quarantine").await;
        let answer = dropped(&mut invited, ApplyPlan, &inputs, after).await;
        let content = &answer["content"];
        assert_eq!((invited.left(), &content["settled"]), (0, &json!(true)), "{after}: {answer}");
        assert_eq!(
            (&content["meetings_removed"], &content["meetings_accepted"]),
            (&json!(3), &json!(1)),
            "{after}"
        );

        let digest = json!({"incident_id": INCIDENT, "exo_plan_digest": content["plan_digest"]});
        dropped(&mut invited, RestoreMessages, &digest, after).await;
        assert_eq!(invited.left(), 3, "{after}");
        let is = |entries: &[CalendarEntry]| entries.iter().map(restorable).collect::<Vec<_>>();
        assert_eq!(is(&invited.entries(&mailbox)), is(&before), "{after}");

        let uid = prize("prize").uid;
        let all = json!({"incident_id": INCIDENT, "exo_ical_uid": uid, "exo_email_address": "all"});
        let again: Vec<String> = invited.mailboxes.clone();
        invited.deliver(MeetingMessage::request(prize("prize")), &again);
        let answer = dropped(&mut invited, RemoveMeetings, &all, after).await;
        assert_eq!(answer["content"]["meetings_removed"], 3, "{after}: {answer}");
        assert_eq!((invited.left(), invited.outbox()), (3, outbox), "{after}: the appointments stay");
    }
}

#[tokio::test]
async fn return_that_never_began_is_delivered_again() {
    let mut invited = Invited::to_prize(1, &SLOW).await;
    let inputs = invited.planned("Quarantine").await;
    let answer = invited.fixture.call(ApplyPlan, inputs).await;
    // The message comes back, and its entry does not.
    let target = Target::containing("/events");
    invited.fixture.graph().faults().next(1, target, Fault::Status(403, RetryAfter::Absent));
    let first = invited.restore(&answer).await;
    assert_eq!((&first["content"]["messages_restored"], invited.left()), (&json!(1), 0), "{first}");

    invited.fixture.apply_rails(&[]);
    invited.fixture.graph().forget_requests();
    invited.fixture.graph().faults().set_latency(Duration::from_millis(20), Duration::ZERO);
    let stop = async {
        let is_at_entries =
            |graph: &Tenant| graph.requests().iter().any(|one| one.path_and_query.contains("/events"));
        assert!(invited.fixture.graph().until(SOME_TIME, is_at_entries).await);
        invited.fixture.context.guard.stop(StopReason::Stopping);
    };
    let inputs = json!({"exo_deletion_results": answer["raw"]});
    let (error, ()) = tokio::join!(invited.fixture.failed(RestoreMessages, inputs), stop);
    assert!(error.starts_with("Nothing was restored: the integration is being stopped."), "{error}");
}
