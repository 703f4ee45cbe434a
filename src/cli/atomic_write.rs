//! Replaces a file by a new text as one step: whoever reads it meanwhile, and whatever fails meanwhile, finds the
//! old text or the new, never a part.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};

use uuid::Uuid;

/// Only the owner reads a configuration: it holds secrets.
const MODE_OF_NEW: u32 = 0o600;
/// More links than this in a row lead in a circle.
const LINKS: usize = 40;

/// Replaces the file at `path`, or makes it. Rights and owner stay those of the old file; a symbolic link stays
/// one, and the file it leads to is replaced.
///
/// # Errors
/// Nothing has changed then.
pub(super) fn write_atomically(path: &Path, text: &[u8]) -> io::Result<()> {
    let path = followed(path);
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}", Uuid::new_v4().simple()));
    let replaced =
        write_new(&beside, text, fs::metadata(&path).ok().as_ref()).and_then(|()| fs::rename(&beside, &path));
    if replaced.is_err() {
        // It may never have been made.
        let _ = fs::remove_file(&beside);
    }
    replaced
}

/// Writes a new file with the rights and the owner of `old`.
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

/// Where `path` leads, if it is a symbolic link; the file there need not exist.
pub(super) fn followed(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let Ok(target) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    path
}
