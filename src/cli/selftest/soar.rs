//! Checks SOAR's REST interface: the sign-in, and the functions that SOAR has.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::try_join_all;

use super::check::{Check, Section};
use super::{Queues, proxies, short, within};
use crate::config::Settings;
use crate::exit_code::ExitCode;
use crate::functions::Function;
use net::tls::{PemFile, TlsError};
use soar::{Client, Credentials, Error};
use soar::{Login, SoarSettings};

const SIGN_IN: (&str, &str) = ("soar.sign_in", "sign-in");
const VERSION: (&str, &str) = ("soar.version", "version");
const CLOCK: (&str, &str) = ("soar.clock", "clock");
const ACTIONS: (&str, &str) = ("soar.actions", "actions");
const PERMISSIONS: (&str, &str) = ("soar.permissions", "permissions");

/// Checks SOAR. Returns also the queues of calls, if SOAR names them.
pub(super) async fn check(settings: &Settings) -> (Section, Option<Queues>) {
    let SoarSettings { host, port, .. } = &settings.soar;
    let title = format!("SOAR at {host}:{port}");
    let bound = settings.selftest_timeout;
    // The self test reports the first failure instead of retrying.
    let once = SoarSettings { login_tries: Some(1), request_tries: 1, ..settings.soar.clone() };
    let client = match within(bound, Client::connect(&once)).await {
        Ok(Ok(client)) => client,
        Ok(Err(error)) => {
            let failed = Check::failed(
                SIGN_IN.0,
                SIGN_IN.1,
                ExitCode::of_soar(&error),
                &error,
                of_way(&error, settings),
            );
            return (Section::new(title, not_signed_in(failed)), None);
        }
        Err(late) => {
            let failed = Check::failed(SIGN_IN.0, SIGN_IN.1, ExitCode::SoarUnavailable, late, REACH);
            return (Section::new(title, not_signed_in(failed)), None);
        }
    };
    let mut checks = vec![
        Check::passed(
            SIGN_IN.0,
            SIGN_IN.1,
            format!(
                "organisation {:?} (number {}), with {}",
                client.org_name(),
                client.org_id(),
                who(&settings.soar.login)
            ),
        ),
        version(&client, bound).await,
        clock(client.clock_ahead()),
        actions(&client),
    ];
    let queues = functions(&client, bound, &mut checks).await;
    (Section::new(title, checks), queues)
}

fn not_signed_in(failed: Check) -> Vec<Check> {
    let skipped = |(id, name): (&str, &str)| Check::skipped(id, name, "not asked: the sign-in failed");
    vec![failed, skipped(VERSION), skipped(CLOCK), skipped(ACTIONS), skipped(PERMISSIONS)]
}

pub(super) fn who(login: &Login) -> &'static str {
    match login {
        Login::ApiKey { .. } => "the API key",
        Login::Password { .. } => "the account's e-mail address and password",
    }
}

/// Nothing depends on the version, so a missing answer is not a failure.
async fn version(client: &Client, bound: Duration) -> Check {
    let problem = match within(bound, client.server_version()).await {
        Ok(Ok(version)) => return Check::passed(VERSION.0, VERSION.1, version),
        Ok(Err(error)) => error.to_string(),
        Err(late) => late,
    };
    Check::warning(VERSION.0, VERSION.1, problem, None)
}

/// A larger difference misleads the check for calls that an earlier process may have run, and the times of queries.
const MOST_APART: TimeDelta = TimeDelta::seconds(60);

/// Compares the clocks. `ahead`: by how much this machine's clock is ahead of SOAR's.
fn clock(ahead: Option<TimeDelta>) -> Check {
    let Some(ahead) = ahead else {
        return Check::skipped(CLOCK.0, CLOCK.1, "the answers of SOAR have no Date");
    };
    let direction = if ahead < TimeDelta::zero() { "behind" } else { "ahead of" };
    // Date has no fractions of a second.
    let found = format!("this machine's clock is {} s {direction} SOAR's", ahead.num_seconds().abs());
    if ahead.abs() <= MOST_APART {
        return Check::passed(CLOCK.0, CLOCK.1, found);
    }
    let advice = "Synchronise the clocks of this machine and of SOAR with a time server (NTP).";
    Check::warning(CLOCK.0, CLOCK.1, found, advice.to_owned())
}

fn actions(client: &Client) -> Check {
    match client.actions_framework_enabled() {
        Some(true) => Check::passed(ACTIONS.0, ACTIONS.1, "enabled for the organisation"),
        Some(false) => Check::failed(
            ACTIONS.0,
            ACTIONS.1,
            ExitCode::NotSubscribed,
            "not enabled for the organisation, so SOAR sends no calls",
            "Have actions (the action framework) enabled for the organisation; it may take a licence.",
        ),
        None => Check::skipped(ACTIONS.0, ACTIONS.1, "SOAR does not say whether they are enabled"),
    }
}

/// Checks whether the key may read functions, and for each function, whether SOAR has it and in which queue its calls
/// arrive.
async fn functions(client: &Client, bound: Duration, checks: &mut Vec<Check>) -> Option<Queues> {
    let asked = Function::ALL.map(|function| async move {
        client.destination_of(function.name()).await.map(|destination| (function, destination))
    });
    let (code, found, advice) = match within(bound, try_join_all(asked)).await {
        Ok(Ok(answers)) => {
            // Other permissions show only when something is written.
            let found = "functions can be read; writing notes and attachments is not tried, and takes Incidents: \
                         Read, Edit Fields, Edit Notes";
            checks.push(Check::passed(PERMISSIONS.0, PERMISSIONS.1, found));
            checks.extend(answers.iter().map(|(function, to)| defined(*function, to.as_deref())));
            let destinations: BTreeSet<String> = answers.into_iter().filter_map(|(_, to)| to).collect();
            let queue = |name: String| format!("actions.{}.{name}", client.org_id());
            return Some(destinations.into_iter().map(queue).collect());
        }
        Ok(Err(error @ Error::Refused { status: 403, .. })) => (
            ExitCode::NoDestination,
            error.to_string(),
            "Give the API key the permission to read functions (SOAR: Administrator Settings, Users, API Keys; \
             Functions: Read).",
        ),
        Ok(Err(error @ Error::Refused { .. })) => {
            (ExitCode::NoDestination, error.to_string(), advice(&error))
        }
        Ok(Err(error)) => (ExitCode::of_soar(&error), error.to_string(), advice(&error)),
        Err(late) => (ExitCode::SoarUnavailable, late, REACH),
    };
    checks.push(Check::failed(PERMISSIONS.0, PERMISSIONS.1, code, found, advice));
    None
}

/// A missing function is a warning: SOAR cannot call it.
fn defined(function: Function, destination: Option<&str>) -> Check {
    let (id, name) = (format!("soar.function.{}", function.name()), short(function));
    match destination {
        Some(destination) => {
            Check::passed(id, name, format!("defined, on message destination {destination}"))
        }
        None => {
            Check::warning(id, name, "not defined in SOAR, so SOAR cannot call it", super::IMPORT.to_owned())
        }
    }
}

/// The advice for an error of the first request, which may not have arrived.
fn of_way(error: &Error, settings: &Settings) -> String {
    let message = error.to_string();
    let of_proxy =
        proxies::advice(&message, &settings.soar.proxy, "proxy_host and proxy_port of [resilient]");
    of_proxy.unwrap_or_else(|| advice(error).to_owned())
}

const REACH: &str = "Check host and port, the proxy (proxy_host and proxy_port, or the variable HTTPS_PROXY), and the firewalls between here and SOAR.";

/// The advice for an error.
fn advice(error: &Error) -> &'static str {
    match error {
        Error::Setup(TlsError::File { file: PemFile::CertificateAuthorities, .. }) => {
            "Correct cafile; the file must be a PEM file that the user that runs the program can read."
        }
        Error::Setup(_) => "Correct cafile, client_auth_cert and client_auth_key.",
        Error::Unreachable { .. } | Error::Interrupted { .. } => REACH,
        Error::Untrusted { .. } => {
            "Put the PEM file of the certificate authority that signed SOAR's certificate (or the proxy's) into \
             cafile. Where it was made for another name, set host to a name that is in it, or have a new one issued."
        }
        Error::Handshake { .. } => "Check that port is that of SOAR's REST interface, which is HTTPS.",
        Error::Unauthorized { credentials: Credentials::ApiKey, .. } => {
            "Check api_key_id and api_key_secret; SOAR shows a key's secret only once, so make a new key if in \
             doubt (Administrator Settings, Users, API Keys)."
        }
        Error::Unauthorized { credentials: Credentials::Password, .. } => {
            "Check email and password, or better make an API key (Administrator Settings, Users, API Keys)."
        }
        Error::NoOrganisation => "Add the key or the account to the organisation in SOAR.",
        Error::WrongOrganisation { .. } => {
            "Put one of these names into org, or add the key to that organisation."
        }
        Error::OrganisationDisabled { .. } => {
            "Enable the organisation for the key or account in SOAR, or allow this address there."
        }
        Error::Refused { status: 404, .. } | Error::NotAnAnswer { .. } => {
            "Check host and port; on Cloud Pak for Security resource_prefix; and whether a proxy answers instead."
        }
        Error::Refused { .. } | Error::Content { .. } => "Check SOAR's own log for the reason.",
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Outcome;
    use super::*;

    #[test]
    fn clocks_more_than_a_minute_apart_are_a_warning() {
        let near = clock(Some(TimeDelta::seconds(-60)));
        assert_eq!(
            (near.outcome, &*near.found),
            (Outcome::Passed, "this machine's clock is 60 s behind SOAR's")
        );
        let far = clock(Some(TimeDelta::seconds(61)));
        assert_eq!(
            (far.outcome, &*far.found),
            (Outcome::Warning, "this machine's clock is 61 s ahead of SOAR's")
        );
        assert_eq!(clock(None).outcome, Outcome::Skipped);
    }
}
