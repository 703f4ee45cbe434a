//! Puts all changes on hold at a signal, also while the daemon starts or reads its configuration.

use std::convert::Infallible;
use std::sync::Arc;

use tracing::{info, warn};

use super::signals::HoldSignals;
use super::systemd::Systemd;
use crate::worker::Worker;

/// Obeys the signals until it is dropped.
pub(super) async fn obey(mut signals: HoldSignals, worker: Worker, systemd: Arc<Systemd>) -> Infallible {
    loop {
        let (hold, by) = signals.next().await;
        let services = worker.services();
        if !services.policy.hold_by_signal(hold) {
            info!("{by}: nothing to do, it is so already");
            continue;
        }
        services.trail.note_hold(hold, by);
        systemd.hold(services.policy.is_on_hold());
        if hold {
            warn!(
                "{by}: all changes are on hold; running calls begin no further change, and SIGUSR2 ends the hold"
            );
        } else if services.policy.is_on_hold() {
            warn!("{by}: changes stay on hold, because app.config has hold=true");
        } else {
            warn!("{by}: the hold is released; calls may change mailboxes again");
        }
    }
}
