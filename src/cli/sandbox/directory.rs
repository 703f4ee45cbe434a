//! The directory of a sandbox: its configuration, certificate authority and logs. Only one sandbox is in a directory.

use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::cli::{ExitCode, Failure};
use sandbox::page::Page;

/// The sandbox in the directory holds a lock on this file.
const LOCK: &str = "sandbox.lock";

/// A directory that no other sandbox uses. Dropping it removes what is of no use without the sandbox: a temporary
/// directory, or in the user's the file by which other processes call.
pub(super) struct Directory {
    path: PathBuf,
    /// It was created for this sandbox.
    is_temporary: bool,
    /// The lock, which ends with the process, too.
    _lock: File,
}

impl Directory {
    /// Takes the directory that the user `named`, or a new temporary one.
    ///
    /// # Errors
    /// A sandbox runs in it, or it cannot be used.
    pub(super) fn take(named: Option<&Path>) -> Result<Self, Failure> {
        let failed = |error: io::Error| {
            let place = named.unwrap_or(&env::temp_dir()).display().to_string();
            Failure::new(ExitCode::Failed, &format!("the sandbox cannot use {place}: {error}"))
        };
        let path = match named {
            // The daemon may run in another directory.
            Some(named) => fs::create_dir_all(named).and_then(|()| named.canonicalize()),
            None => private_directory(),
        };
        let path = path.map_err(failed)?;
        let lock =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path.join(LOCK));
        let lock = lock.map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, is_temporary: named.is_none(), _lock: lock }),
            Err(TryLockError::Error(error)) => Err(failed(error)),
            Err(TryLockError::WouldBlock) => {
                let message = format!(
                    "another sandbox runs in {}; end it with Ctrl-C, or name another --directory",
                    path.display()
                );
                Err(Failure::new(ExitCode::Failed, &message))
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps the directory, also if it is temporary.
    pub(super) fn keep(&mut self) {
        self.is_temporary = false;
    }

    /// Keeps only the file of this name, if the directory is temporary.
    pub(super) fn keep_only(&mut self, name: &str) {
        if self.is_temporary {
            let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
            for entry in entries.filter(|entry| entry.file_name() != name) {
                // Whatever is left is in a temporary directory.
                let _ = fs::remove_file(entry.path());
            }
            self.keep();
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // The files may not exist.
        if self.is_temporary {
            let _ = fs::remove_dir_all(&self.path);
        } else {
            let _ = Page::remove_endpoint_file(&self.path);
            let _ = fs::remove_file(self.path.join(LOCK));
        }
    }
}

/// Creates a directory for this user only, since it will hold a configuration with secrets.
fn private_directory() -> io::Result<PathBuf> {
    let path = env::temp_dir().join(format!("fn-exchange-online-sandbox-{}", Uuid::new_v4().simple()));
    DirBuilder::new().mode(0o700).create(&path)?;
    Ok(path)
}
