//! Folders: made, found by name and by property, renamed, deleted.

use reqwest::Method;
use sandbox::graph::{Fault, RetryAfter, Target};
use serde_json::{Value, json};

use super::setup::{TestTenant, code, encode, read};

const PROPERTY: &str = "String {66f5a359-4659-4830-9070-00047ec6ac6e} Name quarantine";

async fn folders(s: &TestTenant, query: &str) -> Vec<Value> {
    let user = encode(&s.tenant.mailboxes()[0]);
    s.all(&format!("/users/{user}/mailFolders?{query}")).await
}

#[tokio::test]
async fn hidden_folder_is_found_by_its_property() {
    let s = TestTenant::small().await;
    let mailbox = s.tenant.mailboxes().remove(0);
    let url = format!("/users/{}/mailFolders", encode(&mailbox));
    let properties = json!([{"id": PROPERTY, "value": "Yes"}]);
    let folder = json!({
        "displayName": "Taken out",
        "isHidden": true,
        "singleValueExtendedProperties": properties,
    });
    let (status, made) = s.post(&url, folder).await;
    assert_eq!((status, &made["displayName"], &made["isHidden"]), (201, &json!("Taken out"), &json!(true)));
    assert_eq!(made.get("singleValueExtendedProperties"), None);

    let any = |id: &str, value: &str| {
        let test =
            format!("singleValueExtendedProperties/Any(ep: ep/id eq '{id}' and ep/value eq '{value}')");
        format!("$filter={}", encode(&test))
    };
    let by_property = any(PROPERTY, "yes");
    assert!(folders(&s, &by_property).await.is_empty());
    let expand = encode(&format!("singleValueExtendedProperties($filter=id eq '{PROPERTY}')"));
    let found = folders(&s, &format!("includeHiddenFolders=true&{by_property}&$expand={expand}")).await;
    assert_eq!((found.len(), &found[0]["id"]), (1, &made["id"]));
    assert_eq!(found[0]["singleValueExtendedProperties"], properties);
    for other in [any(PROPERTY, "no"), any(&PROPERTY.replace("quarantine", "Quarantine"), "yes")] {
        assert!(folders(&s, &format!("includeHiddenFolders=true&{other}")).await.is_empty(), "{other}");
    }
    let one = format!("{url}/{}?$expand={expand}&$select=displayName", encode(made["id"].as_str().unwrap()));
    let (_, shown) = s.get(&one).await;
    assert_eq!(
        shown,
        json!({"id": made["id"], "displayName": "Taken out", "singleValueExtendedProperties": properties})
    );
    let stored = s.tenant.folders(&mailbox).pop().unwrap();
    assert_eq!((stored.name.as_str(), stored.hidden), ("Taken out", true));
    assert_eq!(stored.properties, [(PROPERTY.to_owned(), "Yes".to_owned())]);
}

#[tokio::test]
async fn folder_name_exists_once_in_its_parent() {
    let s = TestTenant::small().await;
    let mailbox = s.tenant.mailboxes().remove(0);
    let url = format!("/users/{}/mailFolders", encode(&mailbox));
    for taken in ["PROJECTS", "inbox", "held back"] {
        let (status, answer) = s.post(&url, json!({"displayName": taken})).await;
        assert_eq!((status, code(&answer)), (409, "ErrorFolderExists"), "{taken}");
    }
    let below = format!("{url}/inbox/childFolders");
    let (status, made) = s.post(&below, json!({"displayName": "Projects"})).await;
    let (_, inbox) = s.get(&format!("{url}/inbox")).await;
    assert_eq!((status, &made["parentFolderId"]), (201, &inbox["id"]));
    for (body, expected) in [
        (json!({"displayName": " "}), 400),
        (json!({"name": "Other"}), 400),
        (json!({"displayName": "Other", "wellKnownName": "other"}), 400),
        (json!({"displayName": "Other", "singleValueExtendedProperties": [{"id": "x", "value": "y"}]}), 400),
    ] {
        assert_eq!(s.post(&url, body.clone()).await.0, expected, "{body}");
    }
    for select in ["wellKnownName", "sizeInBytes"] {
        assert_eq!(s.get(&format!("{url}?$select={select}")).await.0, 400);
    }
    assert_eq!(s.get(&format!("{url}?$filter={}", encode("unreadItemCount gt 5"))).await.0, 400);
    let named = folders(&s, &format!("$filter={}", encode("displayName eq 'projects'"))).await;
    assert_eq!((named.len(), &named[0]["displayName"]), (1, &json!("Projects")));
}

#[tokio::test]
async fn folder_is_renamed_but_not_shown_again() {
    let s = TestTenant::small().await;
    let mailbox = s.tenant.mailboxes().remove(0);
    let id = s.tenant.make_folder(&mailbox, "msgfolderroot", "Old", true).unwrap();
    let url = format!("/users/{}/mailFolders/{}", encode(&mailbox), encode(&id));
    let patch = |body| async { read(s.request(Method::PATCH, &url, Some(body)).await).await };
    assert_eq!(patch(json!({"isHidden": false})).await.0, 400);
    let (status, renamed) = patch(json!({"displayName": "New"})).await;
    assert_eq!((status, &renamed["displayName"], &renamed["id"]), (200, &json!("New"), &json!(id)));
    assert!(s.tenant.rename_folder(&mailbox, &id, "Newer"));
    assert!(!s.tenant.rename_folder(&mailbox, &id, "Projects"), "the name is taken");
    assert!(!s.tenant.rename_folder(&mailbox, "inbox", "Incoming"));
    assert_eq!(s.get(&url).await.1["displayName"], "Newer");
}

#[tokio::test]
async fn deleted_folder_goes_to_deleted_items_and_then_for_good() {
    let s = TestTenant::small().await;
    let (mailbox, id) = s.phish();
    let user = encode(&mailbox);
    let folder = s.tenant.make_folder(&mailbox, "msgfolderroot", "Cases", false).unwrap();
    assert!(s.tenant.move_message(&mailbox, &id, &folder));
    let immutable =
        s.tenant.snapshot(&mailbox).into_iter().find(|(_, state)| state.folder == "Cases").unwrap().0;
    let url = format!("/users/{user}/mailFolders/{}", encode(&folder));
    assert_eq!(s.get(&url).await.1["totalItemCount"], 1);

    assert_eq!(s.delete(&url).await.0, 204);
    let (_, deleted_items) = s.get(&format!("/users/{user}/mailFolders/deleteditems")).await;
    assert_eq!(s.get(&url).await.1["parentFolderId"], deleted_items["id"]);
    assert_eq!(s.tenant.snapshot(&mailbox)[&immutable].folder, "Cases");
    assert_eq!(s.delete(&url).await.0, 204);
    let (status, answer) = s.get(&url).await;
    assert!(status == 404 && ["ErrorItemNotFound", "ErrorFolderNotFound"].contains(&code(&answer)));
    assert_eq!(s.tenant.snapshot(&mailbox)[&immutable].folder, "recoverableitemsdeletions");
    let (status, _) = s
        .post(
            &format!(
                "/users/{user}/mailFolders/recoverableitemsdeletions/messages/{}/move",
                encode(&immutable)
            ),
            json!({"destinationId": folder}),
        )
        .await;
    assert_eq!(status, 404);
    let (status, answer) = s.delete(&format!("/users/{user}/mailFolders/inbox")).await;
    assert_eq!((status, code(&answer)), (403, "ErrorDeleteDistinguishedFolder"));
}

#[tokio::test]
async fn folder_exists_after_a_lost_answer() {
    let s = TestTenant::small().await;
    let mailbox = s.tenant.mailboxes().remove(0);
    let url = format!("/users/{}/mailFolders", encode(&mailbox));
    let body = || json!({"displayName": "Lost", "isHidden": true});
    let lost = Fault::DoneButStatus(429, RetryAfter::Seconds(1));
    let creation = |request: &str| request.starts_with("POST ") && request.ends_with("/mailFolders");
    s.tenant.faults().next(1, Target::Path(Box::new(creation)), lost);
    assert_eq!(s.post(&url, body()).await.0, 429);
    let (status, answer) = s.post(&url, body()).await;
    assert_eq!((status, code(&answer)), (409, "ErrorFolderExists"));
    assert_eq!(s.tenant.folders(&mailbox).iter().filter(|folder| folder.name == "Lost").count(), 1);
}

#[tokio::test]
async fn messages_in_hidden_folders_are_listed_unless_switched_off() {
    let s = TestTenant::small().await;
    let (mailbox, id) = s.phish();
    let hidden = s.tenant.hidden_folder(&mailbox).unwrap();
    assert!(s.tenant.move_message(&mailbox, &id, &hidden));
    let url = format!("/users/{}/messages?$top=1000", encode(&mailbox));
    let in_hidden = async || {
        s.all(&url).await.iter().filter(|message| message["parentFolderId"] == json!(hidden)).count()
    };
    assert_eq!(in_hidden().await, 1);
    s.tenant.list_hidden_folders(false);
    assert_eq!(in_hidden().await, 0);
}
