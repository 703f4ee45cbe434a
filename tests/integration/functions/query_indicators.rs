//! `exchange_online_query_emails`: what a message is known by, beyond sender, dates and words.

use graph::attachments::Sha256;
use sandbox::graph::{Address, Attachment, NewMessage};
use serde_json::{Value, json};

use crate::functions::common::{Fixture, QueryEmails, decoded, empty, mail, query, subjects};

const SELECT: &str = "$select=id,subject,sender,from,hasAttachments,receivedDateTime,webLink,internetMessageId,\
                      parentFolderId,isRead";

/// The query options of the first request for messages, decoded.
fn options(fixture: &Fixture) -> Vec<String> {
    let asked = fixture.asked();
    let (_, query) = asked.first().unwrap().split_once('?').unwrap();
    query.split('&').map(decoded).collect()
}

fn first(results: &Value) -> &Value {
    &results["content"]["email_results"][0]["email_list"][0]
}

/// The Message-ID of the message with this subject.
async fn message_id(fixture: &Fixture, mailbox: &str, subject: &str) -> String {
    let results = fixture.done(QueryEmails, query(mailbox, json!({"exo_message_subject": subject}))).await;
    fixture.graph().forget_requests();
    first(&results)["internetMessageId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn message_id_is_one_value_of_the_filter() {
    let fixture = Fixture::with(empty(1)).await;
    let mailbox = fixture.graph().mailboxes().remove(0);
    fixture.put(&mailbox, mail("one"));
    fixture.put(&mailbox, mail("two"));
    let known = message_id(&fixture, &mailbox, "two").await;
    let evil = "x' or 1 eq 1 or 'x";
    fixture.done(QueryEmails, query(&mailbox, json!({"exo_internet_message_id": evil}))).await;
    let filter = "$filter=internetMessageId eq '<x'' or 1 eq 1 or ''x>'";
    assert_eq!(options(&fixture), [SELECT, "$top=100", filter]);
    for (wanted, expected) in [
        (evil.to_owned(), &[][..]),
        (known.to_lowercase(), &[]),
        (known.clone(), &["two"]),
        (known.trim_matches(['<', '>']).to_owned(), &["two"]),
        (format!("<none@x>, {known}"), &["two"]),
        (format!("{known}\nx%27%20eq%20'"), &["two"]),
    ] {
        let results =
            fixture.done(QueryEmails, query(&mailbox, json!({"exo_internet_message_id": wanted}))).await;
        assert_eq!(subjects(&results), expected, "{wanted}");
    }
    let results = fixture.done(QueryEmails, query(&mailbox, json!({"exo_internet_message_id": known}))).await;
    assert_eq!(first(&results)["matched"], json!([{"criterion": "internetMessageId", "value": known}]));
    assert_eq!(first(&results)["parentFolderName"], "Inbox");
}

#[tokio::test]
async fn many_message_ids_are_asked_for_in_parts() {
    let fixture = Fixture::with(empty(1)).await;
    let mailbox = fixture.graph().mailboxes().remove(0);
    fixture.put(&mailbox, mail("two"));
    let known = message_id(&fixture, &mailbox, "two").await;
    let mut ids: Vec<String> = (0..40).map(|n| format!("<{n}@x>")).collect();
    ids.push(known);
    let wanted = json!({"exo_internet_message_id": ids.join("\n"), "exo_start_date": 0});
    let results = fixture.done(QueryEmails, query(&mailbox, wanted)).await;
    assert_eq!(subjects(&results), ["two"]);
    let asked = fixture.asked();
    assert_eq!(asked.iter().filter(|asked| asked.contains("/messages?")).count(), 3, "{asked:?}");
}

#[tokio::test]
async fn domain_of_sender_is_compared_as_a_whole() {
    let fixture = Fixture::with(empty(1)).await;
    let mailbox = fixture.graph().mailboxes().remove(0);
    for address in
        ["a@evil.example", "b@EVIL.example", "c@evil.example.com", "d@notevil.example", "e@x.evil.example"]
    {
        let from = Address::new("Evil Example", address);
        fixture.put(&mailbox, NewMessage { from, ..mail(address) });
    }
    let results = fixture
        .done(QueryEmails, query(&mailbox, json!({"exo_email_address_sender": "@evil.example"})))
        .await;
    assert_eq!(options(&fixture)[2], r#"$search="from:\"evil.example\"""#);
    let mut found = subjects(&results);
    found.sort();
    assert_eq!(found, ["a@evil.example", "b@EVIL.example"]);
    assert_eq!(first(&results).get("matched"), None, "an old criterion changes no result");
}

#[tokio::test]
async fn recipient_is_searched_and_compared() {
    let fixture = Fixture::with(empty(2)).await;
    let [one, two] = [fixture.mailbox(0), fixture.mailbox(1)];
    fixture.put(&one, mail("for one"));
    fixture.put(&two, mail("for two"));
    let mail_of_one = fixture.graph().users()[0].mail.clone().unwrap();
    let wanted = json!({"exo_recipient": format!("{mail_of_one}, other@x.example")});
    let results = fixture.done(QueryEmails, query(&format!("{one},{two}"), wanted)).await;
    assert_eq!(subjects(&results), ["for one"]);
    let expected = format!(r#"$search="(recipients:\"{mail_of_one}\" OR recipients:\"other@x.example\")""#);
    assert_eq!(options(&fixture)[2], expected);
    assert_eq!(first(&results)["matched"], json!([{"criterion": "recipient", "value": mail_of_one}]));
    assert_eq!(first(&results).get("toRecipients"), None, "it was only compared");
}

#[tokio::test]
async fn recoverable_items_are_searched_on_wish() {
    let fixture = Fixture::with(empty(1)).await;
    let mailbox = fixture.graph().mailboxes().remove(0);
    fixture.put(&mailbox, mail("in sight"));
    fixture.put(&mailbox, NewMessage { folder: "recoverableitemsdeletions".into(), ..mail("removed") });
    fixture.put(&mailbox, NewMessage { folder: "deleteditems".into(), ..mail("deleted") });
    let results = fixture.done(QueryEmails, query(&mailbox, json!({"exo_start_date": 0}))).await;
    assert_eq!(subjects(&results).len(), 2);
    let wanted = json!({"exo_start_date": 0, "exo_include_recoverable": true});
    let results = fixture.done(QueryEmails, query(&mailbox, wanted)).await;
    let messages = results["content"]["email_results"][0]["email_list"].as_array().unwrap();
    let mut found: Vec<_> = messages
        .iter()
        .map(|message| (message["subject"].clone(), message["parentFolderKind"].clone()))
        .collect();
    found.sort_by_key(|(subject, _)| subject.to_string());
    assert_eq!(
        found,
        [
            (json!("deleted"), json!("deleteditems")),
            (json!("in sight"), Value::Null),
            (json!("removed"), json!("recoverableitemsdeletions")),
        ]
    );
    let error = fixture.failed(QueryEmails, query(&mailbox, json!({"exo_include_recoverable": true}))).await;
    assert!(error.contains("At least one search criterion"), "{error}");
}

/// The subjects that are found by `criteria`, sorted.
async fn found_by(fixture: &Fixture, mailbox: &str, criteria: &Value) -> Vec<String> {
    let results = fixture.done(QueryEmails, query(mailbox, criteria.clone())).await;
    assert_eq!(results["content"]["not_searched"], json!([]), "{criteria}");
    let mut found = subjects(&results);
    found.sort();
    found
}

#[tokio::test]
async fn url_is_found_in_links_and_text() {
    let fixture = Fixture::with(empty(1)).await;
    let mailbox = fixture.graph().mailboxes().remove(0);
    let html = |subject: &str, body: &str| NewMessage { html: true, body: body.into(), ..mail(subject) };
    fixture.put(&mailbox, html("link", r#"<a href="https://evil.example/login?u=1">good.example</a>"#));
    fixture.put(&mailbox, html("entity", r"<a href='https&#58;//EVIL.example/login'>x</a>"));
    fixture.put(
        &mailbox,
        html(
            "safe link",
            r#"<a href="https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fevil.example%2Flogin&amp;data=x">x</a>"#,
        ),
    );
    fixture.put(&mailbox, NewMessage { body: "see https://evil.example/login.".into(), ..mail("text") });
    fixture.put(
        &mailbox,
        html("look-alike", r#"<a href="https://evil.example.com/login">https://x.example</a>"#),
    );
    fixture.put(&mailbox, html("other path", r#"<a href="https://evil.example/logout">x</a>"#));
    let all = ["entity", "link", "safe link", "text"];
    let by = |url: &str| json!({"exo_url": url});
    assert_eq!(found_by(&fixture, &mailbox, &by("https://evil.example/login")).await, all);
    assert_eq!(found_by(&fixture, &mailbox, &by("hxxps://evil[.]example/login")).await, all);
    assert_eq!(
        found_by(&fixture, &mailbox, &by("https://none.example/ evil.example/logout")).await,
        ["other path"]
    );
    assert_eq!(found_by(&fixture, &mailbox, &by("*.example.com")).await, ["look-alike"]);
}

#[tokio::test]
async fn header_and_network_message_id_are_compared() {
    let fixture = Fixture::with(empty(1)).await;
    let mailbox = fixture.graph().mailboxes().remove(0);
    let headers = vec![("X-Mailer".to_owned(), "PHPMailer 6.1".to_owned())];
    let id = fixture.put(&mailbox, NewMessage { headers, ..mail("scripted") });
    fixture.put(&mailbox, mail("by hand"));
    fixture.put(&mailbox, NewMessage { folder: "sentitems".into(), ..mail("sent") });
    let network_id = fixture.graph().message(&mailbox, &id).unwrap().network_message_id;
    for (criteria, expected) in [
        (json!({"exo_header": "x-mailer: phpmailer *"}), &["scripted"][..]),
        (json!({"exo_header": "X-Mailer: PHPMailer"}), &[]),
        (json!({"exo_header": "X-None: 1\nX-Mailer: *"}), &["scripted"]),
        (json!({"exo_network_message_id": network_id.to_uppercase()}), &["scripted"]),
        (json!({"exo_network_message_id": "0d6bf0ac-5e7e-4a33-8d2b-08dc0f1a2b3c"}), &[]),
    ] {
        assert_eq!(found_by(&fixture, &mailbox, &criteria).await, expected, "{criteria}");
    }
}

#[tokio::test]
async fn attachment_is_found_by_name_and_digest_at_any_depth() {
    let fixture = Fixture::with(empty(1)).await;
    let mailbox = fixture.graph().mailboxes().remove(0);
    let invoice = || Attachment::file("Invoice 7.pdf", "application/pdf", &b"evil"[..]);
    let other = || Attachment::file("Invoice 7.pdf", "application/pdf", &b"good"[..]);
    let with = |subject: &str, attachments: Vec<Attachment>| NewMessage { attachments, ..mail(subject) };
    fixture.put(&mailbox, with("direct", vec![other(), invoice()]));
    fixture.put(&mailbox, with("inline", vec![invoice().inline("cid1")]));
    fixture.put(&mailbox, with("other", vec![other()]));
    fixture.put(&mailbox, with("link", vec![Attachment::link("Invoice 7.pdf")]));
    let inner = with("inner", vec![invoice()]);
    fixture.put(
        &mailbox,
        with("forwarded", vec![Attachment::message(with("middle", vec![Attachment::message(inner)]))]),
    );
    fixture.put(&mailbox, mail("none"));
    let digest = Sha256::of(b"evil").to_string();
    let by_digest = ["direct", "forwarded", "inline"];
    let all = ["direct", "forwarded", "inline", "link", "other"];
    for (criteria, expected) in [
        (json!({"exo_attachment_name": "invoice 7.PDF"}), &all[..]),
        (json!({"exo_attachment_name": "invoice*.exe\n*7.pdf"}), &all),
        (json!({"exo_attachment_name": "invoice"}), &[]),
        (json!({"exo_attachment_sha256": digest.to_uppercase()}), &by_digest),
        (json!({"exo_attachment_sha256": Sha256::of(b"none").to_string()}), &[]),
        (json!({"exo_attachment_sha256": digest, "exo_attachment_name": "x"}), &[]),
    ] {
        assert_eq!(found_by(&fixture, &mailbox, &criteria).await, expected, "{criteria}");
    }
}

#[tokio::test]
async fn hidden_folder_is_searched_and_named() {
    let fixture = Fixture::with(empty(1)).await;
    let mailbox = fixture.graph().mailboxes().remove(0);
    let folder = fixture.graph().hidden_folder(&mailbox).unwrap();
    fixture.put(&mailbox, NewMessage { folder, ..mail("held back") });
    let known = message_id(&fixture, &mailbox, "held back").await;
    let results = fixture.done(QueryEmails, query(&mailbox, json!({"exo_internet_message_id": known}))).await;
    assert_eq!(first(&results)["parentFolderName"], "Held Back");
    assert_eq!(first(&results)["parentFolderKind"], Value::Null);
}
