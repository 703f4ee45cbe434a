//! Promise: a changed `app.config` is noticed; a file that is being written or has the same content is not a change.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use fn_exchange_online::config::watch::{Contents, Watch};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Longer than the interval at which the file is read. Time is paused in these tests: it advances while all tasks wait.
const A_WHILE: Duration = Duration::from_secs(60);

/// A file, and who watches it.
async fn watched(text: &str) -> (TempDir, PathBuf, JoinHandle<()>) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("app.config");
    fs::write(&file, text).unwrap();
    let watching = file.clone();
    let mut watch = Watch::new(Contents::of([watching]).await);
    let noticed = tokio::spawn(async move { watch.changed().await });
    sleep(A_WHILE).await;
    (directory, file, noticed)
}

#[tokio::test(start_paused = true)]
async fn changed_content_is_noticed() {
    let (_directory, file, noticed) = watched("one").await;
    assert!(!noticed.is_finished(), "nothing has changed");
    fs::write(&file, "two").unwrap();
    noticed.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn changed_symbolic_link_is_noticed() {
    let (directory, file, noticed) = watched("one").await;
    let other = directory.path().join("..data");
    fs::write(&other, "two").unwrap();
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&other, &link).unwrap();
    fs::rename(&link, &file).unwrap();
    noticed.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn same_content_and_missing_file_are_ignored() {
    let (_directory, file, noticed) = watched("one").await;
    fs::remove_file(&file).unwrap();
    sleep(A_WHILE).await;
    fs::write(&file, "one").unwrap();
    sleep(A_WHILE).await;
    assert!(!noticed.is_finished());
}

#[tokio::test(start_paused = true)]
async fn partly_written_file_is_not_read() {
    let (_directory, file, noticed) = watched("").await;
    for written in 1..30 {
        fs::write(&file, "x".repeat(written)).unwrap();
        // No two looks in a row find the same.
        sleep(Duration::from_secs(3)).await;
        assert!(!noticed.is_finished(), "after {written} bytes");
    }
    noticed.await.unwrap();
}
