//! Does the same to many messages at the same time, until the call is stopped or its time ends.

use std::pin::pin;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, timeout_at};

use super::context::Context;
use super::outcome::NotDone;
use super::progress::Progress;
use super::report::{counted, thousands};
use crate::guard::StopReason;

/// How many messages may be under way at once, those that wait for their mailbox or a `Retry-After` included.
pub(super) const UNDER_WAY: usize = 1000;

/// What became of the messages, and why not all had their turn.
pub(super) struct Run<T> {
    /// What became of each message, in their order.
    pub(super) fates: Vec<Result<T, NotDone>>,
    pub(super) stopped: Option<StopReason>,
}

/// Does `one` to each of `messages`, in their order, until the call is stopped, and as far as it gets `until` then.
/// `doing` and `what` make the status message: "Deleting", "message".
pub(super) async fn each<'a, M, T, F>(
    context: &Context,
    until: Instant,
    messages: &'a [M],
    (doing, what): (&str, &str),
    one: impl Fn(&'a M) -> F,
) -> Run<T>
where
    F: Future<Output = Result<T, NotDone>>,
{
    let total = messages.len();
    context.status.say(format!("{doing} {}", counted(total, what)));
    let mut pace = context.status.every_few_seconds();
    let mut fates: Vec<Option<Result<T, NotDone>>> = messages.iter().map(|_| None).collect();
    let (mut begun, mut done) = (0, 0);
    let mut under_way = FuturesUnordered::new();
    let mut stop_reason = None;
    let mut stopped = pin!(context.guard.stopped());
    loop {
        while stop_reason.is_none()
            && under_way.len() < UNDER_WAY
            && let Some(message) = messages.get(begun)
        {
            let (place, work) = (begun, one(message));
            under_way.push(async move { (place, work.await) });
            begun += 1;
        }
        let ended = tokio::select! {
            biased;
            // What is under way ends by itself: as sent, or as withdrawn.
            reason = &mut stopped, if stop_reason.is_none() => {
                stop_reason = Some(reason);
                continue;
            }
            ended = timeout_at(until, under_way.next()) => ended,
        };
        let Ok(Some((place, fate))) = ended else { break };
        fates[place] = Some(fate);
        done += 1;
        let progress = Progress { done, total, more: false, found: None };
        pace.say(progress, || format!("Dealt with {} of {}", thousands(done), counted(total, what)));
    }
    drop(under_way);
    // Some have no fate only if the call was stopped or the time ended.
    let left = |place: usize| match &stop_reason {
        Some(reason) if place >= begun => Err(reason.refusal().into()),
        _ => Err(graph::Error::from(graph::ErrorKind::OutOfTime { begun: place < begun }).into()),
    };
    let fates = fates.into_iter().enumerate().map(|(place, fate)| fate.unwrap_or_else(|| left(place)));
    Run { fates: fates.collect(), stopped: stop_reason }
}
