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
        let denied = &self.rails.denied_reading;
        let mut mailbox = Mailbox { name: name.trim().to_owned(), id: None };
        if denied.is_empty() {
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
        let is_denied = denied.match_address(&mailbox.name) || denied.match_any(names.all());
        mailbox.id = Some(names.id);
        if is_denied {
            self.record_refused_reading(&mailbox, RefusalCode::MailboxRefused.text());
            return Err(ErrorKind::ReadingDenied.into());
        }
        Ok(mailbox)
    }

    /// The policy for a search; `None` if every mailbox may be read.
    pub fn read_policy(&self) -> Option<&dyn ReadPolicy> {
        (!self.rails.denied_reading.is_empty()).then_some(self)
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

    /// Puts on record what was searched, or why not.
    pub fn record_search<T>(&self, record: &AuditRecord, searched: &Result<T, graph::Error>) {
        self.record_read(record, searched);
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
