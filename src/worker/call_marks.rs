//! Which calls were in work when a process ended. A call that ends the process, for instance by its size, must not do
//! so with each delivery: the broker does not count deliveries for a STOMP client (ActiveMQ sends `redelivered` only).
//!
//! Each call in work has a hidden file, named after its message, next to the audit trail. It holds how many runs have
//! begun. The file is locked while the call is in work, and removed when the call is answered. A file that is not
//! locked is of a run that ended with its process: neither a broken connection nor another daemon with the same
//! directory leaves one. A run that leaves its call in the queue takes itself out of the count.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::{Condvar, Mutex};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::{debug, info, warn};
use uuid::Uuid;

use crate::own_file;

/// A mark this old is of a message that does not come back.
const OLD: Duration = Duration::from_secs(7 * 86_400);
/// A file system that takes longer does not hold up a call.
const PATIENCE: Duration = Duration::from_secs(2);
/// A file that another process removes between opening and locking is opened again, so many times.
const TRIES: usize = 3;

/// The marks of the calls in work, and of those that ended with their process.
#[derive(Debug, Clone)]
pub struct CallMarks {
    /// The audit trail's path, where marks can be kept.
    trail: Option<Arc<Path>>,
}

/// The mark of a call in work. Dropping it takes this run back; a process that is killed leaves it.
#[derive(Debug)]
pub(super) struct CallMark(Option<Mark>);

#[derive(Debug)]
struct Mark {
    path: PathBuf,
    /// Holds the lock.
    file: File,
    /// How many runs had ended with their process before this one.
    before: u32,
}

/// So many file operations at once. Those of a file system that hangs must not take all threads of the runtime.
static AT_ONCE: Semaphore = Semaphore::const_new(16);

impl CallMarks {
    /// Keeps no marks.
    pub fn none() -> Self {
        Self { trail: None }
    }

    /// Keeps marks next to the file of the audit trail, and removes old ones. Says in the log where that is not possible.
    pub fn next_to(audit_file: Option<&Path>) -> Self {
        let Some(audit_file) = audit_file else {
            info!(
                "deliveries of calls that end this process are not counted, because no audit trail is written to a file \
                 (audit_file): the marks of calls in work are kept next to it"
            );
            return Self::none();
        };
        match prepare(audit_file) {
            Ok(()) => Self { trail: Some(audit_file.into()) },
            Err(error) => {
                warn!(
                    audit_file = %audit_file.display(),
                    %error,
                    "deliveries of calls that end this process are not counted, because marks cannot be kept"
                );
                Self::none()
            }
        }
    }

    /// Whether marks are kept.
    pub(super) fn are_kept(&self) -> bool {
        self.trail.is_some()
    }

    /// Returns how many runs of the message's call ended with their process.
    pub(super) async fn interruptions(&self, message_id: &str) -> u32 {
        let Some(path) = self.path(message_id) else { return 0 };
        within_patience(move || interruptions(&path)).await.unwrap_or(0)
    }

    /// Marks the message's call as in work. Returns `None` where that is not possible, or where another living process
    /// has it in work.
    pub(super) async fn begin(&self, message_id: &str) -> Option<CallMark> {
        let path = self.path(message_id)?;
        within_patience(move || begin(path)).await?
    }

    fn path(&self, message_id: &str) -> Option<PathBuf> {
        let name = Uuid::new_v5(&Uuid::NAMESPACE_OID, message_id.as_bytes());
        let trail = self.trail.as_ref()?;
        Some(trail.with_file_name(mark_name(trail, &name.to_string())))
    }
}

impl CallMark {
    /// Removes the mark, because the call is answered.
    pub(super) async fn answered(mut self) {
        if let Some(mark) = self.0.take() {
            within_patience(move || fs::remove_file(&mark.path)).await;
        }
    }

    /// Takes this run back, because the call is left to another run. Earlier ones stay counted.
    pub(super) async fn left(mut self) {
        if let Some(mark) = self.0.take() {
            within_patience(move || mark.take_back()).await;
        }
    }
}

impl Drop for CallMark {
    fn drop(&mut self) {
        if let Some(mark) = self.0.take() {
            // A file system that hangs must not block a thread of the runtime.
            let leaving = Leaving::new();
            std::thread::spawn(move || {
                let _ = mark.take_back();
                drop(leaving);
            });
        }
    }
}

/// Marks that are being taken back on threads of their own.
static LEAVING: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

/// Counts a mark among [`LEAVING`] while it exists.
struct Leaving;

impl Leaving {
    fn new() -> Self {
        *LEAVING.0.lock() += 1;
        Self
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        *LEAVING.0.lock() -= 1;
        LEAVING.1.notify_all();
    }
}

/// Waits until the marks of calls that were cut short are taken back, at most for `limit`. The process ends after
/// that.
pub fn settle_marks(limit: Duration) {
    let mut leaving = LEAVING.0.lock();
    LEAVING.1.wait_while_for(&mut leaving, |leaving| *leaving > 0, limit);
}

impl Mark {
    fn take_back(mut self) -> io::Result<()> {
        if self.before == 0 {
            return fs::remove_file(&self.path);
        }
        self.write(self.before)
    }

    fn write(&mut self, begun: u32) -> io::Result<()> {
        self.file.rewind()?;
        writeln!(self.file, "{begun}")
    }
}

/// Runs file operations on a thread of their own; `None` where they fail or take too long.
async fn within_patience<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Option<T> {
    let permit = AT_ONCE.try_acquire().ok()?;
    let work = move || {
        let _permit = permit;
        work()
    };
    let done = timeout(PATIENCE, tokio::task::spawn_blocking(work)).await.ok()?.ok()?;
    done.inspect_err(|error| debug!(%error, "the mark of a call cannot be read or written")).ok()
}

/// The name of a mark next to the `trail`: hidden, so that what collects logs leaves it alone.
fn mark_name(trail: &Path, name: &str) -> OsString {
    let mut hidden = OsString::from(".");
    hidden.push(trail.file_name().unwrap_or_default());
    hidden.push(".call-");
    hidden.push(name);
    hidden
}

/// Checks that files can be made next to the `trail`, and removes old marks.
fn prepare(trail: &Path) -> io::Result<()> {
    let probe = trail.with_file_name(mark_name(trail, &format!("probe-{}", std::process::id())));
    let file = own_file::open(OpenOptions::new().write(true).create(true).mode(0o600), &probe)?;
    file.try_lock()?;
    fs::remove_file(&probe)?;
    let (prefix, now) = (mark_name(trail, ""), SystemTime::now());
    let is_mark = |name: &OsString| name.as_encoded_bytes().starts_with(prefix.as_encoded_bytes());
    let directory = trail.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for entry in fs::read_dir(directory)?.flatten().filter(|entry| is_mark(&entry.file_name())) {
        let changed = entry.metadata().and_then(|there| there.modified());
        let is_old = changed.is_ok_and(|changed| now.duration_since(changed).is_ok_and(|age| age > OLD));
        let is_in_work = || open(&entry.path()).is_ok_and(|file| file.try_lock().is_err());
        if is_old && !is_in_work() {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// Opens a mark. NFS locks only what may be written.
fn open(path: &Path) -> io::Result<File> {
    own_file::open(OpenOptions::new().read(true).write(true), path)
}

fn interruptions(path: &Path) -> io::Result<u32> {
    let mut file = match open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        opened => opened?,
    };
    let begun = read(&mut file)?;
    match file.try_lock() {
        Ok(()) => Ok(begun),
        // The last run that has begun goes on.
        Err(TryLockError::WouldBlock) => Ok(begun.saturating_sub(1)),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn begin(path: PathBuf) -> io::Result<Option<CallMark>> {
    for _ in 0..TRIES {
        let mut options = OpenOptions::new();
        let mut file = own_file::open(options.read(true).write(true).create(true).mode(0o600), &path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        if file.metadata()?.nlink() == 0 {
            continue;
        }
        let before = read(&mut file)?;
        let mut mark = Mark { path, file, before };
        mark.write(before.saturating_add(1))?;
        return Ok(Some(CallMark(Some(mark))));
    }
    Ok(None)
}

/// The number in the file; 0 where there is none.
fn read(file: &mut File) -> io::Result<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text)?;
    Ok(text.trim().parse().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(directory: &tempfile::TempDir) -> CallMarks {
        CallMarks::next_to(Some(&directory.path().join("audit.log")))
    }

    /// Leaves the mark as a process does that is killed. Returns its path.
    fn killed(mut mark: CallMark) -> PathBuf {
        mark.0.take().unwrap().path
    }

    #[tokio::test]
    async fn run_that_ends_leaves_no_mark() {
        let directory = tempfile::tempdir().unwrap();
        let marks = marks(&directory);
        marks.begin("m").await.unwrap().answered().await;
        marks.begin("m").await.unwrap().left().await;
        assert_eq!(marks.interruptions("m").await, 0);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn runs_that_end_with_process_are_counted() {
        let directory = tempfile::tempdir().unwrap();
        let marks = marks(&directory);
        for run in 1..=3 {
            killed(marks.begin("m").await.unwrap());
            assert_eq!(marks.interruptions("m").await, run);
        }
        assert_eq!(marks.interruptions("other").await, 0);
        marks.begin("m").await.unwrap().left().await;
        assert_eq!(marks.interruptions("m").await, 3, "a run that is left changes nothing");
        marks.begin("m").await.unwrap().answered().await;
        assert_eq!(marks.interruptions("m").await, 0);
    }

    #[tokio::test]
    async fn run_in_living_process_is_not_counted() {
        let directory = tempfile::tempdir().unwrap();
        let marks = marks(&directory);
        let mark = marks.begin("m").await.unwrap();
        assert_eq!(marks.interruptions("m").await, 0);
        assert!(marks.begin("m").await.is_none());
        drop(mark);
    }

    #[tokio::test]
    async fn old_mark_is_removed_at_start() {
        let directory = tempfile::tempdir().unwrap();
        let marks = marks(&directory);
        for (id, age) in [("old", OLD * 2), ("new", Duration::ZERO)] {
            let path = killed(marks.begin(id).await.unwrap());
            let file = OpenOptions::new().write(true).open(path).unwrap();
            file.set_modified(SystemTime::now() - age).unwrap();
        }
        let again = self::marks(&directory);
        assert_eq!((again.interruptions("new").await, again.interruptions("old").await), (1, 0));
    }
}
