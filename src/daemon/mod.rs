//! The daemon: one configuration in force, one session with the broker in service, and the changes of both.
//!
//! ```text
//!             SIGHUP, a changed file           ReloadPlan
//!  app.config ──────────────────────▶ Loaded ──────────────┬─▶ Log
//!                                                           ├─▶ Worker, for the calls that begin from now on
//!                                                           └─▶ BrokerSessions: a new subscription; once it is
//!                                                               subscribed, the previous one drains
//! ```
//!
//! A configuration that cannot be used changes nothing. A session that drains finishes its calls and replies over its
//! own connection. All sessions share the worker's ledger, so no call is run or answered twice during the change.

mod broker_sessions;
mod config_source;
mod health;
mod hold;
mod reload;
mod signals;
mod subscription;
mod systemd;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, pending};
use tracing::{error, info, warn};

use crate::audit::Trail;
use crate::config::watch::Contents;
use crate::config::{Environment, LoadError, Loaded, Settings};
use crate::exit_code::{ExitCode, Failure};
use crate::guard::{ChangePolicy, DeletionCount};
use crate::log::{Log, Look, cannot_rotate};
use crate::worker::{CallMarks, Services, Worker};
use broker_sessions::{BrokerSessions, SessionEvent};
use config_source::ConfigSource;
use health::{HealthEndpoint, ServiceState};
use reload::{InForce, ReloadPlan};
use signals::{HoldSignals, Request, Signals};
use subscription::Subscription;
use systemd::Systemd;

/// Runs with the configuration in `file` until SIGTERM or SIGINT. `look`: of the log on stderr.
///
/// # Errors
/// The daemon cannot start because of something that an operator has to correct.
pub async fn run(file: PathBuf, environment: Environment, look: Look) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let hold_signals = HoldSignals::new()?;
    let mut source = ConfigSource::new(file, environment.clone());
    let unusable = |error: &dyn fmt::Display| Failure::new(ExitCode::BadConfiguration, &error);
    let loaded = source.load().await?;
    source.remove_protected_secrets();
    let mut log = Log::start(&loaded.settings.log, look).map_err(|error| unusable(&error))?;
    info!(version = env!("FN_EXCHANGE_ONLINE_VERSION"), file = %source.file().display(), "starting");
    let life = async {
        let systemd = Systemd::connect(&environment);
        systemd.starting();
        let mut daemon = Daemon::new(&mut log, systemd, loaded, source.contents()).await?;
        let holding = hold::obey(hold_signals, daemon.worker.clone(), Arc::clone(&daemon.systemd));
        tokio::select! {
            ended = daemon.run(&mut source, &mut signals) => ended,
            never = holding => match never {},
        }
    };
    life.await.inspect_err(|Failure { code, message }| error!(code = *code as u8, "not started: {message}"))
}

/// How long the audit trail may take for its last lines.
const LAST_LINES: Duration = Duration::from_secs(2);

/// The running daemon.
struct Daemon<'l> {
    log: &'l mut Log,
    systemd: Arc<Systemd>,
    worker: Worker,
    /// The settings that the running parts were made from.
    in_force: InForce,
    sessions: BrokerSessions,
    health: HealthEndpoint,
    /// Reports the session in service to systemd. The daemon's loop polls it, so each sign of life shows that the loop
    /// is not blocked.
    status_report: Option<BoxFuture<'static, ()>>,
}

/// Where the daemon is in its life. [`Daemon::enter`] reports it.
#[derive(Debug)]
enum Phase {
    /// Takes calls, with the newest settings.
    Ready,
    /// Applies a configuration; calls go on.
    Reloading {
        /// What started the reload.
        why: &'static str,
    },
    /// Takes no more calls.
    Stopping {
        /// The signal that was received.
        by: &'static str,
    },
}

impl<'l> Daemon<'l> {
    /// Sends no request before [`Self::run`], so mistakes in local files are reported first.
    async fn new(
        log: &'l mut Log,
        systemd: Systemd,
        loaded: Loaded,
        contents: &Contents,
    ) -> Result<Self, Failure> {
        let Loaded { settings, warnings, .. } = loaded;
        for warning in warnings {
            warn!("{warning}");
        }
        warn_of_unsuitable_places(&settings);
        if settings.guard.hold {
            warn!("all changes are on hold (hold=true)");
        }
        let graph = graph::Client::new(&settings.graph)?;
        let in_force = InForce::new(&settings, contents);
        in_force.target.check()?;
        let trail = Trail::open(settings.audit.clone(), &settings.guard)
            .await
            .map_err(|error| Failure::new(ExitCode::BadConfiguration, &error))?;
        let marks = CallMarks::next_to(settings.audit.file.as_deref());
        let services = Services {
            graph,
            limits: settings.limits,
            zip_password: settings.zip_password.clone(),
            policy: ChangePolicy::new(settings.guard),
            trail,
            deletions: DeletionCount::default(),
            settings: settings.worker,
        };
        let worker = Worker::new(services, marks);
        let health = HealthEndpoint::new(worker.clone(), settings.health_listen)?;
        let mut sessions = BrokerSessions::new(worker.clone(), Arc::clone(health.broker_metrics()));
        sessions.open(in_force.target.clone());
        let systemd = Arc::new(systemd);
        systemd.hold(worker.services().policy.is_on_hold());
        Ok(Self { log, systemd, worker, in_force, sessions, health, status_report: None })
    }

    async fn run(&mut self, source: &mut ConfigSource, signals: &mut Signals) -> Result<(), Failure> {
        let by = loop {
            tokio::select! {
                request = signals.next() => match request {
                    Request::Stop(by) => break by,
                    Request::Reload => self.reload(source, "SIGHUP").await,
                },
                why = source.changed() => self.reload(source, why).await,
                event = self.sessions.next_event() => match event {
                    SessionEvent::Opened(subscription) => self.promote(subscription?),
                    SessionEvent::Ended => self.replace_ended_session(),
                },
                () = or_never(&mut self.status_report) => self.status_report = None,
                Some(ping) = self.health.pings.recv() => ping.answer(),
            }
        };
        self.stop(by, signals).await;
        Ok(())
    }

    /// Reports a phase to the log, to systemd and over HTTP.
    fn enter(&self, phase: &Phase) {
        match phase {
            Phase::Ready => {
                info!(
                    "ready: {}",
                    if self.sessions.is_subscribed() {
                        "listening for calls"
                    } else {
                        "calls come when the broker is back"
                    }
                );
                self.systemd.ready();
            }
            Phase::Reloading { why } => {
                info!("reading the configuration again: {why}");
                self.systemd.reloading();
            }
            Phase::Stopping { by } => {
                self.health.show(ServiceState::Stopping);
                info!("stopping: {by}");
                self.systemd.stopping();
            }
        }
    }

    fn report_hold(&self) {
        self.systemd.hold(self.worker.services().policy.is_on_hold());
    }

    /// Reads the configuration again. If it cannot be used, the previous one stays in force as a whole.
    async fn reload(&mut self, source: &mut ConfigSource, why: &'static str) {
        self.enter(&Phase::Reloading { why });
        let plan = match source.load().await {
            Ok(loaded) => {
                let plan = ReloadPlan::new(self, loaded, source.contents()).await;
                plan.map_err(|failure| failure.message)
            }
            Err(error) => Err(on_one_line(&error)),
        };
        self.health.count_reload(plan.is_ok());
        self.systemd.configuration_was_refused(plan.is_err());
        match plan {
            Ok(plan) => {
                plan.apply(self);
                self.report_hold();
            }
            Err(problems) => {
                error!("the configuration cannot be used, the one before stays in force: {problems}");
            }
        }
        if self.sessions.is_serving() {
            self.enter(&Phase::Ready);
        }
    }

    /// Puts a subscription into service; the previous one drains. `None` keeps the previous one.
    fn promote(&mut self, next: Option<Subscription>) {
        let Some(next) = next else {
            info!("SOAR's message destinations are as before; the connection stays");
            return;
        };
        let (systemd, session) = (Arc::clone(&self.systemd), next.session.clone());
        self.health.show(ServiceState::Serving(session.clone(), next.signed_in.soar.clone()));
        self.status_report = Some(async move { systemd.report(session).await }.boxed());
        if self.sessions.promote(next) {
            info!("calls come over the new connection; the one before ends when its calls have");
        } else {
            self.enter(&Phase::Ready);
        }
    }

    /// Opens another session if the one in service has ended. A session ends by itself only because of a fault.
    fn replace_ended_session(&mut self) {
        if self.sessions.forget_ended() {
            error!("the session with the broker has ended by itself; another is opened");
            self.health.show(ServiceState::Starting);
            self.sessions.reopen(self.in_force.target.clone());
        }
    }

    /// Lets running calls finish and reply, within a bound. A second signal ends the wait.
    async fn stop(&mut self, by: &'static str, signals: &mut Signals) {
        self.enter(&Phase::Stopping { by });
        self.worker.close();
        tokio::select! {
            () = self.sessions.stop() => info!("stopped"),
            () = self.health.answer_pings() => {}
            by = signals.stop() => warn!("ending at once: {by}; calls that run stay in the queue for the next worker"),
        }
        let trail = &self.worker.services().trail;
        if let Err(failure) = trail.flush(LAST_LINES).await {
            error!(lines = trail.waiting(), "what waited for the audit trail is in the log only: {failure}");
        }
    }
}

/// Warns of places that work today and fail later.
fn warn_of_unsuitable_places(settings: &Settings) {
    if let Some(reason) = cannot_rotate(&settings.log) {
        warn!(
            "the log file cannot be rotated ({reason}), so it grows without end: make its directory (logdir) writable for \
             this program, or set log_max_bytes=0 and rotate it by other means"
        );
    }
    if let Some(file) = settings.audit_that_does_not_last() {
        warn!(
            file = %file.display(),
            "the audit trail does not last there: /tmp and /var/tmp are emptied at a restart or earlier; set audit_file, or \
             logdir, to another place"
        );
    }
}

/// All problems of a configuration, on one line for the log.
fn on_one_line(error: &LoadError) -> String {
    let problems: Vec<String> = error.problems().iter().map(ToString::to_string).collect();
    if problems.is_empty() { error.to_string() } else { problems.join(" | ") }
}

/// Waits for `work`; if there is none, waits indefinitely.
async fn or_never<T>(work: &mut Option<BoxFuture<'static, T>>) -> T {
    match work {
        Some(work) => work.await,
        None => pending().await,
    }
}
