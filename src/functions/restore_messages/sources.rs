//! Finds the messages of a job: in the incident's files, or else in the mailboxes.

use std::collections::{HashMap, HashSet};

use futures_util::{StreamExt, stream};
use tokio::time::{Instant, timeout_at};

use super::place::{Asking, MailboxPlaces};
use super::results::applied;
use super::wanted::{Place, Wanted};
use super::wish;
use crate::audit::{Act, AuditRecord};
use crate::functions::context::Context;
use crate::functions::error::Error;
use crate::functions::incident_sink::IncidentSink;
use crate::functions::meetings::WantedMeeting;
use crate::functions::outcome::{NotDone, under_current_rails};
use crate::functions::permissions::{Permissions, READ_USERS};
use crate::functions::plan::{Files, RemovalOutcome};
use crate::functions::report::{in_words, thousands};
use graph::attachments::Sha256;
use graph::{Dispatch, Mailboxes, find_quarantine_folders, list_mailboxes, marked_messages};

/// How many mailboxes are looked into at once.
const UNDER_WAY: usize = 200;

/// The messages of a job, as far as they were found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) wanted: Vec<Wanted>,
    /// The calendar entries that are on record outside of the mailboxes.
    pub(super) meetings: Vec<WantedMeeting>,
    /// The number of mailboxes that were looked into.
    pub(super) looked_into: usize,
    /// Mailboxes that were not looked into, each with the reason.
    pub(super) not_looked_into: Vec<(String, String)>,
    /// Why messages may be missing, in sentences.
    pub(super) missing: Vec<String>,
}

/// What the incident's files say of a job.
pub(super) enum Filed {
    Found(Found),
    /// No file says anything; why, in sentences, where there is one.
    Nothing(Vec<String>),
}

/// The messages that the incident's files say were removed for the plan with the digest `job`.
pub(super) async fn in_files(context: &Context, incident: i64, job: &str) -> Result<Filed, Error> {
    let (Ok(digest), IncidentSink::Soar(_)) = (job.parse::<Sha256>(), &context.sink) else {
        return Ok(Filed::Nothing(Vec::new()));
    };
    let files = Files::of(context, incident)?;
    let prefix = RemovalOutcome::prefix(digest);
    // A plan that was applied in several parts has several files. The last word on a message counts.
    let mut by_message: HashMap<(Option<String>, String), Wanted> = HashMap::new();
    let (mut has_outcome, mut unusable, mut meetings) = (false, 0, Vec::new());
    for file in files.list().await?.iter().filter(|file| file.name.starts_with(&prefix)) {
        let bytes = files.read(file, RemovalOutcome::LARGEST).await?;
        let outcome = bytes.and_then(|bytes| RemovalOutcome::read(&bytes));
        let Some(outcome) = outcome.filter(|outcome| outcome.plan_digest == job) else {
            unusable += 1;
            continue;
        };
        has_outcome = true;
        meetings.extend(WantedMeeting::all(outcome.meetings));
        let wanted = applied(job, &outcome.action, outcome.messages);
        by_message.extend(wanted.into_iter().map(|one| ((one.mailbox_id.clone(), one.id.clone()), one)));
    }
    let mut found = Found { wanted: by_message.into_values().collect(), meetings, ..Found::default() };
    found.wanted.sort_by(|a, b| (&a.mailbox, &a.id).cmp(&(&b.mailbox, &b.id)));
    if unusable > 0 {
        found.missing.push(format!(
            "{} of the incident's files with outcomes of this plan could not be read.",
            thousands(unusable)
        ));
    }
    if has_outcome {
        return Ok(Filed::Found(found));
    }
    if unusable > 0 {
        let without = "The mailboxes were looked into instead, which shows what is in quarantine; messages that were deleted are \
                       not found without such a file.";
        found.missing.push(without.to_owned());
    }
    Ok(Filed::Nothing(found.missing))
}

/// What the incident's files with outcomes of plans say of `one`.
pub(super) async fn one_in_files(
    context: &Context,
    incident: i64,
    one: &Wanted,
) -> Result<Option<Wanted>, Error> {
    if matches!(context.sink, IncidentSink::Local(_)) {
        return Ok(None);
    }
    let files = Files::of(context, incident)?;
    for file in files.list().await?.iter().rev().filter(|file| RemovalOutcome::is_named(&file.name)) {
        let bytes = files.read(file, RemovalOutcome::LARGEST).await?;
        let Some(outcome) = bytes.and_then(|bytes| RemovalOutcome::read(&bytes)) else { continue };
        let is_it = |wanted: &Wanted| {
            let names = [wanted.mailbox_id.as_deref(), Some(&wanted.mailbox)];
            wanted.id == one.id
                && names.into_iter().flatten().any(|name| name.eq_ignore_ascii_case(&one.mailbox))
        };
        let applied = applied(&outcome.plan_digest, &outcome.action, outcome.messages);
        if let Some(wanted) = applied.into_iter().find(is_it) {
            return Ok(Some(wanted));
        }
    }
    Ok(None)
}

/// The messages with the mark of `job`, in the mailboxes that are asked for. The search is on record.
pub(super) async fn in_mailboxes(
    context: &Context,
    places: &mut HashMap<String, MailboxPlaces>,
    wish::Mailboxes { scope, asked }: wish::Mailboxes,
    job: &str,
    until: Instant,
) -> Result<Found, Error> {
    context.status.say("Looking for the messages in the mailboxes");
    let record = |found: Option<&Found>| AuditRecord {
        searched: Some(asked.clone()),
        mailboxes: found.map(|found| found.looked_into),
        messages: found.map(|found| found.wanted.len()),
        criteria: vec!["job"],
        ..AuditRecord::new(Act::SearchMailboxes)
    };
    let on_record = context.guard.begin_search(record(None));
    match list_mailboxes(&context.graph, scope, context.limits.max_users).await {
        Ok(listed) => {
            let found = look(context, places, listed, job, until).await;
            on_record.end(&record(Some(&found)), &Ok(()));
            Ok(found)
        }
        Err(source) => {
            on_record.end::<()>(&record(None), &Err(source.clone()));
            Err(Error::graph("list the users of the tenant", Permissions(&[READ_USERS]), source))
        }
    }
}

async fn look(
    context: &Context,
    places: &mut HashMap<String, MailboxPlaces>,
    Mailboxes { named, is_cut, failure }: Mailboxes,
    job: &str,
    until: Instant,
) -> Found {
    for (name, id) in &named {
        places.entry(id.as_ref().unwrap_or(name).to_lowercase()).or_default();
    }
    let (dispatch, places) = (&context.graph.bulk(), &*places);
    let looks: Vec<_> = named
        .iter()
        .map(|(name, id)| {
            let asked = id.as_ref().unwrap_or(name);
            let places = places.get(&asked.to_lowercase());
            async move {
                let looked = async { Some(in_mailbox(context, dispatch, places?, asked, job).await) };
                let looked = timeout_at(until, looked).await.ok().flatten();
                (name, id, looked)
            }
        })
        .collect();
    let mut found = Found::default();
    let mut looks = stream::iter(looks).buffered(UNDER_WAY);
    while let Some((name, id, looked)) = looks.next().await {
        match looked {
            Some(Ok(messages)) => {
                found.looked_into += 1;
                found.wanted.extend(messages.into_iter().map(|state| Wanted {
                    mailbox: name.clone(),
                    mailbox_id: id.clone(),
                    id: state.id.clone(),
                    job: Some(job.to_owned()),
                    origin: None,
                    place: Place::Quarantine,
                    state: Some(state),
                    listed: None,
                }));
            }
            // A user without a mailbox has no messages.
            Some(Err(NotDone::Graph(error))) if error.is_no_mailbox() => found.looked_into += 1,
            Some(Err(not_done)) => found.not_looked_into.push((name.clone(), why(&not_done))),
            None => found.not_looked_into.push((name.clone(), "the call ran out of time".to_owned())),
        }
    }
    if is_cut {
        found.missing.push(format!(
            "Only the first {} mailboxes were looked into (max_users). Name the mailboxes in exo_email_address.",
            thousands(context.limits.max_users)
        ));
    }
    if let Some(failure) = failure {
        found.missing.push(format!("Users may be missing: {}.", in_words(&failure)));
    }
    found
}

async fn in_mailbox(
    context: &Context,
    dispatch: &Dispatch,
    places: &MailboxPlaces,
    name: &str,
    job: &str,
) -> Result<Vec<graph::MessageState>, NotDone> {
    under_current_rails(context, |context| async move {
        let context = &context;
        places
            .access
            .with(context, dispatch, name, |mailbox| async move {
                let asking = Asking { context, dispatch, mailbox: &mailbox };
                let mut messages = marked(asking, job).await?;
                for state in &mut messages {
                    places.conceal(asking, state).await;
                }
                Ok(messages)
            })
            .await
    })
    .await
}

/// The messages with the mark of `job` in one mailbox: in its quarantine, and where their owner moved them. Whether a
/// list of all messages of a mailbox has those in hidden folders is not documented.
async fn marked(asking: Asking<'_>, job: &str) -> Result<Vec<graph::MessageState>, graph::Error> {
    let Asking { context, dispatch, mailbox } = asking;
    let (graph, address) = (&context.graph, mailbox.address());
    let folders = find_quarantine_folders(graph, dispatch, address).await?;
    let mut messages = Vec::new();
    for folder in &folders {
        messages.extend(marked_messages(graph, dispatch, address, Some(folder), job).await?);
    }
    if !folders.is_empty() {
        messages.extend(marked_messages(graph, dispatch, address, None, job).await?);
    }
    let mut seen = HashSet::new();
    messages.retain(|message| seen.insert(message.id.clone()));
    Ok(messages)
}

fn why(not_done: &NotDone) -> String {
    super::fate::Restored::not_done(not_done).reason.unwrap_or_default()
}
