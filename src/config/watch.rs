//! Notices that a file which settings come from was changed: `app.config`, or one that it names.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// How often the files are looked at. App Host's own watcher takes a minute.
const EVERY: Duration = Duration::from_secs(5);

/// What is in some files; `None` for one that cannot be read. It is the content that counts: Kubernetes swaps a
/// symbolic link, and editors put a new file in the place of the old one.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Contents(BTreeMap<PathBuf, Option<Vec<u8>>>);

impl Contents {
    /// What is in `files` now.
    pub async fn of(files: impl IntoIterator<Item = PathBuf>) -> Self {
        let mut contents = BTreeMap::new();
        for file in files {
            let content = tokio::fs::read(&file).await.ok();
            contents.insert(file, content);
        }
        Self(contents)
    }

    /// Whose content it is.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(PathBuf::as_path)
    }

    /// The part that is about `files`.
    #[must_use]
    pub fn about<'a>(&self, files: impl IntoIterator<Item = &'a Path>) -> Self {
        let known = |file: &Path| Some((file.to_owned(), self.0.get(file)?.clone()));
        Self(files.into_iter().filter_map(known).collect())
    }

    /// The same files as they are now. One that is gone is as it was: it is on its way to be another.
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
    /// They hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Looks at files again and again.
#[derive(Debug)]
pub struct Watch {
    known: Contents,
    /// Another content, seen once.
    seen: Option<Contents>,
    looks: Interval,
}

impl Watch {
    /// Watches for anything else than `known`. Must be called within a tokio runtime.
    pub fn new(known: Contents) -> Self {
        let mut looks = interval_at(Instant::now() + EVERY, EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { known, seen: None, looks }
    }

    /// What was in the files when last they changed.
    pub fn known(&self) -> &Contents {
        &self.known
    }

    /// Comes back when something else is in the files than what is known, and the same twice in a row, so that a
    /// file that is being written is not read half-way. That is known from then on. May be dropped and called
    /// again.
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
