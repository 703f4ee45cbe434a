//! The configuration: `app.config`, and the files and entries of a password store that it names, read together and
//! watched for changes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::config::watch::{Contents, Watch};
use crate::config::{Environment, LoadError, Loaded, PasswordStore, Settings};

/// Reads the configuration, and notices when a part of it changes.
#[derive(Debug)]
pub(super) struct ConfigSource {
    file: PathBuf,
    environment: Environment,
    store: PasswordStore,
    watch: Watch,
}

impl ConfigSource {
    /// Names the file; does not read it yet.
    pub(super) fn new(file: PathBuf, environment: Environment) -> Self {
        let (store, watch) = (PasswordStore::default(), Watch::new(Contents::default()));
        Self { file, environment, store, watch }
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Reads the configuration, and watches for changes from now on, whether it can be used or not.
    pub(super) async fn load(&mut self) -> Result<Loaded, LoadError> {
        // Includes the files named until now: one of them may be why the configuration cannot be used.
        let mut files: BTreeSet<PathBuf> = self.contents().files().map(Path::to_owned).collect();
        files.insert(self.file.clone());
        loop {
            // Contents first, configuration second, so that what changes in between counts as a change.
            self.watch = Watch::new(Contents::of(files.iter().cloned()).await);
            let environment = self.store.fetch(&self.file, &self.environment).await?;
            let loaded = Settings::load(&self.file, &environment)?;
            let read = loaded.files.iter().map(PathBuf::as_path);
            let named: BTreeSet<&Path> = loaded.settings.files().chain(read).collect();
            let unknown: Vec<PathBuf> =
                named.iter().filter(|file| !files.contains(**file)).map(|file| file.to_path_buf()).collect();
            if unknown.is_empty() {
                self.watch = Watch::new(self.contents().about(named));
                return Ok(loaded);
            }
            files.extend(unknown);
        }
    }

    /// Removes the files of App Host's protected secrets. Their contents stay known for later reloads.
    pub(super) fn remove_protected_secrets(&self) {
        self.environment.remove_protected_secrets();
    }

    /// The contents of the files when they were read last.
    pub(super) fn contents(&self) -> &Contents {
        self.watch.known()
    }

    /// Waits until the content of a file or of an entry of the password store changes, and says which. May be dropped
    /// and called again.
    pub(super) async fn changed(&mut self) -> &'static str {
        tokio::select! {
            () = self.watch.changed() => "a file has changed",
            () = self.store.changed() => "an entry of the password store has changed",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use axum::{Json, Router};
    use serde_json::json;

    use super::*;

    const APP_CONFIG: &str = "[resilient]\npam_type=HashiCorpVault\nhost=soar\norg=o\napi_key_id=i\n\
        api_key_secret=^secret.soar.key\n[fn_exchange_online]\ntenant_id=t\nclient_id=c\nclient_secret=s\n";

    #[tokio::test]
    async fn changed_entry_of_password_store_is_a_change() {
        let version = std::sync::Arc::new(AtomicUsize::new(1));
        let now = version.clone();
        let answer = move || async move {
            Json(json!({"data": {"data": {"key": now.load(Ordering::Relaxed).to_string()}}}))
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("app.config");
        std::fs::write(&file, APP_CONFIG).unwrap();
        let variables = [("PAM_ADDRESS", address.as_str()), ("VAULT_TOKEN", "token")];
        let mut source = ConfigSource::new(file, variables.into_iter().collect());
        source.store = PasswordStore::looking_every(Duration::from_millis(10));
        let first = source.load().await.unwrap().settings.soar.login;
        version.store(2, Ordering::Relaxed);
        assert_eq!(source.changed().await, "an entry of the password store has changed");
        assert_ne!(source.load().await.unwrap().settings.soar.login, first);
    }
}
