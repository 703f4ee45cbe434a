//! Promise: `selftest` tells what works and what does not, says what to do, ends with the exit code of the first
//! failure, tries everything it can however much is broken, takes no call, and shows no secret.
#![cfg(feature = "sandbox")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common {
    pub mod activemq;
    pub mod stomp_client;
    pub mod tls;
}
#[path = "common/deployment.rs"]
mod deployment;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use common::activemq::{ADMIN, ActiveMq, LOGIN, Tls};
use common::stomp_client::StompClient;
use deployment::{Daemon, Deployment, OtherBroker, SOON};
use fn_exchange_online::functions::Function;
use fn_exchange_online::sandbox::certificates::Certificates;
use fn_exchange_online::sandbox::graph::{Fault, ROLES, RetryAfter, Target, TokenRefusal};
use fn_exchange_online::sandbox::soar::rest::Failure;
use fn_exchange_online::stomp::ClientCommand;
use serde_json::{Value, json};

const PROFILE: &str = "exchange_online_get_email_user_profile";

/// What a run of the self test said.
struct Said {
    code: i32,
    report: Value,
}

impl Said {
    /// The one check with this id.
    fn check(&self, id: &str) -> &Value {
        let found: Vec<&Value> = self.checks().filter(|check| check["id"] == id).collect();
        assert_eq!(found.len(), 1, "checks {id} in {:#}", self.report);
        found[0]
    }

    fn checks(&self) -> impl Iterator<Item = &Value> {
        self.report["checks"].as_array().unwrap().iter()
    }

    /// The ids of all checks with this outcome.
    fn with_outcome(&self, outcome: &str) -> Vec<&str> {
        self.checks()
            .filter(|check| check["outcome"] == outcome)
            .map(|check| check["id"].as_str().unwrap())
            .collect()
    }

    /// Asserts that this check, and no other before it, failed with this code, in words that hold these; that it
    /// says what to do; and that the program ended with the code.
    fn first_failure(&self, id: &str, code: i32, words: &[&str]) {
        assert_eq!(self.with_outcome("failed").first(), Some(&id), "{:#}", self.report);
        let check = self.check(id);
        assert_eq!((self.code, &check["exit_code"]), (code, &json!(code)), "{check:#}");
        let found = check["found"].as_str().unwrap();
        for word in words {
            assert!(found.contains(word), "{word:?} is not in {found:?}");
        }
        assert!(!check["advice"].as_str().unwrap().is_empty());
    }
}

/// Runs the self test with `app.config`, as JSON.
async fn selftest(deployment: &Deployment, app_config: &str) -> Said {
    selftest_with(deployment, app_config, &[]).await
}

async fn selftest_with(deployment: &Deployment, app_config: &str, arguments: &[&str]) -> Said {
    let arguments = [&["--json"], arguments].concat();
    let (code, out, log) = spawn(deployment, app_config, &arguments).outcome().await;
    assert_eq!(log, "", "all there is to say is in the report");
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}:\n{out}"));
    assert_eq!(report["exit_code"], code);
    assert_eq!(report["outcome"], if code == 0 { "passed" } else { "failed" });
    let options = deployment.sandbox.soar.options();
    for secret in
        [&options.api_key.secret, &options.account.password, deployment.sandbox.graph.client_secret()]
    {
        assert!(!out.contains(secret), "a secret is in the report:\n{out}");
    }
    assert!(!out.contains("eyJ"), "a token is in the report:\n{out}");
    Said { code, report }
}

/// Runs it for a person.
async fn words(deployment: &Deployment, app_config: &str, arguments: &[&str]) -> (i32, String) {
    let (code, out, log) = spawn(deployment, app_config, arguments).outcome().await;
    assert_eq!(log, "");
    (code, out)
}

fn spawn(deployment: &Deployment, app_config: &str, arguments: &[&str]) -> Daemon {
    let file = deployment.write("selftest.config", app_config).display().to_string();
    Daemon::spawn(&[&["selftest", "--config-file", &file], arguments].concat())
}

/// A port at which nobody listens.
fn nobody() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}

mod passing {
    use super::*;

    #[tokio::test]
    async fn what_is_set_up_well_passes_every_check() {
        let deployment = Deployment::new().await;
        let said = selftest(&deployment, &deployment.app_config(&[], &[])).await;
        assert_eq!(said.code, 0, "{:#}", said.report);
        assert_eq!(said.with_outcome("passed").len(), said.checks().count(), "{:#}", said.report);
        for id in [
            "settings.file",
            "settings.log",
            "soar.sign_in",
            "soar.version",
            "soar.actions",
            "broker.sign_in",
            "broker.subscription",
            "graph.token",
            "graph.request",
            "graph.permission.exchange_online_query_emails.over_all_users",
        ] {
            said.check(id);
        }
        for function in Function::ALL {
            let check = said.check(&format!("soar.function.{}", function.name()));
            assert!(check["found"].as_str().unwrap().contains("fn_exchange_online"), "{check:#}");
            said.check(&format!("graph.permission.{}", function.name()));
        }
        assert!(said.check("soar.sign_in")["found"].as_str().unwrap().contains("\"Sandbox\" (number 201)"));
        assert_eq!(said.check("soar.version")["found"], "51.0.0.0.1");
        assert!(said.check("graph.token")["found"].as_str().unwrap().contains("its client secret"));
        assert_eq!(said.report["schema"], 1);
        assert_eq!(said.report["version"], env!("CARGO_PKG_VERSION"));
    }

    #[tokio::test]
    async fn a_person_reads_words_without_colours_where_there_is_no_terminal() {
        let deployment = Deployment::new().await;
        let (code, out) = words(&deployment, &deployment.app_config(&[], &[]), &[]).await;
        assert_eq!(code, 0, "{out}");
        for title in
            ["Settings\n", "SOAR at localhost:", "Message broker at localhost:", "Microsoft Graph at "]
        {
            assert!(out.contains(title), "{title:?} is not in:\n{out}");
        }
        assert!(out.contains("\nAll is well. "), "{out}");
        assert!(out.contains("  ok   sign-in ") && !out.contains('\x1b') && !out.contains("FAIL"), "{out}");
    }

    #[tokio::test]
    async fn an_account_instead_of_an_api_key_is_warned_about() {
        let deployment = Deployment::new().await;
        let account = &deployment.sandbox.soar.options().account;
        let login = [
            ("api_key_id", ""),
            ("api_key_secret", ""),
            ("email", account.email.as_str()),
            ("password", account.password.as_str()),
        ];
        let said = selftest(&deployment, &deployment.app_config(&login, &[])).await;
        assert_eq!(
            (said.code, said.with_outcome("warning")),
            (0, vec!["settings.option"]),
            "{:#}",
            said.report
        );
    }

    #[tokio::test]
    async fn only_reading_requests_reach_soar_and_graph() {
        let deployment = Deployment::new().await;
        selftest(&deployment, &deployment.app_config(&[], &[])).await;
        let soar = deployment.sandbox.soar.rest.requests();
        assert!(soar.iter().all(|request| request.method == "GET"), "{soar:?}");
        let graph = deployment.sandbox.graph.requests();
        let asked: Vec<String> =
            graph.iter().map(|request| format!("{} {}", request.method, request.path_and_query)).collect();
        assert_eq!(asked.iter().filter(|asked| asked.starts_with("GET /")).count(), 1, "{asked:?}");
        assert!(asked.iter().all(|asked| asked.starts_with("GET ") || asked.contains("/token")), "{asked:?}");
    }
}

mod settings {
    use super::*;

    #[tokio::test]
    async fn a_missing_file_ends_it_with_2() {
        let (code, out, _) =
            Daemon::spawn(&["selftest", "--json", "--config-file", "/nowhere/app.config"]).outcome().await;
        let said = Said { code, report: serde_json::from_str(&out).unwrap() };
        said.first_failure("settings.file", 2, &["/nowhere/app.config"]);
        assert_eq!(said.with_outcome("skipped"), ["soar", "broker", "graph"]);
    }

    #[tokio::test]
    async fn all_that_is_wrong_is_told_at_once_and_nobody_is_asked() {
        let deployment = Deployment::new().await;
        let text = deployment.app_config(&[("port", "many"), ("org", "")], &[("tenant_id", "")]);
        let said = selftest(&deployment, &text).await;
        said.first_failure("settings.file", 2, &[]);
        let names: Vec<&Value> = said
            .checks()
            .filter(|check| check["id"] == "settings.option")
            .map(|check| &check["name"])
            .collect();
        assert_eq!(names, ["[resilient] org", "[resilient] port", "[fn_exchange_online] tenant_id"]);
        assert_eq!(deployment.sandbox.soar.rest.requests(), []);
    }

    #[tokio::test]
    async fn odd_settings_are_told_and_are_no_failure() {
        let deployment = Deployment::new().await;
        let said = selftest(&deployment, &deployment.app_config(&[("num_worker", "5")], &[])).await;
        assert_eq!(said.code, 0, "{:#}", said.report);
        let check = said.check("settings.option");
        assert_eq!(
            (&check["outcome"], &check["name"]),
            (&json!("warning"), &json!("[resilient] num_worker"))
        );
    }

    #[tokio::test]
    async fn a_log_that_the_daemon_could_not_write_ends_it_with_2_and_the_rest_is_checked() {
        let deployment = Deployment::new().await;
        let options = [("logdir", "/nowhere"), ("logfile", "app.log")];
        let said = selftest(&deployment, &deployment.app_config(&options, &[])).await;
        said.first_failure("settings.log", 2, &["/nowhere/app.log"]);
        assert_eq!(said.check("graph.request")["outcome"], "passed");
    }

    #[tokio::test]
    async fn the_log_file_is_neither_made_nor_changed() {
        let deployment = Deployment::new().await;
        let file = deployment.directory().join("app.log");
        let text = deployment.app_config(&[("logfile", "app.log")], &[]);
        assert_eq!(selftest(&deployment, &text).await.code, 0);
        assert!(!file.exists());
        std::fs::write(&file, "the daemon's").unwrap();
        assert_eq!(selftest(&deployment, &text).await.code, 0);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "the daemon's");
    }
}

mod soar {
    use super::*;

    /// SOAR fails like this; the broker lets us in all the same, and Graph passes.
    async fn fails(deployment: &Deployment, options: &[(&str, &str)], code: i32, words: &[&str]) {
        let said = selftest(deployment, &deployment.app_config(options, &[])).await;
        said.first_failure("soar.sign_in", code, words);
        assert_eq!(said.check("soar.functions")["outcome"], "skipped");
        assert_eq!(said.check("graph.request")["outcome"], "passed");
        said.check("broker.sign_in");
    }

    #[tokio::test]
    async fn nobody_at_the_port_is_20() {
        let deployment = Deployment::new().await;
        fails(&deployment, &[("port", &nobody())], 20, &["cannot reach SOAR", "connection refused"]).await;
    }

    #[tokio::test]
    async fn an_error_of_soars_is_20_at_once() {
        let deployment = Deployment::new().await;
        deployment.sandbox.soar.rest.fail_next("/session", usize::MAX, Failure::Status(503));
        fails(&deployment, &[], 20, &["HTTP status 503"]).await;
        let tries = deployment.sandbox.soar.rest.requests().len();
        assert_eq!(tries, 1, "it is told, not waited for");
    }

    #[tokio::test]
    async fn a_wrong_api_key_is_21() {
        let deployment = Deployment::new().await;
        fails(&deployment, &[("api_key_secret", "wrong")], 21, &["does not accept the API key", "401"]).await;
    }

    #[tokio::test]
    async fn a_missing_ca_file_is_22() {
        let deployment = Deployment::new().await;
        let ca_file = deployment.sandbox.ca_file().display().to_string();
        let options = [("cafile", "/nowhere/ca.pem"), ("stomp_cafile", &ca_file)];
        fails(&deployment, &options, 22, &["/nowhere/ca.pem"]).await;
    }

    #[tokio::test]
    async fn a_certificate_of_somebody_elses_is_23() {
        let deployment = Deployment::new().await;
        let another = Certificates::generate().unwrap();
        let another = deployment.write("another.pem", another.ca_pem()).display().to_string();
        let ca_file = deployment.sandbox.ca_file().display().to_string();
        let options = [("cafile", another.as_str()), ("stomp_cafile", &ca_file)];
        fails(&deployment, &options, 23, &["certificate of SOAR", "not trusted"]).await;
    }

    #[tokio::test]
    async fn a_wrong_organisation_is_24_and_names_the_right_ones() {
        let deployment = Deployment::new().await;
        fails(&deployment, &[("org", "Elsewhere")], 24, &["\"Elsewhere\"", "Sandbox"]).await;
    }

    #[tokio::test]
    async fn a_wrong_password_is_25() {
        let deployment = Deployment::new().await;
        let email = &deployment.sandbox.soar.options().account.email;
        let login =
            [("api_key_id", ""), ("api_key_secret", ""), ("email", email.as_str()), ("password", "wrong")];
        fails(&deployment, &login, 25, &["does not accept the e-mail address and password"]).await;
    }

    #[tokio::test]
    async fn a_soar_that_hangs_is_20_within_selftest_timeout() {
        let deployment = Deployment::new().await;
        deployment.sandbox.soar.rest.set_latency(SOON * 10);
        fails(&deployment, &[("selftest_timeout", "1")], 20, &["no answer within 1 s"]).await;
    }

    #[tokio::test]
    async fn a_proxy_that_is_not_there_is_20() {
        let deployment = Deployment::new().await;
        let options = [("proxy_host", "http://localhost"), ("proxy_port", &nobody())];
        fails(&deployment, &options, 20, &["cannot reach SOAR"]).await;
    }

    #[tokio::test]
    async fn a_key_that_may_not_read_functions_is_31_and_told_which_permission_it_needs() {
        let deployment = Deployment::new().await;
        deployment.sandbox.soar.rest.fail_next("/functions/", usize::MAX, Failure::Status(403));
        let said = selftest(&deployment, &deployment.app_config(&[], &[])).await;
        said.first_failure("soar.functions", 31, &["HTTP status 403"]);
        assert!(said.check("soar.functions")["advice"].as_str().unwrap().contains("read functions"));
        assert_eq!(said.check("broker.sign_in")["outcome"], "passed");
        assert_eq!(said.check("broker.subscription")["outcome"], "skipped");
    }

    #[tokio::test]
    async fn a_version_that_is_not_told_is_no_failure() {
        let deployment = Deployment::new().await;
        deployment.sandbox.soar.rest.fail_next("/rest/const", usize::MAX, Failure::Status(500));
        let said = selftest(&deployment, &deployment.app_config(&[], &[])).await;
        assert_eq!((said.code, said.with_outcome("warning")), (0, vec!["soar.version"]), "{:#}", said.report);
    }

    #[tokio::test]
    async fn a_function_that_is_missing_is_a_warning() {
        let deployment = Deployment::new().await;
        deployment.sandbox.soar.rest.remove_function(PROFILE);
        let said = selftest(&deployment, &deployment.app_config(&[], &[])).await;
        let id = format!("soar.function.{PROFILE}");
        assert_eq!((said.code, said.with_outcome("warning")), (0, vec![id.as_str()]), "{:#}", said.report);
    }

    #[tokio::test]
    async fn no_function_at_all_is_33() {
        let deployment = Deployment::new().await;
        for function in Function::ALL {
            deployment.sandbox.soar.rest.remove_function(function.name());
        }
        let said = selftest(&deployment, &deployment.app_config(&[], &[])).await;
        said.first_failure("broker.subscription", 33, &["none of the functions"]);
        assert!(said.check("broker.subscription")["advice"].as_str().unwrap().contains("customizations"));
    }

    #[tokio::test]
    async fn an_organisation_without_actions_is_33() {
        let deployment = Deployment::new().await;
        let id = deployment.sandbox.soar.options().organisation.id;
        let rest = &deployment.sandbox.soar.rest;
        rest.change_organisation(id, |organisation| organisation.actions_framework_enabled = false);
        let said = selftest(&deployment, &deployment.app_config(&[], &[])).await;
        said.first_failure("soar.actions", 33, &["not enabled"]);
    }
}

mod broker {
    use super::*;

    #[tokio::test]
    async fn nobody_at_the_port_is_30() {
        let deployment = Deployment::new().await;
        let said = selftest(&deployment, &deployment.app_config(&[("stomp_port", &nobody())], &[])).await;
        said.first_failure("broker.sign_in", 30, &["cannot reach the broker"]);
        assert_eq!(said.check("broker.subscription")["outcome"], "skipped");
        assert_eq!(said.check("graph.request")["outcome"], "passed");
    }

    #[tokio::test]
    async fn a_refused_login_is_30() {
        let deployment = Deployment::new().await;
        deployment.sandbox.soar.broker.refuse_logins(Some("User name [x] or password is invalid."));
        let said = selftest(&deployment, &deployment.app_config(&[], &[])).await;
        said.first_failure("broker.sign_in", 30, &["refused the login", "password is invalid"]);
    }

    #[tokio::test]
    async fn a_missing_ca_file_is_22_and_a_wrong_one_23() {
        let deployment = Deployment::new().await;
        let text = deployment.app_config(&[("stomp_cafile", "/nowhere/ca.pem")], &[]);
        selftest(&deployment, &text).await.first_failure("broker.sign_in", 22, &["/nowhere/ca.pem"]);
        let another = Certificates::generate().unwrap();
        let another = deployment.write("another.pem", another.ca_pem()).display().to_string();
        let text = deployment.app_config(&[("stomp_cafile", &another)], &[]);
        selftest(&deployment, &text).await.first_failure(
            "broker.sign_in",
            23,
            &["certificate of the broker"],
        );
    }

    #[tokio::test]
    async fn a_queue_that_may_not_be_read_is_32() {
        let deployment = Deployment::new().await;
        let login = &deployment.sandbox.soar.options().api_key.id;
        deployment.sandbox.soar.broker.allow_reading(login, &deployment.queue(), false);
        let said = selftest(&deployment, &deployment.app_config(&[], &[])).await;
        said.first_failure("broker.subscription", 32, &["not authorised to read", &deployment.queue()]);
        let advice = said.check("broker.subscription")["advice"].as_str().unwrap();
        assert!(advice.contains("message destination"), "{advice}");
    }

    #[tokio::test]
    async fn a_broker_that_hangs_is_33_within_selftest_timeout() {
        let deployment = Deployment::new().await;
        deployment.sandbox.soar.broker.mute(true);
        let started = Instant::now();
        let said = selftest(&deployment, &deployment.app_config(&[("selftest_timeout", "1")], &[])).await;
        said.first_failure("broker.sign_in", 33, &["did not answer within 1s"]);
        assert!(started.elapsed() < SOON);
    }

    #[tokio::test]
    async fn a_connect_that_the_broker_loses_is_sent_again() {
        let deployment = Deployment::new().await;
        deployment.sandbox.soar.broker.lose_connects(1);
        let said = selftest(&deployment, &deployment.app_config(&[], &[])).await;
        assert_eq!(said.code, 0, "{:#}", said.report);
    }

    #[tokio::test]
    async fn a_call_that_waits_stays_and_a_running_daemon_is_not_disturbed() {
        let deployment = Deployment::new().await;
        let soar = deployment.caller().await;
        let inputs = json!({"exo_email_address": deployment.mailbox(0)});
        let waiting = soar.call(PROFILE, inputs.clone()).await.unwrap();
        assert_eq!(selftest(&deployment, &deployment.app_config(&[], &[])).await.code, 0);
        let broker = &deployment.sandbox.soar.broker;
        assert_eq!(
            (broker.queue_depth(&deployment.queue()), broker.unacknowledged(&deployment.queue())),
            (1, 0)
        );
        assert_eq!(broker.consumers(&deployment.queue()), 0, "it has unsubscribed");
        assert_eq!(broker.frames(ClientCommand::Disconnect), 1, "and taken leave");

        let daemon = deployment.daemon().await;
        waiting.reply(SOON).await.unwrap();
        assert_eq!(selftest(&deployment, &deployment.app_config(&[], &[])).await.code, 0);
        soar.call(PROFILE, inputs).await.unwrap().reply(SOON).await.unwrap();
        assert_eq!(daemon.count_in_log("subscribed to"), 1, "{}", daemon.log());
        assert_eq!(daemon.count_in_log("redelivered=true"), 0, "{}", daemon.log());
    }
}

mod graph {
    use super::*;

    #[tokio::test]
    async fn a_refused_secret_is_1_and_says_what_to_do() {
        let deployment = Deployment::new().await;
        for (refusal, word) in [
            (TokenRefusal::InvalidSecret, "Secret ID"),
            (TokenRefusal::ExpiredSecret, "new client secret"),
            (TokenRefusal::UnknownApplication, "client_id"),
            (TokenRefusal::UnknownTenant, "tenant_id"),
        ] {
            deployment.sandbox.graph.faults().refuse_tokens(Some(refusal));
            let said = selftest(&deployment, &deployment.app_config(&[], &[])).await;
            said.first_failure("graph.token", 1, &["Microsoft Entra ID refused the sign-in", "AADSTS"]);
            let advice = said.check("graph.token")["advice"].as_str().unwrap();
            assert!(advice.contains(word), "{advice}");
            assert_eq!(said.with_outcome("skipped"), ["graph.permissions", "graph.request"]);
            assert_eq!(said.check("broker.subscription")["outcome"], "passed");
        }
    }

    #[tokio::test]
    async fn each_function_whose_permission_is_missing_is_named_with_it() {
        let deployment = Deployment::new().await;
        deployment.sandbox.graph.faults().take_role("User.Read.All");
        deployment.sandbox.graph.faults().take_role("Mail.Send");
        let said = selftest(&deployment, &deployment.app_config(&[], &[])).await;
        let missing: Vec<(&str, &str)> = said
            .checks()
            .filter(|check| check["outcome"] == "warning")
            .map(|check| (check["name"].as_str().unwrap(), check["found"].as_str().unwrap()))
            .collect();
        let expected = [
            (PROFILE, "missing User.Read.All"),
            ("exchange_online_send_message", "missing Mail.Send"),
            ("exchange_online_send_message, over 4 MB", "missing Mail.Send"),
            ("exchange_online_query_emails, over all users", "missing User.Read.All"),
        ];
        assert_eq!(missing, expected);
        assert_eq!(said.code, 0, "a function that is not used needs no permission");
        assert_eq!(said.check("graph.request")["outcome"], "passed", "Graph answers, if only with a refusal");
    }

    #[tokio::test]
    async fn what_a_larger_permission_includes_is_not_missing() {
        let deployment = Deployment::new().await;
        let faults = deployment.sandbox.graph.faults();
        faults.take_role("Mail.ReadWrite");
        faults.give_role("Mail.Read");
        let said = selftest(&deployment, &deployment.app_config(&[], &[])).await;
        let read = said.check("graph.permission.exchange_online_get_message");
        assert_eq!((&read["outcome"], &read["found"]), (&json!("passed"), &json!("allowed by Mail.Read")));
        let delete = said.check("graph.permission.exchange_online_delete_email");
        assert_eq!(
            (&delete["outcome"], &delete["found"]),
            (&json!("warning"), &json!("missing Mail.ReadWrite"))
        );
        faults.give_role("Mail.ReadWrite");
        faults.take_role("Mail.Read");
        let said = selftest(&deployment, &deployment.app_config(&[], &[])).await;
        let read = said.check("graph.permission.exchange_online_get_message");
        assert_eq!(
            (&read["outcome"], &read["found"]),
            (&json!("passed"), &json!("allowed by Mail.ReadWrite"))
        );
    }

    #[tokio::test]
    async fn no_permission_at_all_is_1_and_asks_for_admin_consent() {
        let deployment = Deployment::new().await;
        for role in ROLES {
            deployment.sandbox.graph.faults().take_role(role);
        }
        let said = selftest(&deployment, &deployment.app_config(&[], &[])).await;
        said.first_failure("graph.permissions", 1, &["no application permission"]);
        assert!(said.check("graph.permissions")["advice"].as_str().unwrap().contains("admin consent"));
    }

    #[tokio::test]
    async fn a_graph_that_hangs_is_1_within_selftest_timeout() {
        let deployment = Deployment::new().await;
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://127.0.0.1:{}", silent.local_addr().unwrap().port());
        let options = [("selftest_timeout", "1")];
        let text = deployment.app_config(&options, &[("microsoft_graph_token_url", &format!("{url}/token"))]);
        selftest(&deployment, &text).await.first_failure("graph.token", 1, &["no answer within 1 s"]);
    }

    #[tokio::test]
    async fn a_graph_that_is_not_there_although_there_is_a_token_is_1() {
        let deployment = Deployment::new().await;
        let port = nobody();
        // The scope of the token follows the address, so the sandbox gives none for another Graph: there it is the
        // token that fails.
        let url = format!("https://localhost:{port}/v1.0");
        let said = selftest(&deployment, &deployment.app_config(&[], &[("microsoft_graph_url", &url)])).await;
        said.first_failure("graph.token", 1, &["invalid_scope"]);
    }

    #[tokio::test]
    async fn an_error_of_graphs_is_1_at_once() {
        let deployment = Deployment::new().await;
        deployment.sandbox.graph.faults().next(
            usize::MAX,
            Target::containing("GET /users"),
            Fault::Status(503, RetryAfter::Absent),
        );
        let started = Instant::now();
        let said = selftest(&deployment, &deployment.app_config(&[], &[])).await;
        said.first_failure("graph.request", 1, &["HTTP status 503"]);
        assert!(started.elapsed() < SOON);
    }

    #[tokio::test]
    async fn a_missing_ca_file_is_22() {
        let deployment = Deployment::new().await;
        let text = deployment.app_config(&[], &[("verify", "/nowhere/ca.pem")]);
        selftest(&deployment, &text).await.first_failure("graph.token", 22, &["/nowhere/ca.pem"]);
    }

    #[tokio::test]
    async fn the_permissions_are_those_that_the_functions_ask_for_when_they_are_refused() {
        let deployment = Deployment::new().await;
        let calls = deployment.calls_of_all_functions();
        let _daemon = deployment.daemon().await;
        let soar = deployment.caller().await;
        for role in ROLES {
            deployment.sandbox.graph.faults().take_role(role);
        }
        for (name, inputs) in calls {
            let reply = soar.call(name, inputs).await.unwrap().reply(SOON).await.unwrap();
            let said = format!("{} {}", reply.message, reply.results);
            let usual = Function::named(name).unwrap().uses()[0];
            // The reason of a deletion in a list is Graph's own.
            let named = usual.permissions.iter().any(|permission| said.contains(permission.name()));
            assert!(named || said.contains("ErrorAccessDenied"), "{name}: {said}");
        }
    }
}

mod arguments {
    use super::*;

    #[tokio::test]
    async fn the_apps_own_name_checks_everything() {
        let deployment = Deployment::new().await;
        for name in ["fn_exchange_online", "fn-exchange-online"] {
            let said = selftest_with(&deployment, &deployment.app_config(&[], &[]), &["-l", name]).await;
            assert_eq!(said.code, 0, "{:#}", said.report);
            assert_eq!(said.check("graph.request")["outcome"], "passed");
            assert!(said.with_outcome("warning").is_empty());
        }
    }

    #[tokio::test]
    async fn an_unknown_name_is_a_warning_and_only_the_connections_are_checked() {
        let deployment = Deployment::new().await;
        deployment.sandbox.graph.faults().refuse_tokens(Some(TokenRefusal::InvalidSecret));
        let said =
            selftest_with(&deployment, &deployment.app_config(&[], &[]), &["--list", "fn_other"]).await;
        assert_eq!((said.code, said.with_outcome("warning")), (0, vec!["packages"]), "{:#}", said.report);
        assert!(said.checks().all(|check| !check["id"].as_str().unwrap().starts_with("graph.")));
        assert_eq!(said.check("broker.subscription")["outcome"], "passed");
    }

    #[tokio::test]
    async fn print_env_shows_what_the_program_looks_at_and_no_password() {
        let deployment = Deployment::new().await;
        let file =
            deployment.write("selftest.config", &deployment.app_config(&[], &[])).display().to_string();
        let environment = [
            ("HTTPS_PROXY", "http://somebody:password-of-proxy@proxy.example.com:8080"),
            ("NO_PROXY", "localhost,127.0.0.1"),
            ("SOME_SECRET", "secret-of-somebody"),
        ];
        let arguments = ["selftest", "--print-env", "--config-file", &file];
        let (code, out, _) = Daemon::spawn_in(&environment, &arguments).outcome().await;
        assert_eq!(code, 0, "{out}");
        assert!(
            out.contains("http://***@proxy.example.com:8080") && out.contains("localhost,127.0.0.1"),
            "{out}"
        );
        for hidden in ["somebody", "password-of-proxy", "secret-of-somebody"] {
            assert!(!out.contains(hidden), "{hidden} is in:\n{out}");
        }
        let (_, out, _) =
            Daemon::spawn_in(&environment, &[&arguments[..], &["--json"]].concat()).outcome().await;
        let report: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(report["environment"]["HTTPS_PROXY"], "http://***@proxy.example.com:8080");
        assert_eq!(report["environment"]["APP_HOST_CONTAINER"], Value::Null);
    }
}

#[tokio::test]
async fn on_activemq_a_call_that_waits_is_neither_taken_nor_marked_and_a_daemon_goes_on() {
    let broker = ActiveMq::start(Tls::V1_2);
    let other = OtherBroker { port: broker.port(), ca_file: broker.ca_file(), login: LOGIN };
    let deployment = Deployment::with_broker(other).await;
    let soar = deployment.caller().await;
    let inputs = json!({"exo_email_address": deployment.mailbox(0)});
    let waiting = soar.call(PROFILE, inputs.clone()).await.unwrap();
    let text = deployment.app_config(&[], &[]);
    for _ in 0..3 {
        let said = selftest(&deployment, &text).await;
        assert_eq!(said.code, 0, "{:#}", said.report);
    }
    let mut admin = StompClient::connect(broker.port(), &broker.ca_file(), ADMIN).await;
    assert_eq!(admin.browse(&deployment.queue()).await.len(), 1, "it waits still");

    let mut daemon = deployment.daemon().await;
    waiting.reply(SOON).await.unwrap();
    assert_eq!(daemon.count_in_log("redelivered=true"), 0, "{}", daemon.log());
    // Calls arrive while the self test looks around.
    let (said, calls) = tokio::join!(selftest(&deployment, &text), async {
        let mut calls = Vec::new();
        for _ in 0..20 {
            calls.push(soar.call(PROFILE, inputs.clone()).await.unwrap());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        calls
    });
    assert_eq!(said.code, 0, "{:#}", said.report);
    for call in &calls {
        call.reply(SOON).await.unwrap();
        assert_eq!(call.replies(), 1);
    }
    assert_eq!(daemon.count_in_log("redelivered=true"), 0, "{}", daemon.log());
    assert_eq!(daemon.count_in_log("subscribed to"), 1, "{}", daemon.log());
    assert_eq!(admin.browse(&deployment.queue()).await, Vec::<String>::new());
    assert_eq!(daemon.stop().await.code(), Some(0));
}
