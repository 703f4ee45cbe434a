//! What can be asked for.

use fn_exchange_online::functions::Function;
use sandbox::graph::{OPTIONAL_ROLES, ROLES, TokenRefusal};
use serde_json::Value;

use crate::cli_selftest::selftest_with;
use crate::support::deployment::{Daemon, Deployment};

#[tokio::test]
async fn own_package_name_runs_all_checks() {
    let deployment = Deployment::new().await;
    for name in ["fn_exchange_online", "fn-exchange-online"] {
        let outcome = selftest_with(&deployment, &deployment.app_config(&[], &[]), &["-l", name]).await;
        assert_eq!(outcome.code, 0, "{:#}", outcome.report);
        assert_eq!(outcome.check("graph.request")["outcome"], "passed");
        assert!(outcome.with_outcome("warning").is_empty());
    }
}

#[tokio::test]
async fn unknown_package_causes_warning_and_skips_graph_checks() {
    let deployment = Deployment::new().await;
    deployment.sandbox.graph.faults().refuse_tokens(Some(TokenRefusal::InvalidSecret));
    let outcome = selftest_with(&deployment, &deployment.app_config(&[], &[]), &["--list", "fn_other"]).await;
    assert_eq!(
        (outcome.code, outcome.with_outcome("warning")),
        (0, vec!["packages"]),
        "{:#}",
        outcome.report
    );
    assert!(outcome.checks().all(|check| !check["id"].as_str().unwrap().starts_with("graph.")));
    assert_eq!(outcome.check("broker.subscription")["outcome"], "passed");
}

#[tokio::test]
async fn print_env_shows_used_variables_without_secrets() {
    let deployment = Deployment::new().await;
    let file = deployment.write("selftest.config", &deployment.app_config(&[], &[])).display().to_string();
    let environment = [
        ("HTTPS_PROXY", "http://proxy-user:password-of-proxy@proxy.example.com:8080"),
        ("NO_PROXY", "localhost,127.0.0.1"),
        ("SOME_SECRET", "secret-of-a-variable"),
    ];
    let arguments = ["selftest", "--print-env", "--config-file", &file];
    let (code, out, _) = Daemon::spawn_in(&environment, &arguments).outcome().await;
    assert_eq!(code, 0, "{out}");
    assert!(
        out.contains("http://***@proxy.example.com:8080") && out.contains("localhost,127.0.0.1"),
        "{out}"
    );
    for hidden in ["proxy-user", "password-of-proxy", "secret-of-a-variable"] {
        assert!(!out.contains(hidden), "{hidden} is in:\n{out}");
    }
    let (_, out, _) = Daemon::spawn_in(&environment, &[&arguments[..], &["--json"]].concat()).outcome().await;
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["environment"]["HTTPS_PROXY"], "http://***@proxy.example.com:8080");
    assert_eq!(report["environment"]["APP_HOST_CONTAINER"], Value::Null);
}

#[tokio::test]
async fn advice_names_only_documents_on_the_machine() {
    let deployment = Deployment::new().await;
    for function in Function::ALL {
        deployment.sandbox.soar.rest.remove_function(function.name());
    }
    for role in ROLES.into_iter().chain(OPTIONAL_ROLES) {
        deployment.sandbox.graph.faults().take_role(role);
    }
    let outcome = selftest_with(&deployment, &deployment.app_config(&[], &[]), &[]).await;
    let advice = |id: &str| outcome.check(id)["advice"].as_str().unwrap().to_owned();
    assert!(advice("broker.subscription").contains("`fn-exchange-online customize`"));
    let permissions = advice("graph.permissions");
    for name in
        ["Calendars.ReadWrite", "Mail.ReadWrite", "Mail.Send", "MailboxSettings.Read", "User.Read.All"]
    {
        assert!(permissions.contains(name), "{permissions}");
    }
    assert!(
        outcome.checks().all(|check| !check["advice"].to_string().contains("docs/")),
        "{:#}",
        outcome.report
    );
}
