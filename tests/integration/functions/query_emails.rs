//! `exchange_online_query_emails`: who is searched, how far, and what comes back.

use sandbox::graph::TenantOptions;
use serde_json::{Value, json};

use crate::functions::common::{
    Fault, Fixture, INCIDENT, QueryEmails, Target, decoded, empty, found, mail, query, subjects,
};

fn everything() -> Value {
    json!({"exo_start_date": 0})
}

/// A tenant of `mailboxes` with one message, "one", in each.
async fn one_each(mailboxes: usize, options: &[(&str, &str)]) -> (Fixture, Vec<String>) {
    let fixture = Fixture::configured(empty(mailboxes), options).await;
    let names = fixture.graph().mailboxes();
    for name in &names {
        fixture.put(name, mail("one"));
    }
    (fixture, names)
}

fn searched(results: &Value) -> Vec<String> {
    let mailboxes = results["content"]["email_results"].as_array().unwrap();
    mailboxes.iter().map(|mailbox| mailbox["email_address"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn query_content_and_messages_have_expected_keys() {
    let (mut fixture, names) = one_each(2, &[]).await;
    let results = fixture.done(QueryEmails, query(&names.join(","), everything())).await;
    let content = results["content"].as_object().unwrap();
    let keys: Vec<_> = content.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "incident_id",
            "exo_query_output_format",
            "email_results",
            "users_listed",
            "users_searched",
            "users_without_mailbox",
            "users_failed",
            "users_left_out",
            "messages_found",
            "limit_reached",
            "looked_until",
            "not_searched",
        ]
    );
    assert_eq!(content["incident_id"], INCIDENT);
    assert_eq!(content["exo_query_output_format"], json!(["Exchange Online data table"]));
    assert_eq!((&content["users_searched"], &content["messages_found"]), (&json!(2), &json!(2)));
    assert_eq!((&content["limit_reached"], &content["not_searched"]), (&Value::Null, &json!([])));
    assert_eq!(results["reason"], Value::Null);
    let first = content["email_results"][0].as_object().unwrap();
    assert_eq!(first.keys().collect::<Vec<_>>(), ["email_address", "status_code", "email_list"]);
    assert_eq!((&first["email_address"], &first["status_code"]), (&json!(names[0]), &json!(200)));
    let message = &first["email_list"][0];
    for key in [
        "id",
        "subject",
        "sender",
        "from",
        "hasAttachments",
        "receivedDateTime",
        "webLink",
        "internetMessageId",
        "parentFolderId",
        "isRead",
    ] {
        assert!(message.get(key).is_some(), "{key}");
    }
    assert!(message["sender"]["emailAddress"]["address"].is_string(), "the stock script reads it");
    assert_eq!(message.get("body"), None);
    assert_eq!(fixture.status_messages().len(), 1, "a status message when the work starts");
    fixture.assert_incident_untouched();
}

#[tokio::test]
async fn address_list_is_trimmed_and_deduplicated_in_order() {
    let (fixture, names) = one_each(4, &[]).await;
    let [a, b, c] = [&names[2], &names[0], &names[1]];
    let who = format!(" {a} ,, {b}\t,{}, ,{c},{b}, ", a.to_uppercase());
    let results = fixture.done(QueryEmails, query(&who, everything())).await;
    assert_eq!(searched(&results), [a.as_str(), b, c]);
    assert_eq!(fixture.asked().len(), 3);
    let error = fixture.failed(QueryEmails, query(" , ,", everything())).await;
    assert!(error.contains("holds no address"), "{error}");
}

#[tokio::test]
async fn all_users_keyword_ignores_case_and_blanks() {
    let (fixture, names) = one_each(5, &[]).await;
    for who in ["all", "ALL", " All User ", "ALL users", "all users\n"] {
        let results = fixture.done(QueryEmails, query(who, everything())).await;
        assert_eq!(searched(&results), names, "{who:?}");
        let asked = fixture.asked();
        assert_eq!(decoded(&asked[0]), "GET /users?$select=id,userPrincipalName&$top=999");
        assert_eq!(asked.len(), 1 + names.len());
    }
}

#[tokio::test]
async fn all_with_prefix_searches_matching_users() {
    let fixture = Fixture::with(empty(40)).await;
    for (who, prefix) in [
        ("all:alice", "alice"),
        ("ALL:mc", "mc"),
        ("All: la", "la"),
        ("all:o'b", "o''b"),
        ("all:all:x", "all:x"),
    ] {
        fixture.done(QueryEmails, query(who, everything())).await;
        let expected = format!(
            "GET /users?$select=id,userPrincipalName&$top=999&$filter=startswith(userPrincipalName,'{prefix}')"
        );
        assert_eq!(decoded(&fixture.asked()[0]), expected);
    }
    let names: Vec<_> = fixture.graph().mailboxes();
    let (letter, _) = names[0].split_at(2);
    let expected: Vec<_> = names.iter().filter(|name| name.starts_with(letter)).cloned().collect();
    for name in &expected {
        fixture.put(name, mail("x"));
    }
    let results = fixture.done(QueryEmails, query(&format!("all:{letter}"), everything())).await;
    assert_eq!(searched(&results), expected);
}

#[tokio::test]
async fn mailbox_without_matches_is_listed_only_if_named() {
    let fixture = Fixture::with(empty(6)).await;
    let names = fixture.graph().mailboxes();
    fixture.put(&names[3], mail("here"));
    let results = fixture.done(QueryEmails, query("all", everything())).await;
    assert_eq!(searched(&results), [names[3].as_str()]);
    assert_eq!(results["content"]["users_searched"], 6);
    let results = fixture.done(QueryEmails, query(&names.join(","), everything())).await;
    assert_eq!(searched(&results), names);
    assert_eq!(results["content"]["email_results"][0]["email_list"], json!([]));
    let results = fixture.done(QueryEmails, query("all", json!({"exo_message_subject": "nowhere"}))).await;
    assert_eq!(results["content"]["email_results"], json!([]));
    assert_eq!(results["content"]["users_searched"], 6);
}

#[tokio::test]
async fn exactly_max_users_are_searched_and_reported() {
    let (fixture, names) = one_each(7, &[("max_users", "5")]).await;
    let results = fixture.done(QueryEmails, query("all", everything())).await;
    assert_eq!(searched(&results), names[..5]);
    assert_eq!(results["content"]["limit_reached"], "max_users");
    assert_eq!(
        results["reason"],
        "The search stopped at the most mailboxes that one query searches here (max_users). 5 mailboxes were searched; \
         all others were not looked at. Search for users by the beginning of their names (all:…), or ask your \
         administrator to raise max_users."
    );
    let (fixture, names) = one_each(5, &[("max_users", "5")]).await;
    let results = fixture.done(QueryEmails, query("all", everything())).await;
    assert_eq!(searched(&results), names);
    assert_eq!(results["content"]["limit_reached"], Value::Null, "all there are is no limit");
}

#[tokio::test]
async fn users_are_listed_over_pages_up_to_exactly_max_users() {
    let tenant = TenantOptions { requests_kept: 5000, ..empty(2100) };
    let fixture = Fixture::configured(tenant, &[("max_users", "2050")]).await;
    let last = fixture.graph().mailboxes()[2049].clone();
    fixture.put(&last, mail("in the last"));
    fixture.put(&fixture.graph().mailboxes()[2050], mail("in none"));
    let results = fixture.done(QueryEmails, query("all", everything())).await;
    assert_eq!(found(&results), [(last, "in the last".to_owned())]);
    assert_eq!(results["content"]["users_searched"], 2050);
    assert_eq!(results["content"]["limit_reached"], "max_users");
    let pages = fixture.asked().iter().filter(|asked| asked.starts_with("GET /users?")).count();
    assert_eq!(pages, 3);
}

#[tokio::test]
async fn exactly_max_messages_are_returned_in_mailbox_order() {
    let fixture = Fixture::configured(empty(3), &[("max_messages", "25")]).await;
    let names = fixture.graph().mailboxes();
    for name in &names {
        fixture.put_many(name, 10);
    }
    for who in ["all".to_owned(), names.join(",")] {
        let results = fixture.done(QueryEmails, query(&who, everything())).await;
        let counts: Vec<_> = results["content"]["email_results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|mailbox| mailbox["email_list"].as_array().unwrap().len())
            .collect();
        assert_eq!(searched(&results), names);
        assert_eq!(counts, [10, 10, 5]);
        assert_eq!(results["content"]["messages_found"], 25);
        assert_eq!(results["content"]["limit_reached"], "max_messages");
        let others = if who == "all" { "; all others were not looked at" } else { "" };
        let reason = format!(
            "The search stopped at 25 messages, the most that one query returns here (max_messages). 3 mailboxes were \
             searched, the last one perhaps not to its end{others}. Narrow it down (sender, subject, dates), or ask \
             your administrator to raise max_messages."
        );
        assert_eq!(results["reason"], reason);
    }
    let results = fixture.done(QueryEmails, query(&names[..2].join(","), everything())).await;
    assert_eq!(
        (&results["content"]["messages_found"], &results["content"]["limit_reached"]),
        (&json!(20), &Value::Null)
    );
}

#[tokio::test]
async fn page_size_of_one_mailbox_fits_max_messages() {
    let fixture = Fixture::configured(empty(1), &[("max_messages", "1500")]).await;
    let name = fixture.graph().mailboxes().remove(0);
    fixture.put_many(&name, 1200);
    let results = fixture.done(QueryEmails, query(&name, everything())).await;
    assert_eq!(subjects(&results).len(), 1200);
    assert_eq!(results["content"]["limit_reached"], Value::Null);
    let asked = fixture.asked();
    assert_eq!(asked.len(), 2, "two pages of at most 1,000");
    assert!(decoded(&asked[0]).contains("$top=1000&"), "{}", asked[0]);

    let fixture = Fixture::configured(empty(1), &[("max_messages", "7")]).await;
    let name = fixture.graph().mailboxes().remove(0);
    fixture.put_many(&name, 8);
    let results = fixture.done(QueryEmails, query(&name, everything())).await;
    assert_eq!(subjects(&results).len(), 7);
    assert_eq!(results["content"]["limit_reached"], "max_messages");
    let asked = fixture.asked();
    assert_eq!(asked.len(), 1, "no page too many");
    assert!(decoded(&asked[0]).contains("$top=7&"), "{}", asked[0]);
}

#[tokio::test]
async fn mailbox_with_exactly_max_messages_reaches_no_limit() {
    let fixture = Fixture::configured(empty(1), &[("max_messages", "7")]).await;
    let name = fixture.graph().mailboxes().remove(0);
    fixture.put_many(&name, 7);
    let results = fixture.done(QueryEmails, query(&name, everything())).await;
    assert_eq!(subjects(&results).len(), 7);
    assert_eq!(results["content"]["limit_reached"], Value::Null);
}

#[tokio::test]
async fn results_are_in_mailbox_order_whatever_came_first() {
    let (fixture, names) = one_each(30, &[("max_batched_requests", "5"), ("max_messages", "12")]).await;
    for user in &fixture.graph().users()[..6] {
        let path = format!("/users/{}/messages", user.id);
        fixture.graph().faults().next(
            2,
            Target::containing(path),
            Fault::Status(429, crate::functions::common::SOON),
        );
    }
    let results = fixture.done(QueryEmails, query("all", everything())).await;
    assert_eq!(searched(&results), names[..12]);
}

#[tokio::test]
async fn query_of_all_users_runs_in_parallel_batches_without_http2() {
    let tenant = TenantOptions { http1_only: true, ..empty(30) };
    let fixture = Fixture::configured(tenant, &[("max_batched_requests", "4")]).await;
    fixture.graph().faults().set_latency(std::time::Duration::from_millis(30), std::time::Duration::ZERO);
    fixture.done(QueryEmails, query("all", everything())).await;
    let counters = fixture.graph().counters();
    assert_eq!(counters.sub_requests, 30);
    assert_eq!(counters.batches, 8);
    assert!(counters.most_batches > 1, "several at a time");
    assert_eq!(counters.http_requests, 9, "the users, and the batches");
    let mut sizes = std::collections::BTreeMap::new();
    for request in fixture.requests() {
        *sizes.entry(request.in_batch).or_insert(0) += 1;
    }
    assert!(sizes.iter().all(|(batch, size)| batch.is_none() || *size <= 4), "{sizes:?}");
}
