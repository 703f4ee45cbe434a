//! A subscription: one sign-in to SOAR and one session with its broker, made with one set of settings.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use crate::config::watch::Contents;
use crate::config::{Settings, StompSettings};
use crate::exit_code::{ExitCode, Failure};
use crate::functions::Function;
use net::{Backoff, Jitter, tls};
use soar::SoarSettings;

/// The waits before SOAR is asked again for the functions' destinations.
const ASK_AGAIN: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30), Jitter::Longer(0.1));

/// The waits before a subscription is tried again while the previous one serves.
const OPEN_AGAIN: Backoff =
    Backoff::new(Duration::from_secs(30), Duration::from_secs(300), Jitter::Longer(0.1));

/// Everything that determines how SOAR and its broker are reached. Subscriptions to equal targets are equivalent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct BrokerTarget {
    soar: SoarSettings,
    stomp: StompSettings,
    /// The contents of the files that the settings name.
    files: Contents,
}

impl BrokerTarget {
    pub(super) fn new(settings: &Settings, contents: &Contents) -> Self {
        let files = contents.about(settings.soar.files().chain(settings.stomp.files()));
        Self { soar: settings.soar.clone(), stomp: settings.stomp.clone(), files }
    }

    /// Checks what can be checked without a connection: the files with certificates and keys.
    pub(super) fn check(&self) -> Result<(), Failure> {
        tls::client_config(&self.soar.trust, self.soar.client_certificate.as_ref())?;
        self.broker_tls()?;
        Ok(())
    }

    fn broker_tls(&self) -> Result<Arc<rustls::ClientConfig>, Failure> {
        Ok(Arc::new(tls::client_config(&self.stomp.trust, None)?))
    }
}

/// A sign-in to SOAR, and the message destinations of the functions' calls.
#[derive(Clone)]
pub(super) struct SignedIn {
    pub(super) target: BrokerTarget,
    pub(super) soar: soar::Client,
    destinations: BTreeSet<String>,
}

/// A session with the broker that is subscribed.
pub(super) struct Subscription {
    pub(super) signed_in: SignedIn,
    pub(super) session: stomp::Session,
    pub(super) deliveries: mpsc::Receiver<stomp::Delivery>,
}

impl Subscription {
    /// Opens the first subscription of the process. Waits while SOAR or the broker is unavailable.
    ///
    /// # Errors
    /// An operator has to correct something.
    pub(super) async fn first(target: BrokerTarget, metrics: Arc<stomp::Metrics>) -> Result<Self, Failure> {
        Self::subscribe(SignedIn::new(target).await?, metrics).await
    }

    /// Opens a subscription that replaces `former`. Returns `None` if it would be equivalent. Tries until it succeeds.
    pub(super) async fn next(
        target: BrokerTarget,
        former: Option<SignedIn>,
        metrics: Arc<stomp::Metrics>,
    ) -> Option<Self> {
        let mut failures = 0;
        loop {
            let wait = OPEN_AGAIN.delay(failures);
            match Self::unless_equivalent(target.clone(), former.as_ref(), Arc::clone(&metrics)).await {
                Ok(next) => return next,
                Err(Failure { message, .. }) => error!(
                    again_in_s = wait.as_secs(),
                    "no connection with the new settings; the one before stays in service: {message}"
                ),
            }
            tokio::time::sleep(wait).await;
            failures += 1;
        }
    }

    async fn unless_equivalent(
        target: BrokerTarget,
        former: Option<&SignedIn>,
        metrics: Arc<stomp::Metrics>,
    ) -> Result<Option<Self>, Failure> {
        let signed_in = match former.filter(|former| former.target == target) {
            None => SignedIn::new(target).await?,
            Some(former) => {
                let destinations = destinations(&former.soar).await?;
                if destinations == former.destinations {
                    return Ok(None);
                }
                SignedIn { destinations, ..former.clone() }
            }
        };
        Self::subscribe(signed_in, metrics).await.map(Some)
    }

    /// Starts a session and waits until it is subscribed. A refusal is an error: at the start an operator is there to
    /// correct it. Other failures are tried again, as refusals are later, when the broker itself may be at fault.
    async fn subscribe(signed_in: SignedIn, metrics: Arc<stomp::Metrics>) -> Result<Self, Failure> {
        let SignedIn { target, soar, destinations } = &signed_in;
        let (login, passcode) = target.soar.login.credentials();
        let (session, deliveries) = stomp::Session::start(stomp::SessionOptions {
            host: target.stomp.host.clone(),
            port: target.stomp.port,
            proxy: target.stomp.proxy.clone(),
            tls: target.broker_tls()?,
            login,
            passcode,
            destinations: destinations
                .iter()
                .map(|name| format!("actions.{}.{name}", soar.org_id()))
                .collect(),
            prefetch: target.stomp.prefetch,
            timeout: target.stomp.timeout,
            heart_beat: stomp::HeartBeatOffer::default(),
            reconnect: stomp::RECONNECT,
            metrics,
        });
        let mut state = session.state();
        loop {
            match &*state.borrow_and_update() {
                // `served`: it was subscribed, if only for a moment.
                stomp::State::Subscribed { .. } | stomp::State::Connecting { served: true, .. } => break,
                stomp::State::Connecting { last: Some(failure), .. } => {
                    if let Some(code) = ExitCode::of_refusal(failure) {
                        return Err(Failure::new(code, failure));
                    }
                }
                stomp::State::Connecting { last: None, .. } | stomp::State::Closed => {}
            }
            if state.changed().await.is_err() {
                return Err(Failure::new(ExitCode::Failed, &"the session with the broker ended"));
            }
        }
        Ok(Self { signed_in, session, deliveries })
    }
}

impl SignedIn {
    /// Signs in to SOAR, and asks for the functions' message destinations.
    async fn new(target: BrokerTarget) -> Result<Self, Failure> {
        let soar = soar::Client::connect(&target.soar).await?;
        info!(organisation = soar.org_name(), org_id = soar.org_id(), "signed in to SOAR");
        if soar.actions_framework_enabled() == Some(false) {
            warn!(
                organisation = soar.org_name(),
                "actions are not enabled for this organisation; SOAR sends no calls before they are"
            );
        }
        let destinations = destinations(&soar).await?;
        Ok(Self { target, soar, destinations })
    }
}

/// The message destinations of the functions. A function that SOAR does not know gets no calls. While SOAR knows none
/// of them, the customizations are missing; waits for their import.
async fn destinations(soar: &soar::Client) -> Result<BTreeSet<String>, Failure> {
    let mut reported = BTreeSet::new();
    let mut failures = 0;
    loop {
        let wait = ASK_AGAIN.delay(failures);
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
        failures += 1;
    }
}
