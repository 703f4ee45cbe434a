//! Entra's token endpoint, and tokens at Graph.

use std::time::Duration;

use sandbox::certificates::{Certificates, Shown};
use sandbox::graph::{Tenant, TenantOptions, TokenRefusal};

use super::setup::{TestTenant, ask_for_token, code, form, http_client, http_client_of, token};

#[tokio::test]
async fn token_requires_the_right_form() {
    let s = TestTenant::small().await;
    for (field, wrong, status, error, number) in [
        ("client_secret", "guess", 401, "invalid_client", 7_000_215),
        ("client_id", "unknown", 400, "unauthorized_client", 700_016),
        ("scope", "https://graph.microsoft.com/Mail.Read", 400, "invalid_scope", 70_011),
        ("grant_type", "password", 400, "unsupported_grant_type", 70_003),
        ("scope", "", 400, "invalid_request", 900_144),
    ] {
        let mut form = form(&s.tenant);
        form.iter_mut().find(|(name, _)| *name == field).unwrap().1 = wrong.to_owned();
        let (got, answer) = ask_for_token(&s.tenant, &s.http, &form).await;
        assert_eq!((got, answer["error"].as_str().unwrap()), (status, error));
        assert_eq!(answer["error_codes"][0], number);
        let description = answer["error_description"].as_str().unwrap();
        assert!(description.starts_with(&format!("AADSTS{number}: ")), "{description}");
        assert!(answer["trace_id"].is_string() && answer["correlation_id"].is_string());
    }
}

#[tokio::test]
async fn other_tenant_is_unknown() {
    let s = TestTenant::small().await;
    let url = s.tenant.token_url().replace("{tenant}", "someone-else");
    let answer = s.http.post(url).form(&form(&s.tenant)).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert!(answer.text().await.unwrap().contains("AADSTS90002"));
}

#[tokio::test]
async fn request_without_valid_token_is_refused() {
    let mut s = TestTenant::small().await;
    let url = s.tenant.graph_url().to_owned() + "/users";
    let answer = s.http.get(&url).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    assert!(answer.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer"));

    s.tenant.faults().set_token_lifetime(Duration::ZERO);
    s.token = token(&s.tenant, &s.http).await;
    let (status, answer) = s.get("/users").await;
    assert_eq!((status, code(&answer)), (401, "InvalidAuthenticationToken"));

    s.tenant.faults().set_token_lifetime(Duration::from_secs(60));
    s.token = token(&s.tenant, &s.http).await;
    assert_eq!(s.get("/users").await.0, 200);
    s.tenant.revoke_tokens();
    assert_eq!(s.get("/users").await.0, 401);
    assert_eq!(s.batch(&["/users".into()]).await.0, 401);
    assert_eq!(s.tenant.counters().token_requests, 3);
}

#[tokio::test]
async fn refused_token_has_its_error_code() {
    let s = TestTenant::small().await;
    s.tenant.faults().refuse_tokens(Some(TokenRefusal::ExpiredSecret));
    let (status, answer) = ask_for_token(&s.tenant, &s.http, &form(&s.tenant)).await;
    assert_eq!((status, &answer["error_codes"][0]), (401, &7_000_222.into()));
    s.tenant.faults().clear();
    assert_eq!(ask_for_token(&s.tenant, &s.http, &form(&s.tenant)).await.0, 200);
}

#[tokio::test]
async fn missing_permission_is_refused_with_the_services_code() {
    let s = TestTenant::small().await;
    let (mailbox, id) = s.phish();
    let user = super::setup::encode(&mailbox);
    let message = format!("/users/{user}/messages/{}", super::setup::encode(&id));
    s.tenant.faults().take_role("Mail.ReadWrite");
    s.tenant.faults().take_role("User.Read.All");
    assert_eq!(code(&s.get(&message).await.1), "ErrorAccessDenied");
    assert_eq!(code(&s.get("/users").await.1), "Authorization_RequestDenied");
    s.tenant.faults().give_role("Mail.Read");
    assert_eq!(s.get(&message).await.0, 200);
    assert_eq!(s.delete(&message).await.0, 403);
}

#[tokio::test]
async fn http_2_and_http_1_are_served() {
    let certificates = Certificates::generate().unwrap();
    let tenant = Tenant::start(TenantOptions::default(), &certificates).await.unwrap();
    for (protocol, version) in
        [(b"h2".as_slice(), reqwest::Version::HTTP_2), (b"http/1.1", reqwest::Version::HTTP_11)]
    {
        let http = http_client_of(&certificates, &[protocol]);
        let token = token(&tenant, &http).await;
        let url = tenant.graph_url().to_owned() + "/users";
        let answer = http.get(url).bearer_auth(token).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, version));
    }
    assert_eq!(tenant.connections(), 2);
}

#[tokio::test]
async fn invalid_certificates_can_be_shown() {
    let certificates = Certificates::generate().unwrap();
    let http = http_client(&certificates);
    for (shown, accepted) in [(Shown::Valid, true), (Shown::OtherHost, false), (Shown::Expired, false)] {
        let tenant = Tenant::start_showing(TenantOptions::default(), &certificates, shown).await.unwrap();
        assert_eq!(http.get(tenant.graph_url()).send().await.is_ok(), accepted, "{shown:?}");
        let stranger = http_client(&Certificates::generate().unwrap());
        assert!(stranger.get(tenant.graph_url()).send().await.is_err(), "{shown:?}");
    }
}

#[tokio::test]
async fn scope_of_the_global_cloud_is_accepted() {
    let s = TestTenant::small().await;
    let mut form = form(&s.tenant);
    let scope = form.iter_mut().find(|(name, _)| *name == "scope").unwrap();
    "https://graph.microsoft.com/.default".clone_into(&mut scope.1);
    assert_eq!(ask_for_token(&s.tenant, &s.http, &form).await.0, 200);
}

#[tokio::test]
async fn token_endpoint_can_be_temporarily_unavailable() {
    let s = TestTenant::small().await;
    s.tenant.faults().refuse_tokens(Some(TokenRefusal::Unavailable(400)));
    let (status, answer) = ask_for_token(&s.tenant, &s.http, &form(&s.tenant)).await;
    assert_eq!((status, answer["error"].as_str().unwrap()), (400, "temporarily_unavailable"));
}
