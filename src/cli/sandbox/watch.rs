//! What a served sandbox shows of the calls that SOAR makes: each call, its status messages, and its end.

use std::time::Duration;

use super::story::Story;
use crate::cli::Failure;
use sandbox::soar::caller::Origin;
use sandbox::soar::engine::{End, Engine, Run, Scripts};

/// How much of a call was shown.
#[derive(Default)]
struct Shown {
    has_begun: bool,
    statuses: usize,
    has_ended: bool,
}

/// Shows the calls as they come. Returns only if the output cannot be written.
pub(super) async fn calls(engine: &Engine, story: &mut Story) -> Result<(), Failure> {
    let mut changes = engine.changes();
    let mut shown: Vec<Shown> = Vec::new();
    // The calls before this one have ended.
    let mut first = 0;
    loop {
        for id in first.. {
            let Some(run) = engine.run(id + 1) else { break };
            if shown.len() <= id {
                shown.resize_with(id + 1, Shown::default);
            }
            show(story, &run, &mut shown[id]);
        }
        first += shown[first..].iter().take_while(|call| call.has_ended).count();
        story.check()?;
        // The sender lives in `engine`, so this does not fail.
        let _ = changes.changed().await;
    }
}

fn show(story: &mut Story, run: &Run, shown: &mut Shown) {
    let Run { id, request, statuses, end, .. } = run;
    let function = request.function.strip_prefix("exchange_online_").unwrap_or(&request.function);
    if !shown.has_begun {
        shown.has_begun = true;
        let by = match request.origin {
            Origin::Workflow => "a workflow",
            Origin::Playbook => "a playbook",
        };
        story.event(&format!("{function}, call {id}: from {by} of incident {}", request.incident));
    }
    for status in statuses.iter().skip(shown.statuses) {
        story.event(&format!("call {id}: … {status}"));
    }
    shown.statuses = statuses.len();
    if let Some(end) = end.as_ref().filter(|_| !shown.has_ended) {
        shown.has_ended = true;
        ended(story, run, end);
    }
}

fn ended(story: &mut Story, run: &Run, end: &End) {
    let id = run.id;
    let (reply, scripts) = match end {
        End::Replied { reply, scripts } => (reply, scripts),
        End::NoReply(why) => return story.event(&format!("call {id}: ✘ {why}")),
    };
    let took = run.replied.and_then(|replied| u64::try_from(replied - run.started).ok()).unwrap_or_default();
    let took = Duration::from_millis(took).as_secs_f64();
    let has_succeeded = reply.message_type == 0 && reply.results["success"] == true;
    let reason = reply.results["reason"].as_str().unwrap_or(&reply.message);
    let (mark, text) = if has_succeeded { ("✔", "done") } else { ("✘", reason) };
    story.event(&format!("call {id}: {mark} {text} ({took:.2} s)"));
    match scripts {
        Scripts::None => {}
        Scripts::Ran(added) => story.event(&format!("call {id}: scripts: {added}")),
        Scripts::Failed(why) => story.event(&format!("call {id}: a script did not run to its end: {why}")),
    }
}
