//! Hostile values, from a call's inputs to where they end up: at Graph, in the incident, in the result.

use serde_json::json;

use crate::functions::common::{
    DeleteEmail, DeleteMessagesFromQueryResults, Fixture, GetEmailUserProfile, GetMessage, INCIDENT,
    MoveMessageToFolder, Owner, QueryEmails, SendMessage, WriteMessageAsAttachment, empty, mail, query,
};

const HOSTILE: &[&str] = &[
    "' or 1 eq 1 or '",
    "') or contains(subject,'",
    "x' and startswith(subject,'y",
    "\" OR \"",
    "a\\\" OR from:\"b",
    "<script>alert('x')</script>",
    "\"><img src=x onerror=alert(1)>",
    "&$top=1#?%27+x",
    "%27 or true",
    "a\r\nBcc: eve@evil.example\r\n\r\nb",
    "\u{202e}fdp.exe",
    "../../etc/passwd",
    "..\\..\\x",
    "a\"; filename=\"b.exe",
    "a\u{0}b",
    "{{constructor}}${7*7}",
];

/// Ids and addresses that would lead elsewhere if they were not what they are.
const LEADS_ELSEWHERE: &[&str] = &[
    "..",
    "../..",
    "..\\..",
    "x/../../alice",
    "..%2f..",
    "x?$filter=true",
    "x#",
    "$value",
    "$count",
    "messages('x')",
    "x\0",
    "x\r\n",
    "%2e%2e",
];

#[tokio::test]
async fn hostile_subject_is_searched_literally() {
    let fixture = Fixture::configured(empty(2), &[]).await;
    let mailbox = fixture.mailbox(0);
    fixture.put(&mailbox, mail("An innocent one"));
    for subject in HOSTILE {
        let id = fixture.put(&mailbox, mail(subject));
        let results =
            fixture.done(QueryEmails, query(&mailbox, json!({"exo_message_subject": subject}))).await;
        let found = results["content"]["email_results"][0]["email_list"].as_array().unwrap().clone();
        let found: Vec<_> = found.iter().map(|message| message["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(found, [id], "{subject:?}");
        let error =
            fixture.failed(QueryEmails, query(&mailbox, json!({"exo_email_address_sender": subject}))).await;
        assert!(error.contains("\"exo_email_address_sender\""), "not a sender: {subject:?}: {error}");
    }
}

#[tokio::test]
async fn hostile_subject_is_escaped_in_note() {
    for subject in HOSTILE {
        let fixture = Fixture::configured(empty(1), &[]).await;
        let mut inputs = query(&fixture.mailbox(0), json!({"exo_message_subject": subject}));
        inputs["exo_query_output_format"] = json!(["Incident note"]);
        fixture.done(QueryEmails, inputs).await;
        let note = fixture.note();
        let ours = ["<div>", "</div>", "<b>", "</b>", "<br/>", "<span style=\"color:gray\">", "</span>"];
        let rest = ours.iter().fold(note, |note, tag| note.replace(tag, ""));
        assert!(!rest.contains(['<', '>', '"', '\'']), "{subject:?}: {rest}");
        let shown =
            rest.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
        assert!(shown.replace("&amp;", "&").contains(&sanitize_line(subject)), "{subject:?}: {shown}");
    }
}

/// A text as a report shows it.
fn sanitize_line(text: &str) -> String {
    let blank = text.replace(['\r', '\n'], " ");
    blank.replace('\0', "\\u{0}").replace('\u{202e}', "\\u{202e}")
}

#[tokio::test]
async fn hostile_subject_adds_no_line_to_report() {
    for subject in HOSTILE {
        let fixture = Fixture::configured(empty(1), &[]).await;
        let mut inputs = query(&fixture.mailbox(0), json!({"exo_message_subject": subject}));
        inputs["exo_query_output_format"] = json!(["Incident attachment"]);
        fixture.done(QueryEmails, inputs).await;
        let report = String::from_utf8(fixture.attachment().await.2).unwrap();
        let line = format!("  Message subject: {}", sanitize_line(subject));
        assert_eq!(report.lines().filter(|shown| *shown == line).count(), 1, "{subject:?}: {report}");
        assert!(!report.contains(|c: char| c.is_control() && c != '\n' || c == '\u{202e}'), "{report:?}");
    }
}

#[tokio::test]
async fn file_name_is_kept_but_cannot_mislead() {
    let fixture = Fixture::new().await;
    let phish = fixture.graph().planted().remove(0);
    for name in HOSTILE {
        let inputs = json!({
            "incident_id": INCIDENT, "exo_email_address": phish.mailbox, "exo_messages_id": phish.id,
            "exo_attachment_name": name,
        });
        let results = fixture.done(WriteMessageAsAttachment, inputs).await;
        let attached = fixture.sandbox.soar.rest.attachments(Owner::Incident(INCIDENT)).pop().unwrap();
        assert_eq!(results["content"]["attachment_name"], attached.name, "it names the file");
        let leads_away = name.starts_with("../");
        let misleads = |c: char| c.is_control() || matches!(c, '\\' | '\u{202e}') || c == '/' && leads_away;
        assert!(!attached.name.contains(misleads), "{name:?} became {:?}", attached.name);
        let expected: String = name.chars().map(|c| if misleads(c) { '_' } else { c }).collect();
        assert_eq!(attached.name, expected);
        assert!(attached.bytes().await.unwrap() == fixture.graph().mime(&phish.mailbox, &phish.id).unwrap());
    }
}

#[tokio::test]
async fn mail_is_sent_unchanged_to_its_recipients_only() {
    let fixture = Fixture::configured(empty(1), &[]).await;
    for text in HOSTILE {
        let inputs = json!({
            "exo_email_address": fixture.mailbox(0), "exo_recipients": "a@b.example",
            "exo_message_subject": text, "exo_message_body": text,
        });
        fixture.done(SendMessage, inputs).await;
        let sent = fixture.graph().sent_mail().pop().unwrap();
        assert_eq!((sent.subject.as_str(), sent.body.as_str()), (*text, *text));
        let to: Vec<_> = sent.to.iter().map(|to| to.address.as_str()).collect();
        assert_eq!(to, ["a@b.example"]);
    }
}

#[tokio::test]
async fn hostile_id_or_address_changes_nothing() {
    let fixture = Fixture::new().await;
    let mailbox = fixture.mailbox(0);
    let before = fixture.graph().messages(&mailbox);
    let id = before[0].id.clone();
    for value in LEADS_ELSEWHERE {
        for function in [GetMessage, DeleteEmail, MoveMessageToFolder, WriteMessageAsAttachment] {
            for (address, message, folder) in
                [(&*mailbox, *value, None), (*value, &*id, None), (&*mailbox, &*id, Some(*value))]
            {
                let inputs = json!({
                    "incident_id": INCIDENT, "exo_email_address": address, "exo_messages_id": message,
                    "exo_mailfolders_id": folder, "exo_destination_mailfolder_id": "junkemail",
                });
                if folder.is_some() && (function == GetMessage || function == WriteMessageAsAttachment) {
                    continue;
                }
                let done = fixture.run(function, inputs).await;
                assert!(done.is_err() || done.unwrap()["success"] == false, "{function:?} {value:?}");
            }
        }
        let profile = fixture.run(GetEmailUserProfile, json!({"exo_email_address": value})).await;
        assert!(profile.is_err() || profile.unwrap()["success"] == false, "{value:?}");
        let order = json!([{"email_address": mailbox, "email_list": [{"id": value}]}]).to_string();
        let results =
            fixture.run(DeleteMessagesFromQueryResults, json!({"exo_query_messages_results": order})).await;
        assert_eq!(results.unwrap()["success"], false, "{value:?}");
    }
    assert_eq!(fixture.graph().messages(&mailbox), before);
    assert!(fixture.graph().deleted().is_empty() && fixture.graph().moved().is_empty());
    assert!(fixture.sandbox.soar.rest.attachments(Owner::Incident(INCIDENT)).is_empty());
}
