//! Every other way to sign in, and calls that the guard rails refuse, rehearse or purge.

use std::fs;

use sandbox::graph::{Fault, RetryAfter, Target};
use sandbox::soar::rest::Failure;
use serde_json::Value;

use crate::secrets::{LEAST, Stage};
use crate::support::deployment::Deployment;
use crate::support::rsa::Files;

impl Stage {
    /// A round of calls that succeed, one in which the first sign-ins fail, and another that succeeds.
    async fn sign_in_again_and_again(&mut self) {
        let found = self.every_function().await;
        assert!(found["raw"].as_str().unwrap().contains("zqSUBJECTzq"));
        let graph = &self.deployment.sandbox.graph;
        graph.revoke_tokens();
        graph.faults().next(1, Target::Token, Fault::Status(401, RetryAfter::Absent));
        let rest = &self.deployment.sandbox.soar.rest;
        rest.end_sessions();
        for failure in [Failure::Status(401), Failure::Status(500)] {
            rest.fail_next("POST /rest/session", 1, failure);
        }
        self.every_function().await;
        self.deployment.sandbox.graph.faults().clear();
        self.deployment.sandbox.soar.rest.heal();
        self.every_function().await;
        self.by_hand(&["selftest"]).await;
    }

    /// The lines of the trail.
    fn trail(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.deployment.directory().join("acts.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn account_and_certificate_are_never_written() {
    let deployment = Deployment::new().await;
    let account = deployment.sandbox.soar.options().account.clone();
    let files = Files::make(deployment.directory(), "app", 365);
    assert!(deployment.sandbox.graph.trust_certificate(&files.pem()));
    let (certificate, key) = (files.certificate.display().to_string(), files.key.display().to_string());
    let denied = deployment.mailbox(2);
    let resilient = [
        ("api_key_id", ""),
        ("api_key_secret", ""),
        ("email", account.email.as_str()),
        ("password", account.password.as_str()),
    ];
    let app = [
        ("client_secret", ""),
        ("client_certificate_file", certificate.as_str()),
        ("client_certificate_key_file", key.as_str()),
        ("mailboxes_denied", denied.as_str()),
        ("deletion", "permanent"),
    ];
    let mut stage = Stage::of(deployment, &resilient, &app, &[]).await;
    stage.marks.0.push(account.password);
    let key = fs::read_to_string(&files.key).unwrap();
    stage.marks.0.extend(key.lines().filter(|line| !line.starts_with('-')).map(str::to_owned));
    stage.sign_in_again_and_again().await;
    // The others' mailboxes are open, this one is not.
    stage.mailbox = denied;
    stage.every_function().await;

    let graph = &stage.deployment.sandbox.graph;
    let deleted = graph.deleted();
    assert!(!deleted.is_empty());
    assert!(deleted.iter().all(|deleted| deleted.permanently && deleted.mailbox != stage.mailbox));
    assert!(stage.trail().iter().any(|line| line["outcome"] == "refused"));
    let (assertions, sessions) = (graph.assertions(), stage.deployment.sandbox.soar.rest.session_secrets());
    assert!(assertions.len() > 1 && sessions.len() > 2, "{} {}", assertions.len(), sessions.len());
    stage.marks.0.extend(assertions.iter().flat_map(|assertion| assertion.split('.')).map(str::to_owned));
    stage.marks.0.extend(sessions);
    stage.end(LEAST).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn federated_token_is_never_written() {
    let deployment = Deployment::new().await;
    let parts = ["zqFEDERATEDzq", "zqTOKENzq", "zqSIGNATUREzq"];
    deployment.sandbox.graph.trust_federated_token(&parts.join("."));
    let token = deployment.write("federated", &parts.join(".")).display().to_string();
    let app = [("client_secret", ""), ("federated_token_file", token.as_str()), ("dry_run", "true")];
    let mut stage = Stage::of(deployment, &[("log_format", "json")], &app, &[]).await;
    stage.marks.0.extend(parts.map(str::to_owned));
    stage.sign_in_again_and_again().await;

    let graph = &stage.deployment.sandbox.graph;
    assert!(graph.deleted().is_empty() && graph.moved().is_empty() && graph.sent_mail().is_empty());
    assert!(graph.assertions().contains(&parts.join(".")));
    assert!(stage.trail().iter().any(|line| line["outcome"] == "would be deleted"));
    // A token without a federated credential is refused, and never written either.
    graph.trust_federated_token("another");
    graph.revoke_tokens();
    stage.every_function().await;
    stage.end(LEAST).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn managed_identity_header_is_never_written() {
    let deployment = Deployment::new().await;
    let variables = deployment.sandbox.graph.identity_variables(true);
    let environment: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let header = variables.iter().find(|(name, _)| *name == "IDENTITY_HEADER").unwrap().1.clone();
    let app = [("client_secret", ""), ("managed_identity", "true")];
    let mut stage = Stage::of(deployment, &[], &app, &environment).await;
    stage.marks.0.push(header);
    stage.sign_in_again_and_again().await;
    assert!(stage.deployment.sandbox.graph.assertions().is_empty());
    assert!(!stage.deployment.sandbox.graph.deleted().is_empty());
    stage.end(LEAST).await;
}
