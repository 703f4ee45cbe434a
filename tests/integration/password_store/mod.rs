//! Promise: a value that begins with `^` comes from HashiCorp Vault, named and signed in to as by SOAR's own framework.
//! No secret is in a message, and one that changes in Vault is in use soon.

mod running;
mod unusable;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use fn_exchange_online::config::{Environment, LoadError, Loaded, PasswordStore, Settings};
use graph::{Credential, Proof};
use soar::Login;
use tempfile::TempDir;
use tokio::time::timeout;

use crate::support::deployment::SOON;
use crate::support::open_bao::OpenBao;

const APP_CONFIG: &str = "\
[resilient]
host=soar.example.com
org=Security
api_key_id=^{secret.exchange/soar.id}
api_key_secret=^secret.exchange/soar.key
[fn_exchange_online]
tenant_id=tenant
client_id=client
client_secret=a ^{secret.exchange/graph.one}-${FROM_ENVIRONMENT}!
[another_app]
password=^secret.another/app.password
";

/// A file, and the environment of a program that reads it.
struct Read {
    directory: TempDir,
    file: PathBuf,
    environment: Vec<(&'static str, String)>,
}

impl Read {
    fn new(text: &str, environment: Vec<(&'static str, String)>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("app.config");
        fs::write(&file, text).unwrap();
        Self { directory, file, environment }
    }

    fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.unset(name);
        self.environment.push((name, value.into()));
    }

    fn unset(&mut self, name: &str) {
        self.environment.retain(|(other, _)| *other != name);
    }

    fn environment(&self) -> Environment {
        self.environment.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    async fn load(&self) -> Result<Loaded, LoadError> {
        self.load_by(&mut PasswordStore::default()).await
    }

    async fn load_by(&self, store: &mut PasswordStore) -> Result<Loaded, LoadError> {
        let environment = store.fetch(&self.file, &self.environment()).await?;
        Settings::load(&self.file, &environment)
    }
}

fn client_secret(settings: &Settings) -> &str {
    match &settings.graph.credential {
        Credential::Application { proof: Proof::Secret(secret), .. } => secret.expose(),
        other => panic!("{other:?}"),
    }
}

fn api_key(settings: &Settings) -> (&str, &str) {
    match &settings.soar.login {
        Login::ApiKey { id, secret } => (id, secret.expose()),
        Login::Password { .. } => panic!("this is not an API key"),
    }
}

/// A server with the secrets of [`APP_CONFIG`].
fn vault() -> OpenBao {
    let vault = OpenBao::start();
    vault.put("exchange/soar", &["id=key-id", "key=K^3Y"]);
    vault.put("exchange/graph", &["one=S€CR3T.of.graph", "number=7"]);
    vault
}

#[tokio::test]
async fn entries_are_read_as_approle() {
    let vault = vault();
    let mut read = Read::new(APP_CONFIG, vault.approle());
    read.set("FROM_ENVIRONMENT", "^{secret.exchange/soar.key}");
    let Loaded { settings, warnings, stored, .. } = read.load().await.unwrap();
    assert_eq!(api_key(&settings), ("key-id", "K^3Y"));
    assert_eq!(client_secret(&settings), "a S€CR3T.of.graph-K^3Y!", "entries named by variables as well");
    assert_eq!((warnings.len(), stored), (0, 3));
}

#[tokio::test]
async fn entries_are_read_with_token_and_files() {
    let vault = vault();
    let mut read = Read::new(APP_CONFIG, vault.approle());
    // The framework knows AppRoles only, so a token that is set by chance does not get in their way.
    read.set("VAULT_TOKEN", "zqSTRAYTOKENzq");
    assert_eq!(api_key(&read.load().await.unwrap().settings).0, "key-id");
    read.unset("PAM_APP_ID");
    read.unset("PAM_SECRET_ID");
    read.set("VAULT_TOKEN", vault.token());
    assert_eq!(api_key(&read.load().await.unwrap().settings).0, "key-id");
    let credentials = read.directory.path().display().to_string();
    read.set("CREDENTIALS_DIRECTORY", credentials);
    read.unset("VAULT_TOKEN");
    read.set("VAULT_TOKEN_FILE", "token");
    fs::write(read.directory.path().join("token"), vault.token() + "\n").unwrap();
    let loaded = read.load().await.unwrap();
    assert_eq!(api_key(&loaded.settings).0, "key-id");
    assert!(loaded.files.contains(&read.directory.path().join("token")), "a changed token is noticed");
    read.set("PAM_APP_ID", vault.role_id());
    read.set("PAM_SECRET_ID_FILE", "secret_id");
    fs::write(read.directory.path().join("secret_id"), vault.secret_id()).unwrap();
    assert_eq!(api_key(&read.load().await.unwrap().settings).0, "key-id");
}

#[tokio::test]
async fn entries_of_a_namespace_are_read() {
    let vault = OpenBao::start();
    vault.run(&["namespace", "create", "team"]);
    vault.run(&["secrets", "enable", "-namespace=team", "-path=kv/two", "-version=2", "kv"]);
    vault.run(&["kv", "put", "-namespace=team", "-mount=kv/two", "a b/ü", "k-1=in the namespace"]);
    let text = APP_CONFIG.replace("^secret.exchange/soar.key", "^kv/two.a b/ü.k-1");
    let text = text.replace("^{secret.exchange/soar.id}", "id").replace("^{secret.exchange/graph.one}", "");
    let mut read = Read::new(&text, vault.approle());
    read.unset("PAM_APP_ID");
    read.set("VAULT_TOKEN", crate::support::open_bao::ROOT);
    read.set("VAULT_NAMESPACE", "team");
    assert_eq!(api_key(&read.load().await.unwrap().settings).1, "in the namespace");
}

#[tokio::test]
async fn pam_type_is_found_as_by_the_framework() {
    let vault = vault();
    for (line, variables) in [
        ("pam_type=HashiCorpVault", &[][..]),
        ("pam_type=$MY_TYPE", &[("MY_TYPE", "HashiCorpVault")]),
        ("pam_type=Keyring", &[("PAM_TYPE", "HashiCorpVault")]),
    ] {
        let text = APP_CONFIG.replace("[resilient]", &format!("[resilient]\n{line}"));
        let mut read = Read::new(&text, vault.approle());
        read.unset("PAM_TYPE");
        for (name, value) in variables {
            read.set(name, *value);
        }
        assert_eq!(api_key(&read.load().await.unwrap().settings).0, "key-id", "{line}");
    }
}

#[tokio::test]
async fn text_that_names_no_entry_stays_as_it_is() {
    // The file names no entry, so no server is asked.
    let text = APP_CONFIG.replace("^secret.exchange/soar.key", "^Pa$$.w0rd").replace("^{secret", "^{");
    let text = text.replace("^{.exchange/soar.id}", "$CIRCUMFLEX");
    let variables = [("PAM_TYPE", "HashiCorpVault"), ("CIRCUMFLEX", "^from environment")];
    let read = Read::new(&text, variables.map(|(name, value)| (name, value.to_owned())).to_vec());
    let Loaded { settings, warnings, .. } = read.load().await.unwrap();
    assert_eq!(api_key(&settings), ("^from environment", "^Pa$$.w0rd"));
    let warnings: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    assert!(
        warnings
            .iter()
            .any(|it| it.starts_with("[resilient] api_key_secret has a ^NAME that names no entry"))
    );
    assert!(!warnings.join("").contains("w0rd"), "{warnings:?}");
}

#[tokio::test]
async fn changed_entry_and_revoked_token_are_noticed() {
    let vault = vault();
    let read = Read::new(APP_CONFIG, vault.approle());
    let mut store = PasswordStore::looking_every(Duration::from_millis(20));
    read.load_by(&mut store).await.unwrap();
    let quiet = timeout(Duration::from_millis(300), store.changed()).await;
    assert!(quiet.is_err(), "nothing has changed");
    // The session's token is no longer valid, so the store signs in again.
    vault.run(&["token", "revoke", "-mode=path", "auth/approle"]);
    vault.put("exchange/soar", &["id=key-id", "key=rotated"]);
    timeout(SOON, store.changed()).await.unwrap();
    assert_eq!(api_key(&read.load_by(&mut store).await.unwrap().settings).1, "rotated");
}

#[tokio::test]
async fn store_that_serves_again_counts_as_changed() {
    let vault = vault();
    let read = Read::new(APP_CONFIG, vault.approle());
    let mut store = PasswordStore::looking_every(Duration::from_millis(20));
    vault.run(&["operator", "seal"]);
    read.load_by(&mut store).await.unwrap_err();
    vault.unseal();
    timeout(SOON, store.changed()).await.unwrap();
    assert_eq!(api_key(&read.load_by(&mut store).await.unwrap().settings).0, "key-id");
}
