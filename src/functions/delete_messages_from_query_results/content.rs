//! The result of the deletion: what became of each message, and the content that says so.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use super::order::{Key, Order};
use crate::functions::listed::Message;
use crate::functions::outcome::NotDone;
use crate::functions::removal::{ALREADY_IN_QUARANTINE, Quarantined, Removed};
use crate::functions::report;
use crate::guard::RefusalCode;

/// The code of a message that a dry run would have deleted.
pub(super) const DRY_RUN: &str = "DryRun";

/// What became of each message.
pub(super) type Fates<'a> = HashMap<Key<'a>, Result<Removed, NotDone>>;

/// The content of the result, as workflows and scripts read it.
#[derive(Serialize)]
pub(super) struct Content<'a> {
    incident_id: Option<i64>,
    exo_query_output_format: &'a [String],
    pub(super) delete_results: Vec<InMailbox<'a>>,
    #[serde(flatten)]
    pub(super) counts: Counts,
    pub(super) failures: Vec<Failure<'a>>,
}

/// How many messages ended how.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Counts {
    #[serde(rename = "messages_deleted")]
    pub(super) deleted: usize,
    /// Not found, so that there was nothing to delete.
    #[serde(rename = "messages_already_gone")]
    pub(super) already_gone: usize,
    #[serde(rename = "messages_not_deleted")]
    pub(super) not_deleted: usize,
}

impl Counts {
    pub(super) fn listed(self) -> usize {
        self.deleted + self.already_gone + self.not_deleted
    }
}

#[derive(Serialize)]
pub(super) struct InMailbox<'a> {
    pub(super) email_address: &'a str,
    pub(super) deleted_list: Vec<&'a RawValue>,
    /// All others, those that were already gone included.
    not_deleted_list: Vec<&'a RawValue>,
    already_gone_list: Vec<&'a RawValue>,
    /// What the restoration of those that are in quarantine takes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) quarantined_list: Vec<Quarantined>,
}

/// Why a message was not deleted.
#[derive(Serialize)]
pub(super) struct Failure<'a> {
    pub(super) email_address: &'a str,
    pub(super) id: &'a str,
    pub(super) status_code: Option<u16>,
    pub(super) code: &'a str,
    pub(super) message: String,
    #[serde(skip)]
    pub(super) already_gone: bool,
    /// The message as it was listed.
    #[serde(skip)]
    pub(super) listed: &'a RawValue,
    /// The reason in few words, the same for all messages that have it.
    #[serde(skip)]
    pub(super) in_words: String,
}

impl<'a> Content<'a> {
    pub(super) fn of(order: &'a Order, fates: &'a Fates<'a>, job: &str) -> Self {
        let mut content = Self {
            incident_id: order.incident,
            exo_query_output_format: &order.output.chosen,
            delete_results: Vec::with_capacity(order.mailboxes.len()),
            counts: Counts::default(),
            failures: Vec::new(),
        };
        for listed in &order.mailboxes {
            let address: Arc<str> = listed.address.to_lowercase().into();
            let mut mailbox = InMailbox {
                email_address: &listed.address,
                deleted_list: Vec::new(),
                not_deleted_list: Vec::new(),
                already_gone_list: Vec::new(),
                quarantined_list: Vec::new(),
            };
            for message in &listed.messages {
                match fates.get(&(Arc::clone(&address), message.id.as_str())) {
                    Some(Ok(Removed { before, .. })) => {
                        content.counts.deleted += 1;
                        let quarantined = before.as_ref().map(|before| before.quarantined(&message.id, job));
                        mailbox.quarantined_list.extend(quarantined);
                        mailbox.deleted_list.push(&*message.raw);
                    }
                    fate => {
                        mailbox.not_deleted_list.push(&*message.raw);
                        let error = fate.and_then(|fate| fate.as_ref().err());
                        let failure = error.map(|error| Failure::new(&listed.address, message, error));
                        if failure.as_ref().is_some_and(|failure| failure.already_gone) {
                            content.counts.already_gone += 1;
                            mailbox.already_gone_list.push(&*message.raw);
                        } else {
                            content.counts.not_deleted += 1;
                        }
                        content.failures.extend(failure);
                    }
                }
            }
            content.delete_results.push(mailbox);
        }
        content
    }
}

impl<'a> Failure<'a> {
    fn new(email_address: &'a str, listed: &'a Message, not_done: &'a NotDone) -> Self {
        let (status_code, code, message) = match not_done {
            NotDone::Graph(error) => match error.refusal() {
                Some(refusal) => {
                    let message = match (error.is_indeterminate(), refusal.message.trim_end_matches('.')) {
                        (false, _) => refusal.message.clone(),
                        (true, "") => "It may have been deleted all the same".to_owned(),
                        (true, message) => format!("{message}. It may have been deleted all the same"),
                    };
                    (Some(refusal.status), refusal.code.as_str(), message)
                }
                None => {
                    (None, error.withdrawal().map_or("", |withdrawal| withdrawal.code), error.to_string())
                }
            },
            NotDone::DryRun => (None, DRY_RUN, "it would have been (dry_run)".to_owned()),
            NotDone::Refused { code, why } => (None, *code, why.clone()),
            NotDone::RailsChanged { .. } => (None, "", "the guard rails changed".to_owned()),
        };
        let already_gone = match not_done {
            NotDone::Graph(error) => error.is_item_gone() && !error.is_indeterminate(),
            NotDone::Refused { code, .. } => *code == ALREADY_IN_QUARANTINE,
            NotDone::DryRun | NotDone::RailsChanged { .. } => false,
        };
        let in_words = in_words(not_done, already_gone);
        let (id, listed) = (listed.id.as_str(), &*listed.raw);
        Self { email_address, id, status_code, code, message, already_gone, listed, in_words }
    }
}

/// Says in few words why a message was not deleted, without its mailbox.
fn in_words(not_done: &NotDone, already_gone: bool) -> String {
    match not_done {
        NotDone::Graph(_) if already_gone => "not found, so not deleted by this call".to_owned(),
        NotDone::Graph(error) => report::in_words(error),
        NotDone::DryRun => "a dry run was switched on (dry_run)".to_owned(),
        NotDone::Refused { code, .. } if *code == RefusalCode::MailboxRefused.text() => {
            "the mailbox is protected (mailboxes_allowed, mailboxes_denied; ask your administrator)"
                .to_owned()
        }
        NotDone::Refused { code, .. } if *code == RefusalCode::MailboxNotIdentified.text() => {
            "whose mailbox it is could not be found out".to_owned()
        }
        NotDone::Refused { why, .. } => why.trim_start_matches("Not done: ").trim_end_matches('.').to_owned(),
        NotDone::RailsChanged { .. } => "the guard rails changed".to_owned(),
    }
}
