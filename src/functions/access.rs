//! What is known of a mailbox in which many messages are changed.

use tokio::sync::{Mutex, OnceCell};

use super::context::Context;
use super::outcome::NotDone;
use crate::guard::{self, Mailbox};
use graph::Dispatch;

/// What is known of a mailbox in which messages are changed. It is found out once, and again where the guard rails have
/// changed.
#[derive(Default)]
pub(super) struct Access {
    /// Whether the rails of this version allow it.
    allowed: Mutex<Option<(u64, Result<Mailbox, NotDone>)>>,
    /// The mailbox by its id in the directory, where Exchange does not know it by its name.
    identified: OnceCell<Option<Mailbox>>,
}

impl Access {
    /// Does `act` in the mailbox called `name`, if the rails in force allow it.
    pub(super) async fn with<T, F>(
        &self,
        context: &Context,
        dispatch: &Dispatch,
        name: &str,
        act: impl Fn(Mailbox) -> F,
    ) -> Result<T, NotDone>
    where
        F: Future<Output = Result<T, NotDone>>,
    {
        let mailbox = self.mailbox(context, dispatch, name).await?;
        let error = match act(mailbox.clone()).await {
            Err(NotDone::Graph(error)) if error.is_no_mailbox() => error,
            ended => return ended,
        };
        let identified = context.guard.identify(&context.graph, dispatch, &mailbox);
        match self.identified.get_or_init(|| identified).await {
            Some(known) => act(mailbox.identified_as(known)).await,
            None => Err(error.into()),
        }
    }

    /// The mailbox with this id, which was called `name` when the plan was made, if the rails in force allow it.
    pub(super) async fn planned(
        &self,
        context: &Context,
        dispatch: &Dispatch,
        name: &str,
        id: &str,
    ) -> Result<Mailbox, NotDone> {
        let asked = context.guard.authorize_planned_mailbox(&context.graph, dispatch, name, id);
        self.once_for_the_rails(context, asked).await
    }

    async fn mailbox(&self, context: &Context, dispatch: &Dispatch, name: &str) -> Result<Mailbox, NotDone> {
        let asked = context.guard.authorize_mailbox(&context.graph, dispatch, name);
        self.once_for_the_rails(context, asked).await
    }

    /// What the guard says, `asked` only where the rails have changed since it was asked last.
    async fn once_for_the_rails(
        &self,
        context: &Context,
        asked: impl Future<Output = Result<Mailbox, guard::Error>>,
    ) -> Result<Mailbox, NotDone> {
        let mut allowed = self.allowed.lock().await;
        let version = context.guard.rails_version();
        match &*allowed {
            Some((checked, mailbox)) if *checked == version => mailbox.clone(),
            _ => {
                let mailbox = asked.await.map_err(NotDone::from);
                *allowed = Some((version, mailbox.clone()));
                mailbox
            }
        }
    }
}
