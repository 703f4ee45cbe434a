//! What waits for the trail's writer: intents, which are refused when they wait too long, and lines about what has
//! happened, which are kept until they are written.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::oneshot;
use tracing::{error, info};
use uuid::Uuid;

use super::entry::{Entry, IntentId, Proposal};
use super::{AuditError, LIMIT};
use crate::config::AuditSettings;

/// The delay between two attempts after a failure.
const RETRY_DELAY: Duration = Duration::from_secs(2);
/// How long the intent of a deletion waits for others that can share its line. A request to Graph takes far longer.
const GATHER: Duration = Duration::from_millis(2);
/// The largest number of waiting lines. Further ones are in the log only, and a line with their number replaces them.
const MAX_LINES: usize = 10_000;
/// The largest size of all waiting lines together.
const MAX_BYTES: usize = 64 << 20;
/// The largest number of waiting intents. Further ones are refused at once.
const MAX_PROPOSALS: usize = 4096;

/// Why a line is not written in time.
pub(super) const NO_ANSWER: &str = "its file system does not answer";

/// Waits for an answer of the writer.
pub(super) type Answer<T> = oneshot::Receiver<Result<T, AuditError>>;

/// An intent that waits to be written.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) proposal: Proposal,
    pub(super) answer: oneshot::Sender<Result<Entry, AuditError>>,
}

/// What became of a proposal.
pub(super) enum Proposed {
    /// There is no file; the intent is in the log.
    InLog(Box<Entry>),
    /// The writer answers.
    Waits(Answer<Entry>),
}

/// What the writer does next.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) settings: AuditSettings,
    pub(super) lines: Vec<Arc<str>>,
    /// The number of lines that exceeded the limits.
    pub(super) left_out: usize,
    pub(super) proposals: Vec<Waiting>,
    pub(super) flushes: Vec<oneshot::Sender<Result<(), AuditError>>>,
}

/// The queue between the calls and the writer. Its lock is never held while a file is used.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    /// The part of an intent's name that no other trail has.
    run: String,
}

#[derive(Debug, Default)]
struct State {
    settings: AuditSettings,
    /// Which writer is in charge.
    writer: u64,
    is_started: bool,
    /// The first `in_hand` of the lines are being written.
    lines: VecDeque<Arc<str>>,
    bytes: usize,
    in_hand: usize,
    /// The number of lines that exceeded the limits.
    left_out: usize,
    proposals: VecDeque<Waiting>,
    flushes: Vec<oneshot::Sender<Result<(), AuditError>>>,
    /// Since when the writer has been busy, and with which file.
    busy: Option<(Instant, PathBuf)>,
    /// Why the last attempt to write failed.
    failure: Option<AuditError>,
    /// Whether a hanging file system was reported.
    is_hang_reported: bool,
    is_closed: bool,
    intents: u64,
}

impl Queue {
    pub(super) fn new(settings: AuditSettings) -> Self {
        let mut run = Uuid::new_v4().simple().to_string();
        run.truncate(12);
        Self { state: Mutex::new(State { settings, ..State::default() }), wake: Condvar::new(), run }
    }

    /// Queues the intent of an act. Refuses it at once if the file system hangs, or too many wait.
    pub(super) fn propose(&self, proposal: Proposal) -> Result<Proposed, AuditError> {
        let mut state = self.state.lock();
        let Some(path) = state.settings.file.clone() else {
            let intent = self.name(&mut state);
            drop(state);
            let entry = proposal.written(intent);
            entry.log_intent();
            return Ok(Proposed::InLog(Box::new(entry)));
        };
        state.replace_hanging_writer();
        if state.hangs() {
            return Err(AuditError::new(&path, &NO_ANSWER));
        }
        if state.proposals.len() >= MAX_PROPOSALS {
            return Err(AuditError::new(&path, &"too many changes wait for it"));
        }
        let (answer, written) = oneshot::channel();
        state.proposals.push_back(Waiting { proposal, answer });
        self.wake.notify_all();
        Ok(Proposed::Waits(written))
    }

    /// Names an intent.
    pub(super) fn intent(&self) -> IntentId {
        self.name(&mut self.state.lock())
    }

    fn name(&self, state: &mut State) -> IntentId {
        state.intents += 1;
        format!("{}-{}", self.run, state.intents).into()
    }

    /// Queues a line; `false` if there is no file.
    pub(super) fn put(&self, line: String) -> bool {
        let mut state = self.state.lock();
        if state.settings.file.is_none() {
            return false;
        }
        if state.lines.len() < MAX_LINES && state.bytes + line.len() <= MAX_BYTES {
            state.bytes += line.len();
            state.lines.push_back(line.into());
        } else {
            state.left_out += 1;
        }
        self.wake.notify_all();
        true
    }

    /// Returns what completes when every line of now is written; `None` if none waits.
    pub(super) fn flush(&self) -> Option<Answer<()>> {
        let mut state = self.state.lock();
        if state.settings.file.is_none() || state.waiting() == 0 {
            return None;
        }
        let (answer, flushed) = oneshot::channel();
        state.flushes.push(answer);
        self.wake.notify_all();
        Some(flushed)
    }

    /// Continues elsewhere. Another writer takes over from one that hangs.
    pub(super) fn move_to(&self, settings: AuditSettings) {
        let mut state = self.state.lock();
        if settings.file.is_none() {
            (state.lines, state.bytes, state.in_hand, state.left_out) = (VecDeque::new(), 0, 0, 0);
        }
        state.settings = settings;
        state.failure = None;
        state.replace_hanging_writer();
        self.wake.notify_all();
    }

    /// Lets the writer end once it has tried to write what waits.
    pub(super) fn close(&self) {
        self.state.lock().is_closed = true;
        self.wake.notify_all();
    }

    pub(super) fn waiting(&self) -> usize {
        self.state.lock().waiting()
    }

    pub(super) fn is_failing(&self) -> bool {
        let state = self.state.lock();
        state.failure.is_some() || state.hangs()
    }

    /// Returns why an answer of the writer did not come, and reports it once.
    pub(super) fn unanswered(&self) -> AuditError {
        let mut state = self.state.lock();
        let failure = AuditError::new(state.path(), &NO_ANSWER);
        if !std::mem::replace(&mut state.is_hang_reported, true) {
            report_failure(&failure);
        }
        failure
    }

    /// Returns the number of the writer that is to be started, if none is in charge.
    pub(super) fn start_writer(&self) -> Option<u64> {
        let mut state = self.state.lock();
        state.replace_hanging_writer();
        let is_missing = state.settings.file.is_some() && !std::mem::replace(&mut state.is_started, true);
        is_missing.then_some(state.writer)
    }

    /// Notes that no writer could be started.
    pub(super) fn not_started(&self, reason: &std::io::Error) {
        let mut state = self.state.lock();
        state.is_started = false;
        let failure = AuditError::new(state.path(), &format!("no thread can be started: {reason}"));
        for Waiting { answer, .. } in state.proposals.drain(..) {
            let _ = answer.send(Err(failure.clone()));
        }
    }

    /// Waits for work for the given writer; `None` ends the writer.
    pub(super) fn next_job(&self, writer: u64) -> Option<Job> {
        let mut state = self.state.lock();
        let retry_at = Instant::now() + RETRY_DELAY;
        loop {
            if state.writer != writer || (state.is_closed && state.failure.is_some()) {
                return None;
            }
            let is_asked = !state.proposals.is_empty() || !state.flushes.is_empty();
            let is_due = match state.failure {
                None => state.waiting() > 0,
                Some(_) => Instant::now() >= retry_at,
            };
            if is_asked || is_due {
                break;
            }
            if state.is_closed {
                return None;
            }
            if state.failure.is_some() {
                self.wake.wait_until(&mut state, retry_at);
            } else {
                self.wake.wait(&mut state);
            }
        }
        if state.proposals.front().is_some_and(|first| first.proposal.may_share_line()) {
            MutexGuard::unlocked(&mut state, || thread::sleep(GATHER));
        }
        state.in_hand = state.lines.len();
        state.busy = Some((Instant::now(), state.path().to_owned()));
        Some(Job {
            settings: state.settings.clone(),
            lines: state.lines.iter().cloned().collect(),
            left_out: state.left_out,
            proposals: state.proposals.drain(..).collect(),
            flushes: std::mem::take(&mut state.flushes),
        })
    }

    /// Notes what the given writer has written: the first `written` lines of its job, and a line for `left_out` ones.
    /// `failure` is why not all.
    pub(super) fn finish_job(
        &self,
        writer: u64,
        (written, left_out): (usize, usize),
        failure: Option<&AuditError>,
    ) {
        let mut state = self.state.lock();
        if state.writer != writer {
            return;
        }
        let written = written.min(state.in_hand);
        let bytes: usize = state.lines.drain(..written).map(|line| line.len()).sum();
        state.bytes -= bytes;
        state.left_out -= left_out;
        (state.in_hand, state.busy) = (0, None);
        let was_failing = state.failure.is_some();
        state.failure = failure.cloned();
        let was_hanging = std::mem::take(&mut state.is_hang_reported);
        match failure {
            Some(failure) if !was_failing && !was_hanging => report_failure(failure),
            None if was_failing || was_hanging => {
                info!("the audit trail can be written again; every line that waited is in it");
            }
            _ => {}
        }
    }
}

impl State {
    fn waiting(&self) -> usize {
        self.lines.len() + self.left_out
    }

    fn hangs(&self) -> bool {
        self.busy.as_ref().is_some_and(|(since, _)| since.elapsed() >= LIMIT)
    }

    /// Puts no writer in charge, where the one in charge hangs in a file that the trail has left. What it has in hand
    /// is written again.
    fn replace_hanging_writer(&mut self) {
        let has_left = self.busy.as_ref().is_some_and(|(_, path)| Some(path) != self.settings.file.as_ref());
        if has_left && self.hangs() {
            self.writer += 1;
            (self.is_started, self.is_hang_reported) = (false, false);
            (self.in_hand, self.busy) = (0, None);
        }
    }

    fn path(&self) -> &Path {
        self.settings.file.as_deref().unwrap_or(Path::new(""))
    }
}

fn report_failure(failure: &AuditError) {
    error!(
        "the audit trail cannot be written; nothing is changed until it can. Its lines are kept until then: {failure}"
    );
}
