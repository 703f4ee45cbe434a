//! Opens the files that this program writes, log and audit trail, so that another user of the machine can neither
//! redirect nor forge them, nor hold the program up.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// The mode bits of a file or directory that users other than the owner may write.
const WRITABLE_BY_GROUP: u32 = 0o020;
const WRITABLE_BY_ALL: u32 = 0o002;

/// Opens a file to append to. A symbolic link in its place is not followed. A pipe without a reader is an error, and a
/// full one does not block.
///
/// # Errors
/// The file cannot be opened, or another user put it into a directory where every user may create files.
pub fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path).map_err(in_words)?;
    let there = file.metadata()?;
    let directory = fs::metadata(directory_of(path))?;
    if there.is_file() && is_foreign(&there, &directory) {
        return Err(refused("another user created it, in a directory where every user may create files"));
    }
    Ok(file)
}

/// Opens a file as [`open`] does, and refuses one that every user may write, because its lines could be forged.
///
/// # Errors
/// As [`open`], or every user may write the file.
pub fn open_record(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = open(options, path)?;
    let there = file.metadata()?;
    if there.is_file() && there.mode() & WRITABLE_BY_ALL != 0 {
        return Err(refused(
            "every user may write it, so its lines could be forged; take that permission away",
        ));
    }
    Ok(file)
}

/// Returns the users, besides owner and root, who may write the file at `path`: for a warning.
pub fn others_who_may_write(path: &Path) -> Option<&'static str> {
    let there = fs::metadata(path).ok().filter(Metadata::is_file)?;
    match there.mode() {
        mode if mode & WRITABLE_BY_ALL != 0 => Some("every user of this machine"),
        mode if mode & WRITABLE_BY_GROUP != 0 => Some("every user of its group"),
        _ => None,
    }
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether the file may be a trap. In other directories their owner says who creates files.
fn is_foreign(there: &Metadata, directory: &Metadata) -> bool {
    let own = fs::metadata("/proc/self").map(|process| process.uid()).ok();
    directory.mode() & WRITABLE_BY_ALL != 0 && there.uid() != directory.uid() && Some(there.uid()) != own
}

fn in_words(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::ELOOP) => refused("it is a symbolic link, which is not followed; name the file itself"),
        Some(libc::ENXIO) => refused("it is a pipe that no process reads"),
        _ => error,
    }
}

fn refused(why: &'static str) -> io::Error {
    io::Error::new(ErrorKind::PermissionDenied, why)
}
