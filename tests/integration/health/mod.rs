//! Promise: HTTP clients see whether the daemon is alive and ready and what it has done, and cannot overload it.
#![allow(clippy::float_cmp, clippy::cast_precision_loss)] // what is counted is whole, and not that much

mod counts;
mod listening;
mod monitoring;
mod states;
pub(crate) mod watcher;

use crate::support::deployment::{Daemon, Deployment};
use watcher::Watcher;

/// A port that is free.
const LISTEN: (&str, &str) = ("health_listen", "127.0.0.1:0");

/// A daemon that is watched.
pub(crate) async fn watched(deployment: &Deployment, app: &[(&str, &str)]) -> (Daemon, Watcher) {
    let mut daemon = deployment.spawn(&deployment.app_config(&[], &[&[LISTEN], app].concat()));
    let watcher = Watcher::of(&mut daemon, 1).await;
    (daemon, watcher)
}
