//! App Host's protected secrets: one file per secret in a directory that the platform mounts, encrypted with a key in
//! the same directory.
//!
//! The program opens them at start and keeps them in memory, so that a changed `app.config` can name them after their
//! files were removed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::jwe::Key;
use net::Secret;
use net::read_small;

/// The directory of the secrets on App Host.
pub(in crate::config) const DIRECTORY: &str = "/etc/secrets";
/// The key's file within the directory.
const KEY: &str = ".jwk/key.jwk";

/// The secrets of a directory.
#[derive(Clone, Default)]
pub(in crate::config) struct ProtectedSecrets {
    /// The directory, if it has a key. Without a key it does not belong to App Host, and its files are not removed.
    directory: Option<PathBuf>,
    secrets: BTreeMap<String, Secret>,
    /// The files that could not be used, and why.
    pub(in crate::config) troubles: Vec<(PathBuf, String)>,
}

impl ProtectedSecrets {
    /// Opens all secrets of `directory`. A missing directory has no secrets.
    pub(in crate::config) fn read(directory: &Path) -> Self {
        let mut read = Self::default();
        let tokens = read.tokens(directory);
        if tokens.is_empty() {
            return read;
        }
        let path = directory.join(KEY);
        match read_small(&path)
            .map_err(|error| error.to_string())
            .and_then(|jwk| Key::from_jwk(&jwk).map_err(|error| error.to_string()))
        {
            Ok(key) => {
                read.directory = Some(directory.to_owned());
                for (name, path) in tokens {
                    read.open(&key, name, path);
                }
            }
            Err(reason) => read.troubles.push((path, reason)),
        }
        read
    }

    /// The files of the directory by name. Kubernetes mounts them as symbolic links.
    fn tokens(&mut self, directory: &Path) -> Vec<(String, PathBuf)> {
        let entries = match std::fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                self.troubles.push((directory.to_owned(), error.to_string()));
                return Vec::new();
            }
        };
        entries
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                let name = path.file_name()?.to_str()?.to_owned();
                path.is_file().then_some((name, path))
            })
            .collect()
    }

    fn open(&mut self, key: &Key, name: String, path: PathBuf) {
        let opened = read_small(&path).map_err(|error| error.to_string()).and_then(|text| {
            key.open(text.lines().next().unwrap_or_default().trim()).map_err(|error| error.to_string())
        });
        match opened {
            Ok(secret) => {
                self.secrets.insert(name, secret);
            }
            Err(reason) => self.troubles.push((path, reason)),
        }
    }

    pub(in crate::config) fn get(&self, name: &str) -> Option<&str> {
        self.secrets.get(name).map(Secret::expose)
    }

    /// Removes the files. Ignores failures, since the platform may have mounted the directory read-only.
    pub(in crate::config) fn remove_files(&self) {
        let entries = self.directory.iter().filter_map(|directory| std::fs::read_dir(directory).ok());
        for entry in entries.flatten().flatten() {
            let path = entry.path();
            let _ = match entry.file_type() {
                Ok(kind) if kind.is_dir() => std::fs::remove_dir_all(path),
                _ => std::fs::remove_file(path),
            };
        }
    }
}

impl fmt::Debug for ProtectedSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} protected secrets", self.secrets.len())
    }
}
