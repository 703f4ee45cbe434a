//! Default and immutable ids of messages.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::setup::{TestTenant, code, encode, read};

const IMMUTABLE: [(&str, &str); 1] = [("Prefer", "IdType=\"ImmutableId\"")];

/// Sends a request that prefers immutable ids.
async fn immutable(s: &TestTenant, method: Method, url: &str, body: Option<Value>) -> (u16, Value) {
    let response = s.request_with(method, url, body, &IMMUTABLE).await;
    assert_eq!(response.headers()["preference-applied"], IMMUTABLE[0].1);
    read(response).await
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn default_id_changes_with_a_move_and_immutable_id_stays() {
    let s = TestTenant::small().await;
    let (mailbox, id) = s.phish();
    let messages = format!("/users/{}/messages", encode(&mailbox));
    let (_, shown) = immutable(&s, Method::GET, &format!("{messages}/{}", encode(&id)), None).await;
    let stays = text(&shown["id"]);
    assert_ne!(stays, id);
    assert_eq!(s.tenant.immutable_id(&mailbox, &id).unwrap(), stays);

    let to = |folder: &str| Some(json!({"destinationId": folder}));
    let url = format!("{messages}/{}/move", encode(&id));
    let (status, moved) = read(s.request(Method::POST, &url, to("junkemail")).await).await;
    let changed = text(&moved["id"]);
    assert_eq!(status, 201);
    assert!(changed != id && changed != stays);
    let url = format!("{messages}/{}/move", encode(&stays));
    let (status, moved) = immutable(&s, Method::POST, &url, to("archive")).await;
    assert_eq!((status, text(&moved["id"])), (201, stays.clone()));
    let own = &s.tenant.moved()[1];
    assert_eq!((own.id.as_str(), own.folder), (changed.as_str(), "archive"));

    for gone in [&id, &changed] {
        assert_eq!(s.get(&format!("{messages}/{}", encode(gone))).await.0, 404);
    }
    for present in [&own.new_id, &stays] {
        let (status, found) = s.get(&format!("{messages}/{}", encode(present))).await;
        assert_eq!(
            (status, &found["id"]),
            (200, &json!(own.new_id)),
            "without the preference the id is the default one"
        );
    }
    assert_eq!(s.delete(&format!("{messages}/{}", encode(&stays))).await.0, 204);
    assert_eq!(s.tenant.deleted()[0].id, own.new_id);
    for gone in [&own.new_id, &stays] {
        let (status, answer) = s.get(&format!("{messages}/{}", encode(gone))).await;
        assert_eq!((status, code(&answer)), (404, "ErrorItemNotFound"));
    }
    let recoverable = format!("/users/{}/mailFolders/recoverableitemsdeletions/messages", encode(&mailbox));
    assert_eq!(s.get(&format!("{recoverable}/{}", encode(&stays))).await.0, 200);
}

#[tokio::test]
async fn preference_counts_for_its_own_request_or_part() {
    let s = TestTenant::small().await;
    let (mailbox, _) = s.phish();
    let url = format!("/users/{}/messages?$select=subject&$top=3", encode(&mailbox));
    let (_, preferred) = immutable(&s, Method::GET, &url, None).await;
    let requests = json!({"requests": [
        {"id": "default", "method": "GET", "url": url},
        {"id": "immutable", "method": "GET", "url": url, "headers": {"prefer": "IdType=ImmutableId"}},
    ]});
    let response = s.request_with(Method::POST, "/$batch", Some(requests), &IMMUTABLE).await;
    let (_, answer) = read(response).await;
    for part in answer["responses"].as_array().unwrap() {
        let is_immutable = part["id"] == "immutable";
        assert_eq!(part["headers"].get("Preference-Applied").is_some(), is_immutable);
        assert_eq!(part["body"]["value"] == preferred["value"], is_immutable);
    }
}

#[tokio::test]
async fn sent_copy_has_the_immutable_id_of_its_draft() {
    let s = TestTenant::small().await;
    let messages = format!("/users/{}/messages", encode(&s.tenant.mailboxes()[0]));
    for (lag, expected) in [(Duration::from_secs(3600), 404), (Duration::ZERO, 200)] {
        let new =
            json!({"subject": "x", "toRecipients": [{"emailAddress": {"address": "a@contoso.example"}}]});
        let (status, draft) = immutable(&s, Method::POST, &messages, Some(new)).await;
        assert_eq!((status, &draft["isDraft"]), (201, &json!(true)));
        let url = format!("{messages}/{}", encode(draft["id"].as_str().unwrap()));
        s.tenant.set_sent_items_lag(lag);
        assert_eq!(s.post(&format!("{url}/send"), json!({})).await.0, 202);
        let response = s.request_with(Method::GET, &url, None, &IMMUTABLE).await;
        let (status, sent) = read(response).await;
        assert_eq!(status, expected, "Exchange files sent mail after the lag");
        if status == 200 {
            assert_eq!((&sent["id"], &sent["isDraft"]), (&draft["id"], &json!(false)));
            assert_ne!(sent["parentFolderId"], draft["parentFolderId"]);
        }
    }
}

#[tokio::test]
async fn ids_are_translated_in_both_directions() {
    let s = TestTenant::small().await;
    let (mailbox, id) = s.phish();
    let url = format!("/users/{}/translateExchangeIds", encode(&mailbox));
    let stays = s.tenant.immutable_id(&mailbox, &id).unwrap();
    for (from, to, source, target) in
        [("restId", "restImmutableEntryId", &id, &stays), ("restImmutableEntryId", "restId", &stays, &id)]
    {
        let body = json!({"inputIds": [source, "x"], "sourceIdType": from, "targetIdType": to});
        let (status, answer) = s.post(&url, body).await;
        assert_eq!((status, &answer["value"][0]["targetId"]), (200, &json!(target)));
        assert_eq!(answer["value"][1]["errorDetails"]["code"], "ErrorInvalidIdMalformed");
    }
    let many =
        json!({"inputIds": vec![id; 1001], "sourceIdType": "restId", "targetIdType": "restImmutableEntryId"});
    assert_eq!(s.post(&url, many).await.0, 400);
}
