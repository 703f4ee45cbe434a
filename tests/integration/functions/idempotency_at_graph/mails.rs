//! Mails and drafts.

use super::*;

#[tokio::test]
async fn mail_of_an_earlier_run_is_not_sent_again() {
    for before in MAY_HAVE_BEEN_RUN {
        let mut fixture = Fixture::new().await;
        let inputs = mail_to(&fixture);
        run_again(&mut fixture, before, SendMessage, inputs).await;
        assert_eq!(sent(&fixture), 1, "{before:?}");
        let mut fixture = Fixture::with(empty(2)).await;
        let inputs = large_mail_to(&fixture).await;
        run_again(&mut fixture, before, SendMessage, inputs).await;
        assert_eq!((sent(&fixture), drafts(&fixture)), (1, 0), "{before:?}");
    }
}

#[tokio::test]
async fn mail_that_no_earlier_run_sent_is_sent() {
    for before in MAY_HAVE_BEEN_RUN {
        let mut fixture = Fixture::new().await;
        // A mail of another call does not count.
        fixture.done(SendMessage, mail_to(&fixture)).await;
        fixture.context.call.id = "ID:soar-1234-2".to_owned();
        fixture.context.call.prior_run = before;
        fixture.done(SendMessage, mail_to(&fixture)).await;
        assert_eq!(sent(&fixture), 2, "{before:?}");
    }
}

#[tokio::test]
async fn first_run_sends_without_lookup() {
    let fixture = Fixture::new().await;
    fixture.done(SendMessage, mail_to(&fixture)).await;
    assert_eq!(fixture.asked(), [format!("POST /users/{}/sendMail", fixture.mailbox(0))]);
}

#[tokio::test]
async fn late_copy_in_sent_items_is_found() {
    let mut fixture = Fixture::new().await;
    fixture.graph().set_sent_items_lag(Duration::from_millis(250));
    let inputs = mail_to(&fixture);
    run_again(&mut fixture, PriorRun::Likely, SendMessage, inputs).await;
    assert_eq!(sent(&fixture), 1);
    fixture.context.call.id = "ID:soar-1234-2".to_owned();
    fixture.context.call.prior_run = PriorRun::None;
    fixture.graph().faults().next(1, Target::containing("sendMail"), DONE[0]);
    fixture.done(SendMessage, mail_to(&fixture)).await;
    assert_eq!(sent(&fixture), 2);
}

#[tokio::test]
async fn mail_with_unknown_outcome_is_sent_once() {
    join_all(DONE.into_iter().chain(NOT_DONE).map(|fault| async move {
        let fixture = Fixture::new().await;
        fixture.graph().faults().next(1, Target::containing("sendMail"), fault);
        let results = fixture.done(SendMessage, mail_to(&fixture)).await;
        assert_eq!(results["content"], json!({"value": true, "failed_attachments": null}));
        assert_eq!(sent(&fixture), 1, "{fault:?}");
        let asked = fixture.asked();
        let posts = asked.iter().filter(|line| line.ends_with("sendMail") || line.ends_with("/send")).count();
        assert_eq!(posts, if NOT_DONE.contains(&fault) { 2 } else { 1 }, "{fault:?}");
        assert_eq!(drafts(&fixture), 0, "{fault:?}");
    }))
    .await;
}

#[tokio::test]
async fn throttled_mail_is_sent_within_five_seconds() {
    let second = RetryAfter::Seconds(1);
    join_all([Fault::Status(429, second), Fault::DoneButStatus(429, second)].map(|fault| async move {
        let mut fixture = Fixture::with(empty(1)).await;
        fixture.settings.graph.retry_backoff = Duration::from_secs(5);
        fixture.context.graph = graph::Client::new(&fixture.settings.graph).unwrap();
        fixture.graph().set_sent_items_lag(Duration::from_millis(1500));
        fixture.graph().faults().next(1, Target::containing("sendMail"), fault);
        let started = Instant::now();
        fixture.done(SendMessage, mail_to(&fixture)).await;
        assert!(started.elapsed() < Duration::from_secs(5), "{fault:?}: {:?}", started.elapsed());
        assert_eq!((sent(&fixture), drafts(&fixture)), (1, 0), "{fault:?}");
    }))
    .await;
}

#[tokio::test]
async fn throttled_draft_is_sent_once() {
    join_all(DONE.into_iter().chain(NOT_DONE).map(|fault| async move {
        let fixture = Fixture::new().await;
        fixture.graph().faults().next(1, Target::containing("sendMail"), Fault::Status(429, SOON));
        fixture.graph().faults().next(2, Target::containing("/send"), fault);
        fixture.done(SendMessage, mail_to(&fixture)).await;
        assert_eq!((sent(&fixture), drafts(&fixture)), (1, 0), "{fault:?}");
    }))
    .await;
}

#[tokio::test]
async fn lookup_searches_outgoing_folders_since_the_call() {
    let mut fixture = Fixture::new().await;
    fixture.context.call.prior_run = PriorRun::Possible;
    fixture.done(SendMessage, mail_to(&fixture)).await;
    let asked = fixture.asked();
    let folders: Vec<_> = asked.iter().filter_map(|line| line.split("/mailFolders/").nth(1)).collect();
    let folders: Vec<_> = folders.iter().filter_map(|rest| rest.split("/messages?").next()).collect();
    assert_eq!(folders, ["drafts", "outbox", "sentitems"]);
    let since = fixture.context.call.asked_at.unwrap() - TimeDelta::minutes(10);
    let since = format!("receivedDateTime ge {}", since.to_rfc3339_opts(SecondsFormat::Secs, true));
    assert!(asked[..3].iter().all(|line| decoded(line).contains(&since)), "{asked:?}");
}

#[tokio::test]
async fn unanswered_mail_is_reported_as_in_doubt() {
    join_all([NOT_DONE[0], NOT_DONE[3]].map(|fault| async move {
        let fixture = Fixture::configured(empty(1), &[("max_retries_total", "2")]).await;
        fixture.graph().faults().next(99, Target::containing("sendMail"), fault);
        let error = fixture.failed(SendMessage, mail_to(&fixture)).await;
        assert!(error.contains("HTTP status 50") && error.contains("may have been sent"), "{error}");
        let posts = fixture.asked().iter().filter(|line| line.ends_with("sendMail")).count();
        assert_eq!((sent(&fixture), posts), (0, 3));
        assert_eq!(fixture.trail().last().unwrap()["outcome"], "unknown", "{fault:?}");
    }))
    .await;
    let fixture = Fixture::new().await;
    fixture.graph().faults().next(1, Target::containing("sendMail"), Fault::Status(403, RetryAfter::Absent));
    let error = fixture.failed(SendMessage, mail_to(&fixture)).await;
    assert!(!error.contains("may have been sent"), "{error}");
}

#[tokio::test]
async fn mail_refused_after_unknown_outcome_is_in_doubt() {
    let fixture = Fixture::new().await;
    fixture.graph().faults().next(1, Target::containing("sendMail"), NOT_DONE[0]);
    fixture.graph().faults().next(1, Target::containing("sendMail"), Fault::Status(403, RetryAfter::Absent));
    let error = fixture.failed(SendMessage, mail_to(&fixture)).await;
    assert!(error.contains("HTTP status 403") && error.contains("An earlier try may have"), "{error}");
    assert_eq!(fixture.trail().last().unwrap()["outcome"], "unknown");
}

#[tokio::test]
async fn throttled_mail_is_sent_without_permission_to_look() {
    let fixture = Fixture::new().await;
    fixture.graph().faults().take_role("Mail.ReadWrite");
    fixture.graph().faults().next(3, Target::containing("sendMail"), Fault::Status(429, SOON));
    fixture.done(SendMessage, mail_to(&fixture)).await;
    assert_eq!(sent(&fixture), 1);
    fixture.graph().faults().next(
        99,
        Target::containing("sendMail"),
        Fault::Status(429, RetryAfter::Seconds(3_600)),
    );
    let error = fixture.failed(SendMessage, mail_to(&fixture)).await;
    assert!(error.contains("could not be looked up") && error.contains("permission Mail.Read "), "{error}");
}

#[tokio::test]
async fn mail_is_not_repeated_without_permission_to_look() {
    for before in MAY_HAVE_BEEN_RUN {
        let mut fixture = Fixture::new().await;
        fixture.graph().faults().take_role("Mail.ReadWrite");
        fixture.done(SendMessage, mail_to(&fixture)).await;
        fixture.context.call.prior_run = before;
        let error = fixture.failed(SendMessage, mail_to(&fixture)).await;
        assert!(
            error.contains("could not be looked up") && error.contains("permission Mail.Read "),
            "{error}"
        );
        assert_eq!(sent(&fixture), 1);
    }
    let fixture = Fixture::new().await;
    fixture.graph().faults().take_role("Mail.ReadWrite");
    fixture.graph().faults().next(1, Target::containing("sendMail"), DONE[0]);
    let error = fixture.failed(SendMessage, mail_to(&fixture)).await;
    assert!(error.contains("could not be looked up") && error.contains("permission Mail.Read "), "{error}");
    assert_eq!(sent(&fixture), 1);
    assert_eq!(fixture.trail().last().unwrap()["outcome"], "unknown", "it was sent");
}

#[tokio::test]
async fn draft_of_an_earlier_run_is_removed() {
    for before in MAY_HAVE_BEEN_RUN {
        let mut fixture = Fixture::with(empty(2)).await;
        let inputs = large_mail_to(&fixture).await;
        let refused = Fault::Status(403, RetryAfter::Absent);
        fixture.graph().faults().next(1, Target::containing("/send"), refused);
        fixture.graph().faults().next(1, Target::containing("DELETE"), refused);
        fixture.failed(SendMessage, inputs.clone()).await;
        assert_eq!((sent(&fixture), drafts(&fixture)), (0, 1), "as if it had been killed before it sent it");
        fixture.context.call.prior_run = before;
        fixture.done(SendMessage, inputs).await;
        assert_eq!((sent(&fixture), drafts(&fixture)), (1, 0), "{before:?}");
    }
}

#[tokio::test]
async fn draft_with_unknown_creation_is_removed() {
    for fault in DONE.into_iter().chain(NOT_DONE) {
        let fixture = Fixture::with(empty(2)).await;
        let inputs = large_mail_to(&fixture).await;
        fixture.graph().faults().next(1, Target::Path(Box::new(|line| line.ends_with("/messages"))), fault);
        fixture.done(SendMessage, inputs).await;
        assert_eq!((sent(&fixture), drafts(&fixture)), (1, 0), "{fault:?}");
    }
}

#[tokio::test]
async fn draft_that_seems_missing_is_sent_once() {
    let fixture = Fixture::with(empty(2)).await;
    let inputs = large_mail_to(&fixture).await;
    let gone = Fault::Status(404, RetryAfter::Absent);
    fixture.graph().faults().next(1, Target::containing("/send"), gone);
    fixture.graph().faults().next(1, Target::containing("DELETE"), gone);
    fixture.done(SendMessage, inputs).await;
    assert_eq!((sent(&fixture), drafts(&fixture)), (1, 0));
}
