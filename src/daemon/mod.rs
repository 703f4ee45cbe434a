//! The daemon: one configuration in force, one session with the broker in service, and the changes of both.
//!
//! ```text
//!             SIGHUP, a changed file            log            ┌─▶ Log
//!  app.config ──────────────────────▶ validated ─ Graph, … ────┼─▶ Worker, for the calls that begin from now on
//!                                               SOAR, broker ──┴─▶ a new Generation; once it is subscribed,
//!                                                                  the one before hands over
//! ```
//!
//! What cannot be used changes nothing. A generation that hands over ends what it has begun and replies over its own
//! session. All share the worker's ledger, so nothing is done or answered twice in between.

mod config_source;
mod health;
mod signals;
mod subscription;
mod systemd;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, pending};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use crate::audit::Trail;
use crate::config::watch::Contents;
use crate::config::{Environment, LoadError, Loaded, LogSettings, Settings};
use crate::exit_code::{BAD_CONFIGURATION, Failure};
use crate::log::{Log, cannot_rotate};
use crate::worker::{Mode, Services, Worker};
use config_source::Configuration;
use graph::GraphSettings;
use health::{Health, Listener, LivenessPing, ServiceState};
use signals::{Asked, Signals};
use stomp::State;
use subscription::{Route, SignedIn, Subscription};
use systemd::Systemd;

/// How long saying good-bye to the broker may take.
const DISCONNECT_BOUND: Duration = Duration::from_secs(3);

/// Runs with the configuration of `file` until SIGTERM or SIGINT.
///
/// # Errors
/// It cannot start, since something is wrong that somebody has to mend.
pub async fn run(file: PathBuf, environment: Environment) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let mut configuration = Configuration::new(file, environment.clone());
    let unusable = |error: &dyn fmt::Display| Failure::new(BAD_CONFIGURATION, &error);
    let loaded = configuration.load().await.map_err(|error| unusable(&error))?;
    configuration.remove_protected_secrets();
    let mut log = Log::start(&loaded.settings.log).map_err(|error| unusable(&error))?;
    info!(version = env!("CARGO_PKG_VERSION"), file = %configuration.file().display(), "starting");
    let life = async {
        let systemd = Systemd::of(&environment);
        systemd.starting();
        let mut daemon = Daemon::new(&mut log, systemd, loaded, configuration.contents())?;
        daemon.live(&mut configuration, &mut signals).await
    };
    life.await.inspect_err(|Failure { code, message }| error!(code, "not started: {message}"))
}

/// Where the daemon is in its life. Whoever has to know is told in [`Daemon::enter`].
#[derive(Debug)]
enum Phase {
    /// It takes calls, by the newest settings.
    Ready,
    /// It takes up a configuration; calls go on.
    Reloading {
        /// What for.
        why: &'static str,
    },
    /// It takes no calls any more.
    Stopping {
        /// By whose wish.
        by: &'static str,
    },
}

struct Daemon<'l> {
    log: &'l mut Log,
    systemd: Arc<Systemd>,
    /// What the log, and Graph's client, were made of.
    of_log: LogSettings,
    of_audit: Option<PathBuf>,
    of_graph: GraphParts,
    /// The way to SOAR and its broker by the newest settings; the generation in service may have come by another.
    route: Route,
    worker: Worker,
    /// What is told over HTTP, whoever wants a sign of life for it, and where.
    health: Arc<Health>,
    knocks: mpsc::Receiver<LivenessPing>,
    listener: Option<Listener>,
    /// The generation in service.
    current: Option<AtWork>,
    /// Those before it, which hand over.
    former: Vec<AtWork>,
    /// The next one, while it is being opened.
    opening: Option<BoxFuture<'static, Opened>>,
    /// The work of all of them.
    shifts: JoinSet<()>,
    /// What systemd is told of the generation in service.
    company: Option<BoxFuture<'static, ()>>,
}

/// What Graph's client is made of: the settings, and what is in the files that they name.
type GraphParts = (GraphSettings, Contents);

/// A generation at work.
struct AtWork {
    signed_in: SignedIn,
    session: watch::Receiver<State>,
    duty: watch::Sender<Mode>,
}

/// What came of opening a generation: none where the one in service is as good.
type Opened = Result<Option<Subscription>, Failure>;

impl<'l> Daemon<'l> {
    /// Nobody is asked for anything before [`Self::live`], so what is wrong with our own files shows first.
    fn new(log: &'l mut Log, systemd: Systemd, loaded: Loaded, contents: &Contents) -> Result<Self, Failure> {
        let Loaded { settings, warnings, .. } = loaded;
        for warning in warnings {
            warn!("{warning}");
        }
        warn_of_places(&settings);
        let graph = graph::Client::new(&settings.graph)?;
        let route = Route::new(&settings, contents);
        route.check()?;
        let of_graph = graph_parts(&settings, contents);
        let trail = Trail::open(settings.audit_file.clone(), &settings.guard)
            .map_err(|error| Failure::new(BAD_CONFIGURATION, &error))?;
        let worker = Worker::new(Services {
            graph,
            limits: settings.limits,
            rails: Arc::new(settings.guard),
            trail,
            settings: settings.worker,
        });
        let (health, knocks) = Health::new(worker.clone(), log);
        let listener = settings.health_listen.map(|address| health.listen(address)).transpose()?;
        let connections = Arc::clone(&health.connections);
        let opening = Subscription::first(route.clone(), connections);
        let first = async { opening.await.map(Some) };
        Ok(Self {
            log,
            systemd: Arc::new(systemd),
            of_log: settings.log,
            of_audit: settings.audit_file,
            of_graph,
            route,
            worker,
            health,
            knocks,
            listener,
            current: None,
            former: Vec::new(),
            opening: Some(first.boxed()),
            shifts: JoinSet::new(),
            company: None,
        })
    }

    async fn live(
        &mut self,
        configuration: &mut Configuration,
        signals: &mut Signals,
    ) -> Result<(), Failure> {
        let by = loop {
            tokio::select! {
                asked = signals.next() => match asked {
                    Asked::Stop(by) => break by,
                    Asked::Reload => self.reload(configuration, "SIGHUP").await,
                },
                () = configuration.changed() => self.reload(configuration, "a file has changed").await,
                opened = or_never(&mut self.opening) => {
                    self.opening = None;
                    self.promote(opened?);
                }
                Some(_) = self.shifts.join_next() => self.note_ended(),
                () = or_never(&mut self.company) => self.company = None,
                Some(knock) = self.knocks.recv() => knock.answer(),
            }
        };
        self.stop(by, signals).await;
        Ok(())
    }

    /// Tells whoever has to know.
    fn enter(&self, phase: &Phase) {
        match phase {
            Phase::Ready => {
                let listening = self.current.as_ref().is_some_and(AtWork::is_listening);
                info!(
                    "ready: {}",
                    if listening { "listening for calls" } else { "calls come when the broker is back" }
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

    async fn reload(&mut self, configuration: &mut Configuration, why: &'static str) {
        self.enter(&Phase::Reloading { why });
        let taken_up = match configuration.load().await {
            Ok(loaded) => self.apply(loaded, configuration.contents()).map_err(|failure| failure.message),
            Err(error) => Err(in_a_line(&error)),
        };
        match &taken_up {
            Ok(()) => self.health.reloads.taken_up.increment(),
            Err(_) => self.health.reloads.refused.increment(),
        }
        if let Err(problems) = taken_up {
            error!("the configuration cannot be used, the one before stays in force: {problems}");
        }
        if self.current.is_some() {
            self.enter(&Phase::Ready);
        }
    }

    /// Puts settings into force. Where that fails, those before are in force as a whole.
    fn apply(&mut self, loaded: Loaded, contents: &Contents) -> Result<(), Failure> {
        let Loaded { settings, warnings, .. } = loaded;
        let route = Route::new(&settings, contents);
        route.check()?;
        let of_graph = graph_parts(&settings, contents);
        let former = self.worker.services();
        let graph = if of_graph == self.of_graph {
            former.graph.clone()
        } else {
            graph::Client::with_meters(&settings.graph, Arc::clone(former.graph.meters()))?
        };
        let other_trail = settings.audit_file != self.of_audit;
        if let Some(path) = settings.audit_file.as_deref().filter(|_| other_trail) {
            Trail::can_be_at(path).map_err(|error| Failure::new(BAD_CONFIGURATION, &error))?;
        }
        let moves = settings.health_listen != self.listener.as_ref().map(|listener| listener.address);
        let moved = settings
            .health_listen
            .filter(|_| moves)
            .map(|address| self.health.listen(address))
            .transpose()?;
        let mut changed = Vec::new();
        if settings.log != self.of_log {
            self.log.change(&settings.log).map_err(|error| Failure::new(BAD_CONFIGURATION, &error))?;
            changed.push("log");
        }
        // From here on nothing fails.
        for warning in warnings {
            warn!("{warning}");
        }
        warn_of_places(&settings);
        changed.extend((of_graph != self.of_graph).then_some("Graph"));
        changed.extend((settings.limits != former.limits).then_some("limits"));
        let other_rails = settings.guard != *former.rails;
        let trail = former.trail.clone();
        if other_trail {
            trail.move_to(settings.audit_file.clone());
        }
        if other_rails || other_trail {
            trail.note(&settings.guard);
        }
        changed.extend(other_trail.then_some("audit trail"));
        changed.extend(other_rails.then_some("guard rails"));
        changed.extend((settings.worker != former.settings).then_some("workers"));
        if moves {
            changed.push("health and metrics");
            self.listener = moved;
        }
        self.of_log = settings.log;
        self.of_graph = of_graph;
        self.route = route.clone();
        self.of_audit = settings.audit_file;
        self.worker.reconfigure(Services {
            graph,
            limits: settings.limits,
            rails: Arc::new(settings.guard),
            trail,
            settings: settings.worker,
        });
        let in_service = self.current.as_ref().map(|current| current.signed_in.clone());
        changed.extend(in_service.as_ref().is_some_and(|it| it.route != route).then_some("SOAR"));
        if changed.is_empty() {
            info!("no setting has changed");
        } else {
            info!("in force for the calls that begin from now on: {}", changed.join(", "));
        }
        // Even where nothing has changed: SOAR may have.
        let connections = Arc::clone(&self.health.connections);
        self.opening = Some(match in_service {
            None => async { Subscription::first(route, connections).await.map(Some) }.boxed(),
            in_service => async { Ok(Subscription::next(route, in_service, connections).await) }.boxed(),
        });
        Ok(())
    }

    /// Puts a generation into service, and has the one before hand over.
    fn promote(&mut self, next: Option<Subscription>) {
        let Some(Subscription { signed_in, session, deliveries }) = next else {
            info!("SOAR's message destinations are as before; the connection stays");
            return;
        };
        let (duty, told) = watch::channel(Mode::Serving);
        let (worker, soar) = (self.worker.clone(), signed_in.soar.clone());
        let (systemd, in_service, state) = (Arc::clone(&self.systemd), session.clone(), session.state());
        self.company = Some(async move { systemd.report(in_service).await }.boxed());
        self.health.show(ServiceState::Serving(session.clone(), signed_in.soar.clone()));
        self.shifts.spawn(async move {
            worker.serve(session.clone(), deliveries, soar, told).await;
            session.disconnect(DISCONNECT_BOUND).await;
        });
        match self.current.replace(AtWork { signed_in, session: state, duty }) {
            None => self.enter(&Phase::Ready),
            Some(former) => {
                info!("calls come over the new connection; the one before ends when its calls have");
                former.duty.send_replace(Mode::Draining);
                self.former.push(former);
            }
        }
    }

    /// Forgets the generations that have ended. The one in service should not have.
    fn note_ended(&mut self) {
        self.former.retain(AtWork::goes_on);
        if self.current.take_if(|current| !current.goes_on()).is_some() {
            error!("the session with the broker has ended by itself; another is opened");
            self.health.show(ServiceState::Starting);
            // By the newest settings, which another may just have been about to be opened by.
            let route = self.route.clone();
            let connections = Arc::clone(&self.health.connections);
            self.opening = Some(async { Ok(Subscription::next(route, None, connections).await) }.boxed());
        }
    }

    /// Lets running calls finish and reply, within a bound; whoever asks a second time does not wait for that.
    async fn stop(&mut self, by: &'static str, signals: &mut Signals) {
        self.enter(&Phase::Stopping { by });
        self.opening = None;
        self.worker.close();
        for generation in self.former.iter().chain(&self.current) {
            generation.duty.send_replace(Mode::Stopping);
        }
        tokio::select! {
            () = async { while self.shifts.join_next().await.is_some() {} } => info!("stopped"),
            () = async { while let Some(knock) = self.knocks.recv().await { knock.answer() } } => {}
            by = signals.stop() => warn!("ending at once: {by}; calls that run stay in the queue for the next worker"),
        }
        let trail = &self.worker.services().trail;
        if let Err(failure) = trail.flush() {
            error!(lines = trail.waiting(), "what waited for the audit trail is in the log only: {failure}");
        }
    }
}

impl AtWork {
    fn is_listening(&self) -> bool {
        matches!(*self.session.borrow(), State::Subscribed { .. })
    }

    fn goes_on(&self) -> bool {
        !self.duty.is_closed()
    }
}

/// What works today, and will be missed one day.
fn warn_of_places(settings: &Settings) {
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

/// All that is wrong, as the log takes it.
fn in_a_line(error: &LoadError) -> String {
    let problems: Vec<String> = error.problems().iter().map(ToString::to_string).collect();
    if problems.is_empty() { error.to_string() } else { problems.join(" | ") }
}

fn graph_parts(settings: &Settings, contents: &Contents) -> GraphParts {
    (settings.graph.clone(), contents.about(settings.graph.files()))
}

/// What comes of `work`, where there is any.
async fn or_never<T>(work: &mut Option<BoxFuture<'static, T>>) -> T {
    match work {
        Some(work) => work.await,
        None => pending().await,
    }
}
