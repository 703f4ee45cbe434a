//! `exchange_online_delete_messages_from_query_results`: deletes every message that an earlier query listed.
//!
//! Each message ends as deleted, as already gone, or as not deleted with a reason. A failure does not keep the others
//! from being tried.

mod content;
mod ended;
mod note;
mod order;

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Mutex, OnceCell};
use tokio::time::{Instant, timeout_at};
use tracing::info;

use super::call::PriorRun;
use super::context::Context;
use super::delete_email::{Deleted, delete};
use super::error::Error;
use super::inputs::Inputs;
use super::outcome::{NotDone, Outcome, under_current_rails};
use super::permissions::{CHANGE_MAIL, Use};
use super::progress::Progress;
use super::report::counted;
use super::spec::{Input, InputKind, Spec, Timeout};
use crate::guard::{Mailbox, Refusal, StopReason};
use content::{Content, Fates};
use ended::{Ended, too_many};
use graph::Dispatch;
use note::Deletion;
use order::Key;

pub(super) use order::Order;

pub(super) const SPEC: Spec = Spec {
    name: "exchange_online_delete_messages_from_query_results",
    summary: "Deletes every message that a message query found.",
    inputs: &[Input::required(
        "exo_query_messages_results",
        InputKind::Text,
        "results of a message query: the JSON text of its content (raw)",
    )],
    uses: &[Use::always(&[CHANGE_MAIL])],
    changes_mailbox: true,
    // It accounts for every message, including those that it did not reach in time.
    timeout: Timeout::Report,
};

/// How many deletions may be under way at once, those that wait for their mailbox or a `Retry-After` included.
const UNDER_WAY: usize = 1000;

pub(super) async fn run(context: &Context, inputs: &Inputs) -> Result<Outcome, Error> {
    let until = Instant::now() + context.limits.call_timeout;
    let order = read(context, inputs)?;

    let started = Instant::now();
    let unique = order.unique();
    let Run { fates, ended_by } = match context.guard.stop_reason() {
        Some(reason) => Run::not_begun(context, &unique, &reason),
        None => match context.guard.authorize_deletions(unique.len()) {
            Ok(()) => delete_all(context, unique, until).await,
            Err(refusal) => match context.guard.stop_reason() {
                Some(reason) => Run::not_begun(context, &unique, &reason),
                None => Run { fates: none(&unique, &refusal), ended_by: Some(Ended::TooMany(refusal)) },
            },
        },
    };
    if context.guard.is_untouched() {
        return Err(Error::refused("Nothing was deleted: the integration is being stopped."));
    }
    let content = Content::of(&order, &fates);
    let counts = content.counts;
    let for_all =
        || fates.values().filter_map(|fate| fate.as_ref().err()?.graph()).find(|error| error.is_for_all());
    if counts.deleted == 0
        && let Some(source) = for_all()
    {
        return Err(Error::graph("delete any of the messages", SPEC.permissions(), source.clone()));
    }
    info!(
        listed = counts.listed(),
        deleted = counts.deleted,
        already_gone = counts.already_gone,
        not_deleted = counts.not_deleted,
        mailboxes = content.delete_results.len(),
        "deletion ended; every message listed is accounted for"
    );

    let mut outcome = Outcome::done(&content)?;
    outcome.success = counts.deleted > 0 || counts.listed() == 0;
    let deletion = Deletion {
        content: &content,
        fates: &fates,
        ended_by: ended_by.as_ref(),
        is_dry_run: context.guard.is_dry_run(),
        permissions: SPEC.permissions(),
    };
    let written = if order.output.needs_incident() {
        let report = deletion.report(started.elapsed());
        report.write(context, order.incident, &order.output, "exo-delete-results").await
    } else {
        Vec::new()
    };
    outcome.because(deletion.sentences(), written);
    Ok(outcome)
}

fn read(context: &Context, inputs: &Inputs) -> Result<Order, Error> {
    let mut reader = inputs.read();
    let text = reader.required_text("exo_query_messages_results");
    reader.finish()?;
    Order::parse(&text, &context.sink)
}

/// No message is deleted, since there are too many.
fn none<'a>(unique: &[(Key<'a>, &str)], refusal: &Refusal) -> Fates<'a> {
    let code = refusal.code;
    let refused = || NotDone::Refused { code: code.text(), why: too_many(code).to_owned() };
    unique.iter().map(|(key, _)| (key.clone(), Err(refused()))).collect()
}

/// What became of the messages, and why the call did not try them all.
struct Run<'a> {
    fates: Fates<'a>,
    ended_by: Option<Ended>,
}

impl<'a> Run<'a> {
    /// The call was stopped before it began.
    fn not_begun(context: &Context, unique: &[(Key<'a>, &str)], reason: &StopReason) -> Self {
        let fates = unique.iter().map(|(key, _)| (key.clone(), Err(reason.refusal().into()))).collect();
        let run = Self { fates, ended_by: None };
        run.stopped(context, reason)
    }

    /// Says how far the call came, and puts it on record.
    fn stopped(self, context: &Context, reason: &StopReason) -> Self {
        let code = reason.refusal().code.text();
        let was_stopped = |fate: &&Result<Deleted, NotDone>| matches!(fate, Err(NotDone::Refused { code: it, .. }) if *it == code);
        let (total, left) = (self.fates.len(), self.fates.values().filter(was_stopped).count());
        if !context.guard.is_untouched() {
            context.guard.record_stop(left, reason);
        }
        let ended_by = Ended::Stopped {
            reason: reason.clone(),
            tried: total - left,
            total,
            may_have_run: context.call.prior_run == PriorRun::Likely,
        };
        Self { ended_by: Some(ended_by), ..self }
    }
}

/// Deletes the messages, many mailboxes at the same time, until the call is stopped, and as far as it gets `until`
/// then.
async fn delete_all<'a>(context: &Context, unique: Vec<(Key<'a>, &'a str)>, until: Instant) -> Run<'a> {
    let total = unique.len();
    context.status.say(format!("Deleting {}", counted(total, "message")));
    let mut pace = context.status.every_few_seconds();
    let dispatch = context.graph.batched();
    let mailboxes: HashMap<Arc<str>, Access> =
        unique.iter().map(|((mailbox, _), _)| (mailbox.clone(), Access::default())).collect();
    let mut begun = 0;
    let mut under_way = FuturesUnordered::new();
    let mut fates: Fates<'a> = HashMap::with_capacity(total);
    let mut stop_reason = None;
    let mut stopped = pin!(context.guard.stopped());
    loop {
        while stop_reason.is_none()
            && under_way.len() < UNDER_WAY
            && let Some((key, mailbox)) = unique.get(begun)
        {
            begun += 1;
            under_way.push(async {
                let fate = delete_one(context, &dispatch, &mailboxes[&key.0], mailbox, key.1).await;
                (key.clone(), fate)
            });
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
        let Ok(Some((key, fate))) = ended else { break };
        fates.insert(key, fate);
        let progress = Progress { done: fates.len(), total, more: false, found: None };
        pace.say(progress, || format!("Dealt with {} of {total} messages", fates.len()));
    }
    drop(under_way);
    // These are left only if the call was stopped or the time ended.
    for (nth, (key, _)) in unique.iter().enumerate() {
        fates.entry(key.clone()).or_insert_with(|| match &stop_reason {
            Some(reason) if nth >= begun => Err(reason.refusal().into()),
            _ => Err(graph::Error::from(graph::ErrorKind::OutOfTime { begun: nth < begun }).into()),
        });
    }
    let run = Run { fates, ended_by: None };
    match &stop_reason {
        Some(reason) => run.stopped(context, reason),
        None => run,
    }
}

/// What is known of a mailbox in which messages are deleted. It is found out once, and again where the guard rails
/// have changed.
#[derive(Default)]
struct Access {
    /// Whether the rails of this version allow it.
    allowed: Mutex<Option<(u64, Result<Mailbox, NotDone>)>>,
    /// The mailbox by its id in the directory, where Exchange does not know it by its name.
    identified: OnceCell<Option<Mailbox>>,
}

impl Access {
    async fn mailbox(&self, context: &Context, dispatch: &Dispatch, name: &str) -> Result<Mailbox, NotDone> {
        let mut allowed = self.allowed.lock().await;
        let version = context.guard.rails_version();
        match &*allowed {
            Some((checked, mailbox)) if *checked == version => mailbox.clone(),
            _ => {
                let checked = context.guard.authorize_mailbox(&context.graph, dispatch, name).await;
                let mailbox = checked.map_err(NotDone::from);
                *allowed = Some((version, mailbox.clone()));
                mailbox
            }
        }
    }
}

async fn delete_one(
    context: &Context,
    dispatch: &Dispatch,
    access: &Access,
    name: &str,
    id: &str,
) -> Result<Deleted, NotDone> {
    under_current_rails(context, |context| async move {
        let mailbox = access.mailbox(&context, dispatch, name).await?;
        let error = match delete(&context, dispatch, &mailbox, None, id).await {
            Err(NotDone::Graph(error)) if error.is_no_mailbox() => error,
            ended => return ended,
        };
        let identified = context.guard.identify(&context.graph, dispatch, &mailbox);
        match access.identified.get_or_init(|| identified).await {
            Some(known) => delete(&context, dispatch, &mailbox.identified_as(known), None, id).await,
            None => Err(error.into()),
        }
    })
    .await
}
