//! What a token endpoint, or a proxy in its place, may answer, as the caller of a function sees it.

use serde_json::json;

use crate::functions::common::{Fixture, GetEmailUserProfile, empty};
use crate::functions::front::Front;

const TOKEN: &str = "/oauth2/v2.0/token";

async fn fixture_with_front() -> (Fixture, Front, serde_json::Value) {
    let mut fixture = Fixture::configured(empty(1), &[("max_retries_total", "2")]).await;
    let front = Front::before(&mut fixture).await;
    let inputs = json!({"exo_email_address": fixture.mailbox(0)});
    (fixture, front, inputs)
}

#[tokio::test]
async fn success_that_holds_an_error_is_a_refusal() {
    let (fixture, front, inputs) = fixture_with_front().await;
    let denied =
        r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided."}"#;
    front.answer(9, TOKEN, 200, denied);
    let error = fixture.failed(GetEmailUserProfile, inputs).await;
    assert!(error.contains("AADSTS7000215"), "{error}");
    assert_eq!(front.token_requests(), 1, "a refusal is not repeated");
}

#[tokio::test]
async fn temporarily_unavailable_is_repeated_whatever_its_status() {
    let busy = r#"{"error":"temporarily_unavailable","error_description":"AADSTS90033: Please try again."}"#;
    for status in [200, 400, 401, 503] {
        let (fixture, front, inputs) = fixture_with_front().await;
        front.answer(2, TOKEN, status, busy);
        fixture.done(GetEmailUserProfile, inputs).await;
        assert_eq!(front.token_requests(), 3, "{status}");
    }
}

#[tokio::test]
async fn lifetime_may_be_text_fraction_or_absent() {
    for end in [r#","expires_in":"3599""#, r#","expires_in":3599.5"#, ""] {
        let (fixture, front, inputs) = fixture_with_front().await;
        front.answer(1, TOKEN, 200, format!(r#"{{"token_type":"Bearer","access_token":"t"{end}}}"#));
        // The tenant does not know that token, so another one is fetched.
        fixture.done(GetEmailUserProfile, inputs).await;
        assert_eq!(front.token_requests(), 2, "{end}");
    }
}

#[tokio::test]
async fn web_page_of_a_proxy_is_repeated_and_not_quoted() {
    let (fixture, front, inputs) = fixture_with_front().await;
    front.answer_as("text/html", 9, TOKEN, 200, "<html>Please log in</html>");
    let error = fixture.failed(GetEmailUserProfile, inputs).await;
    assert!(error.contains("no access token could be fetched") && !error.contains("log in"), "{error}");
    assert_eq!(front.token_requests(), 3);
}
