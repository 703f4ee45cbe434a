//! A reload: everything that can fail happens in [`ReloadPlan::new`]; [`ReloadPlan::apply`] cannot fail.

use std::sync::Arc;

use tracing::{info, warn};

use super::health::Listener;
use super::subscription::BrokerTarget;
use super::{Daemon, warn_of_unsuitable_places};
use crate::audit::Trail;
use crate::config::watch::Contents;
use crate::config::{AuditSettings, Loaded, LogSettings, Settings, Warning};
use crate::exit_code::{ExitCode, Failure};
use crate::log::LogChange;
use crate::worker::Services;
use graph::GraphSettings;

/// The settings that the running parts were made from. What the worker was made from is in its [`Services`].
#[derive(Debug)]
pub(super) struct InForce {
    log: LogSettings,
    audit: AuditSettings,
    /// The settings of Graph's client, and the contents of the files that they name.
    graph: (GraphSettings, Contents),
    /// The newest target. The session in service may have been opened with an earlier one.
    pub(super) target: BrokerTarget,
}

/// A configuration that can be used, and the parts that were made from it.
pub(super) struct ReloadPlan {
    settings: Settings,
    warnings: Vec<Warning>,
    in_force: InForce,
    graph: graph::Client,
    /// The new listener, if the address changes; `Some(None)` if there is to be none.
    #[allow(clippy::option_option)]
    listener: Option<Option<Listener>>,
    /// The new log, if its settings change.
    log: Option<LogChange>,
}

impl InForce {
    pub(super) fn new(settings: &Settings, contents: &Contents) -> Self {
        Self {
            log: settings.log.clone(),
            audit: settings.audit.clone(),
            graph: (settings.graph.clone(), contents.about(settings.graph.files())),
            target: BrokerTarget::new(settings, contents),
        }
    }
}

impl ReloadPlan {
    /// Makes the parts that change.
    ///
    /// # Errors
    /// One of them cannot be made. Then nothing has changed.
    pub(super) async fn new(
        daemon: &Daemon<'_>,
        loaded: Loaded,
        contents: &Contents,
    ) -> Result<Self, Failure> {
        let Loaded { settings, warnings, .. } = loaded;
        let in_force = InForce::new(&settings, contents);
        let former = &daemon.in_force;
        in_force.target.check()?;
        let graph = daemon.worker.services().graph.clone();
        let graph = if in_force.graph == former.graph {
            graph
        } else {
            graph::Client::with_metrics(&settings.graph, Arc::clone(graph.metrics()))?
        };
        if in_force.audit != former.audit {
            let usable = Trail::can_be_at(&in_force.audit).await;
            usable.map_err(|error| Failure::new(ExitCode::BadConfiguration, &error))?;
        }
        let listener = daemon.health.listen_at(settings.health_listen)?;
        // The last step: a log that has been prepared must be put in place.
        let log = if in_force.log == former.log {
            None
        } else {
            let prepared = daemon.log.prepare(&settings.log);
            Some(prepared.map_err(|error| Failure::new(ExitCode::BadConfiguration, &error))?)
        };
        Ok(Self { settings, warnings, in_force, graph, listener, log })
    }

    /// Puts the parts in place, and starts to open a session with the new settings.
    pub(super) fn apply(self, daemon: &mut Daemon<'_>) {
        let Self { settings, warnings, in_force, graph, listener, log } = self;
        let former = daemon.worker.services();
        let former_rails = former.policy.rails();
        let other_rails = settings.guard != *former_rails;
        let other_trail = in_force.audit != daemon.in_force.audit;
        let changes = [
            ("log", log.is_some()),
            ("Graph", in_force.graph != daemon.in_force.graph),
            ("limits", settings.limits != former.limits),
            ("attachments_zip_password", settings.zip_password != former.zip_password),
            ("audit trail", other_trail),
            ("guard rails", other_rails),
            ("workers", settings.worker != former.settings),
            ("health and metrics", listener.is_some()),
            ("SOAR", daemon.sessions.serves_other_than(&in_force.target)),
        ];
        if let Some(log) = log {
            daemon.log.replace(log);
        }
        for warning in warnings {
            warn!("{warning}");
        }
        warn_of_unsuitable_places(&settings);
        if other_trail {
            former.trail.move_to(in_force.audit.clone());
        }
        let removed = settings.guard.removed_since(&former_rails);
        if !removed.is_empty() {
            // Under a hold they have no effect yet.
            let are = if settings.guard.hold { "will be" } else { "are" };
            let when = if settings.guard.hold { "after the hold" } else { "than before" };
            warn!("guard rails {are} removed or wider {when}: {}", removed.join("; "));
        }
        let mut tightened = settings.guard.tightened_since(&former_rails);
        // A line of its own says so.
        tightened.retain(|name| name != "hold");
        if other_rails || other_trail {
            former.trail.note_change(&settings.guard, &removed);
        }
        let hold = settings.guard.hold;
        former.policy.replace_rails(settings.guard);
        if !tightened.is_empty() {
            info!("stricter at once, also for running calls: {}", tightened.join(", "));
        }
        match (former_rails.hold, hold) {
            (false, true) => warn!("all changes are on hold (hold=true)"),
            (true, false) if former.policy.is_on_hold() => {
                warn!("changes stay on hold, because a signal has put them on hold; SIGUSR2 ends that");
            }
            (true, false) => warn!("the hold is released; calls may change mailboxes again"),
            (true, true) | (false, false) => {}
        }
        if let Some(listener) = listener {
            daemon.health.listener = listener;
        }
        daemon.worker.reconfigure(Services {
            graph,
            limits: settings.limits,
            zip_password: settings.zip_password,
            policy: former.policy.clone(),
            trail: former.trail.clone(),
            deletions: former.deletions.clone(),
            settings: settings.worker,
        });
        report(&changes);
        // Also without a change of settings: SOAR's message destinations may have changed.
        daemon.sessions.open(in_force.target.clone());
        daemon.in_force = in_force;
    }
}

fn report(changes: &[(&str, bool)]) {
    let changed: Vec<&str> = changes.iter().filter(|(_, changed)| *changed).map(|(part, _)| *part).collect();
    if changed.is_empty() {
        info!("no setting has changed");
    } else {
        info!("in force for the calls that begin from now on: {}", changed.join(", "));
    }
}
