//! What fails at Microsoft Graph, and which permissions are missing.

use std::net::TcpListener;
use std::time::Instant;

use fn_exchange_online::functions::Function;
use sandbox::graph::{Fault, OPTIONAL_ROLES, ROLES, RetryAfter, Target, TokenRefusal};
use serde_json::json;

use crate::cli_selftest::{selftest, selftest_with};
use crate::support::deployment::{Deployment, SOON};

#[tokio::test]
async fn refused_token_exits_with_1_and_gives_advice() {
    let deployment = Deployment::new().await;
    for (refusal, word) in [
        (TokenRefusal::InvalidSecret, "Secret ID"),
        (TokenRefusal::ExpiredSecret, "new client secret"),
        (TokenRefusal::UnknownApplication, "client_id"),
        (TokenRefusal::UnknownTenant, "tenant_id"),
    ] {
        deployment.sandbox.graph.faults().refuse_tokens(Some(refusal));
        let outcome = selftest(&deployment, &deployment.app_config(&[], &[])).await;
        outcome.first_failure("graph.token", 1, &["Entra ID refuses application", "AADSTS"]);
        let advice = outcome.check("graph.token")["advice"].as_str().unwrap();
        assert!(advice.contains(word), "{advice}");
        assert_eq!(outcome.with_outcome("skipped"), ["graph.permissions", "graph.request"]);
        assert_eq!(outcome.check("broker.subscription")["outcome"], "passed");
    }
}

#[tokio::test]
async fn missing_permission_is_reported_for_each_function() {
    let deployment = Deployment::new().await;
    deployment.sandbox.graph.faults().take_role("User.Read.All");
    deployment.sandbox.graph.faults().take_role("Mail.Send");
    let outcome = selftest(&deployment, &deployment.app_config(&[], &[])).await;
    let missing: Vec<(&str, &str)> = outcome
        .checks()
        .filter(|check| check["outcome"] == "warning")
        .map(|check| (check["name"].as_str().unwrap(), check["found"].as_str().unwrap()))
        .collect();
    let expected = [
        ("get_email_user_profile", "missing User.Read.All"),
        ("send_message", "missing Mail.Send"),
        ("send_message over 4 MB", "missing Mail.Send"),
        ("send_message after a lost answer", "missing Mail.Send"),
        ("query_emails over all users", "missing User.Read.All"),
        ("restore_messages by digest in all mailboxes", "missing User.Read.All"),
        ("restore_messages with calendar entries in full", "missing User.Read.All"),
        ("plan_removal", "missing User.Read.All"),
        ("remove_meetings over all users", "missing User.Read.All"),
    ];
    assert_eq!(missing, expected);
    assert_eq!(outcome.code, 0, "a function that is not used needs no permission");
    assert_eq!(outcome.check("graph.request")["outcome"], "passed", "Graph answers, if only with a refusal");
}

#[tokio::test]
async fn denied_mailboxes_require_user_read_all_for_changes() {
    let deployment = Deployment::new().await;
    deployment.sandbox.graph.faults().take_role("User.Read.All");
    let text = deployment.app_config(&[], &[("mailboxes_denied", "ceo@contoso.example")]);
    let outcome = selftest(&deployment, &text).await;
    for function in Function::ALL {
        let check = outcome.check(&format!("graph.permission.{}", function.name()));
        if function.spec().changes_mailbox {
            assert_eq!(check["outcome"], "warning", "{check}");
            let found = check["found"].as_str().unwrap();
            assert!(found.contains("missing User.Read.All") && found.contains("mailboxes_denied"), "{found}");
        } else if !matches!(function, Function::GetEmailUserProfile | Function::PlanRemoval) {
            assert_eq!(check["outcome"], "passed", "{check}");
        }
    }
}

#[tokio::test]
async fn optional_permission_and_service_principal_are_warnings() {
    let deployment = Deployment::new().await;
    let faults = deployment.sandbox.graph.faults();
    let text = deployment.app_config(&[], &[]);
    faults.miss_trace_service(true);
    let outcome = selftest(&deployment, &text).await;
    let check = outcome.check("graph.message_trace");
    assert_eq!((&check["outcome"], outcome.code), (&json!("warning"), 0), "{check}");
    assert!(check["advice"].as_str().unwrap().contains("New-MgServicePrincipal"), "{check}");
    faults.take_role("ExchangeMessageTrace.Read.All");
    let outcome = selftest(&deployment, &text).await;
    let check = outcome.check("graph.permission.exchange_online_trace_message");
    assert_eq!(check["found"], "missing ExchangeMessageTrace.Read.All (optional)");
    assert!(check["advice"].as_str().unwrap().starts_with("Without it, who received a message"), "{check}");
    assert_eq!((outcome.code, outcome.with_outcome("failed").len()), (0, 0));
}

#[tokio::test]
async fn broader_permission_includes_narrower_one() {
    let deployment = Deployment::new().await;
    let faults = deployment.sandbox.graph.faults();
    faults.take_role("Mail.ReadWrite");
    faults.give_role("Mail.Read");
    let outcome = selftest(&deployment, &deployment.app_config(&[], &[])).await;
    let read = outcome.check("graph.permission.exchange_online_get_message");
    assert_eq!((&read["outcome"], &read["found"]), (&json!("passed"), &json!("allowed by Mail.Read")));
    let delete = outcome.check("graph.permission.exchange_online_delete_email");
    assert_eq!((&delete["outcome"], &delete["found"]), (&json!("warning"), &json!("missing Mail.ReadWrite")));
    faults.give_role("Mail.ReadWrite");
    faults.take_role("Mail.Read");
    let outcome = selftest(&deployment, &deployment.app_config(&[], &[])).await;
    let read = outcome.check("graph.permission.exchange_online_get_message");
    assert_eq!((&read["outcome"], &read["found"]), (&json!("passed"), &json!("allowed by Mail.ReadWrite")));
}

#[tokio::test]
async fn basic_read_permission_allows_queries_without_body() {
    let deployment = Deployment::new().await;
    let faults = deployment.sandbox.graph.faults();
    faults.take_role("Mail.ReadWrite");
    faults.give_role("Mail.ReadBasic.All");
    let outcome = selftest(&deployment, &deployment.app_config(&[], &[])).await;
    let query = outcome.check("graph.permission.exchange_online_query_emails");
    assert_eq!(query["outcome"], "passed", "{query}");
    let found = query["found"].as_str().unwrap();
    assert!(found.contains("allowed by Mail.ReadBasic.All, except queries for a message body"), "{found}");
    let read = outcome.check("graph.permission.exchange_online_get_message");
    assert_eq!((&read["outcome"], &read["found"]), (&json!("warning"), &json!("missing Mail.Read")));
}

#[tokio::test]
async fn token_without_roles_exits_with_1_advising_admin_consent() {
    let deployment = Deployment::new().await;
    for role in ROLES.into_iter().chain(OPTIONAL_ROLES) {
        deployment.sandbox.graph.faults().take_role(role);
    }
    let outcome = selftest(&deployment, &deployment.app_config(&[], &[])).await;
    outcome.first_failure("graph.permissions", 1, &["no application permission"]);
    assert!(outcome.check("graph.permissions")["advice"].as_str().unwrap().contains("admin consent"));
}

#[tokio::test]
async fn mailbox_check_proves_access_when_token_hides_roles() {
    let deployment = Deployment::new().await;
    deployment.sandbox.graph.faults().show_roles(false);
    let text = deployment.app_config(&[], &[]);
    assert_eq!(selftest(&deployment, &text).await.code, 1);
    let outcome = selftest_with(&deployment, &text, &["--mailbox", &deployment.mailbox(3)]).await;
    assert_eq!(
        (outcome.code, outcome.with_outcome("warning")),
        (0, vec!["graph.permissions"]),
        "{:#}",
        outcome.report
    );
    assert_eq!(outcome.check("graph.mailbox")["outcome"], "passed");
}

#[tokio::test]
async fn inaccessible_or_unknown_mailbox_exits_with_1() {
    let deployment = Deployment::new().await;
    let text = deployment.app_config(&[], &[]);
    let outcome = selftest_with(&deployment, &text, &["--mailbox", "unknown@elsewhere.example"]).await;
    outcome.first_failure("graph.mailbox", 1, &["HTTP status 404"]);
    deployment.sandbox.graph.faults().take_role("Mail.ReadWrite");
    let outcome = selftest_with(&deployment, &text, &["--mailbox", &deployment.mailbox(3)]).await;
    outcome.first_failure("graph.mailbox", 1, &["HTTP status 403", "ErrorAccessDenied"]);
    assert!(outcome.check("graph.mailbox")["advice"].as_str().unwrap().contains("Mail.ReadWrite"));
}

#[tokio::test]
async fn unresponsive_token_endpoint_exits_with_1_on_timeout() {
    let deployment = Deployment::new().await;
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://127.0.0.1:{}", silent.local_addr().unwrap().port());
    let options = [("selftest_timeout", "1")];
    let text = deployment.app_config(&options, &[("microsoft_graph_token_url", &format!("{url}/token"))]);
    selftest(&deployment, &text).await.first_failure("graph.token", 1, &["no answer within 1 s"]);
}

#[tokio::test]
async fn graph_disconnect_after_token_exits_with_1() {
    let deployment = Deployment::new().await;
    deployment.sandbox.graph.faults().next(usize::MAX, Target::containing("GET /users"), Fault::Close);
    let outcome = selftest(&deployment, &deployment.app_config(&[], &[])).await;
    outcome.first_failure("graph.request", 1, &["could not be reached"]);
    assert_eq!(outcome.check("graph.token")["outcome"], "passed");
}

#[tokio::test]
async fn graph_server_error_exits_with_1_promptly() {
    let deployment = Deployment::new().await;
    deployment.sandbox.graph.faults().next(
        usize::MAX,
        Target::containing("GET /users"),
        Fault::Status(503, RetryAfter::Absent),
    );
    let started = Instant::now();
    let outcome = selftest(&deployment, &deployment.app_config(&[], &[])).await;
    outcome.first_failure("graph.request", 1, &["HTTP status 503"]);
    assert!(started.elapsed() < SOON);
}

#[tokio::test]
async fn missing_ca_file_exits_with_22() {
    let deployment = Deployment::new().await;
    let text = deployment.app_config(&[], &[("verify", "/nowhere/ca.pem")]);
    selftest(&deployment, &text).await.first_failure("graph.token", 22, &["/nowhere/ca.pem"]);
}

#[tokio::test]
async fn refused_function_names_its_declared_permission() {
    let deployment = Deployment::new().await;
    let calls = deployment.calls_of_all_functions().await;
    let _daemon = deployment.daemon().await;
    let soar = deployment.caller().await;
    for role in ROLES.into_iter().chain(OPTIONAL_ROLES) {
        deployment.sandbox.graph.faults().take_role(role);
    }
    for (name, inputs) in calls {
        let reply = soar.call(name, inputs).await.unwrap().reply(SOON).await.unwrap();
        let outcome = format!("{} {}", reply.message, reply.results);
        let usual = Function::named(name).unwrap().spec().permissions();
        // The reason of a deletion in a list is Graph's own.
        let named = usual.0.iter().any(|permission| outcome.contains(permission.name()));
        assert!(named || outcome.contains("ErrorAccessDenied"), "{name}: {outcome}");
    }
}

#[tokio::test]
async fn missing_token_ca_file_names_token_verify_setting() {
    let deployment = Deployment::new().await;
    let text = deployment.app_config(&[], &[("token_verify", "/nowhere/ca.pem")]);
    let outcome = selftest(&deployment, &text).await;
    outcome.first_failure("graph.token", 22, &["/nowhere/ca.pem"]);
    assert!(outcome.check("graph.token")["advice"].as_str().unwrap().contains("token_verify"));
}

#[tokio::test]
async fn unknown_address_in_guard_rail_is_a_warning() {
    let deployment = Deployment::new().await;
    let known = deployment.mailbox(0);
    let denied = format!("{known}, {}, *@nowhere.example", known.replace('@', "x@"));
    let id = deployment.sandbox.graph.users()[1].id.clone();
    let text =
        deployment.app_config(&[], &[("mailboxes_denied", &denied), ("mailboxes_denied_reading", &id)]);
    let outcome = selftest(&deployment, &text).await;
    let check = outcome.check("graph.mailboxes_denied");
    assert_eq!((&check["outcome"], outcome.code), (&json!("warning"), 0), "{check}");
    let found = check["found"].as_str().unwrap();
    assert!(
        found.contains("x@") && !found.contains(&format!(" {known}")) && !found.contains("nowhere"),
        "{found}"
    );
    let check = outcome.check("graph.mailboxes_denied_reading");
    assert_eq!(check["outcome"], "passed", "{check}");
}
