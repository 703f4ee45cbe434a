//! Replaces a file atomically: a reader sees either the old or the new content, and so does a program that starts
//! after a failure.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};

use uuid::Uuid;

/// Only the owner may read a configuration, since it holds secrets.
const MODE_OF_NEW: u32 = 0o600;
/// A longer chain of symbolic links is a loop.
const LINKS: usize = 40;

/// Replaces or creates the file at `path`. Keeps permissions and owner of an existing file. Keeps a symbolic link, and
/// replaces its target.
///
/// # Errors
/// The old file is unchanged.
pub(super) fn write_atomically(path: &Path, text: &[u8]) -> io::Result<()> {
    let path = followed(path);
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}", Uuid::new_v4().simple()));
    let replaced = write_new(&temporary, text, fs::metadata(&path).ok().as_ref())
        .and_then(|()| fs::rename(&temporary, &path));
    if replaced.is_err() {
        // The temporary file may not exist.
        let _ = fs::remove_file(&temporary);
    }
    replaced
}

/// Writes a new file with the permissions and the owner of `old`.
fn write_new(path: &Path, text: &[u8], old: Option<&fs::Metadata>) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE_OF_NEW).open(path)?;
    file.write_all(text)?;
    if let Some(old) = old {
        let new = file.metadata()?;
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
            chown(path, Some(old.uid()), Some(old.gid()))?;
        }
        file.set_permissions(old.permissions())?;
    }
    file.sync_all()
}

/// The target of `path`, if it is a symbolic link. The target need not exist.
pub(super) fn followed(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let Ok(target) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    path
}
