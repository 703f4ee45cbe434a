//! Changes that were permitted and are not sent yet can be withdrawn: between the permission and the request may lie a
//! queue, a limit of the mailbox, or a wait that Graph asked for.

use std::fmt::Debug;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::error::Error;
use crate::withdrawal::Withdrawal;

/// Permission to change something at Graph. A request that changes something cannot be made without one.
///
/// The application implements this for the type that its guard hands out after it has checked the guard rails and
/// written the intent to the audit trail. So a change that is neither allowed nor on record does not compile.
pub trait ChangePermit {
    /// Returns what decides, until the request is sent, whether it still may be.
    fn gate(&self) -> Arc<dyn ChangeGate>;
}

/// Decides whether a permitted change may still be sent.
pub trait ChangeGate: Debug + Send + Sync {
    /// Called right before a request is sent, also before each retry. After `Ok` the request is under way.
    ///
    /// # Errors
    /// The change was withdrawn.
    fn begin(&self) -> Result<(), Withdrawal>;

    /// Waits until the change is withdrawn.
    fn withdrawn(&self) -> BoxFuture<'_, Withdrawal>;
}

/// Waits for `work`, unless the change behind `gate` is withdrawn first. Nothing of it may have been sent yet.
pub(crate) async fn unless_withdrawn<T>(
    gate: Option<&Arc<dyn ChangeGate>>,
    work: impl Future<Output = T>,
) -> Result<T, Error> {
    let Some(gate) = gate else { return Ok(work.await) };
    tokio::select! {
        biased;
        withdrawal = gate.withdrawn() => Err(withdrawal.into()),
        done = work => Ok(done),
    }
}
