//! The gate of a batch, which changes several things at once.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, select_all};

use crate::change::ChangeGate;
use crate::request::Request;
use crate::withdrawal::Withdrawal;

/// The gates of the parts of a batch. It closes as soon as one of them does.
#[derive(Debug)]
struct Gates(Vec<Arc<dyn ChangeGate>>);

/// Returns the gate of a batch of `requests`; `None` if none of them changes anything.
pub(crate) fn gate_of<'r>(requests: impl Iterator<Item = &'r Request>) -> Option<Arc<dyn ChangeGate>> {
    let gates: Vec<_> = requests.filter_map(|request| request.gate.clone()).collect();
    if gates.is_empty() { None } else { Some(Arc::new(Gates(gates))) }
}

impl ChangeGate for Gates {
    fn begin(&self) -> Result<(), Withdrawal> {
        self.0.iter().try_for_each(|gate| gate.begin())
    }

    fn withdrawn(&self) -> BoxFuture<'_, Withdrawal> {
        select_all(self.0.iter().map(|gate| gate.withdrawn())).map(|(withdrawal, ..)| withdrawal).boxed()
    }
}
