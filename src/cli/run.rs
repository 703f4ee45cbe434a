//! `run`: the daemon.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info, warn};

use super::Failure;
use crate::config::{Environment, Login, Secret, Settings};
use crate::functions::Function;
use crate::log::Log;
use crate::worker::Worker;
use crate::{graph, soar, stomp, tls};

/// How often SOAR is asked again while it knows none of our functions.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// How long saying good-bye to the broker may take.
const DISCONNECT_BOUND: Duration = Duration::from_secs(3);

/// The exit code for a configuration that cannot be used, as of SOAR's own framework.
const BAD_CONFIGURATION: u8 = 2;
/// The exit code for everything that has none of its own.
const OTHER: u8 = 1;

/// Runs until SIGTERM or SIGINT.
pub(super) async fn run(file: Option<&Path>) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| Failure::new(OTHER, &error))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| Failure::new(OTHER, &error))?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => info!("stopping: SIGTERM"),
            _ = interrupt.recv() => info!("stopping: SIGINT"),
        }
    };
    tokio::pin!(stop);

    let (settings, _log) = load(file)?;
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

/// Finds and reads the settings, starts the log and writes what is odd into it.
fn load(file: Option<&Path>) -> Result<(Settings, Log), Failure> {
    let environment = Environment::of_process();
    let file = environment.config_file(file, Path::new("."));
    let loaded =
        Settings::load(&file, &environment).map_err(|error| Failure::new(BAD_CONFIGURATION, &error))?;
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
    let graph =
        graph::Client::new(&settings.graph).map_err(|error| Failure::new(BAD_CONFIGURATION, &error))?;
    let soar = soar::Client::connect(&settings.soar).await.map_err(|error| from_soar(&error))?;
    info!(organisation = soar.org_name(), org_id = soar.org_id(), "signed in to SOAR");
    let destinations = destinations(&soar).await?;
    let tls = tls::client_config(&settings.stomp.trust, None)
        .map_err(|error| Failure::new(BAD_CONFIGURATION, &error))?;
    let (login, passcode) = credentials(&settings.soar.login);
    let (session, deliveries) = stomp::Session::start(stomp::SessionOptions {
        host: settings.stomp.host.clone(),
        port: settings.stomp.port,
        tls: Arc::new(tls),
        login,
        passcode,
        destinations: destinations.iter().map(|name| format!("actions.{}.{name}", soar.org_id())).collect(),
        prefetch: settings.stomp.prefetch,
        timeout: settings.stomp.timeout,
        heart_beat: stomp::HeartBeatOffer::default(),
        reconnect: stomp::Backoff::default(),
    });
    let worker = Worker::new(session.clone(), graph, soar, settings.limits, settings.worker.clone());
    Ok(Daemon { worker, session, deliveries })
}

/// The message destinations of our functions. A function that SOAR does not know gets no calls; while it knows
/// none of them, the customizations are missing, and we wait for them.
async fn destinations(soar: &soar::Client) -> Result<BTreeSet<String>, Failure> {
    loop {
        let asked = Function::ALL.map(|function| async move {
            let destination = soar.destination_of(function.name()).await?;
            if destination.is_none() {
                warn!(function = function.name(), "this function is not defined in SOAR");
            }
            Ok(destination)
        });
        let known: BTreeSet<_> =
            try_join_all(asked).await.map_err(|error| from_soar(&error))?.into_iter().flatten().collect();
        if !known.is_empty() {
            return Ok(known);
        }
        error!(
            again_in_s = ASK_AGAIN.as_secs(),
            "SOAR knows none of the Exchange Online functions; import the customizations"
        );
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

fn credentials(login: &Login) -> (String, Secret) {
    match login {
        Login::ApiKey { id, secret } => (id.clone(), secret.clone()),
        Login::Password { email, password } => (email.clone(), password.clone()),
    }
}

fn from_soar(error: &soar::Error) -> Failure {
    Failure::new(error.exit_code(), error)
}
