//! Single messages: get, folders, MIME, delete, move; ids as Exchange makes them.

use std::collections::HashSet;

use reqwest::Method;
use sandbox::graph::{IdAlphabet, NewMessage, TenantOptions};
use serde_json::json;

use super::setup::{TestTenant, code, encode};

#[tokio::test]
async fn ids_are_long_and_url_safe() {
    let s = TestTenant::small().await;
    let mut ids = HashSet::new();
    for mailbox in s.tenant.mailboxes() {
        for message in s.tenant.messages(&mailbox) {
            assert_eq!(message.id.len(), 152);
            assert!(message.id.starts_with("AAMkA") && message.id.ends_with('='));
            ids.insert(message.id);
        }
    }
    assert_eq!(ids.len(), 60 * 40 + 7);
    for (character, present) in [('-', true), ('_', true), ('=', true), ('/', false), ('+', false)] {
        assert_eq!(ids.iter().any(|id| id.contains(character)), present, "{character}");
    }
}

#[tokio::test]
async fn ids_of_the_mixed_alphabet_hold_what_must_be_encoded() {
    let s = mixed_ids().await;
    let mailboxes = s.tenant.mailboxes();
    let ids: Vec<String> =
        mailboxes.iter().flat_map(|mailbox| s.tenant.messages(mailbox)).map(|message| message.id).collect();
    for character in ['/', '+', '-', '_', '='] {
        assert!(ids.iter().any(|id| id.contains(character)), "{character}");
    }
}

/// A small tenant, half of whose mailboxes have ids with `/` and `+`.
async fn mixed_ids() -> TestTenant {
    TestTenant::new(TenantOptions {
        mailboxes: 60,
        users_without_mailbox: 4,
        id_alphabet: IdAlphabet::Mixed,
        ..TenantOptions::default()
    })
    .await
}

#[tokio::test]
async fn message_is_found_only_by_its_exact_id() {
    let s = mixed_ids().await;
    for mailbox in s.tenant.mailboxes().into_iter().take(12) {
        let user = encode(&mailbox);
        let messages = s.tenant.messages(&mailbox);
        let with_slash = messages.iter().find(|message| message.id.contains('/'));
        let message = with_slash.unwrap_or(&messages[0]);
        let (status, found) = s.get(&format!("/users/{user}/messages/{}", encode(&message.id))).await;
        assert_eq!((status, found["subject"].as_str().unwrap()), (200, message.subject.as_str()));
        assert!(found["@odata.context"].as_str().unwrap().starts_with(s.tenant.graph_url()));

        let twice = encode(&encode(&message.id));
        let (status, answer) = s.get(&format!("/users/{user}/messages/{twice}")).await;
        assert_eq!((status, code(&answer)), (400, "ErrorInvalidIdMalformed"));
        if with_slash.is_some() {
            assert_eq!(s.get(&format!("/users/{user}/messages/{}", message.id)).await.0, 400);
        }
        let other_case: String =
            message.id.char_indices().map(|(at, c)| if at == 60 { swap_case(c) } else { c }).collect();
        if other_case != message.id {
            let (status, answer) = s.get(&format!("/users/{user}/messages/{}", encode(&other_case))).await;
            assert_eq!((status, code(&answer)), (404, "ErrorItemNotFound"));
        }
    }
    let mailboxes = s.tenant.mailboxes();
    let foreign = &s.tenant.messages(&mailboxes[1])[0].id;
    let (status, answer) =
        s.get(&format!("/users/{}/messages/{}", encode(&mailboxes[0]), encode(foreign))).await;
    assert_eq!((status, code(&answer)), (404, "ErrorItemNotFound"));
}

fn swap_case(c: char) -> char {
    if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }
}

#[tokio::test]
async fn message_properties_are_in_graphs_order() {
    let s = TestTenant::small().await;
    let (mailbox, id) = s.phish();
    let (_, message) = s.get(&format!("/users/{}/messages/{}", encode(&mailbox), encode(&id))).await;
    let keys: Vec<&str> = message.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys[..4], ["@odata.context", "@odata.etag", "id", "createdDateTime"]);
    assert_eq!(keys.last(), Some(&"flag"));
    assert_eq!(message["from"]["emailAddress"]["address"], "it-service@c0ntoso-support.example");
    let content = message["body"]["content"].as_str().unwrap();
    assert!(content.contains("<a href=\"https://c0ntoso-support.example/renew?session=8f2e&amp;step=1\">"));
    assert!(message["bodyPreview"].as_str().unwrap().contains("credential renewal portal"));
}

#[tokio::test]
async fn folders_are_found_by_name_in_any_case_and_by_id() {
    let s = TestTenant::small().await;
    let mailbox = s.tenant.mailboxes()[0].clone();
    let user = encode(&mailbox);
    let all = s.tenant.messages(&mailbox);
    let mut seen = 0;
    for folder in ["inbox", "DeletedItems", "junkemail", "archive", "sentitems"] {
        let messages = s.all(&format!("/users/{user}/mailFolders/{folder}/messages?$top=1000")).await;
        let expected = all.iter().filter(|message| message.folder.eq_ignore_ascii_case(folder)).count();
        assert_eq!(messages.len(), expected, "{folder}");
        seen += expected;
    }
    assert_eq!(seen, all.len());
    let (_, inbox) = s.get(&format!("/users/{user}/mailFolders('inbox')")).await;
    let id = encode(inbox["id"].as_str().unwrap());
    let by_id = s.all(&format!("/users/{user}/mailFolders/{id}/messages")).await;
    assert_eq!(by_id.len(), all.iter().filter(|message| message.folder == "inbox").count());
    assert!(by_id.iter().all(|message| message["parentFolderId"] == inbox["id"]));

    let (status, answer) = s.get(&format!("/users/{user}/mailFolders/my%20folder/messages")).await;
    assert_eq!((status, code(&answer)), (400, "ErrorInvalidIdMalformed"));
    let stranger = encode(&s.tenant.mailboxes()[1]);
    let (status, answer) = s.get(&format!("/users/{stranger}/mailFolders/{id}/messages")).await;
    assert_eq!((status, code(&answer)), (404, "ErrorItemNotFound"));
}

#[tokio::test]
async fn deleted_message_is_recoverable() {
    let s = TestTenant::small().await;
    let (mailbox, id) = s.phish();
    let user = encode(&mailbox);
    let url = format!("/users/{user}/messages/{}", encode(&id));
    let before = s.tenant.messages(&mailbox).len();
    let answer = s.request(Method::DELETE, &url, None).await;
    assert_eq!(answer.status(), 204);
    assert!(answer.bytes().await.unwrap().is_empty());
    let (status, answer) = s.delete(&url).await;
    assert_eq!((status, code(&answer)), (404, "ErrorItemNotFound"));
    assert_eq!(s.get(&url).await.0, 404);
    assert_eq!(s.tenant.messages(&mailbox).len(), before - 1);
    assert_eq!(s.all(&format!("/users/{user}/messages?$top=1000")).await.len(), before - 1);
    let recoverable =
        s.all(&format!("/users/{user}/mailFolders('RecoverableItemsDeletions')/messages")).await;
    assert_eq!(recoverable[0]["subject"], "Action required: your mailbox password expires today");
    let again = encode(recoverable[0]["id"].as_str().unwrap());
    let again = format!("/users/{user}/mailFolders('RecoverableItemsDeletions')/messages/{again}");
    let (status, answer) = s.delete(&again).await;
    assert_eq!((status, code(&answer)), (403, "ErrorCannotDeleteObject"));
    let deleted = s.tenant.deleted();
    assert_eq!((deleted.len(), &deleted[0].mailbox, &deleted[0].id), (1, &mailbox, &id));
}

#[tokio::test]
async fn moved_message_has_a_new_default_id() {
    let s = TestTenant::small().await;
    let (mailbox, id) = s.phish();
    let user = encode(&mailbox);
    let folder = s.tenant.message(&mailbox, &id).unwrap().folder;
    let wrong = if folder == "inbox" { "junkemail" } else { "inbox" };
    let body = json!({"destinationId": "DeletedItems"});
    let message = format!("messages/{}/move", encode(&id));
    let in_wrong = s.post(&format!("/users/{user}/mailFolders/{wrong}/{message}"), body.clone()).await;
    assert_eq!((in_wrong.0, code(&in_wrong.1)), (404, "ErrorItemNotFound"));
    let nowhere = s.post(&format!("/users/{user}/{message}"), json!({"destinationId": "Nirvana"})).await;
    assert_eq!((nowhere.0, code(&nowhere.1)), (400, "ErrorInvalidIdMalformed"));
    assert_eq!(s.post(&format!("/users/{user}/{message}"), json!({"target": "inbox"})).await.0, 400);

    let (status, moved) =
        s.post(&format!("/users/{user}/mailFolders/{folder}/{message}"), body.clone()).await;
    let new_id = moved["id"].as_str().unwrap();
    assert_eq!(status, 201);
    assert_ne!(new_id, id);
    assert!(moved["webLink"].as_str().unwrap().contains(&encode(new_id)));
    assert_eq!(s.tenant.message(&mailbox, new_id).unwrap().folder, "deleteditems");
    assert_eq!(s.get(&format!("/users/{user}/messages/{}", encode(&id))).await.0, 404);
    assert_eq!(s.post(&format!("/users/{user}/{message}"), body).await.0, 404);
    assert_eq!(s.get(&format!("/users/{user}/messages/{}", encode(new_id))).await.0, 200);
    assert_eq!(s.tenant.moved().len(), 1);
}

#[tokio::test]
async fn mime_is_streamed_in_the_requested_size() {
    let s = TestTenant::small().await;
    let (mailbox, id) = s.phish();
    let url = format!("/users/{}/messages/{}/$value", encode(&mailbox), encode(&id));
    let natural = s.request(Method::GET, &url, None).await;
    assert_eq!(natural.headers()["content-type"], "text/plain");
    let natural = natural.text().await.unwrap();
    assert!(natural.starts_with("Received: "));
    assert!(natural.contains("Subject: Action required: your mailbox password expires today\r\n"));
    assert_eq!(natural.as_bytes(), s.tenant.mime(&mailbox, &id).unwrap());
    for size in [natural.len() as u64 + 1, natural.len() as u64 + 300, 100_000, 20_000_000] {
        assert!(s.tenant.set_mime_bytes(&mailbox, &id, size));
        let bytes = s.request(Method::GET, &url, None).await.bytes().await.unwrap();
        assert_eq!(bytes.len() as u64, size);
        assert!(bytes.ends_with(b"--_004_SandboxMixed_--\r\n"));
        assert_eq!(bytes, s.tenant.mime(&mailbox, &id).unwrap());
    }
    let gone = format!("/users/{}/messages/{}/$value", encode(&mailbox), encode(&id.replace('A', "B")));
    assert_eq!(s.get(&gone).await.0, 400);
}

#[tokio::test]
async fn same_seed_creates_the_same_tenant() {
    let options = || TenantOptions { seed: 42, mailboxes: 30, ..TenantOptions::default() };
    let (one, two) = (TestTenant::new(options()).await, TestTenant::new(options()).await);
    let other = TestTenant::new(TenantOptions { seed: 43, ..options() }).await;
    assert_eq!(one.tenant.users(), two.tenant.users());
    assert_eq!(one.tenant.planted(), two.tenant.planted());
    assert_eq!(one.tenant.client_secret(), two.tenant.client_secret());
    let mailbox = &one.tenant.mailboxes()[5];
    assert_eq!(one.tenant.messages(mailbox), two.tenant.messages(mailbox));
    assert_ne!(one.tenant.users(), other.tenant.users());
    assert_ne!(one.tenant.planted(), other.tenant.planted());
}

#[tokio::test]
async fn hidden_folder_is_listed_on_request_only() {
    let s = TestTenant::small().await;
    let mailbox = s.tenant.mailboxes().remove(0);
    let user = encode(&mailbox);
    let hidden = s.tenant.hidden_folder(&mailbox).unwrap();
    for (option, expected) in [("", 0), ("&includeHiddenFolders=false", 0), ("&includeHiddenFolders=true", 1)]
    {
        let folders = s.all(&format!("/users/{user}/mailFolders?$top=2{option}")).await;
        let found = folders.iter().filter(|folder| folder["id"] == hidden).count();
        assert_eq!(found, expected, "{option}");
        assert!(folders.iter().all(|folder| folder["isHidden"] == (folder["id"] == hidden)), "{folders:?}");
    }
}

#[tokio::test]
async fn forgotten_changes_leave_the_messages_of_the_seed() {
    let s = TestTenant::small().await;
    let mailbox = s.tenant.mailboxes().remove(0);
    let before = s.tenant.messages(&mailbox);
    let added = s.tenant.add_message(&mailbox, NewMessage::default()).unwrap();
    let (moved, deleted) = (&before[0].id, &before[1].id);
    let user = encode(&mailbox);
    let url = format!("/users/{user}/messages/{}/move", encode(moved));
    assert_eq!(s.post(&url, json!({"destinationId": "junkemail"})).await.0, 201);
    assert_eq!(s.delete(&format!("/users/{user}/messages/{}", encode(deleted))).await.0, 204);
    assert_ne!(s.tenant.messages(&mailbox), before);

    s.tenant.forget_changes();
    assert_eq!(s.tenant.messages(&mailbox), before);
    assert!(s.tenant.moved().is_empty() && s.tenant.deleted().is_empty());
    assert_ne!(s.tenant.add_message(&mailbox, NewMessage::default()).unwrap(), added);
}
