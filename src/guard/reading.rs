//! What a call may read, and the record of what it has read.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use graph::{Client, Dispatch, ErrorKind, ReadPolicy};

use super::directory::{Unidentified, identify, is_not_found};
use super::{Guard, Mailbox, RefusalCode, in_mailbox};
use crate::audit::{Act, ActOutcome, AuditRecord};

impl Guard {
    /// Checks that the mailbox called `name` may be read. The directory's names of the mailbox are compared, as for a
    /// change.
    ///
    /// # Errors
    /// The settings forbid it, or the owner could not be found out.
    pub async fn authorize_reading(
        &self,
        graph: &Client,
        route: &Dispatch,
        name: &str,
    ) -> Result<Mailbox, graph::Error> {
        let rails = self.rails();
        let mut mailbox = Mailbox { name: name.trim().to_owned(), id: None, version: rails.version() };
        if !rails.deny_any_reading() {
            return Ok(mailbox);
        }
        let names = match identify(graph, route, &mailbox.name).await {
            Ok(names) => names,
            Err(Unidentified::Graph(error)) if is_not_found(&error) || error.is_for_all() => {
                return Err(error);
            }
            Err(unidentified) => {
                let reason = unidentified.to_string();
                self.record_refused_reading(
                    &mailbox,
                    &format!("{}: {reason}", RefusalCode::MailboxNotIdentified),
                );
                return Err(ErrorKind::NotIdentified(reason).into());
            }
        };
        let is_denied = rails.deny_reading(&mailbox.name, &names);
        mailbox.id = Some(names.id);
        if is_denied {
            self.record_refused_reading(&mailbox, RefusalCode::MailboxRefused.text());
            return Err(ErrorKind::ReadingDenied.into());
        }
        Ok(mailbox)
    }

    /// Finds out whose mailbox is called `name`, and checks that it may be read. Returns the directory's id.
    ///
    /// # Errors
    /// The settings forbid it, or the directory does not say whose mailbox it is.
    pub async fn identify_for_reading(
        &self,
        graph: &Client,
        route: &Dispatch,
        name: &str,
    ) -> Result<String, graph::Error> {
        if let Some(id) = self.authorize_reading(graph, route, name).await?.id {
            return Ok(id);
        }
        match identify(graph, route, name.trim()).await {
            Ok(names) => Ok(names.id),
            Err(Unidentified::Graph(error)) => Err(error),
            Err(unidentified) => Err(ErrorKind::NotIdentified(unidentified.to_string()).into()),
        }
    }

    /// Checks that what concerns `address`, a sender or recipient, may be shown. An address that is not in the directory
    /// is compared as it is.
    ///
    /// # Errors
    /// The settings forbid it, or the owner could not be found out.
    pub async fn authorize_showing(
        &self,
        graph: &Client,
        route: &Dispatch,
        address: &str,
    ) -> Result<(), graph::Error> {
        match self.authorize_reading(graph, route, address).await {
            Err(error) if is_not_found(&error) => {
                let rails = self.rails();
                if !rails.deny_reading_by_name(address) {
                    return Ok(());
                }
                let mailbox = Mailbox { name: address.to_owned(), id: None, version: rails.version() };
                self.record_refused_reading(&mailbox, RefusalCode::MailboxRefused.text());
                Err(ErrorKind::ReadingDenied.into())
            }
            authorized => authorized.map(drop),
        }
    }

    /// The policy for a search; `None` if every mailbox may be read.
    pub fn read_policy(&self) -> Option<&dyn ReadPolicy> {
        self.rails().deny_any_reading().then_some(self)
    }

    /// Puts on record that a message of the mailbox called `name` was read, or why not.
    pub fn record_reading<T>(&self, name: &str, message_id: &str, read: &Result<T, graph::Error>) {
        let record = AuditRecord {
            mailbox: Some(name.to_owned()),
            message_id: Some(message_id.to_owned()),
            ..AuditRecord::new(Act::ReadMessage)
        };
        self.record_read(&record, read);
    }

    /// Puts on record that the attachments of a message, `count` of them, were read, or why not.
    pub fn record_reading_attachments<T>(
        &self,
        name: &str,
        message_id: &str,
        count: Option<usize>,
        read: &Result<T, graph::Error>,
    ) {
        let record = AuditRecord {
            mailbox: Some(name.to_owned()),
            message_id: Some(message_id.to_owned()),
            attachments: count,
            ..AuditRecord::new(Act::ReadAttachments)
        };
        self.record_read(&record, read);
    }

    /// Begins a search. If the returned value is dropped before its end, the search is on record as cut off.
    pub fn begin_search(&self, record: AuditRecord) -> OpenSearch<'_> {
        OpenSearch { guard: self, record: Some(record) }
    }

    fn record_read<T>(&self, record: &AuditRecord, read: &Result<T, graph::Error>) {
        // A refusal of the guard is on record already.
        let is_refused = |error: &graph::Error| {
            matches!(error.kind(), ErrorKind::ReadingDenied | ErrorKind::NotIdentified(_))
        };
        match read {
            Ok(_) => self.trail.read(&self.initiator, record, ActOutcome::Done, None),
            Err(error) if is_refused(error) => {}
            Err(error) => {
                self.trail.read(&self.initiator, record, ActOutcome::NotDone, Some(&error.for_log()));
            }
        }
    }

    fn record_refused_reading(&self, mailbox: &Mailbox, why: &str) {
        let record = in_mailbox(AuditRecord::new(Act::ReadMailbox), mailbox);
        self.trail.refused(&self.initiator, &record, why);
    }
}

/// A search that is under way.
#[must_use = "it is on record as cut off otherwise"]
pub struct OpenSearch<'g> {
    guard: &'g Guard,
    record: Option<AuditRecord>,
}

impl OpenSearch<'_> {
    /// Puts on record what was searched, or why not.
    pub fn end<T>(mut self, record: &AuditRecord, searched: &Result<T, graph::Error>) {
        self.record = None;
        self.guard.record_read(record, searched);
    }
}

impl Drop for OpenSearch<'_> {
    fn drop(&mut self) {
        if let Some(record) = self.record.take() {
            let Guard { trail, initiator, .. } = self.guard;
            trail.read(
                initiator,
                &record,
                ActOutcome::Unknown,
                Some("the call was ended before the search was"),
            );
        }
    }
}

impl ReadPolicy for Guard {
    fn authorize<'a>(
        &'a self,
        client: &'a Client,
        dispatch: &'a Dispatch,
        name: &'a str,
    ) -> BoxFuture<'a, Result<String, graph::Error>> {
        async move {
            let mailbox = self.authorize_reading(client, dispatch, name).await?;
            Ok(mailbox.address().to_owned())
        }
        .boxed()
    }
}
