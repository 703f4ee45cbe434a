//! Working parts are reported as such, and nothing is changed.

use fn_exchange_online::functions::Function;

use crate::cli_selftest::{selftest, words};
use crate::support::deployment::Deployment;

#[tokio::test]
async fn correct_setup_passes_every_check() {
    let deployment = Deployment::new().await;
    let outcome = selftest(&deployment, &deployment.app_config(&[], &[])).await;
    assert_eq!(outcome.code, 0, "{:#}", outcome.report);
    assert_eq!(outcome.with_outcome("passed").len(), outcome.checks().count(), "{:#}", outcome.report);
    for id in [
        "settings.file",
        "settings.log",
        "soar.sign_in",
        "soar.version",
        "soar.clock",
        "soar.actions",
        "broker.sign_in",
        "broker.subscription",
        "graph.token",
        "graph.request",
        "graph.permission.exchange_online_query_emails.over_all_users",
    ] {
        outcome.check(id);
    }
    for function in Function::ALL {
        let check = outcome.check(&format!("soar.function.{}", function.name()));
        assert!(check["found"].as_str().unwrap().contains("fn_exchange_online"), "{check:#}");
        outcome.check(&format!("graph.permission.{}", function.name()));
    }
    assert!(outcome.check("soar.sign_in")["found"].as_str().unwrap().contains("\"Sandbox\" (number 201)"));
    assert_eq!(outcome.check("soar.version")["found"], "51.0.9.0.1");
    assert!(outcome.check("graph.token")["found"].as_str().unwrap().contains("with a client secret"));
    assert_eq!(outcome.report["schema"], 1);
    assert_eq!(outcome.report["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn text_report_has_no_colours_without_terminal() {
    let deployment = Deployment::new().await;
    let (code, out) = words(&deployment, &deployment.app_config(&[], &[]), &[]).await;
    assert_eq!(code, 0, "{out}");
    for title in ["Settings\n", "SOAR at localhost:", "Message broker at localhost:", "Microsoft Graph at "] {
        assert!(out.contains(title), "{title:?} is not in:\n{out}");
    }
    assert!(out.contains("\nAll checks passed. "), "{out}");
    assert!(out.contains("  ok   sign-in ") && !out.contains('\x1b') && !out.contains("FAIL"), "{out}");
}

#[tokio::test]
async fn account_login_causes_warning() {
    let deployment = Deployment::new().await;
    let account = &deployment.sandbox.soar.options().account;
    let login = [
        ("api_key_id", ""),
        ("api_key_secret", ""),
        ("email", account.email.as_str()),
        ("password", account.password.as_str()),
    ];
    let outcome = selftest(&deployment, &deployment.app_config(&login, &[])).await;
    assert_eq!(
        (outcome.code, outcome.with_outcome("warning")),
        (0, vec!["settings.option"]),
        "{:#}",
        outcome.report
    );
}

#[tokio::test]
async fn selftest_sends_only_read_requests() {
    let deployment = Deployment::new().await;
    selftest(&deployment, &deployment.app_config(&[], &[])).await;
    let soar = deployment.sandbox.soar.rest.requests();
    assert!(soar.iter().all(|request| request.method == "GET"), "{soar:?}");
    let graph = deployment.sandbox.graph.requests();
    let asked: Vec<String> =
        graph.iter().map(|request| format!("{} {}", request.method, request.path_and_query)).collect();
    // One user's id, and a row of the message trace.
    assert_eq!(asked.iter().filter(|asked| asked.starts_with("GET /")).count(), 2, "{asked:?}");
    assert!(asked.iter().all(|asked| asked.starts_with("GET ") || asked.contains("/token")), "{asked:?}");
}

#[tokio::test]
async fn shared_advice_is_given_once() {
    let soar = sandbox::soar::SoarOptions { customizations: serde_json::json!({}), ..Default::default() };
    let deployment = Deployment::start(None, soar).await;
    let (_, out) = words(&deployment, &deployment.app_config(&[("num_worker", "5")], &[]), &[]).await;
    assert_eq!(out.matches("not defined in SOAR").count(), Function::ALL.len(), "{out}");
    assert_eq!(out.matches("Import the customizations").count(), 1, "{out}");
    let deployment = Deployment::new().await;
    let (_, out) = words(&deployment, &deployment.app_config(&[("num_worker", "5")], &[]), &[]).await;
    assert!(out.contains(" passed, 1 warning, in "), "{out}");
}
