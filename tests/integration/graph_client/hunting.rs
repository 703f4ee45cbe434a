//! Promise: hunting finds mail by every criterion, a text from outside is never more than a text in its query, and the
//! result says what it lacks.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use graph::{
    ClickCriteria, Client, GapReason, Hunt, HuntingCriteria, HuntingError, IndexLimits, MailEvent,
    hunt_clicks, hunt_mail,
};
use proptest::prelude::*;
use sandbox::graph::{
    Address, Attachment, Click, Delivery, Fate, Fault, RetryAfter, Target, TenantOptions, kql_literal,
};
use tokio::time::Instant;

use crate::support::graph_tenant::TestTenant;

async fn tenant() -> TestTenant {
    let options = TenantOptions { mailboxes: 12, now: Utc::now(), ..TenantOptions::default() };
    let tenant = TestTenant::new(options).await;
    tenant.sandbox.graph.faults().give_role("ThreatHunting.Read.All");
    tenant
}

fn limits() -> IndexLimits {
    IndexLimits::until(Instant::now() + Duration::from_secs(60))
}

fn mail(message_id: &str, hours: i64) -> Delivery {
    let from = Address::new("", "Eve@Evil.example");
    let mut mail =
        Delivery::new(message_id, from, "Rechnung \"fällig\" \\ 50%", Utc::now() - TimeDelta::hours(hours));
    mail.envelope_from = Some("bounce@mailer.example".to_owned());
    mail
}

fn list(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

async fn hunt(client: &Client, criteria: &HuntingCriteria) -> Hunt<MailEvent> {
    hunt_mail(client, criteria, limits()).await.unwrap()
}

#[tokio::test]
async fn mail_is_found_by_each_criterion() {
    let tenant = tenant().await;
    let graph = &tenant.sandbox.graph;
    let users = graph.mailboxes();
    let mut with_link = mail("<a\"b\\c@x>", 2).to([&users[0], &users[1]]).with(&users[2], Fate::Quarantined);
    with_link.urls = list(&["https://evil.example/a?b=\"c\"", "https://evil.example/d"]);
    with_link.attachments = vec![Attachment::file("rechnung.html", "text/html", &b"abc"[..])];
    graph.deliver(&with_link);
    graph.deliver(&mail("<other@x>", 3).to([&users[4]]));
    let client = tenant.client(&[]);
    let none = HuntingCriteria::default;
    let found = hunt(&client, &HuntingCriteria { message_ids: list(&["a\"b\\c@x"]), ..none() }).await;
    assert_eq!((found.rows.len(), found.requests, found.coverage.is_complete()), (3, 1, true));
    let id = found.rows[0].network_message_id.clone();
    let directory: Vec<String> = graph.users().into_iter().map(|user| user.id).collect();
    assert!(found.rows.iter().all(|row| directory.contains(&row.recipient_object_id)));
    for (criteria, count) in [
        (HuntingCriteria { network_message_ids: vec![id.to_uppercase()], ..none() }, 3),
        (HuntingCriteria { senders: list(&["eve@EVIL.example"]), ..none() }, 4),
        (HuntingCriteria { senders: list(&["@mailer.example", "other@x"]), ..none() }, 4),
        (
            HuntingCriteria {
                recipients: vec![users[0].to_uppercase()],
                senders: list(&["@evil.example"]),
                ..none()
            },
            1,
        ),
        (
            HuntingCriteria {
                recipients: list(&["@contoso.EXAMPLE"]),
                senders: list(&["@evil.example"]),
                ..none()
            },
            4,
        ),
        (HuntingCriteria { subjects: list(&["RECHNUNG \"FÄLLIG\" \\"]), ..none() }, 4),
        (HuntingCriteria { urls: list(&["evil.example/a?b=\"c\""]), ..none() }, 3),
        (
            HuntingCriteria {
                attachment_sha256: list(&[
                    "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
                ]),
                attachment_names: list(&["Rechnung.HTML"]),
                ..none()
            },
            3,
        ),
        (HuntingCriteria { attachment_names: list(&["x"]), urls: list(&["evil.example"]), ..none() }, 0),
        (HuntingCriteria { message_ids: list(&["x' or 1 eq 1 or 'x", "\" or 1 == 1 //"]), ..none() }, 0),
    ] {
        assert_eq!(hunt(&client, &criteria).await.rows.len(), count, "{criteria:?}");
    }
}

#[tokio::test]
async fn clicks_are_found_by_url_and_message() {
    let tenant = tenant().await;
    let graph = &tenant.sandbox.graph;
    let user = graph.mailboxes()[0].clone();
    graph.deliver(&mail("<a@x>", 2).to([&user]));
    graph.add_click(Click {
        at: Utc::now() - TimeDelta::hours(1),
        user: user.clone(),
        url: "https://evil.example/a".to_owned(),
        message_id: "<a@x>".to_owned(),
        action: "ClickAllowed",
        clicked_through: true,
    });
    let client = tenant.client(&[]);
    let criteria = ClickCriteria { urls: list(&["evil.example"]), ..ClickCriteria::default() };
    let clicks = hunt_clicks(&client, &criteria, limits()).await.unwrap().rows;
    assert_eq!((clicks.len(), &clicks[0].user, clicks[0].clicked_through), (1, &user, Some(true)));
    let network_message_ids = vec![clicks[0].network_message_id.clone()];
    for (criteria, count) in [
        (ClickCriteria { network_message_ids, ..ClickCriteria::default() }, 1),
        (ClickCriteria { urls: list(&["other.example"]), ..ClickCriteria::default() }, 0),
    ] {
        let found = hunt_clicks(&client, &criteria, limits()).await.unwrap();
        assert_eq!(found.rows.len(), count, "{criteria:?}");
    }
}

#[tokio::test]
async fn more_rows_than_one_query_has_are_read_in_parts() {
    let tenant = tenant().await;
    let graph = &tenant.sandbox.graph;
    for hours in 1..=6 {
        graph.deliver(&mail(&format!("<{hours}@x>"), hours).to(&graph.mailboxes()[..3]));
    }
    let client = tenant.client(&[]);
    let criteria = HuntingCriteria { senders: list(&["@evil.example"]), ..HuntingCriteria::default() };
    let parts = hunt_mail(&client, &criteria, IndexLimits { page: 5, ..limits() }).await.unwrap();
    assert_eq!((parts.rows.len(), parts.coverage.is_complete()), (18, true));
    assert!(parts.requests > 3 && parts.rows.windows(2).all(|pair| pair[0].time <= pair[1].time));
    // Three rows of one moment do not fit into a query for two.
    let stuck = hunt_mail(&client, &criteria, IndexLimits { page: 2, ..limits() }).await.unwrap();
    assert_eq!(stuck.coverage.gaps[0].reason, GapReason::TooManyRows(2));
    let few = hunt_mail(&client, &criteria, IndexLimits { most_rows: 4, ..limits() }).await.unwrap();
    assert_eq!((few.rows.len(), &few.coverage.gaps[0].reason), (4, &GapReason::TooManyRows(4)));
}

#[tokio::test]
async fn throttled_query_is_repeated_and_a_missing_permission_is_named() {
    let tenant = tenant().await;
    let faults = tenant.sandbox.graph.faults();
    tenant.sandbox.graph.deliver(&mail("<a@x>", 2).to([&tenant.sandbox.graph.mailboxes()[0]]));
    let client = tenant.client(&[]);
    let criteria = HuntingCriteria {
        message_ids: list(&["<a@x>"]),
        from: Some(Utc::now() - TimeDelta::days(40)),
        ..HuntingCriteria::default()
    };
    let throttled = Fault::Status(429, RetryAfter::Decimal(0.2));
    faults.next(2, Target::containing("POST /security/runHuntingQuery"), throttled);
    let found = hunt(&client, &criteria).await;
    assert_eq!((found.rows.len(), &found.coverage.gaps[0].reason), (1, &GapReason::TooOld(30)));
    faults.take_role("ThreatHunting.Read.All");
    let error = hunt_mail(&client, &criteria, limits()).await.unwrap_err();
    assert!(matches!(error, HuntingError::NotPermitted(_)), "{error}");
    assert!(error.to_string().contains("ThreatHunting.Read.All"));
}

proptest! {
    #[test]
    fn literal_of_any_text_is_read_as_that_text(text in "(?s).{0,40}") {
        prop_assert_eq!(kql_literal(&graph::fuzzing::kql_literal(&text)), Ok(text));
    }

    #[test]
    fn literal_of_quotes_and_escapes_is_read_as_that_text(text in r#"["'\\\n\r\t\u{0}-\u{2f}\u{7f}-\u{a0}\u{2028}u0-9]{0,20}"#) {
        prop_assert_eq!(kql_literal(&graph::fuzzing::kql_literal(&text)), Ok(text));
    }
}
