//! The parts of a batch, each at its own time: four at once, under the limits of the mailboxes and of the application.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::{AT_A_TIME, Answered, Done, Pending, circle, dependency_failed, finish};
use crate::graph::apply_fault::spoiled_part;
use crate::graph::faults::Fault;
use crate::graph::http::wait;
use crate::graph::record::InMailbox;
use crate::graph::refusal::{GraphResult, application_busy, mailbox_busy};
use crate::graph::router::perform;
use crate::graph::shared::Shared;

/// Runs the parts of a batch and answers it when the last one is done. A part begins as soon as one of the four places
/// is free, in the order of the batch, after those that it depends on. All that depend on no other are in their mailbox
/// from the start: more than four for one mailbox exceed its limit (microsoft-graph-docs issue 8760).
pub(in crate::graph) async fn run(
    shared: &Shared,
    steps: Vec<Pending>,
    number: u64,
    at: Instant,
    client_request_id: &str,
) -> GraphResult {
    let answered = Answered { shared, number, at, client_request_id };
    let entered: Vec<_> = steps.iter().map(|step| enter_at_start(shared, step)).collect();
    let mut waiting: Vec<_> = steps.into_iter().zip(entered).collect();
    let mut done: Vec<Done> = Vec::with_capacity(waiting.len());
    let mut failed: HashMap<String, bool> = HashMap::with_capacity(waiting.len());
    let mut at_work = FuturesUnordered::new();
    loop {
        while at_work.len() < AT_A_TIME
            && let Some(first) = waiting.iter().position(|(step, _)| step.is_ready(&failed))
        {
            let (step, entered) = waiting.remove(first);
            let is_broken = step.is_broken(&failed);
            at_work.push(async move {
                let outcome =
                    if is_broken { Err(dependency_failed()) } else { part(shared, &step, entered).await };
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

/// Lets a part that depends on no other occupy its mailbox.
fn enter_at_start<'a>(shared: &'a Shared, step: &Pending) -> Option<InMailbox<'a>> {
    if step.depends_on.is_empty() { enter(shared, step) } else { None }
}

fn enter<'a>(shared: &'a Shared, step: &Pending) -> Option<InMailbox<'a>> {
    let mailbox = shared.mailbox_of(&step.call)?;
    Some(shared.recorder.enter(mailbox, shared.faults.mailbox_limit()))
}

/// Carries out a part. It counts against the limits while it is at work; one that exceeds a limit is refused at once.
async fn part<'a>(shared: &'a Shared, step: &Pending, entered: Option<InMailbox<'a>>) -> GraphResult {
    let mut place = None;
    if step.call.mailbox().is_some() {
        place = shared.recorder.begin_below_mailbox(shared.faults.application_limit());
        if place.is_none() {
            return Err(application_busy());
        }
    }
    let mailbox = entered.or_else(|| enter(shared, step));
    if mailbox.as_ref().is_some_and(|mailbox| !mailbox.allowed) {
        return Err(mailbox_busy());
    }
    let more = if let Some(Fault::Delay(more)) = step.fault { more } else { Duration::ZERO };
    wait(shared.time(&step.call) + more).await;
    let outcome = spoiled_part(step.fault, || perform(&shared.state, &shared.faults, &step.call));
    drop((place, mailbox));
    shared.quoted(outcome, &step.call)
}
