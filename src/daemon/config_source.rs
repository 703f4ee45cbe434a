//! The configuration on disk: read as a whole, and watched.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::config::watch::{Contents, Watch};
use crate::config::{Environment, LoadError, Loaded, Settings};

/// `app.config` and the files that it names.
#[derive(Debug)]
pub(super) struct Configuration {
    file: PathBuf,
    environment: Environment,
    watch: Watch,
}

impl Configuration {
    /// That of `file`, which is not read yet.
    pub(super) fn new(file: PathBuf, environment: Environment) -> Self {
        Self { file, environment, watch: Watch::new(Contents::default()) }
    }

    /// Where it is.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Reads it. Changes are those after this, whether it can be used or not.
    pub(super) async fn load(&mut self) -> Result<Loaded, LoadError> {
        // With those that were named before: where it cannot be used, one of them may be why.
        let mut files: BTreeSet<PathBuf> = self.contents().files().map(Path::to_owned).collect();
        files.insert(self.file.clone());
        loop {
            // Looked at before it is read, so that what is changed meanwhile counts as a change.
            self.watch = Watch::new(Contents::of(files.iter().cloned()).await);
            let loaded = Settings::load(&self.file, &self.environment)?;
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

    /// Removes the files of App Host's protected secrets, which stay known for when it is read again.
    pub(super) fn remove_protected_secrets(&self) {
        self.environment.remove_protected_secrets();
    }

    /// What was in its files when it was read.
    pub(super) fn contents(&self) -> &Contents {
        self.watch.known()
    }

    /// Waits until a file has another content. May be dropped and called again.
    pub(super) async fn changed(&mut self) {
        self.watch.changed().await;
    }
}
