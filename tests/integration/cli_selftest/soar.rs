//! What fails at SOAR's REST interface, with its exit code.

use fn_exchange_online::functions::Function;
use sandbox::certificates::Certificates;
use sandbox::soar::rest::Failure;

use crate::cli_selftest::{PROFILE, selftest};
use crate::support::deployment::{Deployment, SOON};
use crate::support::ports::ClosedPort;

/// SOAR fails like this; the broker lets us in all the same, and Graph passes.
async fn fails(deployment: &Deployment, options: &[(&str, &str)], code: i32, words: &[&str]) {
    let outcome = selftest(deployment, &deployment.app_config(options, &[])).await;
    outcome.first_failure("soar.sign_in", code, words);
    assert_eq!(outcome.check("soar.permissions")["outcome"], "skipped");
    assert_eq!(outcome.check("graph.request")["outcome"], "passed");
    outcome.check("broker.sign_in");
}

#[tokio::test]
async fn closed_soar_port_exits_with_20() {
    let deployment = Deployment::new().await;
    let closed = ClosedPort::new();
    let port = closed.number().to_string();
    fails(&deployment, &[("port", &port)], 20, &["cannot reach SOAR", "connection refused"]).await;
}

#[tokio::test]
async fn advice_for_a_dead_proxy_names_its_options() {
    let deployment = Deployment::new().await;
    let closed = ClosedPort::new();
    let port = closed.number().to_string();
    let options = [("proxy_host", "http://127.0.0.1"), ("proxy_port", &*port)];
    let outcome = selftest(&deployment, &deployment.app_config(&options, &[])).await;
    let check = outcome.check("soar.sign_in");
    assert!(check["found"].as_str().unwrap().contains("the proxy "), "{check:#}");
    assert!(check["advice"].as_str().unwrap().contains("proxy_host and proxy_port"), "{check:#}");
}

#[tokio::test]
async fn soar_error_exits_with_20_without_retry() {
    let deployment = Deployment::new().await;
    deployment.sandbox.soar.rest.fail_next("/session", usize::MAX, Failure::Status(503));
    fails(&deployment, &[], 20, &["HTTP status 503"]).await;
    let tries = deployment.sandbox.soar.rest.requests().len();
    assert_eq!(tries, 1, "it is reported at once");
}

#[tokio::test]
async fn wrong_api_key_exits_with_21() {
    let deployment = Deployment::new().await;
    fails(&deployment, &[("api_key_secret", "wrong")], 21, &["does not accept the API key", "401"]).await;
}

#[tokio::test]
async fn missing_ca_file_exits_with_22() {
    let deployment = Deployment::new().await;
    let ca_file = deployment.sandbox.ca_file().display().to_string();
    let options = [("cafile", "/nowhere/ca.pem"), ("stomp_cafile", &ca_file)];
    fails(&deployment, &options, 22, &["/nowhere/ca.pem"]).await;
}

#[tokio::test]
async fn foreign_certificate_exits_with_23() {
    let deployment = Deployment::new().await;
    let another = Certificates::generate().unwrap();
    let another = deployment.write("another.pem", another.ca_pem()).display().to_string();
    let ca_file = deployment.sandbox.ca_file().display().to_string();
    let options = [("cafile", another.as_str()), ("stomp_cafile", &ca_file)];
    fails(&deployment, &options, 23, &["certificate of SOAR", "not trusted"]).await;
}

#[tokio::test]
async fn wrong_organisation_exits_with_24_and_lists_valid_ones() {
    let deployment = Deployment::new().await;
    fails(&deployment, &[("org", "Elsewhere")], 24, &["\"Elsewhere\"", "Sandbox"]).await;
}

#[tokio::test]
async fn wrong_password_exits_with_25() {
    let deployment = Deployment::new().await;
    let email = &deployment.sandbox.soar.options().account.email;
    let login =
        [("api_key_id", ""), ("api_key_secret", ""), ("email", email.as_str()), ("password", "wrong")];
    fails(&deployment, &login, 25, &["does not accept the e-mail address and password"]).await;
}

#[tokio::test]
async fn hanging_soar_exits_with_20_after_selftest_timeout() {
    let deployment = Deployment::new().await;
    deployment.sandbox.soar.rest.set_latency(SOON * 10);
    fails(&deployment, &[("selftest_timeout", "1")], 20, &["no answer within 1 s"]).await;
}

#[tokio::test]
async fn unreachable_proxy_exits_with_20() {
    let deployment = Deployment::new().await;
    let closed = ClosedPort::new();
    let port = closed.number().to_string();
    let options = [("proxy_host", "http://localhost"), ("proxy_port", port.as_str())];
    fails(&deployment, &options, 20, &["cannot reach SOAR"]).await;
}

#[tokio::test]
async fn key_without_permission_exits_with_31() {
    let deployment = Deployment::new().await;
    deployment.sandbox.soar.rest.fail_next("/functions/", usize::MAX, Failure::Status(403));
    let outcome = selftest(&deployment, &deployment.app_config(&[], &[])).await;
    outcome.first_failure("soar.permissions", 31, &["HTTP status 403"]);
    assert!(outcome.check("soar.permissions")["advice"].as_str().unwrap().contains("read functions"));
    assert_eq!(outcome.check("broker.sign_in")["outcome"], "passed");
    assert_eq!(outcome.check("broker.subscription")["outcome"], "skipped");
}

#[tokio::test]
async fn missing_version_is_not_a_failure() {
    let deployment = Deployment::new().await;
    deployment.sandbox.soar.rest.fail_next("/rest/const", usize::MAX, Failure::Status(500));
    let outcome = selftest(&deployment, &deployment.app_config(&[], &[])).await;
    assert_eq!(
        (outcome.code, outcome.with_outcome("warning")),
        (0, vec!["soar.version"]),
        "{:#}",
        outcome.report
    );
}

#[tokio::test]
async fn missing_function_causes_warning() {
    let deployment = Deployment::new().await;
    deployment.sandbox.soar.rest.remove_function(PROFILE);
    let outcome = selftest(&deployment, &deployment.app_config(&[], &[])).await;
    let id = format!("soar.function.{PROFILE}");
    assert_eq!(
        (outcome.code, outcome.with_outcome("warning")),
        (0, vec![id.as_str()]),
        "{:#}",
        outcome.report
    );
}

#[tokio::test]
async fn soar_without_any_function_exits_with_33() {
    let deployment = Deployment::new().await;
    for function in Function::ALL {
        deployment.sandbox.soar.rest.remove_function(function.name());
    }
    let outcome = selftest(&deployment, &deployment.app_config(&[], &[])).await;
    outcome.first_failure("broker.subscription", 33, &["any of the functions"]);
    assert!(outcome.check("broker.subscription")["advice"].as_str().unwrap().contains("customizations"));
}

#[tokio::test]
async fn organisation_without_actions_exits_with_33() {
    let deployment = Deployment::new().await;
    let id = deployment.sandbox.soar.options().organisation.id;
    let rest = &deployment.sandbox.soar.rest;
    rest.change_organisation(id, |organisation| organisation.actions_framework_enabled = false);
    let outcome = selftest(&deployment, &deployment.app_config(&[], &[])).await;
    outcome.first_failure("soar.actions", 33, &["not enabled"]);
}
