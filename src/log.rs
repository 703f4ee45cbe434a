//! The log: one line an event, to stderr, in the form SOAR's administrators know.
//!
//! Only this program's own events are written below warnings: a library's may hold what must not be in a log.

use std::io::{IsTerminal, stderr};

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::time::ChronoLocal;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::config::LogLevel;

/// Starts logging. A second call changes nothing.
pub fn start(level: LogLevel) {
    let level = match level {
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Info => Level::INFO,
        LogLevel::Warning => Level::WARN,
        LogLevel::Error | LogLevel::Critical => Level::ERROR,
    };
    let ours = Targets::new()
        .with_target(env!("CARGO_CRATE_NAME"), level)
        .with_target("audit", level.max(Level::INFO))
        .with_default(level.min(Level::WARN));
    let lines = fmt::layer()
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .with_timer(ChronoLocal::new("%Y-%m-%d %H:%M:%S,%3f".to_owned()))
        .with_filter(ours);
    // It fails only where a test has set up a log of its own.
    let _ = tracing_subscriber::registry().with(lines).try_init();
}
