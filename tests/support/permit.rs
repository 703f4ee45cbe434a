//! A permission to change something at Graph that a test can withdraw.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use graph::{ChangeGate, ChangePermit, Withdrawal};
use tokio::sync::watch;

/// The permission. Clones are withdrawn together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Permit(watch::Sender<bool>);

impl Permit {
    pub(crate) fn withdraw(&self) {
        self.0.send_replace(true);
    }
}

impl ChangePermit for Permit {
    fn gate(&self) -> Arc<dyn ChangeGate> {
        Arc::new(self.clone())
    }
}

impl ChangeGate for Permit {
    fn begin(&self) -> Result<(), Withdrawal> {
        let phrase = "it was withdrawn".into();
        if *self.0.borrow() { Err(Withdrawal { code: "Withdrawn", phrase }) } else { Ok(()) }
    }

    fn withdrawn(&self) -> BoxFuture<'_, Withdrawal> {
        let mut withdrawn = self.0.subscribe();
        async move {
            let _ = withdrawn.wait_for(|withdrawn| *withdrawn).await;
            Withdrawal { code: "Withdrawn", phrase: "it was withdrawn".into() }
        }
        .boxed()
    }
}
