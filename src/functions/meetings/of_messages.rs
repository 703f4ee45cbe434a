//! Removes the calendar entries of messages that are removed as well: each entry once, however many messages are about
//! it.
//!
//! The entries of all invitations in a mailbox are looked up before the first one is removed: afterwards a message does
//! not tell what its entry was. An entry goes before its message, which is marked with what the entry was, so a later
//! run finds out what an earlier one has removed.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use tokio::sync::Mutex;

use super::fate::{MeetingDealt, MeetingFate};
use super::record::{Collected, Kept, KeptEntry, RemovedMeetings};
use super::remove::{Keeping, Marking, Removed, remove_entry};
use crate::functions::context::Context;
use crate::functions::outcome::NotDone;
use crate::functions::removal::Identity;
use crate::guard::Mailbox;
use graph::{Dispatch, MeetingMark, MeetingMessage, read_meeting_message};

/// Where deleted messages are (Graph page "mailFolder resource type").
const RECOVERABLE_ITEMS: &str = "recoverableitemsdeletions";

/// A message that may be about a meeting.
#[derive(Debug)]
pub(in crate::functions) struct Invitation<'a> {
    pub(in crate::functions) mailbox_id: &'a str,
    pub(in crate::functions) mailbox: &'a str,
    pub(in crate::functions) id: &'a str,
    /// What the message has to be.
    pub(in crate::functions) identity: Identity,
}

/// The calendar entries of many messages.
#[derive(Debug)]
pub(in crate::functions) struct MeetingsOfMessages<'a> {
    /// On whose behalf they are removed.
    job: &'a str,
    /// Whether the messages stay in their mailboxes, so that they can bear a mark.
    are_marked: bool,
    kept: Kept,
    mailboxes: HashMap<&'a str, Mutex<InMailbox<'a>>>,
}

#[derive(Debug, Default)]
struct InMailbox<'a> {
    name: &'a str,
    invitations: Vec<Invitation<'a>>,
    looked_up: Option<HashMap<&'a str, LookedUp>>,
    dealt: HashMap<&'a str, MeetingDealt>,
    /// The entries that were dealt with, by their ids.
    entries: HashMap<String, DealtEntry>,
    marked: Vec<(&'a str, MeetingMark)>,
}

/// An entry that was dealt with.
#[derive(Debug)]
struct DealtEntry {
    fate: MeetingDealt,
    entry: KeptEntry,
    /// Its export, as soon as there is one: the removal may end in doubt.
    exported: Arc<OnceLock<String>>,
}

/// The entry of a message, before anything was removed.
#[derive(Debug)]
enum LookedUp {
    Entry(Box<KeptEntry>),
    /// An earlier run removed it.
    Removed(Box<MeetingMark>),
    None,
    NoMessage,
    Failed(graph::Error),
}

impl<'a> MeetingsOfMessages<'a> {
    pub(in crate::functions) fn new(
        job: &'a str,
        are_marked: bool,
        invitations: impl Iterator<Item = Invitation<'a>>,
    ) -> Self {
        let mut mailboxes: HashMap<&str, Mutex<InMailbox<'_>>> = HashMap::new();
        for invitation in invitations {
            let own = mailboxes.entry(invitation.mailbox_id).or_default().get_mut();
            own.name = invitation.mailbox;
            own.invitations.push(invitation);
        }
        Self { job, are_marked, kept: Kept::default(), mailboxes }
    }

    /// Removes the entry of the message `id`, if it is one of these and has one. What became of it is kept.
    ///
    /// # Errors
    /// The guard rails changed, so all of it has to be allowed again.
    pub(in crate::functions) async fn remove(
        &self,
        context: &Context,
        dispatch: &Dispatch,
        mailbox: &Mailbox,
        (mailbox_id, id): (&str, &str),
    ) -> Result<(), NotDone> {
        let Some(own) = self.mailboxes.get(mailbox_id) else { return Ok(()) };
        let mut own = own.lock().await;
        let Some(id) = own.invitations.iter().map(|one| one.id).find(|one| *one == id) else { return Ok(()) };
        if own.dealt.get(id).is_some_and(|dealt| dealt.fate != MeetingFate::InDoubt) {
            return Ok(());
        }
        if own.looked_up.is_none() {
            own.look_up(context, dispatch, mailbox, self).await?;
        }
        own.deal(context, dispatch, mailbox, id, self).await
    }

    /// What became of the entry of each message, by mailbox and id, and of each entry.
    pub(in crate::functions) fn finish(self) -> (HashMap<(String, String), MeetingDealt>, RemovedMeetings) {
        let (mut fates, mut collected) = (HashMap::new(), Collected::default());
        for (mailbox_id, own) in self.mailboxes {
            let own = own.into_inner();
            let owner = (Some(mailbox_id), own.name);
            for invitation in &own.invitations {
                let dealt = own.dealt.get(invitation.id).cloned();
                let dealt = dealt.unwrap_or_else(|| MeetingDealt::new(MeetingFate::NotReached));
                fates.insert((mailbox_id.to_owned(), invitation.id.to_owned()), dealt);
            }
            let looked_up = own.looked_up.unwrap_or_default();
            for (event, DealtEntry { fate: dealt, entry, exported }) in own.entries {
                if dealt.fate.is_removed() || dealt.fate == MeetingFate::InDoubt {
                    let is_about = |looked_up: &LookedUp| matches!(looked_up, LookedUp::Entry(kept) if kept.entry.id == event);
                    let about = looked_up.iter().filter(|(_, looked_up)| is_about(looked_up));
                    let mut messages: Vec<String> = about.map(|(id, _)| (*id).to_owned()).collect();
                    messages.sort_unstable();
                    let exported = Arc::into_inner(exported).and_then(OnceLock::into_inner);
                    collected.add(owner, entry, messages, dealt.fate, exported);
                }
            }
            for (id, mark) in own.marked {
                collected.add_marked(owner, mark, id.to_owned());
            }
        }
        (fates, collected.into_removed(self.kept))
    }
}

impl<'a> InMailbox<'a> {
    /// Looks the entries of all invitations up.
    async fn look_up(
        &mut self,
        context: &Context,
        dispatch: &Dispatch,
        mailbox: &Mailbox,
        of: &MeetingsOfMessages<'_>,
    ) -> Result<(), NotDone> {
        let mut all = HashMap::new();
        for invitation in &self.invitations {
            let looked_up = match read(context, dispatch, mailbox, invitation.id).await {
                Ok(Some(message)) if invitation.identity.is_of_meeting(&message) => match message {
                    MeetingMessage { entry: Some(entry), .. } => {
                        LookedUp::Entry(Box::new(of.kept.entry(entry)))
                    }
                    MeetingMessage { mark: Some(mark), .. } if mark.job == of.job => {
                        LookedUp::Removed(Box::new(mark))
                    }
                    _ => LookedUp::None,
                },
                Ok(_) => LookedUp::NoMessage,
                Err(error) if error.is_for_all() => return Err(error.into()),
                Err(error) => LookedUp::Failed(error),
            };
            all.insert(invitation.id, looked_up);
        }
        self.looked_up = Some(all);
        Ok(())
    }

    async fn deal(
        &mut self,
        context: &Context,
        dispatch: &Dispatch,
        mailbox: &Mailbox,
        id: &'a str,
        all: &MeetingsOfMessages<'_>,
    ) -> Result<(), NotDone> {
        let looked_up = self.looked_up.as_ref().and_then(|looked_up| looked_up.get(id));
        let entry = match looked_up {
            Some(LookedUp::Entry(entry)) => entry,
            Some(LookedUp::Removed(mark)) => {
                let mark = (**mark).clone();
                if self.marked.iter().all(|(_, known)| known.uid != mark.uid) {
                    self.marked.push((id, mark));
                }
                self.dealt.insert(id, MeetingDealt::new(MeetingFate::AlreadyRemoved));
                return Ok(());
            }
            Some(LookedUp::None) => {
                self.dealt.insert(id, MeetingDealt::new(MeetingFate::NoEntry));
                return Ok(());
            }
            Some(LookedUp::NoMessage) | None => {
                self.dealt.insert(id, MeetingDealt::new(MeetingFate::NoMessage));
                return Ok(());
            }
            Some(LookedUp::Failed(error)) => {
                let dealt = MeetingDealt::not_done(&error.clone().into());
                self.dealt.insert(id, dealt);
                return Ok(());
            }
        };
        let kept = (**entry).clone();
        let entry = &kept.entry;
        if let Some(known) =
            self.entries.get(&entry.id).filter(|known| known.fate.fate != MeetingFate::InDoubt)
        {
            let dealt = known.fate.clone();
            self.dealt.insert(id, dealt);
            return Ok(());
        }
        // Where the call ends meanwhile, the entry may have been removed.
        let in_doubt = MeetingDealt::new(MeetingFate::InDoubt);
        self.dealt.insert(id, in_doubt.clone());
        // What an earlier try exported cannot be exported any more.
        let known = self.entries.get(&entry.id).map(|known| Arc::clone(&known.exported));
        let exported = known.unwrap_or_default();
        let dealt = DealtEntry { fate: in_doubt, entry: kept.clone(), exported: Arc::clone(&exported) };
        self.entries.insert(entry.id.clone(), dealt);
        let looked_up = self.looked_up.iter().flatten();
        let about: Vec<&str> = looked_up
            .filter(|(_, one)| matches!(one, LookedUp::Entry(other) if other.entry.id == entry.id))
            .map(|(id, _)| *id)
            .collect();
        let marking = all.are_marked.then_some(Marking { job: all.job, messages: &about });
        let keeping = Keeping::Everything { marking, kept: &all.kept, exported: &exported };
        let removed = remove_entry(context, dispatch, mailbox, &entry.id, keeping).await;
        let with_series = || {
            let of_series = entry.series_master_id.as_ref().and_then(|series| self.entries.get(series));
            of_series.is_some_and(|series| series.fate.fate.is_removed())
        };
        let (dealt, fresh) = match removed {
            Err(NotDone::RailsChanged { in_doubt }) => {
                if !in_doubt {
                    self.dealt.remove(id);
                    self.entries.remove(&entry.id);
                }
                return Err(NotDone::RailsChanged { in_doubt });
            }
            Ok(Removed { fate: MeetingFate::NoEntry, .. }) if with_series() => {
                (MeetingDealt::new(MeetingFate::Removed), None)
            }
            Ok(Removed { fate, entry }) => (MeetingDealt::new(fate), entry),
            Err(not_done) => (MeetingDealt::not_done(&not_done), None),
        };
        self.dealt.insert(id, dealt.clone());
        let id = entry.id.clone();
        let entry = fresh.map_or(kept, |fresh| all.kept.entry(fresh));
        self.entries.insert(id, DealtEntry { fate: dealt, entry, exported });
        Ok(())
    }
}

/// Reads the message with its entry: where it is, or in Recoverable Items.
async fn read(
    context: &Context,
    dispatch: &Dispatch,
    mailbox: &Mailbox,
    id: &str,
) -> Result<Option<MeetingMessage>, graph::Error> {
    for folder in [None, Some(RECOVERABLE_ITEMS)] {
        match read_meeting_message(&context.graph, dispatch, mailbox.address(), folder, id).await {
            Ok(message) => return Ok(Some(message)),
            Err(error) if error.is_no_folder() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
