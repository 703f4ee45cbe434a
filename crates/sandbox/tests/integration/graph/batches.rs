//! `$batch`: the envelope, the order of the answers, the parts.

use serde_json::{Value, json};

use super::setup::{TestTenant, code, encode};

fn part<'a>(answer: &'a Value, id: &str) -> &'a Value {
    answer["responses"].as_array().unwrap().iter().find(|part| part["id"] == id).unwrap()
}

#[tokio::test]
async fn batch_answers_all_parts_out_of_order() {
    let s = TestTenant::small().await;
    let urls: Vec<String> = s.tenant.mailboxes()[..20]
        .iter()
        .map(|mailbox| format!("/users/{}/messages?$select=subject&$top=1", encode(mailbox)))
        .collect();
    for _ in 0..5 {
        let (status, answer) = s.batch(&urls).await;
        assert_eq!(status, 200);
        let ids: Vec<usize> = answer["responses"]
            .as_array()
            .unwrap()
            .iter()
            .map(|part| part["id"].as_str().unwrap().parse().unwrap())
            .collect();
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..20).collect::<Vec<_>>());
        assert_ne!(ids, sorted);
        for (id, mailbox) in s.tenant.mailboxes()[..20].iter().enumerate() {
            let part = part(&answer, &id.to_string());
            assert_eq!(part["status"], 200);
            assert_eq!(part["body"]["value"][0]["subject"], s.tenant.messages(mailbox)[0].subject);
        }
    }
    let counters = s.tenant.counters();
    assert_eq!((counters.batches, counters.sub_requests, counters.http_requests), (5, 100, 5));
    assert_eq!(counters.by_kind["list messages"], 100);
    assert_eq!(s.tenant.requests().iter().filter(|request| request.in_batch == Some(3)).count(), 21);
}

#[tokio::test]
async fn invalid_envelope_is_refused() {
    let s = TestTenant::small().await;
    let get = |id: &str| json!({"id": id, "method": "GET", "url": "/users"});
    let twenty_one: Vec<Value> = (0..21).map(|id| get(&id.to_string())).collect();
    for (requests, why) in [
        (json!(twenty_one), "too many"),
        (json!([get("a"), get("A")]), "ids differ in case only"),
        (json!([]), "none"),
        (json!([{"method": "GET", "url": "/users"}]), "no id"),
        (json!([{"id": "1", "url": "/users"}]), "no method"),
        (json!([{"id": "1", "method": "POST", "url": "/users/x/sendMail", "body": {}}]), "no Content-Type"),
        (
            json!([{"id": "1", "method": "POST", "url": "/x", "headers": {"Content-Type": "application/json"}}]),
            "no body",
        ),
        (json!([{"id": "1", "method": "GET", "url": "/users", "dependsOn": ["2"]}]), "unknown dependency"),
    ] {
        let (status, answer) = s.post("/$batch", json!({"requests": requests})).await;
        assert_eq!((status, code(&answer)), (400, "BadRequest"), "{why}");
    }
    assert_eq!(s.post("/$batch", json!({"parts": []})).await.0, 400);
    assert_eq!(s.get("/$batch").await.0, 405);
}

#[tokio::test]
async fn each_part_has_its_own_status() {
    let s = TestTenant::small().await;
    let (mailbox, id) = s.phish();
    let user = encode(&mailbox);
    let message = format!("users/{user}/messages/{}", encode(&id));
    let (status, answer) = s
        .post(
            "/$batch",
            json!({"requests": [
                {"id": "gone", "method": "DELETE", "url": format!("/{message}")},
                {"id": "user", "method": "GET", "url": format!("/users/{user}")},
                {"id": "none", "method": "GET", "url": "/users/unknown@contoso.example"},
                {"id": "nest", "method": "POST", "url": "/$batch", "body": {"requests": []},
                    "headers": {"Content-Type": "application/json"}},
                {"id": "root", "method": "GET", "url": "/v1.0/users"},
                {"id": "mime", "method": "GET", "url": format!("/users/{user}/messages/{}/$value",
                    encode(&s.tenant.messages(&mailbox).last().unwrap().id))},
            ]}),
        )
        .await;
    assert_eq!(status, 200);
    assert_eq!(part(&answer, "gone")["status"], 204);
    assert!(part(&answer, "gone").get("body").is_none());
    assert_eq!(part(&answer, "user")["body"]["userPrincipalName"], mailbox.as_str());
    assert_eq!(part(&answer, "none")["status"], 404);
    assert_eq!(part(&answer, "none")["body"]["error"]["code"], "Request_ResourceNotFound");
    assert_eq!(part(&answer, "nest")["status"], 400);
    assert_eq!(part(&answer, "root")["status"], 400);
    assert!(part(&answer, "mime")["body"].is_string());
    assert_eq!(s.tenant.deleted().len(), 1);
    // A URL without the leading slash works as well.
    let (_, answer) = s.batch(&[message]).await;
    assert_eq!(answer["responses"][0]["status"], 404);
}

#[tokio::test]
async fn fifth_part_in_one_mailbox_is_throttled() {
    let s = TestTenant::small().await;
    let mailbox = encode(&s.tenant.mailboxes()[0]);
    let urls: Vec<String> = (0..6).map(|_| format!("/users/{mailbox}/messages?$top=1")).collect();
    let (_, answer) = s.batch(&urls[..4]).await;
    assert!(answer["responses"].as_array().unwrap().iter().all(|part| part["status"] == 200));
    let (_, answer) = s.batch(&urls).await;
    let refused: Vec<&Value> =
        answer["responses"].as_array().unwrap().iter().filter(|part| part["status"] == 429).collect();
    assert_eq!(refused.len(), 2);
    assert_eq!(refused[0]["body"]["error"]["code"], "ApplicationThrottled");
    assert!(refused[0]["headers"]["Retry-After"].is_string());
    assert_eq!(s.tenant.counters().most_in_one_mailbox, 6);
    // Chained parts run in turn, so none is refused.
    let chain: Vec<Value> = (0..6)
        .map(|id| {
            let before: Vec<String> = (id > 0).then(|| (id - 1).to_string()).into_iter().collect();
            json!({"id": id.to_string(), "method": "GET", "url": urls[0], "dependsOn": before})
        })
        .collect();
    let (_, answer) = s.post("/$batch", json!({"requests": chain})).await;
    assert!(answer["responses"].as_array().unwrap().iter().all(|part| part["status"] == 200));
}

#[tokio::test]
async fn dependent_part_of_a_failed_part_fails() {
    let s = TestTenant::small().await;
    let (_, answer) = s
        .post(
            "/$batch",
            json!({"requests": [
                {"id": "b", "method": "GET", "url": "/users", "dependsOn": ["a"]},
                {"id": "a", "method": "GET", "url": "/users/unknown"},
                {"id": "c", "method": "GET", "url": "/users"},
            ]}),
        )
        .await;
    assert_eq!(part(&answer, "a")["status"], 404);
    assert_eq!(part(&answer, "b")["status"], 424);
    assert_eq!(part(&answer, "c")["status"], 200);
    let circle = json!({"requests": [
        {"id": "a", "method": "GET", "url": "/users", "dependsOn": ["b"]},
        {"id": "b", "method": "GET", "url": "/users", "dependsOn": ["a"]},
    ]});
    assert_eq!(s.post("/$batch", circle).await.0, 400);
}
