//! Signing in without a client secret.

use std::fs;
use std::path::Path;
use std::process::Command;

use chrono::{TimeDelta, Utc};
use fn_exchange_online::config::{Environment, Settings};
use graph::{Certificate, Client, ErrorKind};
use graph::{Credential, GraphSettings, Proof};
use sandbox::graph::TenantOptions;
use tempfile::TempDir;

use super::user;
use crate::support::graph_tenant::TestTenant;
use crate::support::rsa::Files;

/// The fixture's settings, with these lines instead of the client secret.
fn settings(fixture: &TestTenant, lines: &str, environment: &Environment) -> GraphSettings {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("app.config");
    let text =
        fixture.sandbox.app_config(&[("max_retries_backoff_factor", "0.1"), ("max_retries_total", "1")]);
    let secret = format!("client_secret={}", fixture.sandbox.graph.client_secret());
    assert!(text.contains(&secret));
    fs::write(&file, text.replace(&secret, lines)).unwrap();
    Settings::load(&file, environment).unwrap().settings.graph
}

/// The same, as a client.
fn client(fixture: &TestTenant, lines: &str) -> Client {
    Client::new(&settings(fixture, lines, &Environment::default())).unwrap()
}

fn certificate_lines(files: &Files) -> String {
    let (certificate, key) = (files.certificate.display(), files.key.display());
    format!("client_certificate_file={certificate}\nclient_certificate_key_file={key}")
}

/// Asks for a user, and gives why there was no token.
async fn refusal(fixture: &TestTenant, client: &Client) -> String {
    let error = client.send(&user(&fixture.sandbox.graph.mailboxes()[0])).await.unwrap_err();
    let ErrorKind::Token(error) = error.kind() else { panic!("{error:?}") };
    error.to_string()
}

async fn works(fixture: &TestTenant, client: &Client) {
    client.send(&user(&fixture.sandbox.graph.mailboxes()[0])).await.unwrap();
}

async fn fixture() -> (TestTenant, TempDir) {
    let fixture = TestTenant::new(TenantOptions { mailboxes: 3, ..TenantOptions::default() }).await;
    (fixture, tempfile::tempdir().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn certificate_signs_in_with_both_algorithms() {
    let (fixture, directory) = fixture().await;
    let tenant = &fixture.sandbox.graph;
    let files = Files::make(directory.path(), "soar-exchange", 365);
    assert!(tenant.trust_certificate(&files.pem()));
    let lines = certificate_lines(&files);
    for algorithm in ["PS256", "RS256"] {
        let client = client(&fixture, &format!("{lines}\nclient_assertion_algorithm={algorithm}"));
        works(&fixture, &client).await;
        // A second assertion is another one; the tenant takes none twice.
        tenant.revoke_tokens();
        works(&fixture, &client).await;
    }
    let both = directory.path().join("both.pem");
    fs::write(&both, fs::read_to_string(&files.key).unwrap() + &files.pem()).unwrap();
    works(&fixture, &client(&fixture, &format!("client_certificate_file={}", both.display()))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unregistered_certificate_names_its_option() {
    let (fixture, directory) = fixture().await;
    let files = Files::make(directory.path(), "stranger", 365);
    let words = refusal(&fixture, &client(&fixture, &certificate_lines(&files))).await;
    assert!(words.contains("AADSTS700027") && words.contains("client_certificate_file"), "{words}");
    assert!(words.contains("with a certificate") && !words.contains("client_secret"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn renewed_certificate_is_used_for_the_next_token() {
    let (fixture, directory) = fixture().await;
    let tenant = &fixture.sandbox.graph;
    let files = Files::make(directory.path(), "app", 365);
    tenant.trust_certificate(&files.pem());
    let client = client(&fixture, &certificate_lines(&files));
    works(&fixture, &client).await;
    let renewed = Files::make(directory.path(), "renewed", 365);
    fs::rename(&renewed.certificate, &files.certificate).unwrap();
    fs::rename(&renewed.key, &files.key).unwrap();
    tenant.revoke_tokens();
    let words = refusal(&fixture, &client).await;
    assert!(words.contains("AADSTS700027"), "the new one was shown: {words}");
    tenant.trust_certificate(&files.pem());
    works(&fixture, &client).await;
    fs::remove_file(&files.key).unwrap();
    tenant.revoke_tokens();
    let words = refusal(&fixture, &client).await;
    assert!(words.contains("app.key") && words.contains("No such file"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unusable_certificate_files_are_reported_at_the_start() {
    let (fixture, directory) = fixture().await;
    let files = Files::make(directory.path(), "app", 365);
    let other = Files::make(directory.path(), "other", 365);
    let empty = directory.path().join("empty");
    fs::write(&empty, "hunter2").unwrap();
    let elliptic = directory.path().join("ec.key");
    fs::write(&elliptic, rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let nowhere = Path::new("/nowhere/at/all");
    for (certificate, key, words) in [
        (&files.certificate, other.key.as_path(), "it is not the key of the certificate"),
        (&files.certificate, &elliptic, "no RSA key"),
        (&files.certificate, &empty, "no PEM key"),
        (&files.key, &files.key, "no PEM certificate"),
        (&files.certificate, nowhere, "/nowhere/at/all"),
    ] {
        let lines = certificate_lines(&Files { certificate: certificate.clone(), key: key.to_owned() });
        let error =
            Client::new(&settings(&fixture, &lines, &Environment::default())).unwrap_err().to_string();
        assert!(error.contains(words) && !error.contains("hunter2"), "{error}");
    }
    assert_eq!(fixture.sandbox.graph.connections(), 0);
}

#[test]
fn certificate_end_and_subject_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let files = Files::make(directory.path(), "soar-exchange", 10);
    let text = certificate_lines(&files);
    let config = format!(
        "[resilient]\nhost=h\norg=o\napi_key_id=k\napi_key_secret=s\n[fn_exchange_online]\ntenant_id=t\n\
         client_id=c\n{text}\n"
    );
    let file = directory.path().join("app.config");
    fs::write(&file, config).unwrap();
    let settings = Settings::load(&file, &Environment::default()).unwrap().settings.graph;
    let certificate = Certificate::read(settings.credential.certificate().unwrap()).unwrap();
    assert_eq!(certificate.subject(), "CN=soar-exchange");
    let left = certificate.not_after() - Utc::now();
    assert!(left > TimeDelta::days(9) && left <= TimeDelta::days(10), "{left}");
    assert_eq!(settings.credential.to_string(), "application c with a certificate");
}

#[tokio::test(flavor = "multi_thread")]
async fn federated_token_file_is_read_for_each_token() {
    let (fixture, directory) = fixture().await;
    let tenant = &fixture.sandbox.graph;
    let file = directory.path().join("token");
    let client = client(&fixture, &format!("federated_token_file={}", file.display()));
    let words = refusal(&fixture, &client).await;
    assert!(words.contains("federated_token_file") && words.contains("No such file"), "{words}");
    for token in ["first", "second"] {
        fs::write(&file, format!("{token}\n")).unwrap();
        tenant.trust_federated_token(token);
        tenant.revoke_tokens();
        works(&fixture, &client).await;
    }
    fs::write(&file, "hunter2.is.long").unwrap();
    tenant.revoke_tokens();
    let words = refusal(&fixture, &client).await;
    assert!(words.contains("AADSTS50027") && !words.contains("hunter2"), "{words}");
    fs::write(&file, "\n").unwrap();
    let words = refusal(&fixture, &client).await;
    assert!(words.contains("the file is empty"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn managed_identity_gets_its_token_from_the_machine() {
    let (fixture, _directory) = fixture().await;
    let tenant = &fixture.sandbox.graph;
    for app_service in [false, true] {
        let environment: Environment = tenant.identity_variables(app_service).into_iter().collect();
        let mut settings = settings(&fixture, "managed_identity=true", &environment);
        works(&fixture, &Client::new(&settings).unwrap()).await;
        let Credential::ManagedIdentity { client_id, .. } = &mut settings.credential else {
            panic!("{:?}", settings.credential);
        };
        assert_eq!(client_id.take().as_deref(), Some(tenant.client_id()));
        works(&fixture, &Client::new(&settings).unwrap()).await;
        let Credential::ManagedIdentity { client_id, .. } = &mut settings.credential else { unreachable!() };
        *client_id = Some("another identity".to_owned());
        let words = refusal(&fixture, &Client::new(&settings).unwrap()).await;
        assert!(words.contains("Identity not found") && words.contains("managed_identity"), "{words}");
        assert!(words.contains("the managed identity another identity"), "{words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn token_scope_is_the_configured_graph() {
    let (fixture, _directory) = fixture().await;
    let mut settings = settings(&fixture, "client_secret=s", &Environment::default());
    settings.base_url = "https://dod-graph.microsoft.us/v1.0".parse().unwrap();
    let Credential::Application { proof, .. } = &mut settings.credential else { panic!("an application") };
    *proof = Proof::Secret(net::Secret::new(fixture.sandbox.graph.client_secret()));
    let words = refusal(&fixture, &Client::new(&settings).unwrap()).await;
    assert!(words.contains("The scope https://dod-graph.microsoft.us/.default is not valid"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn expiring_certificate_is_warned_of() {
    let (fixture, directory) = fixture().await;
    let tenant = &fixture.sandbox.graph;
    let stderr_with = |files: &Files| {
        assert!(tenant.trust_certificate(&files.pem()));
        let secret = format!("client_secret={}", tenant.client_secret());
        let text = fixture.sandbox.app_config(&[]).replace(&secret, &certificate_lines(files));
        let config = directory.path().join("app.config");
        fs::write(&config, text).unwrap();
        let mailbox = tenant.mailboxes().swap_remove(0);
        let output = Command::new(env!("CARGO_BIN_EXE_fn-exchange-online"))
            .args(["invoke", "get_email_user_profile", "--input", &format!("exo_email_address={mailbox}")])
            .arg("--config-file")
            .arg(&config)
            .env_remove("LOGLEVEL")
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{stderr}");
        stderr
    };
    let stderr_with = |files: &Files| tokio::task::block_in_place(|| stderr_with(files));
    let long = Files::make(directory.path(), "long", 60);
    assert!(!stderr_with(&long).contains("certificate"));
    let words = stderr_with(&Files::make(directory.path(), "soon", 20));
    assert!(
        words.contains("the application's certificate expires soon") && words.contains("CN=soon"),
        "{words}"
    );
    let key = rcgen::KeyPair::from_pem(&fs::read_to_string(&long.key).unwrap()).unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    fs::write(&long.certificate, params.self_signed(&key).unwrap().pem()).unwrap();
    assert!(stderr_with(&long).contains("the application's certificate has expired"));
}
