//! Signing in with an API key and with an account.

use serde_json::{Value, json};

use super::{TestSoar, answer};

#[tokio::test]
async fn api_key_signs_in_with_every_request() {
    let setting = TestSoar::new().await;
    let (status, session) = answer(setting.get("/rest/session?include_permissions=false")).await;
    assert_eq!(status, 200);
    assert_eq!(session["orgs"][0]["id"], 201);
    assert_eq!(session["orgs"][0]["enabled"], true);
    assert_eq!(session["api_key_handle"], 17);
    assert_eq!(session.get("csrf_token"), None);
    let (_, org) = answer(setting.get("/rest/orgs/201")).await;
    assert_eq!(org["actions_framework_enabled"], true);
    let (_, constants) = answer(setting.get("/rest/const")).await;
    assert!(constants["server_version"]["version"].is_string());
}

#[tokio::test]
async fn missing_and_wrong_credentials_are_401() {
    let setting = TestSoar::new().await;
    let key = setting.soar.options().api_key.id.clone();
    let wrong = setting.http.get(setting.url("/rest/session")).basic_auth(key, Some("wrong"));
    let none = setting.http.get(setting.url("/rest/orgs/201"));
    let password = setting
        .http
        .post(setting.url("/rest/session"))
        .json(&json!({"email": "integration@sandbox.example", "password": "wrong"}));
    for request in [wrong, none, password] {
        let (status, body) = answer(request).await;
        assert_eq!(status, 401);
        assert_eq!(
            body,
            json!({"success": false, "title": null, "message": "Invalid user name or password.",
                   "hints": [], "error_code": "generic"})
        );
    }
}

#[tokio::test]
async fn account_signs_in_once_with_cookie_and_token() {
    let setting = TestSoar::new().await;
    let account = setting.soar.options().account.clone();
    let response = setting
        .http
        .post(setting.url("/rest/session?include_permissions=false"))
        .json(&json!({"email": account.email, "password": account.password}))
        .send()
        .await
        .unwrap();
    let cookie = response.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let session: Value = response.json().await.unwrap();
    assert_eq!(session["user_id"], 1);
    let token = session["csrf_token"].as_str().unwrap();

    let org = setting.url("/rest/orgs/201");
    let request = |cookie: &str, token: &str| {
        setting.http.get(&org).header("Cookie", cookie).header("X-sess-id", token).send()
    };
    assert_eq!(request(&cookie, token).await.unwrap().status(), 200);
    assert_eq!(request(&cookie, "another").await.unwrap().status(), 401);
    assert_eq!(request("JSESSIONID=another", token).await.unwrap().status(), 401);
    setting.soar.rest.end_sessions();
    assert_eq!(request(&cookie, token).await.unwrap().status(), 401);
}

#[tokio::test]
async fn other_and_disabled_organisations_are_forbidden() {
    let setting = TestSoar::new().await;
    assert_eq!(answer(setting.get("/rest/orgs/202/incidents/1")).await.0, 403);
    setting.soar.rest.change_organisation(201, |org| org.enabled = false);
    assert_eq!(answer(setting.get("/rest/session")).await.1["orgs"][0]["enabled"], false);
    assert_eq!(answer(setting.get("/rest/orgs/201")).await.0, 403);
}
