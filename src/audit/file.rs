//! The trail's file: only ever added to, and never rotated by this program. One that was moved away (logrotate) is
//! made anew.
//!
//! What cannot be written waits, and is tried again until it can be: an act whose line waits is done and must get on
//! record, also where no other act follows.

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
/// How long after a failure it is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(2);
/// More lines do not wait; they are in the log only, and how many they are is written in their place.
const MOST_WAITING: usize = 10_000;
/// Nor do more bytes of them.
const MOST_BYTES_WAITING: usize = 64 << 20;

#[derive(Debug)]
pub(super) struct TrailFile {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Where it is; `None` where everything is in the log only.
    path: Option<PathBuf>,
    file: Option<File>,
    /// The file's last line was cut off.
    torn: bool,
    /// Lines that could not be written yet: of acts that had begun when the file began to fail.
    waiting: VecDeque<String>,
    /// Lines that found no room to wait.
    left_out: usize,
    /// It could not be written, and is tried again.
    failing: bool,
}

impl TrailFile {
    /// The file at `path`, which is opened when it is needed.
    pub(super) fn at(path: Option<PathBuf>) -> Self {
        Self { state: Mutex::new(State { path, ..State::default() }) }
    }

    /// Writes a line on which it depends whether the file can be used at all.
    pub(super) fn first(&self, line: String) -> Result<(), AuditError> {
        let mut state = self.lock();
        state.waiting.push_back(line);
        state.write_waiting().map_err(|reason| state.error(reason))
    }

    /// Whether a line could be written now, as far as that can be known without writing one.
    pub(super) fn ready(self: &Arc<Self>) -> Result<(), AuditError> {
        self.try_to_write(&mut self.lock())
    }

    /// Writes a line, or keeps it until it can be written.
    pub(super) fn write(self: &Arc<Self>, line: String) {
        let mut state = self.lock();
        let bytes: usize = state.waiting.iter().map(String::len).sum();
        if state.waiting.len() < MOST_WAITING && bytes + line.len() <= MOST_BYTES_WAITING {
            state.waiting.push_back(line);
        } else {
            state.left_out += 1;
        }
        // It has been told, and is tried again.
        let _ = self.try_to_write(&mut state);
    }

    /// Goes on in `path`, and takes along what waits.
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

    /// Lines that wait, and those that found no room to.
    pub(super) fn waiting(&self) -> usize {
        let state = self.lock();
        state.waiting.len() + state.left_out
    }

    /// Whether it could not be written when that was last tried.
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
                // Where there is no thread for it, the next act tries it.
                let _ =
                    thread::Builder::new().name("audit trail".to_owned()).spawn(move || try_again(&trail));
            }
            (Ok(()), true) if state.path.is_some() => {
                info!("the audit trail can be written again; every line that waited is in it");
            }
            _ => {}
        }
        failure
    }

    /// A poisoned lock's content is whole: nothing in here panics half-way.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tries until it can be written, or the trail has ended.
fn try_again(trail: &Weak<TrailFile>) {
    loop {
        thread::sleep(AGAIN_AFTER);
        let Some(trail) = trail.upgrade() else { return };
        let mut state = trail.lock();
        if !state.failing || trail.try_to_write(&mut state).is_ok() {
            return;
        }
    }
}

/// Whether the file at `path` can be opened to add to it; it is made where there is none.
pub(super) fn can_be_opened(path: &Path) -> Result<(), AuditError> {
    append_to(path).map(drop).map_err(|reason| AuditError { path: path.to_owned(), reason })
}

impl State {
    /// Writes what waits, in its order, to what is at its path.
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
                self.waiting.push_back(super::left_out(left_out));
                continue;
            };
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
    }

    fn error(&self, reason: io::Error) -> AuditError {
        AuditError { path: self.path.clone().unwrap_or_default(), reason }
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
        let opened = append_to(path)?;
        *torn = is_torn(path);
        Ok(file.insert(opened))
    }
}

/// Whether the last line of the file has no end, because the disk was full or the machine stopped. Where that cannot be
/// read, it counts as whole.
fn is_torn(path: &Path) -> bool {
    // Something else than a file, such as a pipe, may have nobody who writes to it, and would be waited for.
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
