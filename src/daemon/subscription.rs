//! A generation: one sign-in to SOAR and one session with its broker, by one set of settings.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use crate::config::watch::Contents;
use crate::config::{Settings, StompSettings};
use crate::exit_code::{self, Failure};
use crate::functions::Function;
use net::tls;
use soar::SoarSettings;

/// How soon SOAR is asked again while it knows none of our functions; each further wait is twice as long.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// The longest such wait.
const ASK_AGAIN_AT_LEAST_EVERY: Duration = Duration::from_secs(30);

/// How soon another generation is tried where one could not be opened while the former serves; each further wait is
/// twice as long.
const OPEN_AGAIN: Duration = Duration::from_secs(30);
/// The longest such wait.
const OPEN_AGAIN_AT_LEAST_EVERY: Duration = Duration::from_secs(300);

/// What the way to SOAR and its broker depends on. Two that are equal lead to the same place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Route {
    soar: SoarSettings,
    stomp: StompSettings,
    /// What is in the files that these name.
    files: Contents,
}

impl Route {
    pub(super) fn new(settings: &Settings, contents: &Contents) -> Self {
        let files = contents.about(settings.soar.files().chain(settings.stomp.files()));
        Self { soar: settings.soar.clone(), stomp: settings.stomp.clone(), files }
    }

    /// Whether its files can be used: all that can be known without asking anybody.
    pub(super) fn check(&self) -> Result<(), Failure> {
        tls::client_config(&self.soar.trust, self.soar.client_certificate.as_ref())?;
        self.broker_tls()?;
        Ok(())
    }

    fn broker_tls(&self) -> Result<Arc<rustls::ClientConfig>, Failure> {
        Ok(Arc::new(tls::client_config(&self.stomp.trust, None)?))
    }
}

/// SOAR as we are signed in to it, and where our functions' calls arrive.
#[derive(Clone)]
pub(super) struct SignedIn {
    pub(super) route: Route,
    pub(super) soar: soar::Client,
    destinations: BTreeSet<String>,
}

/// A generation that is subscribed.
pub(super) struct Subscription {
    pub(super) signed_in: SignedIn,
    pub(super) session: stomp::Session,
    pub(super) deliveries: mpsc::Receiver<stomp::Delivery>,
}

impl Subscription {
    /// Opens the first.
    ///
    /// # Errors
    /// Where somebody has to mend something; everything else is waited for.
    pub(super) async fn first(route: Route, meters: Arc<stomp::Meters>) -> Result<Self, Failure> {
        Self::subscribe(SignedIn::new(route).await?, meters).await
    }

    /// Opens the one that is to take the place of `former`, by `route`; `None` where there is no need to, since it
    /// would be the same. Whatever is in its way, it is tried until it works.
    pub(super) async fn next(
        route: Route,
        former: Option<SignedIn>,
        meters: Arc<stomp::Meters>,
    ) -> Option<Self> {
        let mut wait = OPEN_AGAIN;
        loop {
            match Self::other_than(route.clone(), former.as_ref(), Arc::clone(&meters)).await {
                Ok(next) => return next,
                Err(Failure { message, .. }) => error!(
                    again_in_s = wait.as_secs(),
                    "the connection by the new settings is not made, the one before stays in service: {message}"
                ),
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(OPEN_AGAIN_AT_LEAST_EVERY);
        }
    }

    async fn other_than(
        route: Route,
        former: Option<&SignedIn>,
        meters: Arc<stomp::Meters>,
    ) -> Result<Option<Self>, Failure> {
        let signed_in = match former.filter(|former| former.route == route) {
            None => SignedIn::new(route).await?,
            Some(former) => {
                let destinations = destinations(&former.soar).await?;
                if destinations == former.destinations {
                    return Ok(None);
                }
                SignedIn { destinations, ..former.clone() }
            }
        };
        Self::subscribe(signed_in, meters).await.map(Some)
    }

    /// Starts a session, and waits for its first subscription. A refusal is an error: at start somebody is there to
    /// mend what is wrong. Everything else is waited for, as it is later on, when even a refusal may be the broker's
    /// trouble.
    async fn subscribe(signed_in: SignedIn, meters: Arc<stomp::Meters>) -> Result<Self, Failure> {
        let SignedIn { route, soar, destinations } = &signed_in;
        let (login, passcode) = route.soar.login.credentials();
        let (session, deliveries) = stomp::Session::start(stomp::SessionOptions {
            host: route.stomp.host.clone(),
            port: route.stomp.port,
            proxy: route.stomp.proxy.clone(),
            tls: route.broker_tls()?,
            login,
            passcode,
            destinations: destinations
                .iter()
                .map(|name| format!("actions.{}.{name}", soar.org_id()))
                .collect(),
            prefetch: route.stomp.prefetch,
            timeout: route.stomp.timeout,
            heart_beat: stomp::HeartBeatOffer::default(),
            reconnect: stomp::RECONNECT,
            meters,
        });
        let mut state = session.state();
        loop {
            match &*state.borrow_and_update() {
                // Or it was subscribed, if only for a moment.
                stomp::State::Subscribed { .. } | stomp::State::Connecting { served: true, .. } => break,
                stomp::State::Connecting { last: Some(failure), .. } => {
                    if let Some(code) = exit_code::of_refusal(failure) {
                        return Err(Failure::new(code, failure));
                    }
                }
                stomp::State::Connecting { last: None, .. } | stomp::State::Closed => {}
            }
            if state.changed().await.is_err() {
                return Err(Failure::new(exit_code::OTHER, &"the session with the broker ended"));
            }
        }
        Ok(Self { signed_in, session, deliveries })
    }
}

impl SignedIn {
    /// Signs in to SOAR, and asks where our functions' calls arrive.
    async fn new(route: Route) -> Result<Self, Failure> {
        let soar = soar::Client::connect(&route.soar).await?;
        info!(organisation = soar.org_name(), org_id = soar.org_id(), "signed in to SOAR");
        if soar.actions_framework_enabled() == Some(false) {
            warn!(
                organisation = soar.org_name(),
                "actions are not enabled for this organisation; SOAR sends no calls before they are"
            );
        }
        let destinations = destinations(&soar).await?;
        Ok(Self { route, soar, destinations })
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
                let error = error.for_log();
                warn!(error, again_in_s = wait.as_secs(), "SOAR is asked again for the functions");
            }
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(ASK_AGAIN_AT_LEAST_EVERY);
    }
}
