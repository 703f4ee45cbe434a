//! What is known of the folders of a mailbox in which messages are restored. Each is found out once.

use std::collections::HashMap;

use tokio::sync::{Mutex, OnceCell};

use crate::functions::access::Access;
use crate::functions::context::Context;
use crate::guard::Mailbox;
use graph::{Dispatch, MessageState, find_quarantine_folders, folder_id};

pub(super) const INBOX: &str = "inbox";

/// A mailbox in which messages are restored.
#[derive(Default)]
pub(super) struct MailboxPlaces {
    pub(super) access: Access,
    inbox: OnceCell<String>,
    quarantines: OnceCell<Vec<String>>,
    /// Whether its mail may be shown, by the rails of this version.
    shown: Mutex<Option<(u64, bool)>>,
    /// Whether the folders with these ids exist.
    existing: Mutex<HashMap<String, bool>>,
}

/// How a mailbox is asked for its folders.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) context: &'a Context,
    pub(super) dispatch: &'a Dispatch,
    pub(super) mailbox: &'a Mailbox,
}

impl MailboxPlaces {
    /// The id of the Inbox.
    pub(super) async fn inbox(&self, asking: Asking<'_>) -> Result<&str, graph::Error> {
        let Asking { context, dispatch, mailbox } = asking;
        let inbox = || folder_id(&context.graph, dispatch, mailbox.address(), INBOX);
        self.inbox.get_or_try_init(inbox).await.map(String::as_str)
    }

    /// Takes subject and sender out of `state`, unless mail of the mailbox may be read.
    pub(super) async fn conceal(&self, asking: Asking<'_>, state: &mut MessageState) {
        let Asking { context, dispatch, mailbox } = asking;
        let mut shown = self.shown.lock().await;
        let version = context.guard.rails_version();
        let is_shown = match *shown {
            Some((checked, is_shown)) if checked == version => is_shown,
            _ => {
                let reading = context.guard.authorize_reading(&context.graph, dispatch, mailbox.address());
                let is_shown = reading.await.is_ok();
                *shown = Some((version, is_shown));
                is_shown
            }
        };
        if !is_shown {
            (state.subject, state.from) = (None, None);
        }
    }

    /// Whether `folder` is a quarantine.
    pub(super) async fn is_quarantine(&self, asking: Asking<'_>, folder: &str) -> Result<bool, graph::Error> {
        let Asking { context, dispatch, mailbox } = asking;
        let find = || find_quarantine_folders(&context.graph, dispatch, mailbox.address());
        let quarantines = self.quarantines.get_or_try_init(find).await?;
        Ok(quarantines.iter().any(|id| id == folder))
    }

    /// Whether there is a folder with the id `folder`.
    pub(super) async fn has(&self, asking: Asking<'_>, folder: &str) -> Result<bool, graph::Error> {
        let Asking { context, dispatch, mailbox } = asking;
        let mut existing = self.existing.lock().await;
        if let Some(exists) = existing.get(folder) {
            return Ok(*exists);
        }
        let exists = match folder_id(&context.graph, dispatch, mailbox.address(), folder).await {
            Ok(_) => true,
            Err(error) if error.is_no_folder() => false,
            Err(error) => return Err(error),
        };
        existing.insert(folder.to_owned(), exists);
        Ok(exists)
    }
}
