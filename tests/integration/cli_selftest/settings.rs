//! The settings, and the log's place.

use serde_json::{Value, json};

use crate::cli_selftest::{Outcome, selftest};
use crate::support::deployment::{Daemon, Deployment};

#[tokio::test]
async fn missing_config_file_exits_with_2() {
    let (code, out, _) =
        Daemon::spawn(&["selftest", "--json", "--config-file", "/nowhere/app.config"]).outcome().await;
    let outcome = Outcome { code, report: serde_json::from_str(&out).unwrap() };
    outcome.first_failure("settings.file", 2, &["/nowhere/app.config"]);
    assert_eq!(outcome.with_outcome("skipped"), ["soar", "broker", "graph"]);
}

#[tokio::test]
async fn setting_problems_are_all_reported_without_connecting() {
    let deployment = Deployment::new().await;
    let text = deployment.app_config(&[("port", "many"), ("org", "")], &[("tenant_id", "")]);
    let outcome = selftest(&deployment, &text).await;
    // Each is counted once.
    assert_eq!((outcome.code, outcome.with_outcome("failed")), (2, vec!["settings.option"; 3]));
    let names: Vec<&Value> = outcome
        .checks()
        .filter(|check| check["id"] == "settings.option")
        .map(|check| &check["name"])
        .collect();
    assert_eq!(names, ["[resilient] org", "[resilient] port", "[fn_exchange_online] tenant_id"]);
    assert_eq!(deployment.sandbox.soar.rest.requests(), []);
}

#[tokio::test]
async fn odd_settings_are_warnings() {
    let deployment = Deployment::new().await;
    let outcome = selftest(&deployment, &deployment.app_config(&[("num_worker", "5")], &[])).await;
    assert_eq!(outcome.code, 0, "{:#}", outcome.report);
    let check = outcome.check("settings.option");
    assert_eq!((&check["outcome"], &check["name"]), (&json!("warning"), &json!("[resilient] num_worker")));
}

#[tokio::test]
async fn unwritable_log_exits_with_2_but_other_checks_run() {
    let deployment = Deployment::new().await;
    let options = [("logdir", "/nowhere"), ("logfile", "app.log")];
    let outcome = selftest(&deployment, &deployment.app_config(&options, &[])).await;
    outcome.first_failure("settings.log", 2, &["/nowhere/app.log"]);
    assert_eq!(outcome.check("graph.request")["outcome"], "passed");
}

#[tokio::test]
async fn unwritable_audit_file_exits_with_2() {
    let deployment = Deployment::new().await;
    let text = deployment.app_config(&[], &[("audit_file", "/nowhere/acts.jsonl")]);
    let outcome = selftest(&deployment, &text).await;
    outcome.first_failure("settings.audit", 2, &["/nowhere/acts.jsonl"]);
    assert!(outcome.check("settings.audit")["advice"].as_str().unwrap().contains("audit_file"));
    // The daemon agrees.
    assert_eq!(deployment.spawn(&text).outcome().await.0, 2);
}

#[tokio::test]
async fn audit_file_in_temp_directory_warns_and_is_not_created() {
    let deployment = Deployment::new().await;
    let below = tempfile::tempdir_in("/var/tmp").unwrap();
    let name = uuid::Uuid::new_v4();
    for trail in [format!("/tmp/{name}"), format!("{}/acts.jsonl", below.path().display())] {
        let text = deployment.app_config(&[], &[("audit_file", &trail)]);
        let outcome = selftest(&deployment, &text).await;
        assert_eq!(
            (outcome.code, &outcome.check("settings.audit")["outcome"]),
            (0, &json!("warning")),
            "{trail}"
        );
        assert!(!std::path::Path::new(&trail).exists());
        // The daemon agrees, and runs all the same.
        let mut daemon = deployment.spawn(&text);
        daemon.logged("the audit trail does not last there").await;
        daemon.logged("ready: listening for calls").await;
        daemon.stop().await;
        let _ = std::fs::remove_file(&trail);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn log_in_read_only_directory_warns_about_rotation() {
    let deployment = Deployment::new().await;
    // A writable file in a directory in which no file can be created.
    let options = [("logdir", "/proc/self"), ("logfile", "comm"), ("log_max_bytes", "100000")];
    let audit = [("audit_file", "")];
    let outcome = selftest(&deployment, &deployment.app_config(&options, &audit)).await;
    let check = outcome.check("settings.log");
    assert_eq!((outcome.code, &check["outcome"]), (0, &json!("warning")), "{check:#}");
    assert!(check["advice"].as_str().unwrap().contains("logdir"), "{check:#}");
    let options = [("logdir", "/proc/self"), ("logfile", "comm"), ("log_max_bytes", "0")];
    let outcome = selftest(&deployment, &deployment.app_config(&options, &audit)).await;
    assert_eq!(outcome.check("settings.log")["outcome"], "passed", "{:#}", outcome.report);
}

#[tokio::test]
async fn selftest_does_not_create_or_change_log_file() {
    let deployment = Deployment::new().await;
    let file = deployment.directory().join("app.log");
    let text = deployment.app_config(&[("logfile", "app.log")], &[]);
    assert_eq!(selftest(&deployment, &text).await.code, 0);
    assert!(!file.exists());
    std::fs::write(&file, "the daemon's").unwrap();
    assert_eq!(selftest(&deployment, &text).await.code, 0);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "the daemon's");
}

#[tokio::test]
async fn unset_secret_variable_is_named_in_sign_in_failure() {
    let deployment = Deployment::new().await;
    let secret = deployment.sandbox.graph.client_secret();
    let key = &deployment.sandbox.soar.options().api_key.secret;
    let text = deployment
        .app_config(&[], &[])
        .replace(&format!("client_secret={secret}"), "client_secret=$FN_TEST_NOT_SET")
        .replace(&format!("api_key_secret={key}"), "api_key_secret=$FN_TEST_NOT_SET");
    let outcome = selftest(&deployment, &text).await;
    let warned: Vec<&Value> = outcome.checks().filter(|check| check["id"] == "settings.option").collect();
    assert_eq!(warned.len(), 2, "{:#}", outcome.report);
    for (id, option) in [
        ("soar.sign_in", "[resilient] api_key_secret"),
        ("broker.sign_in", "[resilient] api_key_secret"),
        ("graph.token", "[fn_exchange_online] client_secret"),
    ] {
        let check = outcome.check(id);
        assert_eq!(check["outcome"], "failed", "{check:#}");
        let advice = check["advice"].as_str().unwrap();
        assert!(advice.starts_with("Set the variable") && advice.contains("EnvironmentFile="), "{advice}");
        assert!(advice.contains(&format!("missing for: {option}.")), "{advice}");
    }
    for check in warned {
        assert!(check["advice"].as_str().unwrap().contains("EnvironmentFile="), "{check:#}");
    }
}

#[tokio::test]
async fn misspelt_and_template_settings_are_named_next_to_errors() {
    let deployment = Deployment::new().await;
    let text =
        deployment.app_config(&[("host", "resilient"), ("trap_exception", "maybe")], &[("max_user", "5")]);
    let text = text.replace("\norg=", "\norgg=");
    let outcome = selftest(&deployment, &text).await;
    let found = |name: &str| {
        let check = outcome.checks().find(|check| check["name"] == name);
        let check = check.unwrap_or_else(|| panic!("{name}: {:#}", outcome.report));
        format!("{}: {}", check["outcome"].as_str().unwrap(), check["found"].as_str().unwrap())
    };
    assert_eq!(found("[resilient] org"), "failed: is missing");
    assert!(found("[resilient] orgg").ends_with("it is ignored (did you mean org?)"));
    assert!(found("[fn_exchange_online] max_user").ends_with("(did you mean max_users?)"));
    assert!(found("[resilient] host").starts_with("warning: still has the template's value"));
    assert!(found("[resilient] trap_exception").contains("\"maybe\", which counts as false"));
    // The daemon names them as well.
    let (code, _, err) = deployment.spawn(&text).outcome().await;
    assert!(code == 2 && err.contains("did you mean org?"), "{err}");
}

#[tokio::test]
async fn missing_section_is_one_problem() {
    let deployment = Deployment::new().await;
    let text = deployment.app_config(&[], &[]).replace("[resilient]", "[resilent]");
    let outcome = selftest(&deployment, &text).await;
    let problems: Vec<String> = outcome
        .checks()
        .filter(|check| check["id"] == "settings.option")
        .map(|check| format!("{} {}", check["name"].as_str().unwrap(), check["found"].as_str().unwrap()))
        .collect();
    assert_eq!(problems, ["[resilient] is missing, or has no options (there is [resilent])"]);
}

#[tokio::test]
async fn credentials_of_the_service_are_explained() {
    let deployment = Deployment::new().await;
    let secret = deployment.sandbox.graph.client_secret();
    let text = deployment.app_config(&[], &[("client_secret_file", "fn-exchange-online.client_secret")]);
    let text = text.replace(&format!("client_secret={secret}"), "");
    let outcome = selftest(&deployment, &text).await;
    let check = outcome.check("settings.option");
    let advice = check["advice"].as_str().unwrap();
    assert!(advice.contains("$CREDENTIALS_DIRECTORY, which is not set here"), "{check:#}");
}
