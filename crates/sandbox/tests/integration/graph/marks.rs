//! What changes in a message after its arrival: read state, flag, categories and extended properties.

use reqwest::Method;
use sandbox::graph::MailboxFault;
use serde_json::{Value, json};

use super::setup::{TestTenant, code, encode, read};

const MARK: &str = "String {66f5a359-4659-4830-9070-00047ec6ac6e} Name Mark";
const IMMUTABLE: &[(&str, &str)] = &[("Prefer", "IdType=\"ImmutableId\"")];

struct Message {
    s: TestTenant,
    mailbox: String,
    id: String,
}

impl Message {
    async fn planted() -> Self {
        let s = TestTenant::small().await;
        let (mailbox, id) = s.phish();
        let id = s.tenant.immutable_id(&mailbox, &id).unwrap();
        Self { s, mailbox, id }
    }

    fn url(&self) -> String {
        format!("/users/{}/messages/{}", encode(&self.mailbox), encode(&self.id))
    }

    async fn patch(&self, body: Value) -> (u16, Value) {
        read(self.s.request_with(Method::PATCH, &self.url(), Some(body), IMMUTABLE).await).await
    }

    /// Moves the message from one folder to another, and returns the response.
    async fn relocate(&self, from: &str, to: &str) -> (u16, Value) {
        let url =
            format!("/users/{}/mailFolders/{from}/messages/{}/move", encode(&self.mailbox), encode(&self.id));
        let body = Some(json!({"destinationId": to}));
        read(self.s.request_with(Method::POST, &url, body, IMMUTABLE).await).await
    }
}

#[tokio::test]
async fn marks_survive_moves_and_deletion() {
    let m = Message::planted().await;
    let (status, changed) = m
        .patch(json!({
            "isRead": true,
            "flag": {
                "flagStatus": "flagged",
                "startDateTime": {"dateTime": "2026-03-01T08:00:00.0000000", "timeZone": "UTC"},
                "dueDateTime": {"dateTime": "2026-03-02T08:00:00.0000000", "timeZone": "UTC"},
            },
            "categories": ["Red category", "Büro"],
            "singleValueExtendedProperties": [{"id": MARK, "value": "{\"version\":1}"}],
        }))
        .await;
    assert_eq!((status, &changed["isRead"], &changed["id"]), (200, &json!(true), &json!(m.id)));
    assert_eq!(changed["flag"]["dueDateTime"]["timeZone"], "UTC");
    let before = m.s.tenant.snapshot(&m.mailbox);
    let marks = before[&m.id].clone();
    assert_eq!((marks.is_read, marks.flag_status.as_str()), (true, "flagged"));
    assert_eq!(marks.properties, [(MARK.to_owned(), "{\"version\":1}".to_owned())]);

    let folder = marks.folder;
    assert_eq!(m.relocate(folder, "archive").await.0, 201);
    assert_eq!(m.s.delete(&m.url()).await.0, 204);
    let recoverable = "recoverableitemsdeletions";
    assert_eq!(m.s.tenant.snapshot(&m.mailbox)[&m.id].folder, recoverable);
    let (status, restored) = m.relocate(recoverable, folder).await;
    assert_eq!((status, &restored["id"], &restored["categories"][1]), (201, &json!(m.id), &json!("Büro")));
    assert_eq!(m.s.tenant.snapshot(&m.mailbox), before, "all is as it was");
}

#[tokio::test]
async fn extended_properties_are_expanded_and_filtered() {
    let m = Message::planted().await;
    m.patch(json!({"singleValueExtendedProperties": [{"id": MARK, "value": "{\"job\":\"3F9A\"}"}]})).await;
    let name = "String {66F5A359-4659-4830-9070-00047EC6AC6E} Name Mark";
    let expand = |id: &str| encode(&format!("singleValueExtendedProperties($filter=id eq '{id}')"));
    let expected = json!([{"id": MARK, "value": "{\"job\":\"3F9A\"}"}]);
    let url = format!("{}?$select=subject&$expand={}", m.url(), expand(name));
    assert_eq!(m.s.get(&url).await.1["singleValueExtendedProperties"], expected);
    let (_, none) = m.s.get(&format!("{}?$expand={}", m.url(), expand("Integer 0x0E17"))).await;
    assert_eq!(none.get("singleValueExtendedProperties"), None);

    let folder = m.s.tenant.snapshot(&m.mailbox)[&m.id].folder;
    let messages = format!("/users/{}/mailFolders/{folder}/messages", encode(&m.mailbox));
    for (test, hits) in [
        ("ep/value eq '{\"job\":\"3f9a\"}'", 1),
        ("startswith(ep/value, '{\"job\":\"3F')", 1),
        ("contains(ep/value, '9a')", 1),
        ("ep/value ne 'x'", 1),
        ("ep/value eq '3f9a'", 0),
    ] {
        let any = format!("singleValueExtendedProperties/Any(ep: ep/id eq '{name}' and {test})");
        let found =
            m.s.all(&format!("{messages}?$filter={}&$expand={},attachments", encode(&any), expand(MARK)))
                .await;
        assert_eq!(found.len(), hits, "{test}");
        assert!(found.iter().all(|message| message["singleValueExtendedProperties"] == expected));
        assert!(found.iter().all(|message| message["attachments"] == json!([])));
    }
    for wrong in
        ["singleValueExtendedProperties", "singleValueExtendedProperties($filter=id eq 'Mark')", "event"]
    {
        assert_eq!(m.s.get(&format!("{}?$expand={}", m.url(), encode(wrong))).await.0, 400, "{wrong}");
    }
}

#[tokio::test]
async fn received_mail_keeps_its_content() {
    let m = Message::planted().await;
    for sensitive in [
        json!({"subject": "Harmless"}),
        json!({"body": {"contentType": "text", "content": "Harmless"}, "isRead": true}),
        json!({"toRecipients": []}),
    ] {
        let (status, answer) = m.patch(sensitive.clone()).await;
        assert_eq!((status, code(&answer)), (403, "ErrorAccessDenied"), "{sensitive}");
    }
    for invalid in [
        json!({"isread": true}),
        json!({"isRead": "yes"}),
        json!({"flag": {"flagStatus": "red"}}),
        json!({"flag": {"flagStatus": "flagged", "dueDateTime": {"dateTime": "2026-03-02", "timeZone": "UTC"}}}),
        json!({"parentFolderId": "x"}),
    ] {
        assert_eq!(m.patch(invalid.clone()).await.0, 400, "{invalid}");
    }
}

#[tokio::test]
async fn mailbox_refuses_extended_properties_by_fault() {
    let m = Message::planted().await;
    m.s.tenant.fail_mailbox(&m.mailbox, MailboxFault::NoExtendedProperties);
    let mark = json!({"singleValueExtendedProperties": [{"id": MARK, "value": "x"}]});
    let (status, answer) = m.patch(mark.clone()).await;
    assert_eq!((status, code(&answer)), (403, "ErrorAccessDenied"));
    assert_eq!(m.patch(json!({"isRead": false})).await.0, 200);
    m.s.tenant.faults().clear();
    assert_eq!(m.patch(mark).await.0, 200);
}

#[tokio::test]
async fn owner_reads_flags_moves_and_deletes() {
    let m = Message::planted().await;
    let (tenant, mailbox, id) = (&m.s.tenant, m.mailbox.as_str(), m.id.as_str());
    let state = || tenant.snapshot(mailbox).remove(id).unwrap();
    for read in [false, true] {
        assert!(tenant.mark_read(mailbox, id, read));
        assert_eq!(state().is_read, read);
    }
    assert!(tenant.flag_message(mailbox, id, "complete"));
    assert!(!tenant.flag_message(mailbox, id, "red"));
    assert!(tenant.categorise_message(mailbox, id, &["Blue"]));
    assert_eq!((state().flag_status.as_str(), state().categories), ("complete", vec!["Blue".to_owned()]));
    assert!(tenant.flag_message(mailbox, id, "notFlagged"));
    assert_eq!(state().flag, "{\"flagStatus\":\"notFlagged\"}");
    assert!(tenant.move_message(mailbox, id, "archive"));
    for expected in ["deleteditems", "recoverableitemsdeletions"] {
        assert!(tenant.delete_message(mailbox, id));
        assert_eq!(state().folder, expected);
    }
    assert_eq!(m.s.get(&m.url()).await.0, 404);
    tenant.find_recoverable_by_id(true);
    assert_eq!(m.s.get(&m.url()).await.0, 200);
    assert_eq!(code(&m.s.delete(&m.url()).await.1), "ErrorCannotDeleteObject");
    assert!(tenant.purge_message(mailbox, id));
    assert!(!tenant.mark_read(mailbox, id, true));
    assert!(tenant.moved().is_empty() && tenant.deleted().is_empty(), "no client did it");
}

#[tokio::test]
async fn purged_message_is_listed_nowhere() {
    let m = Message::planted().await;
    assert_eq!(m.s.delete(&m.url()).await.0, 204);
    let recoverable = format!("/users/{}/mailFolders/recoverableitemsdeletions/messages", encode(&m.mailbox));
    assert_eq!(m.s.all(&recoverable).await.len(), 1);
    let purge = format!("{recoverable}/{}/permanentDelete", encode(&m.id));
    assert_eq!(m.s.post(&purge, json!({})).await.0, 204);
    assert_eq!(m.s.all(&recoverable).await.len(), 0);
    assert_eq!(m.s.tenant.snapshot(&m.mailbox).get(&m.id), None);
    let purges = format!("/users/{}/mailFolders/recoverableitemspurges", encode(&m.mailbox));
    assert_eq!(m.s.get(&purges).await.0, 400);
}
