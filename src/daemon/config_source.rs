//! The configuration on disk: `app.config` and the files that it names, read together and watched for changes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::config::watch::{Contents, Watch};
use crate::config::{Environment, LoadError, Loaded, Settings};

/// Reads the configuration, and notices when one of its files changes.
#[derive(Debug)]
pub(super) struct ConfigSource {
    file: PathBuf,
    environment: Environment,
    watch: Watch,
}

impl ConfigSource {
    /// Names the file; does not read it yet.
    pub(super) fn new(file: PathBuf, environment: Environment) -> Self {
        Self { file, environment, watch: Watch::new(Contents::default()) }
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

    /// Removes the files of App Host's protected secrets. Their contents stay known for later reloads.
    pub(super) fn remove_protected_secrets(&self) {
        self.environment.remove_protected_secrets();
    }

    /// The contents of the files when they were read last.
    pub(super) fn contents(&self) -> &Contents {
        self.watch.known()
    }

    /// Waits until the content of a file changes. May be dropped and called again.
    pub(super) async fn changed(&mut self) {
        self.watch.changed().await;
    }
}
