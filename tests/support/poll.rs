//! Waits for what nothing signals: a file that a process writes, a port, a page over HTTP.

use std::time::Duration;

use tokio::time::{Instant, interval};

use super::deployment::SOON;

/// Looks every 20 ms until `look` returns a value. Fails after [`SOON`] with the last reason that it returned instead.
pub(crate) async fn poll<T>(mut look: impl AsyncFnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + SOON;
    let mut looks = interval(Duration::from_millis(20));
    loop {
        looks.tick().await;
        match look().await {
            Ok(found) => return found,
            Err(reason) => assert!(Instant::now() < deadline, "{reason}"),
        }
    }
}
