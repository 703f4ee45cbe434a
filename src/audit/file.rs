//! The trail's file. This program only appends to it and never rotates it. If the file is moved away (logrotate), a new
//! one is created.
//!
//! Lines that cannot be written wait and are retried: their acts are done and must get on record, even if no other act
//! follows.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use tracing::{error, info};

use super::AuditError;

/// The owner writes, the group may read.
const MODE: u32 = 0o640;
/// The delay between two attempts after a failure.
const RETRY_DELAY: Duration = Duration::from_secs(2);
/// The largest number of waiting lines. Further ones are in the log only, and a line with their number replaces them.
const MAX_WAITING: usize = 10_000;
/// The largest size of all waiting lines together.
const MAX_WAITING_BYTES: usize = 64 << 20;

#[derive(Debug)]
pub(super) struct TrailFile {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// `None` if everything is in the log only.
    path: Option<PathBuf>,
    file: Option<File>,
    /// Whether the file's last line was cut off.
    torn: bool,
    /// Lines that could not be written yet, of acts that had begun when the file began to fail.
    waiting: VecDeque<String>,
    /// The number of lines that exceeded the limits.
    left_out: usize,
    /// Whether the last attempt to write failed; a thread retries then.
    failing: bool,
}

impl TrailFile {
    /// Returns the file at `path`. It is opened when it is needed.
    pub(super) fn at(path: Option<PathBuf>) -> Self {
        Self { state: Mutex::new(State { path, ..State::default() }) }
    }

    /// Writes the first line, which shows whether the file can be used at all.
    pub(super) fn first(&self, line: String) -> Result<(), AuditError> {
        let mut state = self.lock();
        state.waiting.push_back(line);
        state.write_waiting().map_err(|reason| state.error(reason))
    }

    /// Checks whether a line could be written now, as far as that shows without writing one.
    pub(super) fn ready(self: &Arc<Self>) -> Result<(), AuditError> {
        self.try_to_write(&mut self.lock())
    }

    /// Writes a line, or keeps it until it can be written.
    pub(super) fn write(self: &Arc<Self>, line: String) {
        let mut state = self.lock();
        let bytes: usize = state.waiting.iter().map(String::len).sum();
        if state.waiting.len() < MAX_WAITING && bytes + line.len() <= MAX_WAITING_BYTES {
            state.waiting.push_back(line);
        } else {
            state.left_out += 1;
        }
        // A failure has been logged, and a thread retries.
        let _ = self.try_to_write(&mut state);
    }

    /// Continues in `path`, with the waiting lines.
    pub(super) fn move_to(self: &Arc<Self>, path: Option<PathBuf>) {
        let mut state = self.lock();
        *state = State {
            path,
            waiting: std::mem::take(&mut state.waiting),
            left_out: state.left_out,
            failing: state.failing,
            ..State::default()
        };
        let _ = self.try_to_write(&mut state);
    }

    /// The number of lines that are not in the file yet.
    pub(super) fn waiting(&self) -> usize {
        let state = self.lock();
        state.waiting.len() + state.left_out
    }

    /// Whether the last attempt to write failed.
    pub(super) fn is_failing(&self) -> bool {
        self.lock().failing
    }

    fn try_to_write(self: &Arc<Self>, state: &mut State) -> Result<(), AuditError> {
        let was_failing = state.failing;
        let written = state.write_waiting();
        state.failing = written.is_err();
        let failure = written.map_err(|reason| state.error(reason));
        match (&failure, was_failing) {
            (Err(failure), false) => {
                error!(
                    "the audit trail cannot be written; nothing is changed until it can. Its lines are kept until \
                     then: {failure}"
                );
                let trail = Arc::downgrade(self);
                // If no thread can be started, the next act retries.
                let _ = thread::Builder::new().name("audit trail".to_owned()).spawn(move || retry(&trail));
            }
            (Ok(()), true) if state.path.is_some() => {
                info!("the audit trail can be written again; every line that waited is in it");
            }
            _ => {}
        }
        failure
    }

    /// The state is consistent even if the lock is poisoned: no code here panics halfway.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Retries until the lines are written or the trail is dropped.
fn retry(trail: &Weak<TrailFile>) {
    loop {
        thread::sleep(RETRY_DELAY);
        let Some(trail) = trail.upgrade() else { return };
        let mut state = trail.lock();
        if !state.failing || trail.try_to_write(&mut state).is_ok() {
            return;
        }
    }
}

/// Checks whether the file at `path` can be opened for appending. Creates it if it does not exist.
pub(super) fn can_be_opened(path: &Path) -> Result<(), AuditError> {
    append_to(path).map(drop).map_err(|reason| AuditError { path: path.to_owned(), reason })
}

impl State {
    /// Writes the waiting lines in order.
    fn write_waiting(&mut self) -> io::Result<()> {
        let Some(path) = &self.path else {
            (self.waiting, self.left_out) = (VecDeque::new(), 0);
            return Ok(());
        };
        let file = follow(&mut self.file, &mut self.torn, path)?;
        loop {
            let Some(line) = self.waiting.front() else {
                let left_out = std::mem::take(&mut self.left_out);
                if left_out == 0 {
                    return Ok(());
                }
                self.waiting.push_back(super::json_line::of_left_out(left_out));
                continue;
            };
            if self.torn {
                file.write_all(b"\n")?;
                self.torn = false;
            }
            // Other processes may append to the same file, so each line is one write if the system permits it.
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
    }

    fn error(&self, reason: io::Error) -> AuditError {
        AuditError { path: self.path.clone().unwrap_or_default(), reason }
    }
}

/// Reopens the file if `path` names another one by now.
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
        let opened = append_to(path)?;
        *torn = is_torn(path);
        Ok(file.insert(opened))
    }
}

/// Whether the file's last line has no line end, because the disk was full or the machine stopped. If that cannot be
/// read, the line counts as complete.
fn is_torn(path: &Path) -> bool {
    // Opening a pipe for reading blocks until it has a writer, so only regular files are read.
    let is_file = fs::metadata(path).is_ok_and(|it| it.is_file() && it.len() > 0);
    let last = || {
        let mut last = [0];
        let mut file = File::open(path)?;
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        Ok::<_, io::Error>(last)
    };
    is_file && last().is_ok_and(|last| last != *b"\n")
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(MODE).open(path)
}
