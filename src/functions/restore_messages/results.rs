//! The messages that the result of a removal lists: of `exchange_online_delete_messages_from_query_results`, or of
//! `exchange_online_apply_plan`.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::wanted::{Origin, Place, Wanted};
use crate::functions::error::Error;
use crate::functions::inputs::LONGEST_WORD;
use crate::functions::meetings::{RemovedMeeting, RemovedMeetings, WantedMeeting};
use crate::functions::plan::{Fate, OutcomeMessage};
use crate::functions::removal::{ALREADY_IN_QUARANTINE, Quarantined};
use graph::EntryText;
use net::untrusted::json::{self, Bounded};

/// No result holds more values.
const MOST_VALUES: usize = 4_000_000;
/// No removal has more messages.
pub(super) const MOST: usize = 100_000;

/// What a removal removed.
pub(super) struct Removals {
    /// The incident that the result names.
    pub(super) incident: Option<i64>,
    pub(super) wanted: Vec<Wanted>,
    /// The calendar entries that it removed.
    pub(super) meetings: Vec<WantedMeeting>,
}

#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    incident_id: Option<i64>,
    /// Of a deletion.
    #[serde(default)]
    delete_results: Option<Bounded<InMailbox, MOST>>,
    /// Of the application of a plan.
    #[serde(default)]
    plan_digest: Option<String>,
    #[serde(default)]
    action: Option<String>,
    #[serde(default)]
    results: Option<Bounded<OutcomeMessage, MOST>>,
    /// Of the application of a plan, or of a removal of meetings.
    #[serde(default)]
    meetings: Option<Bounded<RemovedMeeting, MOST>>,
    #[serde(default)]
    meeting_texts: Option<Bounded<EntryText, MOST>>,
}

#[derive(Deserialize)]
struct InMailbox {
    email_address: String,
    deleted_list: Bounded<Box<RawValue>, MOST>,
    #[serde(default)]
    quarantined_list: Option<Bounded<Quarantined, MOST>>,
}

/// What a query listed of a message.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    id: String,
    #[serde(default)]
    parent_folder_id: Option<String>,
}

/// Reads the JSON text of a result. All of it is checked before anything is restored.
pub(super) fn parse(text: &str) -> Result<Removals, Error> {
    let refused = |what: &str| {
        Error::refused(format!(
            "The input \"exo_deletion_results\" is not the result of a deletion or of an applied plan: {what}. Nothing \
             was restored."
        ))
    };
    if json::values(text) > MOST_VALUES || json::is_too_deep(text) {
        return Err(refused("it is too large, or nested too deep"));
    }
    // The parser's own message may quote the text, which is mail.
    let content: Content = serde_json::from_str(text).map_err(|error| {
        refused(&format!("line {}, column {} is not of the expected form", error.line(), error.column()))
    })?;
    let incident = content.incident_id;
    let wanted = match (content.delete_results, content.results) {
        (Some(mailboxes), None) => deleted(mailboxes.0).map_err(refused)?,
        (None, Some(results)) => {
            let job = content.plan_digest.unwrap_or_default();
            applied(&job, content.action.as_deref().unwrap_or_default(), results.0)
        }
        (None, None) if content.meetings.is_some() => Vec::new(),
        _ => return Err(refused("it has neither delete_results nor results")),
    };
    let meetings = WantedMeeting::all(RemovedMeetings::of(content.meetings, content.meeting_texts));
    let is_long = |text: &str| text.len() > LONGEST_WORD;
    if wanted.iter().any(|one| is_long(&one.id) || is_long(&one.mailbox))
        || meetings.iter().any(|one| is_long(&one.uid) || is_long(&one.mailbox))
    {
        return Err(refused("an id or an address in it is longer than any"));
    }
    Ok(Removals { incident, wanted, meetings })
}

fn deleted(mailboxes: Vec<InMailbox>) -> Result<Vec<Wanted>, &'static str> {
    let mut all = Vec::new();
    let mut seen = HashSet::new();
    for mailbox in mailboxes {
        let quarantined = mailbox.quarantined_list.map_or_else(Vec::new, |list| list.0);
        let mut quarantined: HashMap<String, Quarantined> = quarantined
            .into_iter()
            .map(|entry| (entry.listed_id.clone().unwrap_or_else(|| entry.id.clone()), entry))
            .collect();
        for raw in mailbox.deleted_list.0 {
            let listed: Listed = serde_json::from_str(raw.get()).map_err(|_| "a message in it has no id")?;
            if !seen.insert((mailbox.email_address.to_lowercase(), listed.id.clone())) {
                continue;
            }
            let base = Wanted {
                mailbox: mailbox.email_address.clone(),
                mailbox_id: None,
                id: listed.id,
                job: None,
                origin: None,
                place: Place::Deleted,
                state: None,
                listed: Some(raw),
            };
            all.push(match quarantined.remove(&base.id) {
                Some(entry) => Wanted {
                    id: entry.id,
                    job: Some(entry.job),
                    origin: Some(Origin {
                        folder: entry.folder,
                        is_read: Some(entry.is_read),
                        flag: entry.flag,
                        categories: Some(entry.categories),
                    }),
                    place: Place::Quarantine,
                    ..base
                },
                // The deletion itself keeps read state, flag and categories.
                None => Wanted {
                    origin: listed.parent_folder_id.map(|folder| Origin {
                        folder,
                        is_read: None,
                        flag: None,
                        categories: None,
                    }),
                    ..base
                },
            });
        }
    }
    Ok(all)
}

/// The messages that the application of a plan removed, or may have removed. It did not remove what another call had
/// put into quarantine, and does not know where that was.
pub(super) fn applied(job: &str, action: &str, messages: Vec<OutcomeMessage>) -> Vec<Wanted> {
    let removed = messages
        .into_iter()
        .filter(|message| matches!(message.fate, Fate::Removed | Fate::AlreadyRemoved | Fate::InDoubt))
        .filter(|message| message.code != ALREADY_IN_QUARANTINE);
    let place = if action == "quarantine" { Place::Quarantine } else { Place::Recoverable };
    let wanted = removed.map(|message| Wanted {
        mailbox: message.mailbox,
        mailbox_id: Some(message.mailbox_id).filter(|id| !id.is_empty()),
        id: message.id,
        job: Some(job.to_owned()),
        origin: Some(Origin {
            folder: message.folder_id,
            // Without a flag on record, the message was not looked at before its removal, and its owner may have
            // changed it since the plan.
            is_read: message.flag.is_some().then_some(message.is_read),
            categories: message.flag.is_some().then_some(message.categories),
            flag: message.flag,
        }),
        place,
        state: None,
        listed: None,
    });
    wanted.collect()
}
