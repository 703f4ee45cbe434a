//! The parts of a batch, each at its own time: four at once, under the limits of the mailboxes and of the application.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::{AT_A_TIME, Answered, Done, Pending, circle, dependency_failed, finish};
use crate::graph::apply_fault::spoiled_part;
use crate::graph::faults::Fault;
use crate::graph::refusal::{GraphResult, application_busy, mailbox_busy};
use crate::graph::router::perform;
use crate::graph::shared::Shared;

/// Runs the parts of a batch and answers it when the last one is done. A part begins as soon as one of the four places
/// is free, in the order of the batch, after those that it depends on.
pub(in crate::graph) async fn run(
    shared: &Shared,
    mut waiting: Vec<Pending>,
    number: u64,
    at: Instant,
    client_request_id: &str,
) -> GraphResult {
    let answered = Answered { shared, number, at, client_request_id };
    let mut done: Vec<Done> = Vec::with_capacity(waiting.len());
    let mut failed: HashMap<String, bool> = HashMap::with_capacity(waiting.len());
    let mut at_work = FuturesUnordered::new();
    loop {
        while at_work.len() < AT_A_TIME
            && let Some(first) = waiting.iter().position(|step| step.is_ready(&failed))
        {
            let step = waiting.remove(first);
            let is_broken = step.is_broken(&failed);
            at_work.push(async move {
                let outcome = if is_broken { Err(dependency_failed()) } else { part(shared, &step).await };
                (step, outcome)
            });
        }
        let Some((step, outcome)) = at_work.next().await else { break };
        let answer = answered.part(&step, outcome);
        failed.insert(step.id.to_ascii_lowercase(), answer.status >= 400);
        done.push(Done { id: step.id, answer });
    }
    if waiting.is_empty() { Ok(finish(shared, done, number)) } else { Err(circle()) }
}

/// Carries out a part. It counts against the limits while it is at work; one that exceeds a limit is refused at once.
async fn part(shared: &Shared, step: &Pending) -> GraphResult {
    let mut places = None;
    if step.call.mailbox().is_some() {
        let Some(place) = shared.recorder.begin_below_mailbox(shared.faults.application_limit()) else {
            return Err(application_busy());
        };
        let mailbox = shared.mailbox_of(&step.call);
        let mailbox = mailbox.map(|mailbox| shared.recorder.enter(mailbox, shared.faults.mailbox_limit()));
        if mailbox.as_ref().is_some_and(|mailbox| !mailbox.allowed) {
            return Err(mailbox_busy());
        }
        places = Some((place, mailbox));
    }
    let more = if let Some(Fault::Delay(more)) = step.fault { more } else { Duration::ZERO };
    tokio::time::sleep(shared.time(&step.call) + more).await;
    let outcome = spoiled_part(step.fault, || perform(&shared.state, &shared.faults, &step.call));
    drop(places);
    shared.quoted(outcome, &step.call)
}
