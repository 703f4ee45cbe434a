//! `exchange_online_plan_removal`: freezes what a query, a trace or a hunt found as a plan, which can be approved and
//! applied. It only reads; the plan is a file of the incident.

mod content;
mod freeze;
mod note;
mod queried;
mod source;
mod traced;

use chrono::{TimeDelta, Utc};
use tokio::time::Instant;
use tracing::info;

use super::context::Context;
use super::error::Error;
use super::inputs::Inputs;
use super::listed::check_size;
use super::outcome::Outcome;
use super::permissions::{READ_MAIL, READ_USERS, Use};
use super::plan::{Author, Facts, Files, LARGEST, PREFIX, Plan, Stamp, is_since};
use super::report::Output;
use super::spec::{INCIDENT, Input, InputKind, Spec, Timeout};
use crate::audit::{Act, AuditRecord};
use content::Content;
use freeze::{Frozen, freeze};
use soar::{Attachment, Target};
use source::Source;

pub(super) const SPEC: Spec = Spec {
    name: "exchange_online_plan_removal",
    summary: "Freezes what a query, trace or hunt found as a removal plan, which can be approved and applied.",
    inputs: &[
        INCIDENT,
        Input::required(
            "exo_query_messages_results",
            InputKind::Text,
            "results of a message query or trace: the JSON text of its content (raw)",
        ),
    ],
    uses: &[Use::always(&[READ_MAIL, READ_USERS])],
    changes_mailbox: false,
    timeout: Timeout::Abort,
};

/// Reads the JSON text of a content.
///
/// # Errors
/// Says what is wrong, in words that follow a colon.
pub(super) fn parse(text: &str) -> Result<Source, String> {
    check_size(text)?;
    if traced::is_trace(text) { traced::parse(text) } else { queried::parse(text) }
}

/// A plan and its file.
struct Filed {
    plan: Plan,
    file: Attachment,
}

pub(super) async fn run(context: &Context, inputs: &Inputs) -> Result<Outcome, Error> {
    let mut reader = inputs.read();
    let incident = reader.incident(true).unwrap_or_default();
    let text = reader.required_text("exo_query_messages_results");
    reader.finish()?;
    let source = parse(&text).map_err(|what| {
        Error::refused(format!(
            "The input \"exo_query_messages_results\" is not the result of a message query or trace: {what}. Nothing was \
             planned."
        ))
    })?;
    drop(text);
    let files = Files::of(context, incident)?;

    let started = Instant::now();
    // What an earlier run of the call froze stays frozen: it may be approved already.
    let earlier = if context.may_have_been_run() { find(context, &files).await? } else { None };
    let (filed, frozen) = if let Some(filed) = earlier {
        (filed, Frozen::default())
    } else {
        let frozen = frozen(context, source, incident).await?;
        if frozen.messages.is_empty() {
            return Ok(Outcome::without_content(note::nothing_to_plan(&frozen)));
        }
        context.guard.plan_rails().allow(frozen.messages.len())?;
        file(context, &files, incident, frozen).await?
    };
    let Filed { plan, file } = &filed;
    info!(
        digest = %plan.digest(),
        messages = plan.messages().len(),
        mailboxes = plan.counts().mailboxes.len(),
        complete = plan.facts().incomplete_because.is_empty(),
        "removal plan made"
    );

    let mut outcome = Outcome::done(&Content::of(plan, file, &frozen))?;
    let report = note::report(plan, &frozen, started.elapsed());
    let output = Output { chosen: vec!["Incident note".to_owned()] };
    let written = report.write(context, Some(incident), &output, PREFIX).await;
    outcome.because(note::sentences(plan, &frozen), written);
    Ok(outcome)
}

/// Reads the messages of `source`, and puts that on record.
async fn frozen(context: &Context, source: Source, incident: i64) -> Result<Frozen, Error> {
    let record = |frozen: Option<&Frozen>| AuditRecord {
        messages: frozen.map(|frozen| frozen.messages.len()),
        mailboxes: frozen.map(|frozen| frozen.mailboxes),
        target: Some(Target::Incident(incident).to_string()),
        ..AuditRecord::new(Act::PlanRemoval)
    };
    let on_record = context.guard.begin_search(record(None));
    let frozen = freeze(context, source).await;
    match &frozen {
        Ok(frozen) => on_record.end(&record(Some(frozen)), &Ok(())),
        Err(error) => on_record.end::<()>(&record(None), &Err(error.clone())),
    }
    frozen.map_err(|source| Error::graph("read the messages to plan", SPEC.permissions(), source))
}

/// Makes a plan of `frozen` and attaches it to the incident.
async fn file(
    context: &Context,
    files: &Files<'_>,
    incident: i64,
    mut frozen: Frozen,
) -> Result<(Filed, Frozen), Error> {
    let created = context.call.asked_at.unwrap_or_else(Utc::now).min(Utc::now());
    let lifetime = TimeDelta::from_std(context.guard.plan_rails().lifetime).unwrap_or_default();
    let facts = Facts {
        incident,
        reference: context.call.reference().to_string(),
        created: created.into(),
        expires: Stamp::from(created + lifetime),
        created_by: Author::of(context.guard.initiator()),
        incomplete_because: std::mem::take(&mut frozen.incomplete_because),
        looked_until: frozen.looked_until,
    };
    let plan = Plan::new(facts, std::mem::take(&mut frozen.messages))?;
    let bytes = plan.bytes()?;
    if bytes.len() as u64 > LARGEST {
        return Err(Error::refused("The plan would be larger than its file may be. Nothing was planned."));
    }
    let file = files.attach(&plan.file_name(), bytes).await?;
    Ok((Filed { plan, file }, frozen))
}

/// The plan that an earlier run of the call has attached.
async fn find(context: &Context, files: &Files<'_>) -> Result<Option<Filed>, Error> {
    let reference = context.call.reference().to_string();
    for file in files.list().await? {
        if !file.name.starts_with(PREFIX) || !is_since(&file, &context.call) {
            continue;
        }
        let Some(bytes) = files.read(&file, LARGEST).await? else { continue };
        if let Ok(plan) = Plan::read(&bytes)
            && plan.facts().reference == reference
        {
            return Ok(Some(Filed { plan, file }));
        }
    }
    Ok(None)
}
