//! The log file, rotated by size as Python's `RotatingFileHandler` does: `app.log`, `app.log.1`, `app.log.2`, …
//!
//! Creates the file again after another program (logrotate) has renamed or removed it. After a full disk, tries again
//! with every line.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::LogError;
use super::writer::Sink;
use crate::own_file;

/// The owner may write and the group may read, since a log names people and their mailboxes.
const MODE: u32 = 0o640;

/// A log file that is rotated by size.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    /// The file is rotated before it reaches this size.
    max_bytes: Option<u64>,
    /// Rotated files kept; 0: the file is not rotated.
    backups: u32,
    file: File,
    /// A line was cut off by an error.
    torn: bool,
}

impl LogFile {
    /// Opens the file for appending, or creates it.
    pub(super) fn open(path: PathBuf, max_bytes: Option<u64>, backups: u32) -> Result<Self, LogError> {
        if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty())
            && !directory.is_dir()
        {
            return Err(LogError::NoDirectory(directory.to_owned()));
        }
        match append_to(&path) {
            Ok(file) => Ok(Self { path, max_bytes, backups, file, torn: false }),
            Err(reason) => Err(LogError::File { path, reason }),
        }
    }

    /// Opens the file again if another one is at `path`. Returns its size.
    fn follow(&mut self) -> io::Result<u64> {
        let ours = self.file.metadata()?;
        match fs::metadata(&self.path) {
            Ok(there) if (there.dev(), there.ino()) == (ours.dev(), ours.ino()) => Ok(there.len()),
            _ => {
                self.file = append_to(&self.path)?;
                self.torn = false;
                Ok(self.file.metadata()?.len())
            }
        }
    }

    /// Renames the file to number 1, number 1 to number 2, and so on. Overwrites the oldest.
    fn rotate(&mut self) -> io::Result<()> {
        let free = (1..self.backups).find(|number| !self.numbered(*number).exists());
        for number in (1..free.unwrap_or(self.backups)).rev() {
            fs::rename(self.numbered(number), self.numbered(number + 1))?;
        }
        fs::rename(&self.path, self.numbered(1))?;
        self.file = append_to(&self.path)?;
        self.torn = false;
        Ok(())
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(format!(".{number}"));
        path.into()
    }

    fn write_whole(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.file.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    bytes = &bytes[written..];
                    self.torn = !bytes.is_empty();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Sink for LogFile {
    fn write(&mut self, line: &str) -> io::Result<()> {
        let size = self.follow()?;
        let full = self.max_bytes.is_some_and(|max| size + line.len() as u64 >= max);
        if full && size > 0 && self.backups > 0 {
            // If the directory does not permit it, the file grows, which is better than to lose the line.
            let _ = self.rotate();
        }
        if self.torn {
            self.write_whole(b"\n")?;
        }
        self.write_whole(line.as_bytes())
    }
}

/// Returns why the existing file at `path` cannot be rotated: its directory does not permit new names.
pub(super) fn cannot_rotate(path: &Path) -> Option<io::Error> {
    if !path.is_file() {
        return None;
    }
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    let trial = directory.unwrap_or(Path::new(".")).join(format!(".{}", Uuid::new_v4().simple()));
    let made = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&trial);
    made.and_then(|_| fs::remove_file(&trial)).err()
}

fn append_to(path: &Path) -> io::Result<File> {
    own_file::open(OpenOptions::new().append(true).create(true).mode(MODE), path)
}
