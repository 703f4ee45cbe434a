//! Entries, and a store, that cannot be used.

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use fn_exchange_online::exit_code::ExitCode;

use super::*;
use crate::support::app_config::places;
use crate::support::ports::ClosedPort;

/// All secrets here begin with it. The random names of temporary files have no hyphen.
const SECRET: &str = "zq-";

#[tokio::test]
async fn unreadable_entries_are_problems_of_their_options() {
    let vault = vault();
    vault.put("exchange/deleted", &["key=gone"]);
    vault.run(&["kv", "delete", "-mount=secret", "exchange/deleted"]);
    vault.put("exchange/destroyed", &["key=gone"]);
    vault.run(&["kv", "destroy", "-mount=secret", "-versions=1", "exchange/destroyed"]);
    vault.put("other/app", &["key=not ours"]);
    for (entry, reason) in [
        ("secret.exchange/none.key", "Vault has no such secret"),
        ("secret.exchange/deleted.key", "was deleted or destroyed"),
        ("secret.exchange/destroyed.key", "was deleted or destroyed"),
        ("secret.other/app.key", "Vault denies access to it"),
        ("elsewhere.other/app.key", "Vault denies access to it"),
        ("secret.exchange/graph.none", "the secret in Vault has no such key"),
    ] {
        let text = APP_CONFIG.replace("secret.exchange/soar.key", entry);
        let error = Read::new(&text, vault.approle()).load().await.unwrap_err();
        assert_eq!(places(error.problems()), ["resilient.api_key_secret"], "{entry}");
        let words = error.to_string();
        assert!(words.contains(reason), "{reason} is not in {words}");
        assert!(!words.contains(entry.split('.').nth(1).unwrap()), "a password may look like that: {words}");
    }
}

#[tokio::test]
async fn refused_sign_in_and_untrusted_server_are_named() {
    let vault = vault();
    let read = |name: &'static str, value: &str| {
        let mut read = Read::new(APP_CONFIG, vault.approle());
        read.set(name, value);
        read
    };
    let refused = read("PAM_SECRET_ID", "zq-WRONGSECRET-zq").load().await.unwrap_err();
    assert!(
        refused.to_string().contains("refuses the role id or the secret id (HTTP status 400)"),
        "{refused}"
    );
    assert!(!format!("{refused} {refused:?}").contains(SECRET), "{refused:?}");
    assert_eq!(ExitCode::of_load(&refused), ExitCode::BadConfiguration);
    let untrusted = read("PAM_VERIFY_SERVER_CERT", "true").load().await.unwrap_err();
    assert!(untrusted.to_string().contains("is not trusted"), "{untrusted}");
    assert_eq!(ExitCode::of_load(&untrusted), ExitCode::Tls);
    let missing = read("PAM_VERIFY_SERVER_CERT", "/nowhere/ca.pem").load().await.unwrap_err();
    assert_eq!(ExitCode::of_load(&missing), ExitCode::MissingCaFile);
    let insecure = read("PAM_VERIFY_SERVER_CERT", "False").load().await.unwrap();
    assert_eq!(
        insecure.warnings.iter().map(ToString::to_string).take(1).collect::<Vec<_>>(),
        [
            "the environment variable PAM_VERIFY_SERVER_CERT is false: the certificate of Vault is not verified, so \
          secrets can be intercepted"
        ]
    );
}

#[tokio::test]
async fn sealed_or_absent_store_is_a_transient_failure() {
    let vault = vault();
    let mut read = Read::new(APP_CONFIG, vault.approle());
    vault.run(&["operator", "seal"]);
    let sealed = read.load().await.unwrap_err();
    assert!(sealed.to_string().contains("it is sealed, or in maintenance (HTTP status 503)"), "{sealed}");
    let closed = ClosedPort::new();
    let address = format!("https://127.0.0.1:{}", closed.number());
    read.set("PAM_ADDRESS", &address);
    let absent = read.load().await.unwrap_err();
    assert!(absent.to_string().contains("cannot be reached"), "{absent}");
    for error in [sealed, absent] {
        assert_eq!(ExitCode::of_load(&error), ExitCode::PasswordStore);
    }
}

#[tokio::test]
async fn incomplete_variables_are_all_named() {
    let problems = |variables: &[(&'static str, &str)]| {
        let variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let mut read = Read::new(APP_CONFIG, variables);
        read.set("PAM_TYPE", "HashiCorpVault");
        async move { read.load().await.unwrap_err().to_string() }
    };
    let none = problems(&[]).await;
    assert!(
        none.contains("the environment variable PAM_ADDRESS is missing; set the address of Vault"),
        "{none}"
    );
    assert!(
        none.contains("the environment variable PAM_APP_ID is missing; set PAM_APP_ID and PAM_SECRET_ID")
    );
    let half = problems(&[("PAM_ADDRESS", "http://vault.example.com"), ("PAM_APP_ID", "zq-ROLE-zq")]).await;
    assert!(half.contains("PAM_ADDRESS is http, which would send secrets"), "{half}");
    assert!(half.contains("PAM_SECRET_ID is missing") && !half.contains(SECRET), "{half}");
    let file = [("PAM_ADDRESS", "https://u:zq-PASSWORD-zq@v"), ("VAULT_TOKEN_FILE", "/nowhere/token")];
    let file = problems(&file).await;
    assert!(file.contains("VAULT_TOKEN_FILE names /nowhere/token, which cannot be used"), "{file}");
    assert!(
        file.contains("PAM_ADDRESS has a user name or password in it") && !file.contains(SECRET),
        "{file}"
    );
}

/// Answers as no Vault does, with everything that it was sent.
async fn echo(status: StatusCode) -> String {
    let echo = move |headers: HeaderMap, body: Bytes| async move {
        (status, format!("{headers:?} {}", String::from_utf8_lossy(&body)))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(echo)).await });
    address
}

#[tokio::test]
async fn words_of_another_server_are_not_shown() {
    for status in [200, 302, 400, 403, 404, 418, 429, 500] {
        let address = echo(StatusCode::from_u16(status).unwrap()).await;
        for login in [
            &[("PAM_APP_ID", "zq-ROLE-zq"), ("PAM_SECRET_ID", "zq-SECRET-zq")][..],
            &[("VAULT_TOKEN", "zq-TOKEN-zq")],
        ] {
            let mut read = Read::new(APP_CONFIG, Vec::new());
            read.set("PAM_TYPE", "HashiCorpVault");
            read.set("PAM_ADDRESS", &*address);
            for (name, value) in login {
                read.set(name, *value);
            }
            let error = read.load().await.unwrap_err();
            assert!(!format!("{error} {error:?}").contains(SECRET), "{status}: {error:?}");
        }
    }
}
