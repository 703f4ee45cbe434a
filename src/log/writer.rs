//! Writes lines in a separate thread, from a bounded queue whose senders never wait.

use std::collections::VecDeque;
use std::io::{self, Write, stderr};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use indicatif::ProgressBar;
use parking_lot::{Condvar, Mutex};

use super::LogError;
use super::line::Line;
use super::look::Form;

/// The longest queue in lines. Further lines are dropped and counted.
const WAITING: usize = 20_000;
/// The longest queue in bytes.
const WAITING_BYTES: usize = 32 << 20;
/// How long the end of the program waits for queued lines.
const AT_END: Duration = Duration::from_secs(2);

/// A destination of lines.
pub(super) trait Sink: Send + 'static {
    /// Writes a line. A line that fails is lost.
    fn write(&mut self, line: &str) -> io::Result<()>;
}

/// Standard error.
#[derive(Debug, Default)]
pub(super) struct Stderr {
    /// A progress bar on the terminal's last line, which makes room for each line of the log.
    pub(super) bar: Option<ProgressBar>,
}

impl Sink for Stderr {
    fn write(&mut self, line: &str) -> io::Result<()> {
        let write = || stderr().lock().write_all(line.as_bytes());
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

/// Lines that wait to be written. Clones share the queue.
#[derive(Debug, Clone)]
pub(super) struct Queue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// The form of the lines.
    form: Form,
    state: Mutex<State>,
    change: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<Arc<str>>,
    /// The total size of the lines.
    bytes: usize,
    /// The number of lines that were dropped.
    lost: u64,
    /// No more lines are added.
    closed: bool,
    /// The thread has written all lines.
    ended: bool,
}

impl Queue {
    pub(super) fn form(&self) -> Form {
        self.0.form
    }

    /// Adds a line, or drops it if the queue is full.
    pub(super) fn push(&self, line: Arc<str>) {
        let mut state = self.0.state.lock();
        if state.lines.len() < WAITING && state.bytes + line.len() <= WAITING_BYTES {
            state.bytes += line.len();
            state.lines.push_back(line);
            drop(state);
            self.0.change.notify_all();
        } else {
            state.lost += 1;
        }
    }

    /// Waits for lines. Returns them and the number of lines dropped after them; `None` at the end.
    fn next(&self) -> Option<(VecDeque<Arc<str>>, u64)> {
        let mut state = self.0.state.lock();
        let is_idle = |state: &mut State| state.lines.is_empty() && !state.closed;
        self.0.change.wait_while(&mut state, is_idle);
        if state.lines.is_empty() {
            state.ended = true;
            drop(state);
            self.0.change.notify_all();
            return None;
        }
        state.bytes = 0;
        Some((std::mem::take(&mut state.lines), std::mem::take(&mut state.lost)))
    }

    /// Closes the queue, and waits for a limited time until its lines are written.
    fn close(&self) {
        self.0.state.lock().closed = true;
        self.0.change.notify_all();
        self.wait_for_end();
    }

    /// Waits for a limited time until all lines of the closed queue are written.
    fn wait_for_end(&self) {
        self.0.change.wait_while_for(&mut self.0.state.lock(), |state| !state.ended, AT_END);
    }
}

/// A thread that writes the lines of a queue to a sink. Dropping it writes the queued lines.
#[derive(Debug)]
pub(super) struct Writer(Queue);

impl Writer {
    /// Starts the thread. Reports to `complaints` when the sink begins to fail. Begins after the queue of `before`, the
    /// predecessor, is written.
    pub(super) fn start(
        name: &str,
        mut sink: impl Sink,
        form: Form,
        complaints: Option<&Writer>,
        before: Option<&Writer>,
    ) -> Result<Self, LogError> {
        let queue = Queue(Arc::new(Shared { form, state: Mutex::default(), change: Condvar::new() }));
        let complaints = complaints.map(Writer::queue);
        let (writing, before) = (queue.clone(), before.map(Writer::queue));
        let write_all = move || {
            if let Some(before) = before {
                before.wait_for_end();
            }
            let mut missing = Missing::default();
            while let Some((lines, lost)) = writing.next() {
                for line in lines {
                    missing.write(&mut sink, &line, form, complaints.as_ref());
                }
                missing.lines += lost;
            }
        };
        thread::Builder::new().name(name.to_owned()).spawn(write_all).map_err(LogError::Thread)?;
        Ok(Self(queue))
    }

    pub(super) fn queue(&self) -> Queue {
        self.0.clone()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Counts lines that could not be written, until a line can say so.
#[derive(Default)]
struct Missing {
    lines: u64,
    failing: bool,
}

impl Missing {
    fn write(&mut self, sink: &mut impl Sink, line: &str, form: Form, complaints: Option<&Queue>) {
        let mut written = Ok(());
        if self.lines > 0 {
            let gap = Line::of_log(format!("{} lines of the log could not be written here", self.lines));
            written = sink.write(&gap.written(form));
            if written.is_ok() {
                self.lines = 0;
            }
        }
        match written.and_then(|()| sink.write(line)) {
            Ok(()) => self.failing = false,
            Err(error) => {
                self.lines += 1;
                if !self.failing
                    && let Some(complaints) = complaints
                {
                    let complaint = Line::of_log(format!("the log file cannot be written: {error}"));
                    complaints.push(complaint.written(complaints.form()));
                }
                self.failing = true;
            }
        }
    }
}
