//! Deliveries whose reply the broker has confirmed.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;

use super::{MOST_REMEMBERED, REMEMBERED};

/// The message ids of these deliveries, for a while. There are many and they come and go, so they are in a tree: a hash
/// table grows to twice its size when the places of removed ids are used up.
#[derive(Debug, Default)]
pub(super) struct Confirmed {
    ids: BTreeSet<Arc<str>>,
    by_age: VecDeque<(Instant, Arc<str>)>,
}

impl Confirmed {
    /// Remembers a delivery.
    pub(super) fn add(&mut self, message_id: String) {
        let id: Arc<str> = message_id.into();
        if self.ids.insert(Arc::clone(&id)) {
            self.by_age.push_back((Instant::now(), id));
        }
        self.forget_oldest();
    }

    /// Whether the delivery is remembered.
    pub(super) fn contains(&self, message_id: &str) -> bool {
        self.ids.contains(message_id)
    }

    /// Forgets deliveries that were confirmed long ago, and the oldest if there are too many.
    pub(super) fn forget_oldest(&mut self) {
        let now = Instant::now();
        while let Some((since, _)) = self.by_age.front()
            && (now - *since >= REMEMBERED || self.by_age.len() > MOST_REMEMBERED)
            && let Some((_, id)) = self.by_age.pop_front()
        {
            self.ids.remove(&id);
        }
    }

    /// Returns how many are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }
}
