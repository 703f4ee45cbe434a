//! Checks SOAR's message broker: the sign-in, and a subscription to each queue, without taking calls.

use std::sync::Arc;
use std::time::Duration;

use super::Queues;
use super::check::{Check, Section};
use super::soar::who;
use crate::config::{Settings, StompSettings};
use crate::exit_code::ExitCode;
use net::tls;
use stomp::{Error, HeartBeatOffer, Probe, SessionOptions};

/// How long the broker may take to close the connection.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

const SIGN_IN: (&str, &str) = ("broker.sign_in", "sign-in");
const SUBSCRIPTION: (&str, &str) = ("broker.subscription", "subscription");

/// Checks the broker. `queues` is `None` if SOAR did not name the queues of calls.
pub(super) async fn check(settings: &Settings, queues: Option<&Queues>) -> Section {
    let StompSettings { host, port, .. } = &settings.stomp;
    Section::new(format!("Message broker at {host}:{port}"), checks(settings, queues).await)
}

async fn checks(settings: &Settings, queues: Option<&Queues>) -> Vec<Check> {
    let options = match options(settings) {
        Ok(options) => options,
        Err(error) => {
            let advice = "Correct stomp_cafile, or cafile where it is absent; the file must be a PEM file that \
                          the user that runs the program can read.";
            let failed = Check::failed(SIGN_IN.0, SIGN_IN.1, ExitCode::of_tls(&error), error, advice);
            return vec![failed, Check::skipped(SUBSCRIPTION.0, SUBSCRIPTION.1, NOT_SIGNED_IN)];
        }
    };
    let mut probe = match Probe::log_in(&options).await {
        Ok(probe) => probe,
        Err(failure) => {
            let code = ExitCode::of_broker(&failure);
            let failed = Check::failed(SIGN_IN.0, SIGN_IN.1, code, &failure, advice(&failure));
            return vec![failed, Check::skipped(SUBSCRIPTION.0, SUBSCRIPTION.1, NOT_SIGNED_IN)];
        }
    };
    let mut checks = vec![Check::passed(SIGN_IN.0, SIGN_IN.1, format!("with {}", who(&settings.soar.login)))];
    match queues {
        None => {
            let why = "SOAR did not name the queues of calls";
            checks.push(Check::skipped(SUBSCRIPTION.0, SUBSCRIPTION.1, why));
        }
        Some(queues) if queues.is_empty() => checks.push(Check::failed(
            SUBSCRIPTION.0,
            SUBSCRIPTION.1,
            ExitCode::NotSubscribed,
            "SOAR does not have any of the functions, so there is no queue to subscribe to",
            super::IMPORT,
        )),
        Some(queues) => {
            for queue in queues {
                let subscribed = probe.subscribe(queue).await;
                checks.push(subscription(queue, subscribed));
            }
        }
    }
    probe.leave(LEAVE_WITHIN).await;
    checks
}

const NOT_SIGNED_IN: &str = "not tried: the sign-in failed";

fn subscription(queue: &str, subscribed: Result<(), Error>) -> Check {
    match subscribed {
        Ok(()) => {
            Check::passed(SUBSCRIPTION.0, SUBSCRIPTION.1, format!("{queue} can be read; no call was taken"))
        }
        Err(failure) => {
            let code = ExitCode::of_broker(&failure);
            Check::failed(SUBSCRIPTION.0, SUBSCRIPTION.1, code, &failure, advice(&failure))
        }
    }
}

fn options(settings: &Settings) -> Result<SessionOptions, tls::TlsError> {
    let (login, passcode) = settings.soar.login.credentials();
    Ok(SessionOptions {
        host: settings.stomp.host.clone(),
        port: settings.stomp.port,
        proxy: settings.stomp.proxy.clone(),
        tls: Arc::new(tls::client_config(&settings.stomp.trust, None)?),
        login,
        passcode,
        destinations: Vec::new(),
        prefetch: settings.stomp.prefetch,
        timeout: settings.selftest_timeout,
        heart_beat: HeartBeatOffer::default(),
        reconnect: stomp::RECONNECT,
        metrics: Arc::default(),
    })
}

/// The advice for a failure.
fn advice(failure: &Error) -> &'static str {
    match failure {
        Error::Unreachable { .. } => {
            "Check stomp_host (host where it is absent) and stomp_port: 65001, or 443 on Cloud Pak for Security; and \
             the firewalls in between. This connection uses no proxy but that of stomp_proxy."
        }
        Error::Proxy { .. } => {
            "Check stomp_proxy, its user name and password, and whether the proxy allows CONNECT to stomp_port."
        }
        Error::Untrusted { .. } => {
            "Put the PEM file of the certificate authority that signed the broker's certificate into stomp_cafile, \
             or into cafile for SOAR and broker. Where it was made for another name, set stomp_host (or host) to a \
             name that is in it, or have a new one issued."
        }
        Error::Tls { .. } => "Check that stomp_port is the broker's port for STOMP over TLS.",
        Error::LoginRefused(_) => {
            "The broker takes the same key or account as SOAR's REST interface: check that it is not locked or \
             expired, and that stomp_host belongs to the same SOAR."
        }
        Error::NotAuthorized { .. } => {
            "Add the API key (or the account) to the message destination in SOAR: Administrator Settings, \
             Message Destinations, fn_exchange_online."
        }
        Error::NoAnswer(_) | Error::Unconfirmed(_) | Error::Silent(_) => {
            "Check the state of the broker in SOAR; a slow broker takes a longer selftest_timeout."
        }
        Error::AuthenticationUnavailable(_)
        | Error::Version(_)
        | Error::Protocol(_)
        | Error::Broker(_)
        | Error::Closed
        | Error::Broken(_) => {
            "Try again in a minute; if it persists, check SOAR's own log for the broker, and check that \
             stomp_host and stomp_port lead to it."
        }
    }
}
