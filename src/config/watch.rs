//! Watches `app.config` and the files that it names for changes.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// The interval of the checks. App Host's own watcher takes a minute.
const EVERY: Duration = Duration::from_secs(5);

/// The contents of some files; `None` for a file that cannot be read. Only contents count: Kubernetes swaps a symbolic
/// link, and editors replace the file.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Contents(BTreeMap<PathBuf, Option<Vec<u8>>>);

impl Contents {
    /// Reads `files`.
    pub async fn of(files: impl IntoIterator<Item = PathBuf>) -> Self {
        let mut contents = BTreeMap::new();
        for file in files {
            let content = tokio::fs::read(&file).await.ok();
            contents.insert(file, content);
        }
        Self(contents)
    }

    /// The paths of the files.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(PathBuf::as_path)
    }

    /// The contents of only those of `files` that are known.
    #[must_use]
    pub fn about<'a>(&self, files: impl IntoIterator<Item = &'a Path>) -> Self {
        let known = |file: &Path| Some((file.to_owned(), self.0.get(file)?.clone()));
        Self(files.into_iter().filter_map(known).collect())
    }

    /// Reads the same files again. A missing file keeps its content, since it is probably being replaced.
    async fn now(&self) -> Self {
        let Self(mut now) = Self::of(self.0.keys().cloned()).await;
        for (file, content) in &mut now {
            if content.is_none() {
                *content = self.0.get(file).cloned().flatten();
            }
        }
        Self(now)
    }
}

impl fmt::Debug for Contents {
    /// Shows the paths only, since the contents hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Polls files for changes.
#[derive(Debug)]
pub struct Watch {
    known: Contents,
    /// Changed contents that were seen once.
    seen: Option<Contents>,
    looks: Interval,
}

impl Watch {
    /// Watches for contents that differ from `known`. Must be called within a tokio runtime.
    pub fn new(known: Contents) -> Self {
        let mut looks = interval_at(Instant::now() + EVERY, EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { known, seen: None, looks }
    }

    /// The contents after the last change.
    pub fn known(&self) -> &Contents {
        &self.known
    }

    /// Returns when the contents have changed and are equal in two checks in a row, so that a half-written file is not
    /// used. Those contents are then the known ones. Cancel safe.
    pub async fn changed(&mut self) {
        loop {
            self.looks.tick().await;
            let now = Some(self.known.now().await).filter(|now| *now != self.known);
            if now == self.seen
                && let Some(now) = now
            {
                self.known = now;
                self.seen = None;
                return;
            }
            self.seen = now;
        }
    }
}
