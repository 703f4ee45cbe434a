//! `exchange_online_restore_messages`: moves removed messages back to the folders that they were in.
//!
//! Each message ends with one fate. A message that is not where the removal put it is reported and left alone. Nothing
//! but the mailboxes is needed, and a file of the incident or the result of the removal where there is one.

mod content;
mod fate;
mod find;
mod meetings;
mod note;
mod place;
mod restore;
mod results;
mod sources;
mod wanted;
mod wish;

use std::collections::HashMap;

use tokio::time::Instant;
use tracing::info;

use super::context::Context;
use super::error::Error;
use super::inputs::Inputs;
use super::many;
use super::outcome::{NotDone, Outcome, under_current_rails};
use super::permissions::{CHANGE_CALENDARS, CHANGE_MAIL, READ_FOLDERS, READ_USERS, TRANSFER_ITEMS, Use};
use super::report::Output;
use super::spec::{Input, InputKind, Spec, Timeout};
use content::Content;
use fate::{Fate, Restored};
use graph::Dispatch;
use note::Restoration;
use place::{Asking, MailboxPlaces};
use restore::restore;
use results::Removals;
use sources::{Filed, Found, in_files, in_mailboxes, one_in_files};
use wanted::Wanted;
use wish::{Mailboxes, Way};

pub(super) use wish::Wish;

pub(super) const SPEC: Spec = Spec {
    name: "exchange_online_restore_messages",
    summary: "Moves removed messages back to the folders that they were in.",
    inputs: &[
        Input::optional("incident_id", InputKind::Number, "number of the incident"),
        Input::optional(
            "exo_plan_digest",
            InputKind::Text,
            "digest of the plan that was applied, or reference of a deletion into quarantine",
        ),
        Input::optional(
            "exo_deletion_results",
            InputKind::Text,
            "results of a deletion or of an applied plan: the JSON text of their content (raw)",
        ),
        Input::optional(
            "exo_email_address",
            InputKind::Text,
            "with a digest: addresses of mailboxes to look into; with an id: the mailbox of the message",
        ),
        Input::optional("exo_messages_id", InputKind::Text, "id of the message, to restore one"),
    ],
    uses: &[
        Use::always(&[CHANGE_MAIL]),
        Use::when("by digest in all mailboxes", &[CHANGE_MAIL, READ_USERS]),
        Use::when("with calendar entries", &[CHANGE_MAIL, CHANGE_CALENDARS]),
        Use::when("with calendar entries in full", &[TRANSFER_ITEMS, READ_FOLDERS, READ_USERS]),
    ],
    changes_mailbox: true,
    // It accounts for every message, including those that it did not reach in time.
    timeout: Timeout::Report,
};

pub(super) async fn run(context: &Context, inputs: &Inputs) -> Result<Outcome, Error> {
    let until = Instant::now() + context.limits.call_timeout;
    let started = Instant::now();
    let Wish { mut incident, way } = Wish::read(inputs)?;
    let is_one = matches!(way, Way::One(_));
    let mut places = HashMap::new();
    let (job, mut found) = match way {
        Way::Job { job, mailboxes } => {
            let found = of_job(context, incident, &mut places, mailboxes, &job, until).await?;
            (Some(job), found)
        }
        Way::Results(removals) => {
            incident = incident.or(removals.incident);
            let Removals { wanted, meetings, .. } = removals;
            (None, Found { wanted, meetings, ..Found::default() })
        }
        Way::One(wanted) => {
            let one = match incident {
                Some(incident) => one_in_files(context, incident, &wanted).await?.unwrap_or(*wanted),
                None => *wanted,
            };
            (None, Found { wanted: vec![one], ..Found::default() })
        }
    };
    context.guard.begin_restorations(found.wanted.len());
    let many::Run { fates, stopped } = restore_all(context, &mut places, &found.wanted, until).await;
    if context.guard.is_untouched() {
        return Err(stopping());
    }
    let errors = || fates.iter().filter_map(|fate| fate.as_ref().err()?.graph());
    if let Some(source) = errors().find(|error| error.is_for_all())
        && fates.iter().all(Result::is_err)
    {
        return Err(Error::graph("restore any of the messages", SPEC.permissions(), source.clone()));
    }
    let all: Vec<Restored> = fates
        .into_iter()
        .map(|fate| fate.unwrap_or_else(|not_done: NotDone| Restored::not_done(&not_done)))
        .collect();
    if let Some(reason) = &stopped {
        let left = all.iter().filter(|restored| restored.fate == Fate::NotReached).count();
        context.guard.record_stop(left, reason);
    }
    let wanted = meetings::wanted(&mut found, &all);
    let meetings = meetings::restore(context, &mut places, wanted, until).await;
    if context.guard.is_untouched() {
        return Err(stopping());
    }
    let content = Content::of(incident, job.as_deref(), &found, &all, &meetings);
    let counts = content.counts;
    info!(
        messages = all.len(),
        restored = counts.restored,
        to_inbox = counts.restored_to_inbox,
        already_restored = counts.already_restored,
        meetings = meetings.restored(),
        "restoration ended; every message is accounted for"
    );
    let mut outcome = Outcome::done(&content)?;
    let is_nothing = all.is_empty() && meetings.all.is_empty() && job.is_none();
    outcome.success = counts.back() > 0 || meetings.back() > 0 || is_nothing;
    let restoration =
        Restoration { found: &found, all: &all, meetings: &meetings, counts, stopped: stopped.as_ref() };
    let written = if incident.is_some() && !is_one {
        let output = Output { chosen: Output::LABELS[1..].iter().map(|label| (*label).to_owned()).collect() };
        let report = restoration.report(started.elapsed());
        report.write(context, incident, &output, "exo-restore-results").await
    } else {
        Vec::new()
    };
    outcome.because(restoration.reason(), written);
    Ok(outcome)
}

fn stopping() -> Error {
    Error::refused("Nothing was restored: the integration is being stopped.")
}

/// The messages of a job: those that the incident's files name, or else those that bear its mark.
async fn of_job(
    context: &Context,
    incident: Option<i64>,
    places: &mut HashMap<String, MailboxPlaces>,
    mailboxes: Option<Mailboxes>,
    job: &str,
    until: Instant,
) -> Result<Found, Error> {
    let mut missing = Vec::new();
    if let (Some(incident), None) = (incident, &mailboxes) {
        match in_files(context, incident, job).await? {
            Filed::Found(found) => return Ok(found),
            Filed::Nothing(why) => missing = why,
        }
    }
    let mailboxes = mailboxes.unwrap_or_else(Mailboxes::all);
    let found = in_mailboxes(context, places, mailboxes, job, until).await?;
    missing.extend(found.missing);
    Ok(Found { missing, ..found })
}

/// Restores the messages, many mailboxes at the same time, until the call is stopped, and as far as it gets `until`
/// then.
async fn restore_all(
    context: &Context,
    places: &mut HashMap<String, MailboxPlaces>,
    wanted: &[Wanted],
    until: Instant,
) -> many::Run<Restored> {
    let dispatch = if let [_] = wanted { Dispatch::Single } else { context.graph.bulk() };
    let dispatch = &dispatch;
    for one in wanted {
        places.entry(one.mailbox_name().to_lowercase()).or_default();
    }
    let places = &*places;
    let in_turns = in_turns(wanted);
    let run = many::each(context, until, &in_turns, ("Restoring", "message"), |place| async move {
        let one = &wanted[*place];
        let places = &places[&one.mailbox_name().to_lowercase()];
        under_current_rails(context, |context| async move {
            let context = &context;
            places
                .access
                .with(context, dispatch, one.mailbox_name(), |mailbox| async move {
                    restore(Asking { context, dispatch, mailbox: &mailbox }, places, one).await
                })
                .await
        })
        .await
    });
    let many::Run { fates, stopped } = run.await;
    let mut fates: Vec<_> = in_turns.into_iter().zip(fates).collect();
    fates.sort_by_key(|(place, _)| *place);
    many::Run { fates: fates.into_iter().map(|(_, fate)| fate).collect(), stopped }
}

/// The places of the messages: the first of each mailbox, then the second of each, since a mailbox takes only a few
/// requests at once.
fn in_turns(wanted: &[Wanted]) -> Vec<usize> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut places: Vec<(usize, usize)> = Vec::with_capacity(wanted.len());
    for (place, one) in wanted.iter().enumerate() {
        let nth = seen.entry(one.mailbox_name()).or_insert(0);
        places.push((*nth, place));
        *nth += 1;
    }
    places.sort_unstable();
    places.into_iter().map(|(_, place)| place).collect()
}
