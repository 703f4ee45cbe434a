//! The SOAR that a command asks: signing in, and the examples that fit its version.

use super::common::Common;
use super::examples::ExamplesArguments;
use super::terminal::{log_look, say, warn};
use super::{ExitCode, Failure};
use crate::config::{LogLevel, load_soar};
use crate::customize::Examples;
use crate::log::Log;
use net::untrusted::text::sanitize_terminal;
use soar::{Client, Error, Login};

/// The daemon may try to sign in indefinitely, but here a person waits.
const LOGIN_TRIES: u32 = 3;

/// The permissions that an import takes, by SOAR's names.
const PERMISSION: &str = "An account needs a role with SOAR's Administration and Customization permissions; an API key \
    needs, for an import, to edit organisation data, to create and edit functions, scripts, workflows and playbooks, and to \
    read layouts and all action invocations. Or write the file with customize --export FILE, and have an administrator import it in SOAR under \
    Administrator Settings, Organization, Import.";

/// What the user chose, or what fits the version of SOAR.
pub(super) async fn examples_for(soar: &Client, arguments: &ExamplesArguments) -> Result<Examples, Failure> {
    if let Some(chosen) = arguments.chosen() {
        return Ok(chosen);
    }
    let version = soar.server_version().await.map_err(|error| refused(&error))?;
    let examples = Examples::of_server(&version);
    say(&match examples {
        Examples::Playbooks => format!(
            "SOAR {} gets playbooks. For rules and workflows in their place: --workflows",
            sanitize_terminal(&version)
        ),
        Examples::Workflows(_) => format!("SOAR {} gets rules and workflows.", sanitize_terminal(&version)),
    });
    Ok(examples)
}

/// A signed-in client, and the name of its kind of credentials.
pub(super) struct SignedIn {
    pub(super) soar: Client,
    pub(super) who: &'static str,
    /// The log ends when this is dropped.
    pub(super) _log: Log,
}

/// Signs in to the SOAR of the configuration file.
pub(super) async fn sign_in(common: &Common) -> Result<SignedIn, Failure> {
    let environment = common.environment(Vec::new());
    let (file, environment) = common.source(&environment).await?;
    let (mut settings, warnings) = load_soar(&file, &environment)?;
    let level = if common.verbose { LogLevel::Debug } else { LogLevel::Warning };
    let log =
        Log::of_command(level, log_look(), None).map_err(|error| Failure::new(ExitCode::Failed, &error))?;
    for warning in warnings {
        warn(&warning.to_string());
    }
    settings.login_tries = Some(settings.login_tries.map_or(LOGIN_TRIES, |tries| tries.min(LOGIN_TRIES)));
    let soar =
        Client::connect(&settings).await.map_err(|error| Failure::new(ExitCode::of_soar(&error), &error))?;
    let who = match settings.login {
        Login::ApiKey { .. } => "API key",
        Login::Password { .. } => "account",
    };
    Ok(SignedIn { soar, who, _log: log })
}

/// The failure of a request that takes a permission.
pub(super) fn refused(error: &Error) -> Failure {
    match error.status() {
        Some(403) => Failure::new(ExitCode::Failed, &format!("{error}. {PERMISSION}")),
        _ => Failure::new(ExitCode::of_soar(error), error),
    }
}
