//! Message queries: filter, search, order, pages.

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use sandbox::graph::{Address, NewMessage, Phish, TenantOptions};
use serde_json::Value;

use super::setup::{TestTenant, code, encode};

fn at(message: &Value) -> DateTime<Utc> {
    message["receivedDateTime"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn message_pages_are_complete_and_newest_first() {
    let s =
        TestTenant::new(TenantOptions { messages_per_mailbox: 60, phish: None, ..TenantOptions::default() })
            .await;
    let user = encode(&s.tenant.mailboxes()[0]);
    for (query, pages) in [("", 6), ("?$top=20", 3), ("?$top=59", 2), ("?$top=60", 1), ("?$top=1000", 1)] {
        s.tenant.forget_requests();
        let messages = s.all(&format!("/users/{user}/messages{query}")).await;
        assert_eq!((messages.len(), s.tenant.requests().len()), (60, pages), "{query}");
        assert!(messages.windows(2).all(|pair| at(&pair[0]) >= at(&pair[1])));
    }
    assert_eq!(s.all(&format!("/users/{user}/messages?$skip=55&$top=3")).await.len(), 5);
}

#[tokio::test]
async fn next_links_are_absolute_and_keep_the_query() {
    let s = TestTenant::small().await;
    let user = encode(&s.tenant.mailboxes()[11]);
    let filter = encode("receivedDateTime ge 2020-01-01T00:00:00Z");
    let (_, page) = s.get(&format!("/users/{user}/messages?$select=id&$top=3&$filter={filter}")).await;
    let next = page["@odata.nextLink"].as_str().unwrap();
    assert!(next.starts_with(s.tenant.graph_url()), "{next}");
    assert!(next.contains(&user), "{next}");
    let (_, page) = s.get(next).await;
    let message = page["value"][0].as_object().unwrap();
    assert_eq!(message.keys().collect::<Vec<_>>(), ["@odata.etag", "id"]);
}

#[tokio::test]
async fn selected_properties_come_in_graphs_order() {
    let s = TestTenant::small().await;
    let user = encode(&s.tenant.mailboxes()[0]);
    let select = "webLink,id,subject,sender,hasAttachments,receivedDateTime";
    let (_, page) = s.get(&format!("/users/{user}/messages?$select={select}&$top=1")).await;
    let keys: Vec<&String> = page["value"][0].as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["@odata.etag", "id", "receivedDateTime", "hasAttachments", "subject", "webLink", "sender"]
    );
}

#[tokio::test]
async fn filters_select_exactly_the_matching_messages() {
    let s = TestTenant::small().await;
    let mailbox = s.phish().0;
    let user = encode(&mailbox);
    let all = s.tenant.messages(&mailbox);
    let middle = all[all.len() / 2].received;
    let sender = all[3].from.clone().unwrap().address;
    let stamp = middle.format("%Y-%m-%dT%H:%M:%SZ");
    let cases: Vec<(String, usize)> = vec![
        (format!("receivedDateTime ge {stamp}"), all.iter().filter(|m| m.received >= middle).count()),
        (format!("receivedDateTime le {stamp}"), all.iter().filter(|m| m.received <= middle).count()),
        (
            format!("receivedDateTime ge {}", middle.format("%Y-%m-%dT%H:%M:%S.001Z")),
            all.iter().filter(|m| m.received > middle).count(),
        ),
        ("hasAttachments eq true".into(), all.iter().filter(|m| m.has_attachments).count()),
        ("hasAttachments eq false".into(), all.iter().filter(|m| !m.has_attachments).count()),
        (
            format!("from/emailAddress/address eq '{}'", sender.to_uppercase().replace('\'', "''")),
            all.iter().filter(|m| m.from.as_ref().unwrap().address == sender).count(),
        ),
        ("contains(subject,'PASSWORD expires')".into(), 1),
        ("contains(subject,'')".into(), all.len()),
        (
            format!(
                "receivedDateTime ge {stamp} and hasAttachments eq false and contains(subject,'e') and \
                 receivedDateTime le 2100-01-01T00:00:00Z"
            ),
            all.iter()
                .filter(|m| m.received >= middle && !m.has_attachments)
                .filter(|m| m.subject.to_lowercase().contains('e'))
                .count(),
        ),
    ];
    for (filter, expected) in cases {
        let found = s.all(&format!("/users/{user}/messages?$filter={}&$top=7", encode(&filter))).await;
        assert_eq!(found.len(), expected, "{filter}");
    }
}

#[tokio::test]
async fn encoded_subjects_are_found() {
    let s = TestTenant::small().await;
    let mailbox = s.tenant.mailboxes()[0].clone();
    for subject in ["Don't", "a\"b", "#1", "100%", "R&D", "a+b", "größer", "🎉", "a/b\\c", "and or not"] {
        let message = NewMessage {
            subject: format!("<{subject}>"),
            from: Address::new("X", "x@y.example"),
            received: Utc::now(),
            html: false,
            body: String::new(),
            ..NewMessage::default()
        };
        let id = s.tenant.add_message(&mailbox, message).unwrap();
        let filter = format!("contains(subject,'<{}>')", subject.replace('\'', "''"));
        let url = format!("/users/{}/messages?$filter={}", encode(&mailbox), encode(&filter));
        let found = s.all(&url).await;
        assert_eq!(found.len(), 1, "{subject}");
        assert_eq!(found[0]["id"], id);
    }
}

#[tokio::test]
async fn unsupported_filter_is_refused() {
    let s = TestTenant::small().await;
    let user = encode(&s.tenant.mailboxes()[0]);
    for filter in [
        "receivedDateTime ge 2024-01-01T00:00:00",
        "receivedDateTime ge '2024-01-01T00:00:00Z'",
        "receivedDateTime after 2024-01-01T00:00:00Z",
        "contains(subject,'o'clock')",
        "contains(subject,'open",
        "contains(subject,open)",
        "contains(sender,'x')",
        "from/emailAddress/address eq x@y.example",
        "from/emailAddress/address eq 'x' hasAttachments eq true",
        "hasAttachments eq 'true'",
        "hasAttachments eq true and",
        "hasAttachments eq true or",
        "(hasAttachments eq true",
        "hasAttachments eq true)",
        "hasAttachments lt true",
        "hasAttachments eq true&",
        "shoeSize eq 46",
        "",
    ] {
        let (status, answer) = s.get(&format!("/users/{user}/messages?$filter={}", encode(filter))).await;
        assert_eq!((status, code(&answer)), (400, "BadRequest"), "{filter}");
    }
    for query in ["$top=0", "$top=1001", "$select=shoeSize", "$skiptoken=s-10", "$search", "$wrong=1"] {
        assert_eq!(s.get(&format!("/users/{user}/messages?{query}")).await.0, 400, "{query}");
    }
}

#[tokio::test]
async fn misspelt_option_filters_nothing() {
    let s = TestTenant::small().await;
    let user = encode(&s.tenant.mailboxes()[0]);
    let all = s.all(&format!("/users/{user}/messages?$top=1000")).await.len();
    let filter = encode("hasAttachments eq true");
    assert_eq!(s.all(&format!("/users/{user}/messages?$top=1000&?$filter={filter}")).await.len(), all);
}

#[tokio::test]
async fn order_must_start_the_filter() {
    let s = TestTenant::small().await;
    let user = encode(&s.tenant.mailboxes()[0]);
    let dated = encode("receivedDateTime ge 2020-01-01T00:00:00Z and hasAttachments eq false");
    let late = encode("hasAttachments eq false and receivedDateTime ge 2020-01-01T00:00:00Z");
    let order = encode("receivedDateTime asc");
    let messages = s.all(&format!("/users/{user}/messages?$filter={dated}&$orderby={order}")).await;
    assert!(messages.windows(2).all(|pair| at(&pair[0]) <= at(&pair[1])));
    let (status, answer) = s.get(&format!("/users/{user}/messages?$filter={late}&$orderby={order}")).await;
    assert_eq!((status, code(&answer)), (400, "InefficientFilter"));
    assert_eq!(s.get(&format!("/users/{user}/messages?$orderby=size")).await.0, 400);
}

/// A `$search` value: in quotes, with inner quotes escaped.
fn search(kql: &str) -> String {
    encode(&format!("\"{}\"", kql.replace('\\', "\\\\").replace('"', "\\\"")))
}

#[tokio::test]
async fn search_matches_words_and_days() {
    let s = TestTenant::small().await;
    let (mailbox, id) = s.phish();
    let user = encode(&mailbox);
    let day = s.tenant.message(&mailbox, &id).unwrap().received;
    let (day, before) = (day.format("%Y-%m-%d"), (day - TimeDelta::days(1)).format("%Y-%m-%d"));
    for (kql, found) in [
        ("body:\"credential renewal portal\"".to_owned(), true),
        ("body:\"Credential RENEWAL por\"".to_owned(), true),
        ("body:\"edential renewal\"".to_owned(), false),
        ("body:\"renewal credential\"".to_owned(), false),
        ("body:https://c0ntoso-support.example/renew".to_owned(), true),
        ("subject:\"your mailbox\" AND body:portal".to_owned(), true),
        ("subject:portal".to_owned(), false),
        ("from:\"it-service@c0ntoso-support.example\"".to_owned(), true),
        ("from:\"Service Desk\" body:portal".to_owned(), true),
        (format!("body:portal AND received>={day} AND received<={day}"), true),
        (format!("body:portal received:{before}..{day}"), true),
        (format!("body:portal received>{day}"), false),
        (format!("body:portal AND received<={before}"), false),
        ("body:portal AND hasattachments:true".to_owned(), false),
        ("body:portal AND hasattachments:false".to_owned(), true),
    ] {
        let hits = s.all(&format!("/users/{user}/messages?$search={}", search(&kql))).await;
        assert_eq!(hits.iter().any(|hit| hit["id"] == *id), found, "{kql}");
    }
    let words = s.all(&format!("/users/{user}/messages?$search={}&$top=500", search("the"))).await;
    let holding = s.tenant.messages(&mailbox).into_iter().filter(|message| {
        let from = message.from.as_ref().unwrap();
        let text =
            format!("{} {} {} {}", from.name, from.address, message.subject, message.text).to_lowercase();
        text.split(|c: char| !c.is_alphanumeric()).any(|word| word.starts_with("the"))
    });
    assert_eq!(words.len(), holding.count());
}

#[tokio::test]
async fn search_with_filter_or_order_is_refused() {
    let s = TestTenant::small().await;
    let user = encode(&s.tenant.mailboxes()[0]);
    let term = search("body:portal");
    for (more, expected) in [
        ("$filter=hasAttachments%20eq%20true", "SearchWithFilter"),
        ("$orderby=receivedDateTime", "SearchWithOrderBy"),
        ("$skip=10", "SearchWithSkip"),
    ] {
        let (status, answer) = s.get(&format!("/users/{user}/messages?$search={term}&{more}")).await;
        assert_eq!((status, code(&answer)), (400, expected));
    }
    for broken in [
        "body:portal",
        "\"body:\"portal\"\"",
        "\"\"",
        "\"body:\"",
        "\"shoe:46\"",
        "\"body:x AND \"",
        "\"received>=yesterday\"",
        "\"body:x\\\"",
    ] {
        let (status, answer) = s.get(&format!("/users/{user}/messages?$search={}", encode(broken))).await;
        assert_eq!((status, code(&answer)), (400, "BadRequest"), "{broken}");
    }
}

#[tokio::test]
async fn search_ends_silently_at_a_thousand_hits() {
    let phish = Phish { mailboxes: 1, copies: 1_300, ..Phish::default() };
    let options = TenantOptions { mailboxes: 2, phish: Some(phish), ..TenantOptions::default() };
    let s = TestTenant::new(options).await;
    let user = encode(&s.phish().0);
    let term = search("body:portal");
    let hits =
        s.all(&format!("/users/{user}/messages?$search={term}&$top=300&$select=receivedDateTime")).await;
    assert_eq!(hits.len(), 1_000);
    assert!(hits.windows(2).all(|pair| at(&pair[0]) >= at(&pair[1])), "newest first");
    let filter = encode("contains(subject,'password expires')");
    let matches = s.all(&format!("/users/{user}/messages?$filter={filter}&$top=1000&$select=id")).await;
    assert_eq!(matches.len(), 1_300);
    assert!(at(&hits[999]).year() >= 2020);
}
