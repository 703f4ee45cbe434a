//! Notices that `app.config` was changed.

use std::path::Path;
use std::time::Duration;

/// How often the file is looked at. App Host's own watcher takes a minute.
const EVERY: Duration = Duration::from_secs(5);

/// Comes back when the content of `file` has changed and is the same twice in a row, so that a file that is
/// being written is not read half-way. It reads the content, since that is what counts: Kubernetes swaps a
/// symbolic link, and editors put a new file in the place of the old one.
pub async fn changed(file: &Path) {
    let known = tokio::fs::read(file).await.ok();
    let mut seen = None;
    loop {
        tokio::time::sleep(EVERY).await;
        let now = tokio::fs::read(file).await.ok().filter(|content| Some(content) != known.as_ref());
        if now.is_some() && now == seen {
            return;
        }
        seen = now;
    }
}
