//! `exchange_online_query_emails` when Graph stumbles: no mailbox is lost silently.

use sandbox::graph::{NewMessage, Scope, TenantOptions, Throttling, TokenRefusal};
use serde_json::{Value, json};

use crate::functions::common::{
    Fault, Fixture, QueryEmails, RetryAfter, SOON, Target, at, empty, encoded, found, mail, query, saying,
    subjects,
};
use crate::functions::front::Front;

fn everything() -> Value {
    json!({"exo_start_date": 0})
}

async fn one_each(mailboxes: usize, options: &[(&str, &str)]) -> (Fixture, Vec<String>) {
    let fixture = Fixture::configured(empty(mailboxes), options).await;
    let names = fixture.graph().mailboxes();
    for name in &names {
        fixture.put(name, mail("one"));
    }
    (fixture, names)
}

/// How many users were listed, searched, without a mailbox, failed, and left out; the last four make the first.
fn users(results: &Value) -> [u64; 5] {
    let keys = ["users_listed", "users_searched", "users_without_mailbox", "users_failed", "users_left_out"];
    let users = keys.map(|key| results["content"][key].as_u64().unwrap());
    assert_eq!(users[0], users[1..].iter().sum::<u64>(), "{users:?}");
    let not_searched = results["content"]["not_searched"].as_array().unwrap().len();
    assert_eq!(users[3], u64::try_from(not_searched).unwrap());
    users
}

/// The requests to a mailbox by its address, and those by the id that the directory lists.
fn of(fixture: &Fixture, mailbox: &str) -> [Target; 2] {
    let user = fixture.graph().users().into_iter().find(|user| user.user_principal_name == mailbox).unwrap();
    [encoded(mailbox), user.id].map(|name| Target::containing(format!("/users/{name}/messages")))
}

pub(crate) fn fail(fixture: &Fixture, mailbox: &str, fault: Fault) {
    for target in of(fixture, mailbox) {
        fixture.graph().faults().next(9, target, fault);
    }
}

#[tokio::test]
async fn throttled_parts_are_sent_again_and_nothing_is_missing() {
    let (fixture, names) = one_each(40, &[]).await;
    for retry_after in [SOON, RetryAfter::Absent] {
        let throttling = Throttling { share: 0.4, scope: Scope::Mailboxes, retry_after, times: 2 };
        fixture.graph().faults().throttle(Some(throttling));
        let results = fixture.done(QueryEmails, query("all", everything())).await;
        assert_eq!(results["content"]["not_searched"], json!([]));
        assert_eq!(found(&results).len(), names.len());
        assert_eq!(results["content"]["users_searched"], 40);
        assert!(fixture.graph().counters().throttled > 0);
        fixture.asked();
    }
}

#[tokio::test]
async fn failed_batch_is_retried_without_loss() {
    for fault in [
        Fault::Status(503, RetryAfter::Absent),
        Fault::Status(429, SOON),
        Fault::Status(500, RetryAfter::Absent),
        Fault::Close,
        Fault::CutBody,
        Fault::Html,
        Fault::BrokenJson,
    ] {
        let (fixture, names) = one_each(25, &[]).await;
        fixture.graph().faults().next(3, Target::Batch, fault);
        let results = fixture.done(QueryEmails, query("all", everything())).await;
        assert_eq!(found(&results).len(), names.len(), "{fault:?}");
        assert_eq!(results["content"]["not_searched"], json!([]));
    }
}

#[tokio::test]
async fn pages_are_followed_with_the_same_care() {
    let fixture = Fixture::configured(empty(6), &[("max_messages", "100000")]).await;
    let names = fixture.graph().mailboxes();
    for name in &names[..2] {
        fixture.put_many(name, 1010);
    }
    fixture.graph().faults().next(3, Target::containing("%24skip="), Fault::Status(429, SOON));
    fixture.graph().faults().next(1, Target::containing("%24skip="), Fault::BrokenJson);
    let results = fixture.done(QueryEmails, query("all", everything())).await;
    assert_eq!(found(&results).len(), 2020);
    let one = fixture.done(QueryEmails, query(&names[1], everything())).await;
    assert_eq!(subjects(&one).len(), 1010);
}

#[tokio::test]
async fn unsearchable_mailboxes_are_named_and_others_returned() {
    let (fixture, names) = one_each(8, &[("max_retries_total", "1")]).await;
    fail(&fixture, &names[1], Fault::Status(503, SOON));
    fail(&fixture, &names[4], Fault::Status(403, RetryAfter::Absent));
    for who in ["all".to_owned(), names.join(",")] {
        let results = fixture.done(QueryEmails, query(&who, everything())).await;
        assert_eq!(results["content"]["messages_found"], 6);
        assert_eq!(results["content"]["users_searched"], 6);
        let expected = format!(
            "2 mailboxes could not be searched: {} (serviceNotAvailable), {} (ErrorAccessDenied).",
            names[1], names[4]
        );
        assert_eq!(results["reason"], expected);
        let expected = json!([
            {"email_address": names[1], "status_code": 503, "code": "serviceNotAvailable",
             "message": "The service is temporarily unavailable."},
            {"email_address": names[4], "status_code": 403, "code": "ErrorAccessDenied",
             "message": "Access is denied. Check credentials and try again."},
        ]);
        assert_eq!(results["content"]["not_searched"], expected);
    }
}

#[tokio::test]
async fn users_without_mailbox_are_counted_and_named_in_the_file() {
    let tenant = TenantOptions { users_without_mailbox: 3, ..empty(5) };
    let fixture = Fixture::with(tenant).await;
    let mut inputs = query("all", everything());
    inputs["exo_query_output_format"] = json!(["Incident note", "Incident attachment"]);
    let results = fixture.done(QueryEmails, inputs).await;
    assert_eq!(results["reason"], Value::Null);
    assert_eq!(results["content"]["users_searched"], 5);
    assert_eq!(results["content"]["users_without_mailbox"], 3);
    assert_eq!(results["content"]["not_searched"], json!([]));
    let without: Vec<_> = fixture.graph().users().into_iter().filter(|user| !user.has_mailbox).collect();
    let (note, (.., file)) = (fixture.note(), fixture.attachment().await);
    let file = String::from_utf8(file).unwrap();
    assert_eq!(without.len(), 3);
    for user in without {
        let line = format!("{} (", user.user_principal_name);
        assert!(file.contains(&line) && !note.contains(&user.user_principal_name), "{file}\n{note}");
    }
}

#[tokio::test]
async fn all_listed_users_are_counted_in_content_note_and_file() {
    let tenant = TenantOptions { users_without_mailbox: 3, ..empty(20) };
    let fixture = Fixture::configured(tenant, &[("max_retries_total", "1")]).await;
    let names = fixture.graph().mailboxes();
    fail(&fixture, &names[1], Fault::Status(503, SOON));
    fail(&fixture, &names[4], Fault::Status(403, RetryAfter::Absent));
    let mut inputs = query("all", everything());
    inputs["exo_query_output_format"] = json!(["Incident note", "Incident attachment"]);
    let results = fixture.done(QueryEmails, inputs).await;
    assert_eq!(users(&results), [23, 18, 3, 2, 0]);
    let sums = "Of 23 users listed: 18 searched, 3 without a mailbox, 2 failed, 0 left out.";
    let (note, (.., file)) = (fixture.note(), fixture.attachment().await);
    assert!(note.contains(sums), "{note}");
    assert!(String::from_utf8(file).unwrap().lines().any(|line| line == sums));
}

#[tokio::test]
async fn left_out_count_at_limit_is_independent_of_throttling() {
    let (fixture, names) = one_each(2100, &[("max_messages", "30")]).await;
    for round in 0..4 {
        let throttling = Throttling {
            share: f64::from(round) / 10.0,
            scope: Scope::Mailboxes,
            retry_after: SOON,
            times: 1,
        };
        fixture.graph().faults().throttle(Some(throttling));
        let results = fixture.done(QueryEmails, query("all", everything())).await;
        assert_eq!(users(&results), [999, 30, 0, 0, 969], "as far as the first page of users goes");
        let list = query(&names[..1500].join(","), everything());
        assert_eq!(users(&fixture.done(QueryEmails, list).await), [1500, 30, 0, 0, 1470]);
    }
}

#[tokio::test]
async fn users_beyond_max_users_are_counted_as_left_out() {
    let (fixture, names) = one_each(50, &[("max_users", "20")]).await;
    assert_eq!(users(&fixture.done(QueryEmails, query("all", everything())).await), [50, 20, 0, 0, 30]);
    let list = query(&names[..30].join(","), everything());
    assert_eq!(users(&fixture.done(QueryEmails, list).await), [30, 20, 0, 0, 10]);
    let list = query(&names[..20].join(","), everything());
    assert_eq!(users(&fixture.done(QueryEmails, list).await), [20, 20, 0, 0, 0]);
}

#[tokio::test]
async fn mistyped_address_in_a_list_is_reported() {
    let (fixture, names) = one_each(2, &[]).await;
    let who = format!("{}, no-one@contoso.example", names[0]);
    let results = fixture.done(QueryEmails, query(&who, everything())).await;
    assert_eq!(
        results["reason"],
        "No mailbox was found for no-one@contoso.example. Give the user principal name, as the directory lists it."
    );
    assert_eq!(found(&results).len(), 1);
    assert_eq!(results["content"]["not_searched"][0]["code"], "ErrorInvalidUser");
}

#[tokio::test]
async fn list_with_no_existing_mailbox_is_unsuccessful() {
    let (fixture, _) = one_each(2, &[]).await;
    let who = "no-one@contoso.example, noone@contoso.example";
    let results = fixture.run(QueryEmails, query(who, everything())).await.unwrap();
    assert_eq!(results["success"], false);
    assert_eq!(
        results["reason"],
        "No mailbox was found for no-one@contoso.example, noone@contoso.example. Give the user principal name, as the \
         directory lists it."
    );
    assert_eq!(results["content"]["email_results"], json!([]));
    assert_eq!(results["content"]["not_searched"].as_array().unwrap().len(), 2);
    assert_eq!(results["content"]["users_searched"], 0);
}

#[tokio::test]
async fn missing_folder_is_not_reported_as_missing_mailbox() {
    let (mut fixture, names) = one_each(2, &[]).await;
    let front = Front::before(&mut fixture).await;
    let body = r#"{"error":{"code":"ErrorItemNotFound","message":"The specified folder could not be found in the store."}}"#;
    front.answer(1, "/mailFolders/AAMkF/", 404, body);
    let criteria = json!({"exo_start_date": 0, "exo_mail_folders": "AAMkF"});
    let results = fixture.run(QueryEmails, query(&names[0], criteria)).await.unwrap();
    assert_eq!(results["success"], false);
    assert_eq!(results["reason"], format!("The mail folder \"AAMkF\" was not found in {}.", names[0]));
    assert_eq!(results["content"]["not_searched"][0]["code"], "ErrorItemNotFound");
}

#[tokio::test]
async fn search_that_reaches_no_mailbox_fails_the_call() {
    let (fixture, names) = one_each(3, &[("max_retries_total", "1")]).await;
    let who = names.join(",");
    for who in ["all", names[0].as_str(), &who] {
        fixture.graph().faults().next(1000, Target::containing("/messages?"), Fault::Status(503, SOON));
        let error = fixture.failed(QueryEmails, query(who, everything())).await;
        let start =
            format!("Could not search the messages of {who}: Microsoft Graph answered HTTP status 503");
        assert!(error.starts_with(&start), "{error}");
        fixture.graph().faults().clear();
        fixture.graph().faults().next(1000, Target::containing("/messages?"), Fault::Html);
        let error = fixture.failed(QueryEmails, query(who, everything())).await;
        assert!(error.contains("is not an answer of Microsoft Graph"), "{error}");
        fixture.graph().faults().clear();
    }
    fixture.assert_incident_untouched();
}

#[tokio::test]
async fn search_whose_batches_all_fail_fails_the_call() {
    let tenant = TenantOptions { http1_only: true, ..empty(3) };
    let fixture = Fixture::configured(tenant, &[("max_retries_total", "1")]).await;
    fixture.graph().faults().next(1000, Target::Batch, Fault::Status(503, SOON));
    let error = fixture.failed(QueryEmails, query("all", everything())).await;
    assert!(error.contains("503"), "{error}");
    fixture.assert_incident_untouched();
}

#[tokio::test]
async fn users_that_cannot_be_listed_fail_the_call() {
    let (fixture, _) = one_each(3, &[("max_retries_total", "1")]).await;
    fixture.graph().faults().next(2, Target::containing("GET /users?"), Fault::Status(503, SOON));
    let error = fixture.failed(QueryEmails, query("all", everything())).await;
    assert!(error.contains("503"), "{error}");
    fixture.graph().faults().next(1, Target::containing("GET /users?"), Fault::Status(503, SOON));
    let results = fixture.done(QueryEmails, query("all", everything())).await;
    assert_eq!(found(&results).len(), 3);
}

#[tokio::test]
async fn refused_sign_in_during_query_fails_the_call() {
    let (fixture, _) = one_each(30, &[]).await;
    fixture.graph().faults().next(
        1,
        Target::containing("/messages?"),
        Fault::Status(401, RetryAfter::Absent),
    );
    fixture.done(QueryEmails, query("all", everything())).await;
    fixture.graph().revoke_tokens();
    fixture.graph().faults().refuse_tokens(Some(TokenRefusal::ExpiredSecret));
    let error = fixture.failed(QueryEmails, query("all", everything())).await;
    assert!(error.contains("AADSTS7000222"), "{error}");
}

#[tokio::test]
async fn next_page_outside_the_graph_url_is_not_followed() {
    let (mut fixture, names) = one_each(1, &[]).await;
    let front = Front::before(&mut fixture).await;
    let elsewhere = Front::before(&mut Fixture::with(empty(1)).await).await;
    for link in
        [format!("{}/v1.0/users?$skiptoken=1", elsewhere.origin()), format!("{}/beta/users", front.origin())]
    {
        let page = json!({"value": [{"userPrincipalName": names[0]}], "@odata.nextLink": link}).to_string();
        front.answer(1, "GET /v1.0/users?", 200, page);
        let error = fixture.failed(QueryEmails, query("all", everything())).await;
        assert!(error.contains("next page outside"), "{error}");
        let page = json!({"value": [], "@odata.nextLink": link}).to_string();
        front.answer(1, "/messages?", 200, page);
        let error = fixture.failed(QueryEmails, query(&names[0], everything())).await;
        assert!(error.contains("next page outside"), "{error}");
    }
    assert_eq!(elsewhere.lines(), Vec::<String>::new(), "no token goes elsewhere");
    assert!(!front.lines().iter().any(|line| line.contains("beta")));
}

#[tokio::test]
async fn message_on_two_pages_is_listed_once() {
    let (mut fixture, names) = one_each(1, &[]).await;
    let front = Front::before(&mut fixture).await;
    let page = |ids: &[&str], next: Option<&str>| {
        let messages: Vec<_> = ids.iter().map(|id| json!({"id": id, "subject": id})).collect();
        let mut page = json!({"value": messages});
        if let Some(next) = next {
            page["@odata.nextLink"] =
                json!(format!("{}/v1.0/users/{}/messages?%24skip={next}", front.origin(), names[0]));
        }
        page.to_string()
    };
    front.answer(1, "%24skip=2", 200, page(&["b", "c"], None));
    front.answer(1, "/messages?", 200, page(&["a", "b"], Some("2")));
    let results = fixture.done(QueryEmails, query(&names[0], everything())).await;
    assert_eq!(subjects(&results), ["a", "b", "c"]);
}

#[tokio::test]
async fn search_capped_at_1000_hits_continues_with_older_messages() {
    let fixture = Fixture::with(empty(1)).await;
    let name = fixture.graph().mailboxes().remove(0);
    let hit = |subject: &str, received: chrono::DateTime<chrono::Utc>| NewMessage {
        received,
        ..saying(subject, "Please renew now")
    };
    for nth in 0..1400 {
        let received = at("2026-01-10T00:00:00Z") - chrono::TimeDelta::hours(nth);
        fixture.put(&name, hit("noise", received));
    }
    fixture.put(&name, hit("wanted", at("2025-11-20T00:00:00Z")));
    let criteria = json!({"exo_message_body": "renew", "exo_message_subject": "wanted"});
    let results = fixture.done(QueryEmails, query(&name, criteria)).await;
    assert_eq!(subjects(&results), ["wanted"]);
    assert_eq!(results["content"]["not_searched"], json!([]));
}

#[tokio::test]
async fn mailbox_with_too_many_hits_in_a_day_is_reported() {
    let fixture = Fixture::with(empty(2)).await;
    let names = fixture.graph().mailboxes();
    for _ in 0..1001 {
        fixture.put(&names[0], saying("noise", "Please renew now"));
    }
    fixture.put(
        &names[0],
        NewMessage { received: at("2026-01-15T11:00:00Z"), ..saying("wanted", "Please renew now") },
    );
    let criteria = json!({"exo_message_body": "renew", "exo_message_subject": "wanted"});
    let results = fixture.done(QueryEmails, query(&names.join(","), criteria)).await;
    assert_eq!(results["reason"], format!("1 mailbox could not be searched: {}.", names[0]));
    let not_searched = &results["content"]["not_searched"][0];
    assert_eq!(not_searched["email_address"], names[0]);
    assert!(not_searched["message"].as_str().unwrap().contains("it gave 1000 of"), "{not_searched}");
}
