//! `run`: the daemon.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info, warn};

use super::Failure;
use crate::config::{Environment, Login, Secret, Settings, watch};
use crate::functions::Function;
use crate::log::Log;
use crate::tls::TlsError;
use crate::worker::Worker;
use crate::{graph, soar, stomp, tls};

/// How soon SOAR is asked again while it knows none of our functions; each further wait is twice as long.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// The longest such wait.
const ASK_AGAIN_AT_LEAST_EVERY: Duration = Duration::from_secs(30);
/// How long saying good-bye to the broker may take.
const DISCONNECT_BOUND: Duration = Duration::from_secs(3);

// Exit codes as of SOAR's own framework.

/// Everything that has none of its own.
const OTHER: u8 = 1;
/// A configuration that cannot be used.
const BAD_CONFIGURATION: u8 = 2;
/// A file of certificate authorities cannot be read.
const MISSING_CA_FILE: u8 = 22;
/// No TLS, or a certificate that is not trusted.
const TLS: u8 = 23;
/// The broker refuses us.
const BROKER: u8 = 30;
/// The broker does not let us read the queue.
const NOT_AUTHORIZED: u8 = 32;

/// How it runs.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Arguments {
    /// End when the configuration changes, for the service manager to start anew. On App Host that is always so.
    #[arg(short = 'r', long = "reload")]
    reload: bool,
}

/// Runs until SIGTERM or SIGINT.
pub(super) async fn run(arguments: Arguments, file: Option<&Path>) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| Failure::new(OTHER, &error))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| Failure::new(OTHER, &error))?;
    let environment = Environment::of_process();
    let file = environment.config_file(file, Path::new("."));
    let (settings, _log) = load(&file, &environment)?;
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => info!("stopping: SIGTERM"),
            _ = interrupt.recv() => info!("stopping: SIGINT"),
            () = watch::changed(&file), if arguments.reload || on_app_host(&environment) => {
                info!(file = %file.display(), "stopping: the configuration has changed; to be started anew");
            }
        }
    };
    tokio::pin!(stop);

    tokio::select! {
        started = start(&settings) => {
            let Daemon { worker, session, deliveries } =
                started.inspect_err(|Failure { code, message }| error!(code, "not started: {message}"))?;
            worker.run(deliveries, stop).await;
            session.disconnect(DISCONNECT_BOUND).await;
            info!("stopped");
            Ok(())
        }
        () = &mut stop => Ok(()),
    }
}

/// App Host changes the file and expects the container to end, which is how it gets a new one.
fn on_app_host(environment: &Environment) -> bool {
    environment.get_filled("APP_HOST_CONTAINER").is_some()
}

/// Reads the settings, starts the log and writes what is odd into it.
fn load(file: &Path, environment: &Environment) -> Result<(Settings, Log), Failure> {
    let loaded =
        Settings::load(file, environment).map_err(|error| Failure::new(BAD_CONFIGURATION, &error))?;
    environment.remove_protected_secrets();
    let log = Log::start(&loaded.settings.log).map_err(|error| Failure::new(BAD_CONFIGURATION, &error))?;
    info!(version = env!("CARGO_PKG_VERSION"), file = %file.display(), "starting");
    for warning in &loaded.warnings {
        warn!("{warning}");
    }
    Ok((loaded.settings, log))
}

struct Daemon {
    worker: Worker,
    session: stomp::Session,
    deliveries: tokio::sync::mpsc::Receiver<stomp::Delivery>,
}

/// Signs in to SOAR, asks where our functions' calls arrive, and subscribes there.
async fn start(settings: &Settings) -> Result<Daemon, Failure> {
    // What is wrong with our own files shows before anybody is asked for anything.
    let graph = graph::Client::new(&settings.graph).map_err(|error| from_tls(&error))?;
    let tls = tls::client_config(&settings.stomp.trust, None).map_err(|error| from_tls(&error))?;
    let soar = soar::Client::connect(&settings.soar).await.map_err(|error| from_soar(&error))?;
    info!(organisation = soar.org_name(), org_id = soar.org_id(), "signed in to SOAR");
    if !soar.actions_framework_enabled() {
        warn!(
            organisation = soar.org_name(),
            "actions are not enabled for this organisation; SOAR sends no calls before they are"
        );
    }
    let destinations = destinations(&soar).await?;
    let (login, passcode) = credentials(&settings.soar.login);
    let (session, deliveries) = stomp::Session::start(stomp::SessionOptions {
        host: settings.stomp.host.clone(),
        port: settings.stomp.port,
        proxy: settings.stomp.proxy.clone(),
        tls: Arc::new(tls),
        login,
        passcode,
        destinations: destinations.iter().map(|name| format!("actions.{}.{name}", soar.org_id())).collect(),
        prefetch: settings.stomp.prefetch,
        timeout: settings.stomp.timeout,
        heart_beat: stomp::HeartBeatOffer::default(),
        reconnect: stomp::Backoff::default(),
    });
    subscribed(&session).await?;
    let worker = Worker::new(session.clone(), graph, soar, settings.limits, settings.worker.clone());
    Ok(Daemon { worker, session, deliveries })
}

/// Waits for the first subscription. A refusal ends the program: at start somebody is there to mend what is
/// wrong. Everything else is waited for, as it is later on, when even a refusal may be the broker's trouble.
async fn subscribed(session: &stomp::Session) -> Result<(), Failure> {
    let mut state = session.state();
    loop {
        match &*state.borrow_and_update() {
            // Or it was subscribed, if only for a moment.
            stomp::State::Subscribed { .. } | stomp::State::Connecting { served: true, .. } => {
                info!("ready: listening for calls");
                return Ok(());
            }
            stomp::State::Connecting { last: Some(failure), .. } => {
                let code = match failure {
                    stomp::Failure::LoginRefused(_) => Some(BROKER),
                    stomp::Failure::NotAuthorized { .. } => Some(NOT_AUTHORIZED),
                    stomp::Failure::Untrusted { .. } => Some(TLS),
                    _ => None,
                };
                if let Some(code) = code {
                    return Err(Failure::new(code, failure));
                }
            }
            stomp::State::Connecting { last: None, .. } | stomp::State::Closed => {}
        }
        if state.changed().await.is_err() {
            return Err(Failure::new(OTHER, &"the session with the broker ended"));
        }
    }
}

/// The message destinations of our functions. A function that SOAR does not know gets no calls; while it knows
/// none of them, the customizations are missing, and we wait for them.
async fn destinations(soar: &soar::Client) -> Result<BTreeSet<String>, Failure> {
    let mut reported = BTreeSet::new();
    let mut wait = ASK_AGAIN;
    loop {
        let asked = Function::ALL.map(|function| async move {
            soar.destination_of(function.name()).await.map(|destination| (function.name(), destination))
        });
        match try_join_all(asked).await {
            Ok(answers) => {
                for (function, _) in answers.iter().filter(|(_, destination)| destination.is_none()) {
                    if reported.insert(*function) {
                        warn!(function, "this function is not defined in SOAR");
                    }
                }
                let known: BTreeSet<_> =
                    answers.into_iter().filter_map(|(_, destination)| destination).collect();
                if !known.is_empty() {
                    return Ok(known);
                }
                error!(
                    again_in_s = wait.as_secs(),
                    "SOAR knows none of the Exchange Online functions; import the customizations"
                );
            }
            Err(error) if error.is_transient() => {
                warn!(%error, again_in_s = wait.as_secs(), "SOAR is asked again for the functions");
            }
            Err(error) => return Err(from_soar(&error)),
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(ASK_AGAIN_AT_LEAST_EVERY);
    }
}

fn credentials(login: &Login) -> (String, Secret) {
    match login {
        Login::ApiKey { id, secret } => (id.clone(), secret.clone()),
        Login::Password { email, password } => (email.clone(), password.clone()),
    }
}

fn from_tls(error: &TlsError) -> Failure {
    let code = match error {
        TlsError::File { what: "CA certificate", .. } => MISSING_CA_FILE,
        _ => BAD_CONFIGURATION,
    };
    Failure::new(code, error)
}

fn from_soar(error: &soar::Error) -> Failure {
    Failure::new(error.exit_code(), error)
}
