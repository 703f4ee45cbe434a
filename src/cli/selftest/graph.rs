//! Microsoft Graph: the token, what its permissions allow, and one request that changes nothing.

use chrono::Utc;

use super::check::{Check, Section};
use super::{short, within};
use crate::cli::exit::{self, OTHER};
use crate::config::{GraphSettings, Settings};
use crate::functions::{Function, Permission, Use};
use crate::graph::{Claims, Client, Error, Path, Request, TokenError};

const TOKEN: (&str, &str) = ("graph.token", "token");
const PERMISSIONS: (&str, &str) = ("graph.permissions", "permissions");
const REQUEST: (&str, &str) = ("graph.request", "request");

pub(super) async fn check(settings: &Settings) -> Section {
    let title = format!("Microsoft Graph at {}", settings.graph.base_url);
    Section::new(title, checks(settings).await)
}

async fn checks(settings: &Settings) -> Vec<Check> {
    let bound = settings.selftest_timeout;
    // Who looks for mistakes wants to hear of each: nothing is tried again.
    let once = GraphSettings { max_retries: 0, ..settings.graph.clone() };
    let without_token = |failed: Check| {
        let skipped = |(id, name): (&str, &str)| Check::skipped(id, name, "there is no token");
        vec![failed, skipped(PERMISSIONS), skipped(REQUEST)]
    };
    let client = match Client::new(&once) {
        Ok(client) => client,
        Err(error) => {
            let advice = "Correct verify (REQUESTS_CA_BUNDLE), client_auth_cert and client_auth_key of \
                          [fn_exchange_online].";
            return without_token(Check::failed(TOKEN.0, TOKEN.1, exit::of_tls(&error), error, advice));
        }
    };
    let claims = match within(bound, client.claims()).await {
        Ok(Ok(claims)) => claims,
        Ok(Err(error)) => {
            return without_token(Check::failed(TOKEN.0, TOKEN.1, OTHER, found(&error), advice(&error)));
        }
        Err(late) => return without_token(Check::failed(TOKEN.0, TOKEN.1, OTHER, late, REACH)),
    };
    let mut checks = vec![token(&settings.graph, claims.as_ref())];
    checks.extend(permissions(claims.as_ref()));
    let answer = within(bound, client.send(&Request::get(first_user()))).await;
    checks.push(request(answer, claims.as_ref()));
    checks
}

/// What the application signs in with.
fn credential(_settings: &GraphSettings) -> &'static str {
    "its client secret"
}

fn token(settings: &GraphSettings, claims: Option<&Claims>) -> Check {
    let expires = claims.and_then(|claims| claims.expires);
    let valid = expires
        .map(|end| format!("; the token is valid for {} min", ((end - Utc::now()).num_seconds() + 30) / 60));
    Check::passed(
        TOKEN.0,
        TOKEN.1,
        format!(
            "application {} signs in with {}{}",
            settings.client_id,
            credential(settings),
            valid.unwrap_or_default()
        ),
    )
}

/// Whether the token's permissions allow what each function does.
fn permissions(claims: Option<&Claims>) -> Vec<Check> {
    let Some(Claims { roles, .. }) = claims else {
        let found = "the token cannot be read, so which permissions it gives is not known";
        return vec![Check::warning(PERMISSIONS.0, PERMISSIONS.1, found, None)];
    };
    if roles.is_empty() {
        return vec![Check::failed(
            PERMISSIONS.0,
            PERMISSIONS.1,
            OTHER,
            "the token gives no application permission, so every request is refused",
            "Add the permissions of docs/azure.md to the Entra application, as application permissions (not \
             delegated ones), and grant admin consent.",
        )];
    }
    let uses =
        Function::ALL.into_iter().flat_map(|function| function.uses().iter().map(move |way| (function, way)));
    uses.map(|(function, way)| allowed(function, *way, claims)).collect()
}

fn allowed(function: Function, way: Use, claims: Option<&Claims>) -> Check {
    let (id, name) = (format!("graph.permission.{}", function.name()), short(function));
    let (id, name) = match way.particular {
        None => (id, name.to_owned()),
        Some(particular) => {
            (format!("{id}.{}", particular.replace(' ', "_").to_lowercase()), format!("{name} {particular}"))
        }
    };
    let missing: Vec<&str> = way
        .permissions
        .iter()
        .filter(|permission| granted(**permission, claims).is_none())
        .map(|permission| permission.name())
        .collect();
    if missing.is_empty() {
        let by: Vec<&str> =
            way.permissions.iter().filter_map(|permission| granted(*permission, claims)).collect();
        return Check::passed(id, name, format!("allowed by {}", by.join(" and ")));
    }
    Check::warning(
        id,
        name,
        format!("missing {}", missing.join(" and ")),
        "Add it as an application permission and grant admin consent, unless the function is not used, or Exchange \
         grants it by RBAC for Applications, which the token does not show."
            .to_owned(),
    )
}

fn granted(permission: Permission, claims: Option<&Claims>) -> Option<&'static str> {
    permission.among(&claims?.roles)
}

/// The id of one user: it changes nothing, and is nobody's mail.
fn first_user() -> Path {
    Path::users().option("$select", "id").option("$top", "1")
}

/// Without the permission to list users, a refusal for lack of it is what a Graph that works answers.
fn request<T>(answer: Result<Result<T, Error>, String>, claims: Option<&Claims>) -> Check {
    let may_list_users = Function::GetEmailUserProfile
        .uses()
        .iter()
        .flat_map(|way| way.permissions)
        .all(|permission| granted(*permission, claims).is_some());
    match answer {
        Ok(Ok(_)) => Check::passed(REQUEST.0, REQUEST.1, "Microsoft Graph answers"),
        Ok(Err(error)) if !may_list_users && error.refusal().is_some_and(|refusal| refusal.status == 403) => {
            let found = "Microsoft Graph answers (it does not let the application list users)";
            Check::passed(REQUEST.0, REQUEST.1, found)
        }
        Ok(Err(error)) => Check::failed(REQUEST.0, REQUEST.1, OTHER, found(&error), advice(&error)),
        Err(late) => Check::failed(REQUEST.0, REQUEST.1, OTHER, late, REACH),
    }
}

const REACH: &str = "Check microsoft_graph_url and microsoft_graph_token_url, the proxy (HTTPS_PROXY, or https_proxy \
                     in app.config), and the firewalls on the way.";

/// What went wrong, without what [`advice`] says better.
fn found(error: &Error) -> String {
    let refused = match error {
        Error::Token(error) => error.as_ref(),
        other => return other.to_string(),
    };
    let TokenError::Refused { status, client_id, error, description, trace_id } = refused else {
        return refused.to_string();
    };
    // Entra adds the ids and the time to its words; one of them is enough to ask Microsoft.
    let description = description.split(" Trace ID:").next().unwrap_or_default();
    let trace = trace_id.as_ref().map(|id| format!(" (trace id {id})")).unwrap_or_default();
    format!(
        "Entra ID refuses application {client_id} with HTTP status {status}, {error}: {description}{trace}"
    )
}

/// What to do about `error`.
fn advice(error: &Error) -> &'static str {
    match error {
        Error::Token(error) => match error.as_ref() {
            TokenError::Refused { description, .. } => about_refusal(description),
            TokenError::Unavailable { .. } => REACH,
        },
        Error::Untrusted(_) => {
            "Put the PEM file of the certificate authority (a proxy that opens TLS has one of its own) into verify \
             of [fn_exchange_online]."
        }
        Error::Refused(refusal) if refusal.status == 403 => {
            "Grant the permission User.Read.All with admin consent; a change takes some minutes to arrive."
        }
        Error::Refused(refusal) if refusal.status == 429 || refusal.status >= 500 => {
            "Microsoft Graph is busy or out of order; try again in some minutes."
        }
        _ => REACH,
    }
}

/// Entra's codes explain; nothing is decided by them (Microsoft page "Microsoft identity platform and the OAuth 2.0
/// client credentials flow").
fn about_refusal(description: &str) -> &'static str {
    const CODES: [(&str, &str); 5] = [
        (
            "AADSTS7000215",
            "Put the client secret's Value into client_secret; its Secret ID, which stands beside it, does not do.",
        ),
        ("AADSTS7000222", "Make a new client secret in Entra, and put its Value into client_secret."),
        ("AADSTS700016", "Put the Application (client) ID of the app registration into client_id."),
        ("AADSTS90002", "Put the Directory (tenant) ID into tenant_id."),
        ("AADSTS53003", "Have the Conditional Access policy for workload identities let this address in."),
    ];
    CODES.iter().find(|(code, _)| description.starts_with(&format!("{code}:"))).map_or(
        "Check tenant_id, client_id and client_secret; Microsoft explains the code at \
         https://login.microsoftonline.com/error",
        |(_, advice)| advice,
    )
}
