//! App Host's protected secrets: a file each in a directory that the platform mounts, encrypted with a key that
//! lies beside them.
//!
//! They are opened when the program starts and kept in memory, so that a changed `app.config` can name them
//! again after their files were removed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::jwe::Key;
use net::Secret;
use net::read_small;

/// Where App Host puts them.
pub(in crate::config) const DIRECTORY: &str = "/etc/secrets";
/// The key's file within the directory.
const KEY: &str = ".jwk/key.jwk";

/// What was read of the directory.
#[derive(Clone, Default)]
pub(in crate::config) struct ProtectedSecrets {
    /// Where a key was found: without one it is no directory of App Host's, and nothing in it is ours to remove.
    directory: Option<PathBuf>,
    secrets: BTreeMap<String, Secret>,
    /// What could not be used, and why.
    pub(in crate::config) troubles: Vec<(PathBuf, String)>,
}

impl ProtectedSecrets {
    /// Opens all secrets of `directory`; where there is none, there are no secrets.
    pub(in crate::config) fn read(directory: &Path) -> Self {
        let mut read = Self::default();
        let tokens = read.tokens(directory);
        if tokens.is_empty() {
            return read;
        }
        let path = directory.join(KEY);
        match read_small(&path).and_then(|jwk| Key::from_jwk(&jwk).map_err(|error| error.to_string())) {
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
        let opened = read_small(&path).and_then(|text| {
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

    /// Removes the files. What cannot be removed stays: the platform may have mounted it for reading only.
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
