//! The log: one line an event, to stderr and to `logdir/logfile`, in the form SOAR's administrators know.
//!
//! Events are made into lines where they happen and written by threads of their own, so that a slow disk or a
//! reader of stderr that has stopped holds up no call. Only this program's own events are written below
//! warnings: a library's may hold what must not be in a log.

mod file;
#[cfg(feature = "sandbox")]
pub(crate) mod fuzzing;
mod line;
mod writer;

use std::io;
use std::path::PathBuf;

use tracing::field::Visit;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use self::file::LogFile;
use self::line::{Fields, Line};
use self::writer::{Stderr, Writer};
use crate::config::{LogFormat, LogLevel, LogSettings};

/// The target of events that put on record what was done to somebody's mail; they are written at every level.
const AUDIT: &str = "audit";

/// Why logging cannot start.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// `logdir` is not there.
    #[error(
        "there is no log directory {} (logdir, or APP_LOG_DIR); create it, or leave logfile= empty to log to \
         stderr only",
        .0.display()
    )]
    NoDirectory(PathBuf),
    /// The file cannot be opened or created.
    #[error(
        "cannot write the log file {}: {reason}; make its directory (logdir, or APP_LOG_DIR) writable for this \
         program, or leave logfile= empty to log to stderr only",
        path.display()
    )]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// The system grants no thread.
    #[error("cannot start writing the log: {0}")]
    Thread(io::Error),
}

/// The running log. Dropping it writes what is waiting, as far as that can be done in moments.
#[derive(Debug)]
#[must_use = "the log ends with it"]
pub struct Log {
    _writers: Vec<Writer>,
}

impl Log {
    /// Logs as `[resilient]` configures it: to stderr, and to the file where there is one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn start(settings: &LogSettings) -> Result<Self, LogError> {
        let stderr = Writer::start("log to stderr", Stderr::default(), settings.format, None)?;
        let mut writers = vec![stderr];
        if let Some(path) = settings.path() {
            let file = LogFile::open(path, settings.max_bytes, settings.backup_count)?;
            writers.push(Writer::start("log to file", file, settings.format, Some(&writers[0]))?);
        }
        Ok(Self::of(writers, settings.level, settings.level.min(LogLevel::Info), settings.format))
    }

    /// Logs to stderr only, for a command that a person waits for: nothing that is below `level`, and each line
    /// in the place of a progress bar where `over_progress`.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn of_command(level: LogLevel, over_progress: bool) -> Result<Self, LogError> {
        let stderr = Writer::start("log to stderr", Stderr { over_progress }, LogFormat::Text, None)?;
        Ok(Self::of(vec![stderr], level, level, LogFormat::Text))
    }

    fn of(writers: Vec<Writer>, level: LogLevel, audit: LogLevel, format: LogFormat) -> Self {
        let lines = Lines { format, queues: writers.iter().map(Writer::queue).collect() };
        let (level, audit) = (tracing_level(level), tracing_level(audit));
        let wanted = FilterFn::new(move |metadata| is_wanted(metadata, level, audit));
        // It fails only where a test has set up a log of its own.
        let _ = tracing_subscriber::registry().with(lines.with_filter(wanted)).try_init();
        std::panic::set_hook(Box::new(note_panic));
        Self { _writers: writers }
    }
}

/// A panic's text may quote what was worked on, and that may be mail; the place tells whoever mends it enough.
fn note_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    tracing::error!(place, "an error in the program itself (panicked)");
}

fn tracing_level(level: LogLevel) -> Level {
    match level {
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Info => Level::INFO,
        LogLevel::Warning => Level::WARN,
        LogLevel::Error | LogLevel::Critical => Level::ERROR,
    }
}

fn is_wanted(metadata: &Metadata<'_>, level: Level, audit: Level) -> bool {
    let target = metadata.target();
    let ours = target.starts_with(env!("CARGO_CRATE_NAME"));
    if metadata.is_span() {
        // Whatever is logged within a call says which call it is.
        return ours;
    }
    let level = match target {
        AUDIT => audit,
        _ if ours => level,
        _ => level.min(Level::WARN),
    };
    *metadata.level() <= level
}

/// Makes lines of events.
struct Lines {
    format: LogFormat,
    queues: Vec<writer::Queue>,
}

impl<S> Layer<S> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields as &mut dyn Visit);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(of_span) = span.extensions().get::<Fields>() {
                fields.add(of_span);
            }
        }
        let line = Line::new(*event.metadata().level(), event.metadata().target(), fields);
        let text = line.written(self.format);
        for queue in &self.queues {
            queue.push(text.clone());
        }
    }
}
