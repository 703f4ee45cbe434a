//! The trail's file: only ever added to, and never rotated by this program. One that was moved away (logrotate) is
//! made anew.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::AuditError;

/// The owner writes, the group may read.
const MODE: u32 = 0o640;

#[derive(Debug)]
pub(super) struct TrailFile {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    file: Option<File>,
    /// A line was cut off by an error.
    torn: bool,
    /// Lines that could not be written yet: of acts that had begun when the file began to fail.
    waiting: VecDeque<String>,
}

impl TrailFile {
    /// The file at `path`, which is opened when it is needed.
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path, state: Mutex::default() }
    }

    /// Writes a line on which it depends whether the file can be used at all.
    pub(super) fn first(&self, line: String) -> Result<(), AuditError> {
        let mut state = self.lock();
        state.waiting.push_back(line);
        state.write_waiting(&self.path).map_err(|reason| self.error(reason))
    }

    /// Whether a line could be written now, as far as that can be known without writing one.
    pub(super) fn ready(&self) -> Result<(), AuditError> {
        self.lock().write_waiting(&self.path).map_err(|reason| self.error(reason))
    }

    /// Writes a line, or keeps it until it can be written; then returns why, where it is the first of those.
    pub(super) fn write(&self, line: String) -> Option<AuditError> {
        let mut state = self.lock();
        let failing = !state.waiting.is_empty();
        state.waiting.push_back(line);
        let written = state.write_waiting(&self.path);
        written.err().filter(|_| !failing).map(|reason| self.error(reason))
    }

    fn error(&self, reason: io::Error) -> AuditError {
        AuditError { path: self.path.clone(), reason }
    }

    /// A poisoned lock's content is whole: nothing in here panics half-way.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Writes what waits, in its order, to what is at `path`.
    fn write_waiting(&mut self, path: &Path) -> io::Result<()> {
        let file = follow(&mut self.file, &mut self.torn, path)?;
        while let Some(line) = self.waiting.front() {
            if self.torn {
                file.write_all(b"\n")?;
                self.torn = false;
            }
            // Others may write to the file as well, so a line is one write wherever the system lets it be.
            let line = line.as_bytes();
            let written = match file.write(line) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                written => written?,
            };
            if written < line.len() {
                self.torn = true;
                continue;
            }
            self.waiting.pop_front();
        }
        Ok(())
    }
}

/// Sees to it that `file` is what is at `path`.
fn follow<'f>(file: &'f mut Option<File>, torn: &mut bool, path: &Path) -> io::Result<&'f mut File> {
    if let Some(ours) = file {
        let ours = ours.metadata()?;
        match fs::metadata(path) {
            Ok(there) if (there.dev(), there.ino()) == (ours.dev(), ours.ino()) => {}
            _ => *file = None,
        }
    }
    if let Some(file) = file {
        Ok(file)
    } else {
        *torn = false;
        Ok(file.insert(append_to(path)?))
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(MODE).open(path)
}
