//! The thread that writes the trail. Only this thread uses the file, so a file system that hangs delays no call, no
//! heart-beat and no answer about health.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use tokio::sync::oneshot;

use super::entry::{Entry, Proposal};
use super::file::TrailFile;
use super::queue::{Job, Queue, Waiting};
use super::{AuditError, json_line};
use crate::config::AuditSettings;

/// The largest number of intents in one line.
const MAX_BATCH: usize = 100;

/// Starts the writer, unless one is in charge.
pub(super) fn ensure(queue: &Arc<Queue>) {
    let Some(number) = queue.start_writer() else { return };
    let started = thread::Builder::new().name("audit trail".to_owned()).spawn({
        let queue = Arc::clone(queue);
        move || run(&queue, number)
    });
    if let Err(reason) = started {
        queue.not_started(&reason);
    }
}

fn run(queue: &Queue, number: u64) {
    let mut file = TrailFile::default();
    while let Some(job) = queue.next_job(number) {
        file.move_to(file_path(&job.settings));
        do_job(queue, number, &mut file, job);
    }
}

/// Writes lines and intents, in this order, and answers.
fn do_job(queue: &Queue, number: u64, file: &mut TrailFile, job: Job) {
    let Job { settings, lines, mut left_out, proposals, flushes } = job;
    let fail = |reason: io::Error| AuditError::new(file_path(&settings), &reason);
    let written = file.append(lines.iter().map(|line| &**line));
    let mut failure = written.result.map_err(fail).err();
    if left_out > 0 && failure.is_none() {
        failure = file.append([&*json_line::of_left_out(left_out)]).result.map_err(fail).err();
    }
    if failure.is_some() {
        left_out = 0;
    }
    let mut entries = Vec::new();
    let mut refused = Vec::new();
    for (batch, answers) in batches(proposals) {
        if failure.is_none() {
            let intent = queue.intent();
            let line = intent_line(&intent, &batch);
            match file.append([&*line]).result {
                Ok(()) => {
                    let written = batch.into_iter().map(|proposal| proposal.written(Arc::clone(&intent)));
                    entries.extend(written.zip(answers));
                    continue;
                }
                Err(reason) => failure = Some(fail(reason)),
            }
        }
        refused.extend(answers);
    }
    if failure.is_none() && settings.fsync {
        failure = file.sync().map_err(fail).err();
    }
    queue.finish_job(number, (written.lines, left_out), failure.as_ref());
    // An entry that is not taken is dropped here, which puts on record that its act did not begin.
    for (entry, answer) in entries {
        let _ = answer.send(failure.clone().map_or(Ok(entry), Err));
    }
    if let Some(failure) = &failure {
        for answer in refused {
            let _ = answer.send(Err(failure.clone()));
        }
    }
    for answer in flushes {
        let _ = answer.send(failure.clone().map_or(Ok(()), Err));
    }
}

/// The line for acts that share one; there is at least one.
fn intent_line(intent: &str, batch: &[Proposal]) -> String {
    let Some(Proposal { initiator, dry_run, .. }) = batch.first() else { return String::new() };
    let records: Vec<_> = batch.iter().map(|proposal| &proposal.record).collect();
    json_line::of_intent(intent, &records, *dry_run, initiator)
}

/// The file. A job without one has no lines and no intents.
fn file_path(settings: &AuditSettings) -> &Path {
    settings.file.as_deref().unwrap_or(Path::new(""))
}

type Answers = Vec<oneshot::Sender<Result<Entry, AuditError>>>;

/// Groups intents that share a line. Leaves out those that are not wanted any more.
fn batches(proposals: Vec<Waiting>) -> Vec<(Vec<Proposal>, Answers)> {
    let mut wanted: VecDeque<Waiting> =
        proposals.into_iter().filter(|waiting| !waiting.answer.is_closed()).collect();
    let mut batches = Vec::new();
    while let Some(first) = wanted.pop_front() {
        let mut batch = vec![first.proposal];
        let mut answers = vec![first.answer];
        while batch.len() < MAX_BATCH
            && wanted.front().is_some_and(|next| next.proposal.shares_line_with(&batch[0]))
            && let Some(next) = wanted.pop_front()
        {
            batch.push(next.proposal);
            answers.push(next.answer);
        }
        batches.push((batch, answers));
    }
    batches
}
