//! `exchange_online_query_emails`: how criteria become a question to Graph, and which messages they find.

use sandbox::graph::{Address, NewMessage};
use serde_json::json;

use crate::functions::common::{
    Fixture, QueryEmails, at, decoded, empty, mail, ms, query, saying, subjects, with_file,
};

const SELECT: &str = "$select=id,subject,sender,from,hasAttachments,receivedDateTime,webLink,internetMessageId,\
                      parentFolderId,isRead";

/// The query options of the only message query, decoded.
fn options(fixture: &Fixture) -> Vec<String> {
    let asked = fixture.asked();
    let [asked] = asked.as_slice() else { panic!("one request: {asked:?}") };
    let (_, query) = asked.split_once('?').unwrap();
    query.split('&').map(decoded).collect()
}

#[tokio::test]
async fn criteria_without_body_become_one_filter() {
    let fixture = Fixture::with(empty(1)).await;
    let mailbox = fixture.graph().mailboxes().remove(0);
    let criteria = json!({
        "exo_start_date": ms("2026-01-15T11:59:59Z"), "exo_end_date": ms("2026-01-15T12:00:01Z"),
        "exo_email_address_sender": "dave.o'connor+x@partner.example", "exo_has_attachments": false,
        "exo_message_subject": "it's 100% & more",
    });
    fixture.done(QueryEmails, query(&mailbox, criteria)).await;
    let filter = "$filter=receivedDateTime ge 2026-01-15T11:59:59Z and receivedDateTime le 2026-01-15T12:00:01Z \
                  and from/emailAddress/address eq 'dave.o''connor+x@partner.example' and hasAttachments eq false \
                  and contains(subject,'it''s 100% & more')";
    assert_eq!(options(&fixture), [SELECT, "$top=100", filter]);
}

#[tokio::test]
async fn each_criterion_finds_only_matching_messages() {
    let fixture = Fixture::with(empty(1)).await;
    let mailbox = fixture.graph().mailboxes().remove(0);
    let from = Address::new("Dave", "dave.o'connor@partner.example");
    fixture.put(&mailbox, NewMessage { from, ..mail("from Dave") });
    fixture.put(&mailbox, with_file("with a file"));
    fixture.put(&mailbox, NewMessage { received: at("2026-01-14T23:59:59Z"), ..mail("the day before") });
    fixture.put(&mailbox, NewMessage { received: at("2026-01-16T00:00:00Z"), ..mail("the day after") });
    fixture.put(&mailbox, mail("50% off's & \"more\""));
    fixture.put(&mailbox, saying("body", "The quick brown fox."));
    let all = ["from Dave", "with a file", "the day before", "the day after", "50% off's & \"more\"", "body"];
    let without = |left_out: &[&str]| {
        let mut left: Vec<String> =
            all.iter().map(|s| (*s).to_owned()).filter(|s| !left_out.contains(&&**s)).collect();
        left.sort();
        left
    };
    let cases = [
        (json!({"exo_email_address_sender": "DAVE.o'connor@partner.example"}), vec!["from Dave".to_owned()]),
        (json!({"exo_has_attachments": true}), vec!["with a file".to_owned()]),
        (json!({"exo_has_attachments": false}), without(&["with a file"])),
        (json!({"exo_start_date": ms("2026-01-15T00:00:00Z")}), without(&["the day before"])),
        (json!({"exo_start_date": ms("2026-01-14T23:59:59Z")}), without(&[])),
        (json!({"exo_end_date": ms("2026-01-15T23:59:59Z")}), without(&["the day after"])),
        (json!({"exo_end_date": ms("2026-01-16T00:00:00Z")}), without(&[])),
        (json!({"exo_message_subject": "OFF'S & \""}), vec!["50% off's & \"more\"".to_owned()]),
        (json!({"exo_message_body": "quick brown"}), vec!["body".to_owned()]),
    ];
    for (criteria, expected) in cases {
        let results = fixture.done(QueryEmails, query(&mailbox, criteria.clone())).await;
        let mut found = subjects(&results);
        found.sort();
        assert_eq!(found, expected, "{criteria}");
    }
}

#[tokio::test]
async fn body_is_searched_and_never_filtered() {
    let fixture = Fixture::with(empty(1)).await;
    let mailbox = fixture.graph().mailboxes().remove(0);
    fixture.done(QueryEmails, query(&mailbox, json!({"exo_message_body": "renew now"}))).await;
    assert_eq!(options(&fixture), [SELECT, "$top=100", r#"$search="body:\"renew now\"""#]);
    let criteria = json!({
        "exo_message_body": "renew now", "exo_email_address_sender": "eve@elsewhere.example",
        "exo_start_date": ms("2026-01-15T11:59:59Z"), "exo_end_date": ms("2026-01-15T12:00:01Z"),
        "exo_has_attachments": true, "exo_message_subject": "urgent",
    });
    fixture.done(QueryEmails, query(&mailbox, criteria)).await;
    let options = options(&fixture);
    // This program checks the subject.
    assert!(options[0] == SELECT && options[1] == "$top=250" && options.len() == 3, "{options:?}");
    assert_eq!(
        options[2],
        r#"$search="body:\"renew now\" AND from:\"eve@elsewhere.example\" AND received>=2026-01-14 AND received<=2026-01-16 AND hasattachments:true""#
    );
}

#[tokio::test]
async fn search_hits_are_checked_against_exact_criteria() {
    let fixture = Fixture::with(empty(1)).await;
    let mailbox = fixture.graph().mailboxes().remove(0);
    let text = "Please renew now.";
    let body = |message: NewMessage| NewMessage { html: false, body: text.to_owned(), ..message };
    fixture.put(&mailbox, body(mail("urgent: the one")));
    fixture.put(&mailbox, body(mail("not asked for")));
    fixture.put(&mailbox, body(with_file("urgent: has a file")));
    for (subject, received) in [
        ("urgent: a second early", "2026-01-15T11:59:58Z"),
        ("urgent: a second late", "2026-01-15T12:00:02Z"),
    ] {
        fixture.put(&mailbox, body(NewMessage { received: at(received), ..mail(subject) }));
    }
    // A search by sender looks at the name, too.
    let from = Address::new("eve@elsewhere.example", "mallory@elsewhere.example");
    fixture.put(&mailbox, body(NewMessage { from, ..mail("urgent: another sender") }));
    fixture.put(&mailbox, saying("urgent: another text", "Nothing to see"));
    let criteria = json!({
        "exo_message_body": "renew now", "exo_email_address_sender": "Eve@elsewhere.example",
        "exo_start_date": ms("2026-01-15T11:59:59Z"), "exo_end_date": ms("2026-01-15T12:00:01Z"),
        "exo_has_attachments": false, "exo_message_subject": "GENT: the",
    });
    let results = fixture.done(QueryEmails, query(&mailbox, criteria)).await;
    assert_eq!(subjects(&results), ["urgent: the one"]);
    for (criterion, value, left_out) in [
        ("exo_email_address_sender", json!("eve@elsewhere.example"), "urgent: another sender"),
        ("exo_start_date", json!(ms("2026-01-15T11:59:59Z")), "urgent: a second early"),
        ("exo_end_date", json!(ms("2026-01-15T12:00:01Z")), "urgent: a second late"),
        ("exo_has_attachments", json!(false), "urgent: has a file"),
        ("exo_message_subject", json!("rgent"), "not asked for"),
    ] {
        let criteria = json!({"exo_message_body": "renew now", criterion: value});
        let found = subjects(&fixture.done(QueryEmails, query(&mailbox, criteria)).await);
        assert_eq!(found.len(), 5, "{criterion}: {found:?}");
        assert!(!found.contains(&left_out.to_owned()), "{criterion}");
    }
}

#[tokio::test]
async fn quotes_and_backslashes_cannot_end_the_search_phrase() {
    let fixture = Fixture::with(empty(1)).await;
    let mailbox = fixture.graph().mailboxes().remove(0);
    fixture.put(&mailbox, saying("quoted", "He wrote \"open it\" C:\\temp now"));
    fixture.put(&mailbox, saying("other", "Nothing of that kind"));
    for text in ["wrote \"open it\"", "\" OR from:\"", "it\" C:\\temp", "wrote \"open\r\n it"] {
        let results = fixture.done(QueryEmails, query(&mailbox, json!({"exo_message_body": text}))).await;
        assert!(!subjects(&results).contains(&"other".to_owned()), "{text}");
        let search = options(&fixture).pop().unwrap();
        let inner = search.strip_prefix("$search=\"body:\\\"").unwrap().strip_suffix("\\\"\"").unwrap();
        assert!(!inner.contains(['"', '\\', '\r', '\n']), "{search}");
    }
    let results =
        fixture.done(QueryEmails, query(&mailbox, json!({"exo_message_body": "wrote \"open it\""}))).await;
    assert_eq!(subjects(&results), ["quoted"]);
}

#[tokio::test]
async fn body_text_without_a_word_is_refused() {
    let fixture = Fixture::with(empty(1)).await;
    let mailbox = fixture.graph().mailboxes().remove(0);
    for text in ["\"", "\"\\\"", "...", "* *"] {
        let error = fixture.failed(QueryEmails, query(&mailbox, json!({"exo_message_body": text}))).await;
        assert!(error.contains("\"exo_message_body\"") && error.contains("word"), "{error}");
    }
    assert_eq!(fixture.graph().counters().token_requests, 0);
}

#[tokio::test]
async fn folder_limits_the_search_but_is_no_criterion() {
    let fixture = Fixture::with(empty(1)).await;
    let mailbox = fixture.graph().mailboxes().remove(0);
    fixture.put(&mailbox, mail("in the inbox"));
    fixture.put(&mailbox, NewMessage { folder: "junkemail".to_owned(), ..mail("in the junk") });
    let error = fixture.failed(QueryEmails, query(&mailbox, json!({"exo_mail_folders": "inbox"}))).await;
    assert!(error.starts_with("At least one search criterion is required"), "{error}");
    assert_eq!(fixture.asked(), Vec::<String>::new());
    let criteria = json!({"exo_mail_folders": "JunkEmail", "exo_message_subject": "in the"});
    let results = fixture.done(QueryEmails, query(&mailbox, criteria)).await;
    assert_eq!(subjects(&results), ["in the junk"]);
    assert!(fixture.asked()[0].starts_with(&format!("GET /users/{mailbox}/mailFolders/JunkEmail/messages?")));
    let criteria = json!({"exo_mail_folders": "junkemail", "exo_message_body": "hello"});
    let results = fixture.done(QueryEmails, query(&mailbox, criteria)).await;
    assert_eq!(subjects(&results), ["in the junk"]);
}

#[tokio::test]
async fn dates_are_utc_whatever_the_hosts_zone() {
    // The only thing that could depend on the host is the conversion; milliseconds are kept where there are some.
    let fixture = Fixture::with(empty(1)).await;
    let mailbox = fixture.graph().mailboxes().remove(0);
    let criteria = json!({"exo_start_date": 0, "exo_end_date": 1_772_442_000_123_i64});
    fixture.done(QueryEmails, query(&mailbox, criteria)).await;
    let filter =
        "$filter=receivedDateTime ge 1970-01-01T00:00:00Z and receivedDateTime le 2026-03-02T09:00:00.123Z";
    assert_eq!(options(&fixture)[2], filter);
}

#[tokio::test]
async fn query_without_criterion_is_refused_without_a_request() {
    let fixture = Fixture::new().await;
    for who in ["all", "a@b.example"] {
        let error = fixture.failed(QueryEmails, query(who, json!({}))).await;
        for name in [
            "exo_email_address_sender",
            "exo_start_date",
            "exo_end_date",
            "exo_has_attachments",
            "exo_message_subject",
            "exo_message_body",
        ] {
            assert!(error.contains(name), "{error}");
        }
    }
    assert_eq!(fixture.graph().counters().token_requests, 0);
}
