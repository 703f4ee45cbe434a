//! What an operator allows at the moment: the guard rails in force, a hold, and whether the process goes on at all.
//! A reload or a signal changes it while calls run.

use std::sync::Arc;

use tokio::sync::watch;

use super::rails::Rails;
use super::stop::StopReason;
use crate::config::GuardSettings;

/// What is allowed at the moment. Clones share it.
#[derive(Debug, Clone)]
pub struct ChangePolicy {
    in_force: watch::Sender<InForce>,
}

/// One state of the policy.
#[derive(Debug, Clone)]
pub(super) struct InForce {
    pub(super) rails: Arc<GuardSettings>,
    /// Grows with each change that makes the rails stricter in some respect.
    pub(super) version: u64,
    held_by_signal: bool,
    is_stopping: bool,
}

impl InForce {
    /// Why no change may begin, if that is so.
    pub(super) fn stop_reason(&self) -> Option<StopReason> {
        if self.is_stopping {
            Some(StopReason::Stopping)
        } else if self.is_on_hold() {
            Some(StopReason::OnHold)
        } else {
            None
        }
    }

    fn is_on_hold(&self) -> bool {
        self.rails.hold || self.held_by_signal
    }
}

impl ChangePolicy {
    /// Puts `rails` in force.
    pub fn new(rails: GuardSettings) -> Self {
        let in_force =
            InForce { rails: Arc::new(rails), version: 0, held_by_signal: false, is_stopping: false };
        Self { in_force: watch::Sender::new(in_force) }
    }

    /// The guard rails in force.
    pub fn rails(&self) -> Arc<GuardSettings> {
        Arc::clone(&self.in_force.borrow().rails)
    }

    /// Puts other guard rails in force. Stricter ones hold at once for every change that has not begun, others for the
    /// calls that begin from now on.
    pub fn replace_rails(&self, rails: GuardSettings) {
        self.in_force.send_if_modified(|now| {
            let differs = *now.rails != rails;
            let is_stricter =
                now.rails.deletion != rails.deletion || !now.rails.removed_since(&rails).is_empty();
            now.rails = Arc::new(rails);
            now.version += u64::from(is_stricter);
            differs
        });
    }

    /// Holds all changes, or releases a hold that was set by a signal. Returns whether that is something new.
    pub fn hold_by_signal(&self, hold: bool) -> bool {
        self.in_force.send_if_modified(|now| std::mem::replace(&mut now.held_by_signal, hold) != hold)
    }

    /// Whether all changes are on hold, by the setting or by a signal.
    pub fn is_on_hold(&self) -> bool {
        self.in_force.borrow().is_on_hold()
    }

    /// Lets no change begin any more, because the process ends.
    pub fn stop(&self) {
        self.in_force.send_modify(|now| now.is_stopping = true);
    }

    pub(super) fn watch(&self) -> watch::Receiver<InForce> {
        self.in_force.subscribe()
    }
}

impl InForce {
    pub(super) fn as_rails(&self) -> Rails {
        Rails::new(self.version, Arc::clone(&self.rails))
    }
}
