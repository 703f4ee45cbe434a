//! The guard rails of one call.

use std::sync::Arc;
use std::time::Duration;

use super::directory::Names;
use crate::config::{Deletion, GuardSettings};

/// The guard rails that a call began with, and all that came into force since. A change needs the permission of each
/// of them. So rails that become stricter hold for a running call, and rails that become wider do not: a call that
/// began as a dry run deletes nothing.
#[derive(Debug, Clone)]
pub(super) struct Rails {
    version: u64,
    first: Arc<GuardSettings>,
    since: Vec<Arc<GuardSettings>>,
}

impl Rails {
    pub(super) fn new(version: u64, rails: Arc<GuardSettings>) -> Self {
        Self { version, first: rails, since: Vec::new() }
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Adds rails that have come into force.
    pub(super) fn add(&mut self, version: u64, rails: Arc<GuardSettings>) {
        self.version = version;
        if self.all().all(|known| *known != *rails) {
            self.since.push(rails);
        }
    }

    fn all(&self) -> impl Iterator<Item = &GuardSettings> {
        std::iter::once(&self.first).chain(&self.since).map(|rails| &**rails)
    }

    pub(super) fn dry_run(&self) -> bool {
        self.all().any(|rails| rails.dry_run)
    }

    pub(super) fn max_deletions(&self) -> usize {
        self.all().map(|rails| rails.max_deletions).min().unwrap_or(0)
    }

    pub(super) fn max_deletions_per_hour(&self) -> Option<usize> {
        self.all().filter_map(|rails| rails.max_deletions_per_hour).min()
    }

    pub(super) fn max_plan_messages(&self) -> usize {
        self.all().map(|rails| rails.max_plan_messages).min().unwrap_or(0)
    }

    pub(super) fn plan_lifetime(&self) -> Duration {
        self.all().map(|rails| rails.plan_lifetime).min().unwrap_or_default()
    }

    pub(super) fn four_eyes(&self) -> bool {
        self.all().any(|rails| rails.four_eyes)
    }

    pub(super) fn approval_required(&self) -> bool {
        self.all().any(|rails| rails.approval_required)
    }

    /// The destination from which a message is brought back most easily.
    pub(super) fn deletion(&self) -> Deletion {
        let chosen = |deletion| self.all().any(|rails| rails.deletion == deletion);
        [Deletion::Quarantine, Deletion::DeletedItems, Deletion::Recoverable]
            .into_iter()
            .find(|deletion| chosen(*deletion))
            .unwrap_or(Deletion::Permanent)
    }

    /// Whether they distinguish mailboxes.
    pub(super) fn name_mailboxes(&self) -> bool {
        self.all().any(GuardSettings::name_mailboxes)
    }

    /// Whether `mailboxes_denied` has the mailbox, by the name in the call or by one of the directory's.
    pub(super) fn deny(&self, name: &str, names: &Names) -> bool {
        self.all().any(|rails| rails.denied.match_address(name) || rails.denied.match_any(names.all()))
    }

    /// Whether `mailboxes_allowed` has the mailbox, where it is set.
    pub(super) fn allow(&self, names: &Names) -> bool {
        let allows = |rails: &GuardSettings| {
            rails.allowed.as_ref().is_none_or(|allowed| allowed.match_any(names.allowable()))
        };
        self.all().all(allows)
    }

    /// Whether reading is denied anywhere.
    pub(super) fn deny_any_reading(&self) -> bool {
        self.all().any(|rails| !rails.denied_reading.is_empty())
    }

    /// Whether `mailboxes_denied_reading` has this name of a mailbox.
    pub(super) fn deny_reading_by_name(&self, name: &str) -> bool {
        self.all().any(|rails| rails.denied_reading.match_address(name))
    }

    /// Whether `mailboxes_denied_reading` has the mailbox.
    pub(super) fn deny_reading(&self, name: &str, names: &Names) -> bool {
        self.all().any(|rails| {
            rails.denied_reading.match_address(name) || rails.denied_reading.match_any(names.all())
        })
    }
}
