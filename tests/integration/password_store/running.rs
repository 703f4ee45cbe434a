//! The program with secrets from a store.

use serde_json::json;

use super::*;
use crate::support::deployment::{Daemon, Deployment};

const REFUSED: &str = "the configuration cannot be used, the one before stays in force";

/// A deployment whose secrets are in Vault; its configuration file.
async fn deployed(vault: &OpenBao) -> (Deployment, String) {
    let deployment = Deployment::new().await;
    let text = deployment.app_config(&[], &[]);
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{key}="))).unwrap();
        line.to_owned()
    };
    vault.put("exchange/soar", &[&format!("key={}", value("api_key_secret"))]);
    vault.put("exchange/graph", &[&format!("secret={}", value("client_secret"))]);
    let text = deployment.app_config(
        &[("api_key_secret", "^secret.exchange/soar.key"), ("loglevel", "DEBUG")],
        &[("client_secret", "^{secret.exchange/graph.secret}")],
    );
    let file = deployment.write("app.config", &text).display().to_string();
    (deployment, file)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn daemon_works_with_secrets_of_vault() {
    let mut vault = OpenBao::start();
    let (deployment, file) = deployed(&vault).await;
    let variables = vault.approle();
    let environment: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (code, out, err) =
        Daemon::spawn_in(&environment, &["selftest", "--config-file", &file]).outcome().await;
    assert!(code == 0 && out.contains("2 values read"), "{out}{err}");

    let mut daemon = Daemon::spawn_in(&environment, &["run", "--config-file", &file]);
    daemon.subscribed().await;
    let soar = deployment.caller().await;
    let inputs = json!({"exo_email_address": deployment.mailbox(0)});
    let profile = "exchange_online_get_email_user_profile";
    let reply = soar.call(profile, inputs.clone()).await.unwrap().reply(SOON).await.unwrap();
    assert_eq!(reply.message_type, 0, "{reply:?}");

    // SIGHUP reads the store again: a secret that Entra ID refuses, then a store that is gone.
    vault.put("exchange/graph", &["secret=zqROTATEDzq"]);
    daemon.signal("HUP").await;
    daemon.logged("in force for the calls that begin from now on: Graph").await;
    let reply = soar.call(profile, inputs).await.unwrap().reply(SOON).await.unwrap();
    assert_eq!(reply.message_type, 1, "{reply:?}");
    vault.kill();
    daemon.signal("HUP").await;
    daemon.logged(REFUSED).await;
    daemon.logged("the password store (pam_type) cannot be used: Vault at 127.0.0.1").await;
    let log = daemon.log();
    let secrets = variables.iter().filter(|(name, _)| matches!(*name, "PAM_APP_ID" | "PAM_SECRET_ID"));
    for secret in secrets.map(|(_, value)| value.as_str()).chain(["zqROTATEDzq"]) {
        assert!(!log.contains(secret), "{log}");
    }
}

#[tokio::test]
async fn absent_store_ends_start_with_its_exit_code() {
    let deployment = Deployment::new().await;
    let text = deployment.app_config(&[("pam_type", "HashiCorpVault"), ("api_key_secret", "^a.b.c")], &[]);
    let file = deployment.write("app.config", &text).display().to_string();
    // The port 1 of this machine has no server.
    let environment = [("PAM_ADDRESS", "https://127.0.0.1:1"), ("VAULT_TOKEN", "zqTOKENzq")];
    for command in [&["run"][..], &["selftest"], &["customize", "--dry-run"], &["invoke", "get_message"]] {
        let arguments = [command, &["--config-file", file.as_str()]].concat();
        let (code, out, err) = Daemon::spawn_in(&environment, &arguments).outcome().await;
        assert_eq!(code, 40, "{command:?}: {out}{err}");
        assert!((out + &err).contains("Vault at 127.0.0.1:1 cannot be reached"), "{command:?}");
    }
}
