//! Finds the entries of meetings in many calendars.

use std::collections::HashSet;

use futures_util::{StreamExt, stream};
use tokio::time::{Instant, timeout_at};

use super::{Accesses, Wish, not_listed};
use crate::audit::{Act, AuditRecord};
use crate::functions::context::Context;
use crate::functions::error::Error;
use crate::functions::meetings::{
    Collected, Kept, KeptEntry, MeetingFate, RemovedMeeting, RemovedMeetings, exported,
};
use crate::functions::outcome::{NotDone, under_current_rails};
use crate::functions::report::{in_words, thousands};
use graph::{Dispatch, ErrorKind, Mailboxes, entries_of_meeting, list_mailboxes};

/// How many mailboxes are looked into at once.
const UNDER_WAY: usize = 200;

/// What was found in the calendars.
pub(super) struct Found {
    pub(super) mailboxes: Vec<Looked>,
    /// All entries. Those of the organizers have that fate, the others none yet.
    pub(super) meetings: RemovedMeetings,
    /// Why mailboxes may be missing, in sentences.
    pub(super) missing: Vec<String>,
}

/// A mailbox that was to be looked into.
pub(super) struct Looked {
    pub(super) name: String,
    /// The directory's id, where it is known.
    pub(super) id: Option<String>,
    /// Why it was not looked into.
    pub(super) failure: Option<NotDone>,
}

impl Found {
    /// The entries that may be removed.
    pub(super) fn removable(&self) -> impl Iterator<Item = &RemovedMeeting> {
        self.meetings.meetings.iter().filter(|meeting| meeting.fate != MeetingFate::Organizer)
    }

    /// Adds what an earlier run of the call found, and has removed since.
    pub(super) fn add_earlier(&mut self, earlier: Option<RemovedMeetings>) {
        let Some(earlier) = earlier else { return };
        let key = |meeting: &RemovedMeeting| {
            (meeting.mailbox.to_lowercase(), meeting.event_id.clone().unwrap_or_default())
        };
        let known: HashSet<_> = self.meetings.meetings.iter().map(key).collect();
        let places = self.meetings.texts.len();
        self.meetings.texts.extend(earlier.texts);
        for meeting in earlier.meetings {
            if !known.contains(&key(&meeting)) {
                let text = meeting.text.map(|text| text + places);
                self.meetings.meetings.push(RemovedMeeting { text, ..meeting });
            }
        }
    }

    /// The error that concerns every request, if no mailbox could be looked into.
    pub(super) fn failed_for_all(&self) -> Option<&graph::Error> {
        let failures = || self.mailboxes.iter().filter_map(|mailbox| mailbox.failure.as_ref());
        let is_none = failures().count() == self.mailboxes.len() && self.meetings.meetings.is_empty();
        failures().filter_map(NotDone::graph).find(|error| is_none && error.is_for_all())
    }
}

/// Looks into the calendars of the mailboxes that `wish` names, `until` then.
pub(super) async fn find(
    context: &Context,
    access: &Accesses,
    wish: &Wish,
    until: Instant,
) -> Result<Found, Error> {
    context.status.say("Looking for the meetings in the calendars");
    let on_record = context.guard.begin_search(record(wish, None));
    let most = context.limits.max_users;
    let listed = list_mailboxes(&context.graph, wish.scope.clone(), most).await;
    let failure = listed.as_ref().err().cloned();
    let found = match listed {
        Ok(listed) => Ok(look(context, access, wish, listed, until).await),
        Err(source) => Err(not_listed(source)),
    };
    on_record.end(&record(wish, found.as_ref().ok()), &failure.map_or(Ok(()), Err));
    found
}

/// What the audit trail says of the search.
fn record(wish: &Wish, found: Option<&Found>) -> AuditRecord {
    let looked_into =
        |found: &Found| found.mailboxes.iter().filter(|mailbox| mailbox.failure.is_none()).count();
    AuditRecord {
        searched: Some(wish.asked.clone()),
        mailboxes: found.map(looked_into),
        criteria: vec!["iCalUId"],
        ..AuditRecord::new(Act::SearchMailboxes)
    }
}

async fn look(context: &Context, access: &Accesses, wish: &Wish, listed: Mailboxes, until: Instant) -> Found {
    let Mailboxes { named, is_cut, failure } = listed;
    let total = named.len();
    let mut pace = context.status.every_few_seconds();
    let (dispatch, kept) = (&context.graph.bulk(), Kept::default());
    let all_kept = &kept;
    let looks: Vec<_> = named
        .into_iter()
        .map(|(name, id)| async move {
            let asked = id.clone().unwrap_or_else(|| name.clone());
            let looked =
                timeout_at(until, in_mailbox(context, dispatch, access, &asked, &wish.uids, all_kept)).await;
            let out_of_time = || Err(graph::Error::from(ErrorKind::OutOfTime { begun: false }).into());
            (name, id, looked.unwrap_or_else(|_| out_of_time()))
        })
        .collect();
    let mut looks = stream::iter(looks).buffered(UNDER_WAY);
    let (mut mailboxes, mut collected) = (Vec::with_capacity(total), Collected::default());
    while let Some((name, id, looked)) = looks.next().await {
        let failure = match looked {
            Ok(entries) => {
                for (entry, exported) in entries {
                    let fate = if entry.entry.is_organizer {
                        MeetingFate::Organizer
                    } else {
                        MeetingFate::NotReached
                    };
                    collected.add((id.as_deref(), &name), entry, Vec::new(), fate, exported);
                }
                None
            }
            Err(not_done) => Some(not_done),
        };
        mailboxes.push(Looked { name, id, failure });
        let done = mailboxes.len();
        let progress = crate::functions::progress::Progress { done, total, more: is_cut, found: None };
        pace.say(progress, || format!("Looked into {} of {} mailboxes", thousands(done), thousands(total)));
    }
    drop(looks);
    let mut missing = Vec::new();
    if is_cut {
        missing.push(format!(
            "Only the first {} users were looked at (max_users). Name the mailboxes in exo_email_address.",
            thousands(context.limits.max_users)
        ));
    }
    if let Some(failure) = failure {
        missing.push(format!("Users may be missing: {}.", in_words(&failure)));
    }
    Found { mailboxes, meetings: collected.into_removed(kept), missing }
}

/// The entries of the meetings in one calendar, each once.
async fn in_mailbox(
    context: &Context,
    dispatch: &Dispatch,
    access: &Accesses,
    name: &str,
    uids: &[String],
    kept: &Kept,
) -> Result<Vec<(KeptEntry, Option<String>)>, NotDone> {
    let access = access.of(name);
    under_current_rails(context, |context| {
        let access = &access;
        async move {
            let context = &context;
            access
                .with(context, dispatch, name, |mailbox| async move {
                    context.guard.authorize_reading(&context.graph, dispatch, mailbox.address()).await?;
                    let mut entries: Vec<(KeptEntry, Option<String>)> = Vec::new();
                    for uid in uids {
                        for entry in
                            entries_of_meeting(&context.graph, dispatch, mailbox.address(), uid).await?
                        {
                            if entries.iter().any(|(known, _)| known.entry.id == entry.id) {
                                continue;
                            }
                            let exported = if entry.is_organizer || context.guard.is_dry_run() {
                                None
                            } else {
                                exported(context, dispatch, &mailbox, &entry.id, kept).await
                            };
                            entries.push((kept.entry(entry), exported));
                        }
                    }
                    Ok(entries)
                })
                .await
        }
    })
    .await
}
