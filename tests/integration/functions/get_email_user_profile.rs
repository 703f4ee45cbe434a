//! `exchange_online_get_email_user_profile`

use serde_json::{Value, json};

use crate::functions::common::{Fixture, GetEmailUserProfile};
use crate::functions::front::Front;

#[tokio::test]
async fn profile_is_one_request() {
    let mut fixture = Fixture::new().await;
    let user = fixture.graph().users().remove(0);
    let results =
        fixture.done(GetEmailUserProfile, json!({"exo_email_address": user.user_principal_name})).await;
    assert_eq!(fixture.asked(), [format!("GET /users/{}", user.user_principal_name)]);
    let content = &results["content"];
    assert_eq!(content["id"], user.id);
    assert_eq!(content["displayName"], user.display_name);
    assert_eq!(content["mobilePhone"], Value::Null);
    assert!(content["@odata.context"].is_string(), "nothing is left out");
    assert_eq!(fixture.status_messages(), [format!("Reading the profile of {}", user.user_principal_name)]);
}

#[tokio::test]
async fn pretty_string_has_sorted_keys() {
    let fixture = Fixture::new().await;
    let results = fixture.done(GetEmailUserProfile, json!({"exo_email_address": fixture.mailbox(1)})).await;
    let pretty = results["pretty_string"].as_str().unwrap();
    assert!(pretty.starts_with("{\n    \"@odata.context\": \""), "{pretty}");
    let shown: Value = serde_json::from_str(pretty).unwrap();
    assert_eq!(shown, results["content"]);
    let keys: Vec<_> = shown.as_object().unwrap().keys().collect();
    assert!(keys.is_sorted(), "{keys:?}");
    let graphs: Vec<_> = results["content"].as_object().unwrap().keys().collect();
    assert!(!graphs.is_sorted(), "the content keeps Graph's order");
}

#[tokio::test]
async fn unknown_user_is_not_found() {
    let fixture = Fixture::new().await;
    let results = fixture
        .run(GetEmailUserProfile, json!({"exo_email_address": "unknown@contoso.example"}))
        .await
        .unwrap();
    assert_eq!(results["success"], false);
    assert_eq!(results["content"]["error"]["code"], "Request_ResourceNotFound");
    assert!(results["content"]["error"]["message"].as_str().unwrap().contains("unknown@contoso.example"));
    assert_eq!(
        results["reason"],
        "The user unknown@contoso.example was not found (Request_ResourceNotFound)."
    );
    let pretty = results["pretty_string"].as_str().unwrap();
    assert!(pretty.starts_with("{\n    \"error\": {\n"), "stock scripts print it: {pretty}");
}

#[tokio::test]
async fn profile_of_another_user_is_not_returned() {
    let mut fixture = Fixture::new().await;
    let front = Front::before(&mut fixture).await;
    let other = json!({"id": "9", "userPrincipalName": "other@contoso.example", "mail": null});
    front.answer(1, "GET /v1.0/users", 200, other.to_string());
    let name = fixture.mailbox(0);
    let error = fixture.failed(GetEmailUserProfile, json!({"exo_email_address": name})).await;
    assert!(error.contains("the profile of another user"), "{error}");
}
