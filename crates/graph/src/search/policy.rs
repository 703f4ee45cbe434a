//! Which mailboxes a search may read.

use futures_util::future::BoxFuture;

use crate::client::{Client, Dispatch};
use crate::error::Error;

/// Decides for each mailbox whether a search may read it.
pub trait ReadPolicy: Send + Sync {
    /// Returns the directory's id of the mailbox called `name`. The search reads the mailbox by this id.
    ///
    /// # Errors
    /// The mailbox must not be read, or its owner could not be found out.
    fn authorize<'a>(
        &'a self,
        client: &'a Client,
        dispatch: &'a Dispatch,
        name: &'a str,
    ) -> BoxFuture<'a, Result<String, Error>>;
}
