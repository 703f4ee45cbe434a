//! The log: one line per event, to stderr and to `logdir/logfile`, in the format that SOAR's administrators know.
//!
//! Separate threads write the lines, so that a slow disk or a blocked reader of stderr does not delay calls. Events of
//! libraries are written only from warnings up, since details may contain secrets.

mod file;
mod line;
mod look;
mod writer;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use indicatif::ProgressBar;
use parking_lot::Mutex;
use tracing::field::Visit;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, reload};

use self::file::LogFile;
use self::line::{Fields, Line};
use self::look::Form;
pub use self::look::Look;
use self::writer::{Stderr, Writer};
use crate::config::{LogFormat, LogLevel, LogSettings};

/// Formats a line of the log, for property tests.
#[doc(hidden)]
pub fn line_of(format: LogFormat, message: &str, value: &str) -> String {
    Line::new(Level::INFO, AUDIT, Fields::of(message, "value", value))
        .written(Form { format, look: Look::Plain })
        .to_string()
}

/// The target of events that record changes of mailboxes. They are written at every level.
const AUDIT: &str = "audit";

/// Why logging cannot start.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// `logdir` does not exist.
    #[error(
        "the log directory {} (logdir, or APP_LOG_DIR) does not exist; create it, or leave logfile= empty to log to \
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
    /// A thread cannot be started.
    #[error("cannot start writing the log: {0}")]
    Thread(io::Error),
}

/// The running log. Dropping it writes the queued lines, for a limited time.
#[must_use = "the log ends with it"]
pub struct Log {
    writers: Writers,
    output: Arc<Mutex<Output>>,
    wanted: reload::Handle<Wanted, Registry>,
    /// The look of lines on stderr.
    look: Look,
}

/// Other settings of the log, ready to be put in place by [`Log::replace`].
#[must_use = "its writers wait for those that they are to replace"]
pub struct LogChange {
    successors: Writers,
    level: LogLevel,
}

/// Which events are written.
type Wanted = FilterFn<Box<dyn Fn(&Metadata<'_>) -> bool + Send + Sync>>;

/// Returns why the existing log file cannot be rotated although it should be, so that it grows without limit.
pub fn cannot_rotate(settings: &LogSettings) -> Option<io::Error> {
    let is_rotated = settings.max_bytes.is_some() && settings.backup_count > 0;
    settings.path().filter(|_| is_rotated).and_then(|path| file::cannot_rotate(&path))
}

/// The writers of the lines. The file's is dropped first, since its failures are reported on stderr.
struct Writers {
    file: Option<Writer>,
    stderr: Writer,
}

impl Log {
    /// Starts the log of the daemon: to stderr, and to the file if there is one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn start(settings: &LogSettings, look: Look) -> Result<Self, LogError> {
        let writers = Writers::start(settings, look, None)?;
        Ok(Self::of(writers, look, wanted(settings.level, settings.level.min(LogLevel::Info))))
    }

    /// Starts the log of a command, to stderr only: events from `level` up, and the record of changes. The progress bar
    /// makes room for each line.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn of_command(level: LogLevel, look: Look, bar: Option<ProgressBar>) -> Result<Self, LogError> {
        let form = Form { format: LogFormat::Text, look };
        let stderr = Writer::start("log to stderr", Stderr { bar }, form, None, None)?;
        let wanted = wanted(level, level.min(LogLevel::Info));
        Ok(Self::of(Writers { file: None, stderr }, look, wanted))
    }

    /// Opens the files and starts the threads for other settings. Nothing is written before [`Self::replace`].
    ///
    /// # Errors
    /// The file cannot be written; the log continues as before.
    pub fn prepare(&self, settings: &LogSettings) -> Result<LogChange, LogError> {
        let successors = Writers::start(settings, self.look, Some(&self.writers))?;
        Ok(LogChange { successors, level: settings.level })
    }

    /// Logs with the prepared settings from now on. No line is lost, and the order of lines is kept.
    pub fn replace(&mut self, change: LogChange) {
        let LogChange { successors, level } = change;
        {
            let mut output = self.output.lock();
            *output = Output { queues: successors.queues() };
        }
        let former = std::mem::replace(&mut self.writers, successors);
        // Dropping waits for what the former writers still write. Without a thread for that, the caller waits.
        let _ = thread::Builder::new().name("end of a log".to_owned()).spawn(move || drop(former));
        // Fails only if a test has set up a log of its own.
        let _ = self.wanted.reload(wanted(level, level.min(LogLevel::Info)));
    }

    fn of(writers: Writers, look: Look, wanted: Wanted) -> Self {
        let output = Arc::new(Mutex::new(Output { queues: writers.queues() }));
        let (filter, handle) = reload::Layer::new(wanted);
        let lines = Lines { output: Arc::clone(&output) };
        // It fails only where a test has set up a log of its own.
        let _ = tracing_subscriber::registry().with(lines.with_filter(filter)).try_init();
        std::panic::set_hook(Box::new(note_panic));
        Self { writers, output, wanted: handle, look }
    }
}

impl Writers {
    /// Starts the writers. They begin after the queues of `predecessors` are written.
    fn start(settings: &LogSettings, look: Look, predecessors: Option<&Self>) -> Result<Self, LogError> {
        let file = match settings.path() {
            Some(path) => Some(LogFile::open(path, settings.max_bytes, settings.backup_count)?),
            None => None,
        };
        let before = predecessors.map(|writers| &writers.stderr);
        let stderr = Writer::start(
            "log to stderr",
            Stderr::default(),
            Form { format: settings.format, look },
            None,
            before,
        )?;
        let before = predecessors.and_then(|writers| writers.file.as_ref());
        let form = Form { format: settings.format, look: Look::Plain };
        let start = |file| Writer::start("log to file", file, form, Some(&stderr), before);
        Ok(Self { file: file.map(start).transpose()?, stderr })
    }

    fn queues(&self) -> Vec<writer::Queue> {
        [&self.stderr].into_iter().chain(&self.file).map(Writer::queue).collect()
    }
}

fn wanted(level: LogLevel, audit: LogLevel) -> Wanted {
    let (level, audit) = (tracing_level(level), tracing_level(audit));
    FilterFn::new(Box::new(move |metadata: &Metadata<'_>| is_wanted(metadata, level, audit)))
}

/// Logs the location of a panic, but not its message, which may quote mail.
fn note_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    tracing::error!(location, "internal error (panic)");
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
    let ours = line::is_own(target);
    if metadata.is_span() {
        // Spans name the call to which an event belongs.
        return ours;
    }
    let level = match target {
        AUDIT => audit,
        _ if ours => level,
        _ => level.min(Level::WARN),
    };
    *metadata.level() <= level
}

/// A layer that formats events as lines.
struct Lines {
    output: Arc<Mutex<Output>>,
}

/// The queues of the writers.
struct Output {
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
        // Locked until every queue has the line, so that the order is the same in all.
        let output = self.output.lock();
        let mut written: Option<(Form, Arc<str>)> = None;
        for queue in &output.queues {
            let same = written.take().filter(|(form, _)| *form == queue.form());
            let (form, text) = same.unwrap_or_else(|| (queue.form(), line.written(queue.form())));
            queue.push(Arc::clone(&text));
            written = Some((form, text));
        }
    }
}
