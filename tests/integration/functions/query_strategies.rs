//! `exchange_online_query_emails` by an index of mail: who got a message, where the copies are, and what became of the
//! others.

use chrono::{TimeDelta, Utc};
use sandbox::graph::{Address, Click, Delivery, Fate, MailboxFault, Tenant, TenantOptions};
use serde_json::{Value, json};

use crate::functions::common::{Fixture, QueryEmails, empty, found, query, subjects};

const TRACE: &str = "ExchangeMessageTrace.Read.All";
const HUNTING: &str = "ThreatHunting.Read.All";
const ID: &str = "<wave-1@evil.example>";

fn evil() -> Address {
    Address::new("IT", "it@evil.example")
}

/// A mail that arrived an hour ago.
fn wave() -> Delivery {
    Delivery::new(ID, evil(), "Renew now", Utc::now() - TimeDelta::hours(1))
}

async fn tenant(mailboxes: usize, roles: &[&str]) -> Fixture {
    let tenant = TenantOptions { now: Utc::now(), users_without_mailbox: 4, ..empty(mailboxes) };
    let fixture = Fixture::with(tenant).await;
    for role in roles {
        fixture.graph().faults().give_role(role);
    }
    fixture
}

/// A tenant with the trace, and `options`.
async fn limited(options: &[(&str, &str)]) -> Fixture {
    let fixture = Fixture::configured(TenantOptions { now: Utc::now(), ..empty(6) }, options).await;
    fixture.graph().faults().give_role(TRACE);
    fixture
}

/// The criteria of a query for the wave, until half an hour ago.
fn until_before(more: &Value) -> Value {
    let now = Utc::now().timestamp_millis();
    let mut criteria = json!({
        "exo_internet_message_id": ID,
        "exo_start_date": now - 7_200_000,
        "exo_end_date": now - 1_800_000,
    });
    criteria.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    criteria
}

fn fates(results: &Value) -> Vec<(String, u64)> {
    let fates = results["content"]["reconciliation"]["fates"].as_object().unwrap();
    fates.iter().map(|(fate, count)| (fate.clone(), count.as_u64().unwrap())).collect()
}

fn requests(tenant: &Tenant, part: &str) -> usize {
    tenant.requests().iter().filter(|request| request.path_and_query.contains(part)).count()
}

#[tokio::test]
async fn every_delivery_has_its_fate() {
    let fixture = tenant(20, &[TRACE]).await;
    let names = fixture.graph().mailboxes();
    let users = fixture.graph().users();
    let without_mailbox: Vec<_> =
        users.iter().filter(|user| !names.contains(&user.user_principal_name)).collect();
    let guest = &without_mailbox[0].user_principal_name;
    fixture.graph().add_list("all@contoso.example", [&names[5], &names[6]]);
    let copies = fixture.graph().deliver(
        &wave()
            .to([&names[0], &names[1], &names[2], &names[3]])
            .with("all@contoso.example", Fate::INBOX)
            .with(&names[7], Fate::FilteredAsSpam)
            .with(&names[8], Fate::Quarantined)
            .with(&names[9], Fate::Failed)
            .with(&names[10], Fate::Pending)
            .with(&names[11], Fate::DeliveredElsewhere)
            .with(&names[12], Fate::Delivered("deleteditems"))
            .with(&names[13], Fate::Delivered("recoverableitemsdeletions"))
            .with("eve@partner.example", Fate::INBOX)
            .with(guest, Fate::DeliveredElsewhere),
    );
    let graph = fixture.graph();
    assert!(graph.fail_mailbox(&names[3], MailboxFault::AccessPolicy));
    let results = fixture.done(QueryEmails, query("all", until_before(&json!({})))).await;
    assert_eq!(
        fates(&results),
        [
            ("external".to_owned(), 1),
            ("found".to_owned(), 6),
            ("gone".to_owned(), 1),
            ("in_deleted_items".to_owned(), 1),
            ("in_recoverable_items".to_owned(), 1),
            ("list".to_owned(), 1),
            ("not_delivered".to_owned(), 1),
            ("not_looked_up".to_owned(), 1),
            ("not_reachable".to_owned(), 2),
            ("quarantined".to_owned(), 1),
        ],
        "{:#}",
        results["content"]["reconciliation"]
    );
    assert_eq!(results["content"]["reconciliation"]["deliveries"], 16);
    assert_eq!(subjects(&results).len(), 7, "{copies:?}");
    assert!(results["reason"].as_str().unwrap().contains("16 deliveries by the message trace"), "{results}");
}

#[tokio::test]
async fn trace_looks_only_into_the_mailboxes_of_recipients() {
    let fixture = tenant(60, &[TRACE]).await;
    let names = fixture.graph().mailboxes();
    fixture.graph().deliver(&wave().to([&names[7], &names[41]]));
    let results = fixture.done(QueryEmails, query("all", until_before(&json!({})))).await;
    let mut owners: Vec<_> = found(&results).into_iter().map(|(owner, _)| owner).collect();
    owners.sort();
    let mut expected = [names[7].clone(), names[41].clone()];
    expected.sort();
    assert_eq!(owners, expected);
    assert_eq!(requests(fixture.graph(), "/users?"), 0, "users were listed");
    let sources = results["content"]["sources"].as_array().unwrap();
    assert_eq!((sources.len(), &sources[0]["name"]), (1, &json!("message trace")));
}

#[tokio::test]
async fn recent_mail_is_searched_in_the_mailboxes() {
    let fixture = tenant(12, &[TRACE]).await;
    let names = fixture.graph().mailboxes();
    fixture.graph().deliver(&wave().to([&names[1]]));
    let recent = Delivery::new(ID, evil(), "Renew now", Utc::now() - TimeDelta::minutes(2));
    fixture.graph().faults().set_trace_lag(std::time::Duration::from_secs(600));
    fixture.graph().deliver(&recent.to([&names[2]]));
    let criteria = json!({
        "exo_internet_message_id": ID,
        "exo_start_date": Utc::now().timestamp_millis() - 7_200_000,
    });
    let results = fixture.done(QueryEmails, query("all", criteria)).await;
    assert_eq!(subjects(&results).len(), 2, "{results:#}");
    let sources = results["content"]["sources"].as_array().unwrap();
    let names: Vec<_> = sources.iter().map(|source| source["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["message trace", "mailboxes"]);
}

#[tokio::test]
async fn index_that_cannot_be_used_gives_way_to_the_mailboxes() {
    let fixture = tenant(12, &[TRACE]).await;
    let names = fixture.graph().mailboxes();
    fixture.graph().deliver(&wave().to([&names[1]]));
    fixture.graph().faults().miss_trace_service(true);
    let results = fixture.done(QueryEmails, query("all", until_before(&json!({})))).await;
    assert_eq!(subjects(&results), ["Renew now"]);
    let reason = results["reason"].as_str().unwrap();
    assert!(reason.contains("New-MgServicePrincipal"), "{reason}");
    let by_trace = until_before(&json!({"exo_search_strategy": "trace"}));
    let error = fixture.failed(QueryEmails, query("all", by_trace)).await;
    assert!(error.contains("New-MgServicePrincipal"), "{error}");
}

#[tokio::test]
async fn old_criteria_and_named_mailboxes_need_no_index() {
    let fixture = tenant(6, &[TRACE, HUNTING]).await;
    let names = fixture.graph().mailboxes();
    fixture.graph().deliver(&wave().to([&names[1]]));
    for (who, criteria) in [
        ("all", json!({"exo_email_address_sender": "it@evil.example"})),
        (names[1].as_str(), until_before(&json!({}))),
    ] {
        let results = fixture.done(QueryEmails, query(who, criteria)).await;
        assert_eq!(subjects(&results), ["Renew now"]);
        assert_eq!(results["content"].get("sources"), None);
    }
    assert_eq!(requests(fixture.graph(), "messageTraces"), 0);
}

#[tokio::test]
async fn hunting_finds_by_what_the_trace_does_not_know() {
    let fixture = tenant(12, &[TRACE, HUNTING]).await;
    let names = fixture.graph().mailboxes();
    let mut mail = wave();
    mail.html = true;
    mail.body = r#"<a href="https://evil.example/login">here</a>"#.to_owned();
    mail.urls = vec!["https://evil.example/login".to_owned()];
    fixture.graph().deliver(&mail.to([&names[1], &names[2]]));
    let now = Utc::now().timestamp_millis();
    let criteria = json!({
        "exo_url": "https://evil.example/login",
        "exo_start_date": now - 7_200_000,
        "exo_end_date": now - 1_800_000,
    });
    for (user, url) in [(&names[1], "https://evil.example/login"), (&names[2], "https://evil.example/logout")]
    {
        fixture.graph().add_click(Click {
            at: Utc::now() - TimeDelta::minutes(40),
            user: user.clone(),
            url: url.to_owned(),
            message_id: ID.to_owned(),
            action: "ClickAllowed",
            clicked_through: false,
        });
    }
    let results = fixture.done(QueryEmails, query("all", criteria)).await;
    assert_eq!(subjects(&results).len(), 2, "{results:#}");
    let clicks = results["content"]["clicks"]["clicks"].as_array().unwrap();
    assert_eq!((clicks.len(), &clicks[0]["user"]), (1, &json!(names[1])), "{clicks:?}");
    assert_eq!(results["content"]["reconciliation"]["source"], "advanced hunting");
    assert_eq!(fates(&results), [("found".to_owned(), 2)]);
    assert_eq!(requests(fixture.graph(), "/users?"), 0);
}

#[tokio::test]
async fn copy_that_differs_in_another_criterion_is_named() {
    let fixture = tenant(6, &[TRACE]).await;
    let names = fixture.graph().mailboxes();
    fixture.graph().deliver(&wave().to([&names[1]]));
    let criteria = until_before(&json!({"exo_message_subject": "another"}));
    let results = fixture.done(QueryEmails, query("all", criteria)).await;
    assert_eq!(subjects(&results), [""; 0]);
    assert_eq!(fates(&results), [("meets_other_criteria_not".to_owned(), 1)]);
    let criteria = until_before(&json!({"exo_has_attachments": true}));
    let results = fixture.done(QueryEmails, query("all", criteria)).await;
    assert_eq!(fates(&results), [("meets_other_criteria_not".to_owned(), 1)]);
}

/// The name of each source, and how much it did not answer for.
fn sources(results: &Value) -> Vec<(&str, usize)> {
    let sources = results["content"]["sources"].as_array().unwrap();
    let left_out = |source: &Value| source["not_answered_for"].as_array().unwrap().len();
    sources.iter().map(|source| (source["name"].as_str().unwrap(), left_out(source))).collect()
}

#[tokio::test]
async fn time_that_no_index_keeps_is_searched_or_named() {
    let fixture = tenant(6, &[TRACE]).await;
    let names = fixture.graph().mailboxes();
    let old = Delivery::new(ID, evil(), "Renew now", Utc::now() - TimeDelta::days(120));
    fixture.graph().deliver(&old.to([&names[1]]));
    let criteria = json!({
        "exo_internet_message_id": ID,
        "exo_end_date": (Utc::now() - TimeDelta::days(100)).timestamp_millis(),
    });
    let results = fixture.done(QueryEmails, query("all", criteria.clone())).await;
    assert_eq!(subjects(&results), ["Renew now"]);
    assert_eq!(sources(&results), [("message trace", 0), ("mailboxes", 0)]);
    let mut by_trace = criteria;
    by_trace["exo_search_strategy"] = json!("trace");
    let results = fixture.done(QueryEmails, query("all", by_trace)).await;
    assert_eq!((subjects(&results), sources(&results)), (vec![], vec![("message trace", 1)]));
    assert!(results["reason"].as_str().unwrap().contains("it keeps 90 days"), "{}", results["reason"]);
    let unknown = json!({"exo_header": "X-Mailer: *", "exo_search_strategy": "hunting"});
    let results = fixture.done(QueryEmails, query("all", unknown)).await;
    assert!(results["reason"].as_str().unwrap().contains("knows none of these criteria"));
}

#[tokio::test]
async fn sender_and_recipients_are_compared_in_the_mailboxes() {
    let fixture = tenant(6, &[TRACE]).await;
    let names = fixture.graph().mailboxes();
    fixture.graph().add_list("all@contoso.example", [&names[1], &names[2]]);
    let mut mail = wave().to(["all@contoso.example"]);
    mail.envelope_from = Some("bounce-17@mailer.example".to_owned());
    fixture.graph().deliver(&mail);
    let criteria = until_before(&json!({"exo_email_address_sender": "it@evil.example"}));
    let results = fixture.done(QueryEmails, query("all", criteria)).await;
    assert_eq!(subjects(&results).len(), 2);
    assert_eq!(fates(&results), [("found".to_owned(), 2), ("list".to_owned(), 1)]);
}

#[tokio::test]
async fn only_what_was_asked_for_is_a_result() {
    let fixture = tenant(6, &[TRACE]).await;
    let names = fixture.graph().mailboxes();
    let second = "<wave-2@evil.example>";
    fixture.graph().deliver(&wave().to([&names[1]]));
    let mut mail = wave().with(&names[1], Fate::Delivered("recoverableitemsdeletions"));
    mail.message_id = second.to_owned();
    fixture.graph().deliver(&mail);
    // The sender uses the Message-ID again, after the time that is asked for.
    let later = Delivery::new(ID, evil(), "Later", Utc::now() - TimeDelta::minutes(5));
    fixture.graph().deliver(&later.to([&names[1]]));
    let both = json!({"exo_internet_message_id": format!("{ID}, {second}")});
    for (recoverable, expected) in [(false, 1), (true, 2)] {
        let mut criteria = until_before(&both);
        criteria["exo_include_recoverable"] = json!(recoverable);
        let results = fixture.done(QueryEmails, query("all", criteria)).await;
        assert_eq!(subjects(&results), vec!["Renew now"; expected]);
        assert_eq!(fates(&results), [("found".to_owned(), 1), ("in_recoverable_items".to_owned(), 1)]);
    }
}

#[tokio::test]
async fn addresses_of_one_mailbox_find_a_copy_once() {
    let fixture = tenant(4, &[TRACE]).await;
    let name = fixture.graph().mailboxes().swap_remove(1);
    let user = fixture.graph().users().into_iter().find(|user| user.user_principal_name == name).unwrap();
    let alias = user.proxy_addresses().into_iter().find(|one| one.starts_with("smtp:")).unwrap();
    let alias = alias.trim_start_matches("smtp:").to_owned();
    fixture.graph().deliver(&wave().to([&alias]));
    let results = fixture.done(QueryEmails, query("all", until_before(&json!({})))).await;
    assert_eq!((subjects(&results).len(), fates(&results)), (1, vec![("found".to_owned(), 1)]));
}

#[tokio::test]
async fn limit_leaves_no_delivery_as_gone() {
    let fixture = limited(&[("max_messages", "2")]).await;
    let names = fixture.graph().mailboxes();
    fixture.graph().deliver(&wave().to([&names[0], &names[1], &names[2], &names[3]]));
    let results = fixture.done(QueryEmails, query("all", until_before(&json!({})))).await;
    assert_eq!(fates(&results), [("found".to_owned(), 2), ("not_looked_up".to_owned(), 2)]);
}

#[tokio::test]
async fn recipients_whose_mail_must_not_be_read_are_not_named() {
    let denied = tenant(6, &[]).await.graph().mailboxes().swap_remove(1);
    let fixture = limited(&[("mailboxes_denied_reading", &denied)]).await;
    let names = fixture.graph().mailboxes();
    fixture.graph().deliver(&wave().to([&names[1], &names[2]]).with("eve@partner.example", Fate::INBOX));
    let results = fixture.done(QueryEmails, query("all", until_before(&json!({})))).await;
    assert_eq!(
        fates(&results),
        [("external".to_owned(), 1), ("found".to_owned(), 1), ("refused".to_owned(), 1)]
    );
    assert!(!results["content"].to_string().contains(&denied), "{:#}", results["content"]);
}
