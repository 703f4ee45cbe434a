//! `exchange_online_query_emails` when Graph's answers are not what was asked for: nothing counts as found that does
//! not meet the criteria, nothing is skipped in silence, and a mailbox that cannot answer much is asked for less.

use sandbox::graph::{NewMessage, User};
use serde_json::{Value, json};

use crate::functions::common::{
    Fixture, QueryEmails, at, decoded, empty, found, mail, ms, query, saying, subjects,
};
use crate::functions::front::Front;

async fn fixture_with_front(mailboxes: usize) -> (Fixture, Front, Vec<String>) {
    let mut fixture = Fixture::configured(empty(mailboxes), &[("max_retries_total", "3")]).await;
    let front = Front::before(&mut fixture).await;
    let names = fixture.graph().mailboxes();
    (fixture, front, names)
}

fn message(id: &str, subject: &str) -> Value {
    json!({
        "id": id, "subject": subject, "receivedDateTime": "2026-03-01T10:00:00Z", "hasAttachments": false,
        "from": {"emailAddress": {"name": "B", "address": "b@example.org"}},
    })
}

fn page(messages: &[Value]) -> String {
    json!({"value": messages}).to_string()
}

fn invoices() -> Value {
    json!({"exo_message_subject": "invoice"})
}

#[tokio::test]
async fn message_that_does_not_match_the_filter_fails_the_call() {
    let (fixture, front, names) = fixture_with_front(2).await;
    let mixed = page(&[message("a", "Invoice 1"), message("b", "lunch")]);
    front.answer(99, "/messages?", 200, mixed);
    for who in [names[0].clone(), names.join(",")] {
        let error = fixture.failed(QueryEmails, query(&who, invoices())).await;
        assert!(error.contains("did not apply the filter"), "{error}");
    }
}

#[tokio::test]
async fn single_nonmatching_message_is_reported_not_returned() {
    let (fixture, front, names) = fixture_with_front(2).await;
    front.answer(99, "/messages?", 200, page(&[message("a", "lunch")]));
    let results = fixture.done(QueryEmails, query(&names[0], invoices())).await;
    assert_eq!(results["content"]["messages_found"], 0);
    let not_searched = &results["content"]["not_searched"][0];
    assert!(not_searched["message"].as_str().unwrap().contains("1 message(s)"), "{not_searched}");
    assert_eq!(results["reason"], format!("1 mailbox could not be searched: {}.", names[0]));
    // In several mailboxes it is not chance.
    let error = fixture.failed(QueryEmails, query(&names.join(","), invoices())).await;
    assert!(error.contains("could not be compared with the criteria"), "{error}");
}

#[tokio::test]
async fn mailbox_where_the_filter_was_not_applied_has_no_results() {
    let (fixture, front, names) = fixture_with_front(3).await;
    fixture.put(&names[1], mail("Invoice 2"));
    fixture.put(&names[2], mail("Invoice 3"));
    let mixed = page(&[message("a", "Invoice 1"), message("b", "lunch")]);
    front.answer(99, &format!("/users/{}/messages?", names[0]), 200, mixed);
    let results = fixture.done(QueryEmails, query(&names.join(","), invoices())).await;
    assert_eq!(subjects(&results), ["Invoice 2", "Invoice 3"]);
    let not_searched = &results["content"]["not_searched"][0];
    assert_eq!(not_searched["email_address"], names[0]);
    assert!(not_searched["message"].as_str().unwrap().contains("did not apply the filter"), "{not_searched}");
}

#[tokio::test]
async fn filter_that_was_not_applied_once_is_asked_again() {
    let (fixture, front, names) = fixture_with_front(1).await;
    fixture.put(&names[0], mail("Invoice 1"));
    front.answer(1, "/messages?", 200, page(&[message("b", "lunch")]));
    let results = fixture.done(QueryEmails, query(&names[0], invoices())).await;
    assert_eq!(subjects(&results), ["Invoice 1"]);
}

#[tokio::test]
async fn list_with_an_error_in_it_names_the_mailbox() {
    let broken = json!({"error": {"code": "ErrorInvalidIdMalformed", "message": "Id is malformed."}});
    let answers = [
        page(&[message("a", "Invoice"), broken.clone()]),
        page(&[json!({"subject": "Invoice"})]),
        page(&[json!({"id": null, "subject": "Invoice"})]),
        json!({"value": [message("a", "Invoice")], "error": broken["error"]}).to_string(),
        json!({"@odata.count": 0}).to_string(),
    ];
    for answer in answers {
        let (fixture, front, names) = fixture_with_front(2).await;
        fixture.put(&names[1], mail("Invoice 2"));
        front.answer(99, &format!("/users/{}/messages?", names[0]), 200, answer.as_str());
        for criteria in [invoices(), json!({"exo_message_body": "hello"})] {
            let results = fixture.done(QueryEmails, query(&names.join(","), criteria)).await;
            assert_eq!(found(&results), [(names[1].clone(), "Invoice 2".to_owned())], "{answer}");
            assert_eq!(results["content"]["not_searched"][0]["email_address"], names[0], "{answer}");
        }
    }
}

#[tokio::test]
async fn properties_that_are_missing_are_not_a_contradiction() {
    let (fixture, front, names) = fixture_with_front(1).await;
    let sparse = page(&[json!({"id": "a"}), json!({"id": 7, "subject": null, "hasAttachments": null})]);
    front.answer(1, "/messages?", 200, sparse);
    let results = fixture.done(QueryEmails, query(&names[0], json!({"exo_has_attachments": false}))).await;
    assert_eq!(results["content"]["messages_found"], 2);
}

#[tokio::test]
async fn page_that_fails_twice_is_asked_for_smaller() {
    let (fixture, front, names) = fixture_with_front(1).await;
    for nth in 0..7 {
        fixture.put(&names[0], mail(&format!("Invoice {nth}")));
    }
    let error = r#"{"error":{"code":"UnknownError","message":""}}"#;
    for size in ["100", "25"] {
        front.answer(99, &format!("$top={size}&"), 504, error);
    }
    let results = fixture.done(QueryEmails, query(&names[0], invoices())).await;
    assert_eq!(results["content"]["messages_found"], 7);
    assert_eq!(results["content"]["not_searched"], json!([]));
    let lines: Vec<_> = front.lines().iter().map(|line| decoded(line)).collect();
    for (size, times) in [("100", 2), ("25", 2)] {
        let asked = lines.iter().filter(|line| line.contains(&format!("$top={size}&"))).count();
        assert_eq!(asked, times, "{lines:?}");
    }
}

#[tokio::test]
async fn time_is_divided_where_smaller_pages_do_not_help() {
    let (fixture, front, names) = fixture_with_front(1).await;
    for (nth, day) in ["2026-01-02", "2026-01-09", "2026-01-15"].into_iter().enumerate() {
        let received = at(&format!("{day}T12:00:00Z"));
        fixture.put(&names[0], NewMessage { received, ..mail(&format!("Invoice {nth}")) });
    }
    // The mailbox cannot answer for the whole month, but for its halves.
    let whole = "ge%202026-01-01T00:00:00Z%20and%20receivedDateTime%20le%202026-01-31";
    front.answer(99, whole, 500, r#"{"error":{"code":"InternalServerError","message":"x"}}"#);
    let criteria = json!({
        "exo_start_date": ms("2026-01-01T00:00:00Z"),
        "exo_end_date": ms("2026-01-31T00:00:00Z"),
    });
    let results = fixture.done(QueryEmails, query(&names[0], criteria)).await;
    assert_eq!(results["content"]["messages_found"], 3);
    assert_eq!(results["content"]["not_searched"], json!([]));
}

#[tokio::test]
async fn mailbox_that_never_answers_is_given_up_and_named() {
    let (fixture, front, names) = fixture_with_front(2).await;
    fixture.put(&names[1], mail("Invoice"));
    let on = format!("/users/{}/messages?", names[0]);
    front.answer(9999, &on, 504, r#"{"error":{"code":"UnknownError","message":""}}"#);
    let results = fixture.done(QueryEmails, query(&names.join(","), invoices())).await;
    assert_eq!(found(&results), [(names[1].clone(), "Invoice".to_owned())]);
    assert_eq!(results["content"]["not_searched"][0]["status_code"], 504);
    let asked = front.lines().iter().filter(|line| line.contains(&names[0])).count();
    assert!((10..60).contains(&asked), "{asked}");
}

#[tokio::test]
async fn pages_that_name_each_other_end() {
    let (fixture, front, names) = fixture_with_front(1).await;
    let link = |skip: usize| format!("{}/v1.0/users/{}/messages?%24skip={skip}", front.origin(), names[0]);
    let linked = |messages: &[Value], skip: usize| {
        json!({"value": messages, "@odata.nextLink": link(skip)}).to_string()
    };
    front.answer(1, "%24skip=10", 200, linked(&[], 10));
    front.answer(1, "/messages?$select", 200, linked(&[message("a", "Invoice 1")], 10));
    let results = fixture.done(QueryEmails, query(&names[0], invoices())).await;
    assert_eq!((&results["content"]["messages_found"], &results["reason"]), (&json!(1), &Value::Null));

    front.answer(1, "%24skip=20", 200, linked(&[message("b", "Invoice 2")], 10));
    front.answer(1, "%24skip=10", 200, linked(&[message("c", "Invoice 3")], 20));
    front.answer(1, "/messages?$select", 200, linked(&[message("a", "Invoice 1")], 10));
    let results = fixture.done(QueryEmails, query(&names[0], invoices())).await;
    assert_eq!(results["content"]["messages_found"], 3);
    let not_searched = &results["content"]["not_searched"][0];
    assert!(not_searched["message"].as_str().unwrap().contains("a second time"), "{not_searched}");

    for end in [json!(""), Value::Null] {
        let last = json!({"value": [message("a", "Invoice 1")], "@odata.nextLink": end}).to_string();
        front.answer(1, "/messages?$select", 200, last);
        let results = fixture.done(QueryEmails, query(&names[0], invoices())).await;
        assert_eq!((&results["content"]["messages_found"], &results["reason"]), (&json!(1), &Value::Null));
    }
}

#[tokio::test]
async fn search_capped_at_250_hits_continues_before_oldest_hit() {
    let (fixture, front, names) = fixture_with_front(1).await;
    let hits = |from: usize, count: usize, day: &str| {
        let hit = |nth: usize| {
            let mut hit = message(&format!("m{nth}"), "Invoice");
            hit["receivedDateTime"] = json!(format!("{day}T10:00:00Z"));
            hit
        };
        page(&(from..from + count).map(hit).collect::<Vec<_>>())
    };
    front.answer(1, "received%3C%3D2026-03-02", 200, hits(240, 40, "2026-03-01"));
    front.answer(1, "/messages?", 200, hits(0, 250, "2026-03-02"));
    let mut fixture = fixture;
    fixture.context.limits.max_messages = 1000;
    let results = fixture.done(QueryEmails, query(&names[0], json!({"exo_message_body": "invoice"}))).await;
    assert_eq!(results["content"]["messages_found"], 280, "duplicates are dropped");
    assert_eq!(results["content"]["not_searched"], json!([]));
    assert_eq!(results["content"]["body_matched_by"], "Exchange search index");
}

#[tokio::test]
async fn x500_sender_is_not_shown_as_an_address() {
    let (fixture, front, names) = fixture_with_front(1).await;
    let mut internal = message("a", "Invoice");
    let x500 = json!({"name": "Ada", "address": "/O=EXCHANGELABS/OU=EXCHANGE ADMINISTRATIVE GROUP/CN=RECIPIENTS/CN=0A"});
    internal["sender"] = json!({"emailAddress": x500});
    internal["from"] = json!({"emailAddress": {"name": "Ada", "address": "ada@contoso.example"}});
    front.answer(1, "/messages?", 200, page(&[internal]));
    let results = fixture.done(QueryEmails, query(&names[0], invoices())).await;
    let message = &results["content"]["email_results"][0]["email_list"][0];
    assert_eq!(message["sender"], message["from"]);
}

#[tokio::test]
async fn user_listed_on_two_pages_is_searched_once() {
    let (fixture, front, names) = fixture_with_front(3).await;
    for name in &names {
        fixture.put(name, mail("Invoice"));
    }
    let users = fixture.graph().users();
    let listed =
        |nth: usize| json!({"id": users[nth].id, "userPrincipalName": users[nth].user_principal_name});
    let link = format!("{}/v1.0/users?%24skiptoken=2", front.origin());
    front.answer(1, "skiptoken=2", 200, json!({"value": [listed(1), listed(2)]}).to_string());
    let first = json!({"value": [listed(0), listed(1)], "@odata.nextLink": link}).to_string();
    front.answer(1, "GET /v1.0/users?", 200, first);
    let results = fixture.done(QueryEmails, query("all", invoices())).await;
    assert_eq!(found(&results).into_iter().map(|(name, _)| name).collect::<Vec<_>>(), names);
    assert_eq!(results["content"]["users_listed"], 3);
}

#[tokio::test]
async fn list_of_users_that_repeats_itself_says_so() {
    let (fixture, front, names) = fixture_with_front(1).await;
    let user = json!({"userPrincipalName": names[0]});
    let link = format!("{}/v1.0/users?%24skiptoken=2", front.origin());
    let repeating = json!({"value": [user], "@odata.nextLink": link}).to_string();
    front.answer(2, "GET /v1.0/users?", 200, repeating);
    let results = fixture.done(QueryEmails, query("all", invoices())).await;
    let reason = results["reason"].as_str().unwrap();
    assert!(reason.starts_with("Users may be missing from the search: "), "{reason}");
}

#[tokio::test]
async fn alias_is_searched_by_the_id_that_the_directory_knows() {
    let fixture = Fixture::with(empty(3)).await;
    let users = fixture.graph().users();
    let alias = |user: &User| {
        let others = user.proxy_addresses();
        let alias = others.iter().find_map(|proxy| proxy.strip_prefix("smtp:"));
        alias.map(|alias| (alias.to_owned(), user.clone()))
    };
    let (alias, user) = users.iter().find_map(alias).expect("a user with an alias");
    fixture.put(&user.user_principal_name, mail("Invoice"));
    let results = fixture.done(QueryEmails, query(&alias, invoices())).await;
    assert_eq!(found(&results), [(alias, "Invoice".to_owned())]);
    let asked = fixture.asked();
    assert!(asked.last().unwrap().starts_with(&format!("GET /users/{}/messages?", user.id)), "{asked:?}");
}

#[tokio::test]
async fn folder_that_is_not_there_is_not_a_missing_mailbox() {
    for code in ["ErrorFolderNotFound", "ErrorItemNotFound"] {
        let (fixture, front, names) = fixture_with_front(1).await;
        let body = json!({"error": {"code": code, "message": "x"}}).to_string();
        front.answer(9, "/mailFolders/archive/", 404, body);
        let criteria = json!({"exo_message_subject": "x", "exo_mail_folders": "archive"});
        let results = fixture.run(QueryEmails, query(&names[0], criteria)).await.unwrap();
        let reason = results["reason"].as_str().unwrap();
        assert!(reason.contains("The mail folder \"archive\" was not found in "), "{reason}");
        assert_eq!(
            (&results["success"], &results["content"]["users_without_mailbox"]),
            (&json!(false), &json!(0))
        );
    }
}

#[tokio::test]
async fn graph_that_ignores_the_filter_finds_nothing() {
    let fixture = Fixture::with(empty(4)).await;
    let names = fixture.graph().mailboxes();
    for name in &names {
        fixture.put(name, mail("Invoice"));
        fixture.put(name, mail("lunch"));
    }
    fixture.graph().faults().filter_no_messages();
    for who in ["all".to_owned(), names[0].clone(), names.join(",")] {
        let error = fixture.failed(QueryEmails, query(&who, invoices())).await;
        assert!(error.contains("did not apply the filter"), "{error}");
    }
}

#[tokio::test]
async fn search_that_is_cut_off_at_275_hits_is_completed() {
    let fixture = Fixture::configured(empty(1), &[("max_messages", "5000")]).await;
    fixture.graph().faults().set_most_hits(275);
    let name = fixture.mailbox(0);
    for nth in 0..900 {
        let received = at("2026-01-30T00:00:00Z") - chrono::TimeDelta::hours(nth);
        fixture.put(&name, NewMessage { received, ..saying("Invoice", "Please renew now") });
    }
    let results = fixture.done(QueryEmails, query(&name, json!({"exo_message_body": "renew"}))).await;
    assert_eq!(results["content"]["messages_found"], 900);
    assert_eq!(results["content"]["not_searched"], json!([]));
}
