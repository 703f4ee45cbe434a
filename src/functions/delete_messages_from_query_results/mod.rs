//! `exchange_online_delete_messages_from_query_results`: deletes every message that an earlier query listed.
//!
//! Each message ends as deleted, as already gone, or as not deleted with a reason. A failure does not keep the others
//! from being tried.

mod content;
mod ended;
mod note;
mod order;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;
use tracing::info;

use super::access::Access;
use super::call::PriorRun;
use super::context::Context;
use super::error::Error;
use super::inputs::Inputs;
use super::many;
use super::outcome::{NotDone, Outcome, under_current_rails};
use super::permissions::{CHANGE_MAIL, Use};
use super::removal::{self, Removed, remove};
use super::spec::{Input, InputKind, Spec, Timeout};
use crate::guard::{Refusal, StopReason};
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
    let content = Content::of(&order, &fates, &context.call.reference().to_string());
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
        let was_stopped = |fate: &&Result<Removed, NotDone>| matches!(fate, Err(NotDone::Refused { code: it, .. }) if *it == code);
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
    let dispatch = context.graph.bulk();
    let mailboxes: HashMap<Arc<str>, Access> =
        unique.iter().map(|((mailbox, _), _)| (mailbox.clone(), Access::default())).collect();
    let run = many::each(context, until, &unique, ("Deleting", "message"), |((mailbox, id), name)| {
        delete_one(context, &dispatch, &mailboxes[mailbox], name, id)
    });
    let many::Run { fates, stopped } = run.await;
    let fates = unique.iter().map(|(key, _)| key.clone()).zip(fates).collect();
    let run = Run { fates, ended_by: None };
    match &stopped {
        Some(reason) => run.stopped(context, reason),
        None => run,
    }
}

async fn delete_one(
    context: &Context,
    dispatch: &Dispatch,
    access: &Access,
    name: &str,
    id: &str,
) -> Result<Removed, NotDone> {
    let job = context.call.reference().to_string();
    let job = job.as_str();
    under_current_rails(context, |context| async move {
        let removal = context.guard.deletion();
        let order = &removal::Order { folder: None, id, removal, job, expected: None };
        let context = &context;
        access
            .with(context, dispatch, name, |mailbox| async move {
                remove(context, dispatch, &mailbox, order).await
            })
            .await
    })
    .await
}
