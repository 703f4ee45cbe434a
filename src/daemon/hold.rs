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
        let is_new = services.policy.hold_by_signal(hold);
        let is_on_hold = services.policy.is_on_hold();
        if is_new {
            services.trail.note_hold(is_on_hold, by);
            systemd.hold(is_on_hold);
        }
        match (hold, is_on_hold) {
            (true, _) if is_new => warn!(
                "{by}: all changes are on hold; running calls begin no further change, and SIGUSR2 ends the hold"
            ),
            (true, _) => info!("{by}: all changes are on hold already"),
            (false, true) => warn!("{by}: changes stay on hold, because app.config has hold=true"),
            (false, false) if is_new => warn!("{by}: the hold is released; calls may change mailboxes again"),
            (false, false) => info!("{by}: changes are not on hold"),
        }
    }
}
