//! Checks Microsoft Graph: the token, its permissions, and one request that changes nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::Utc;

use super::check::{Check, Outcome, Section};
use super::{patterns, proxies, short, within};
use crate::config::{GuardSettings, Settings};
use crate::exit_code::ExitCode;
use crate::functions::{Function, IDENTIFY, Permission, Use};
use graph::GraphSettings;
use graph::{Certificate, Claims, Client, Error, ErrorKind, Path, Request, TokenError};

const TOKEN: (&str, &str) = ("graph.token", "token");
const PERMISSIONS: (&str, &str) = ("graph.permissions", "permissions");
const REQUEST: (&str, &str) = ("graph.request", "request");
const MAILBOX: (&str, &str) = ("graph.mailbox", "mailbox");
const TRACE: (&str, &str) = ("graph.message_trace", "message trace");

/// Checks Graph, and `mailbox` if given.
pub(super) async fn check(settings: &Settings, mailbox: Option<&str>) -> Section {
    let title = format!("Microsoft Graph at {}", settings.graph.base_url);
    Section::new(title, checks(settings, mailbox).await)
}

async fn checks(settings: &Settings, mailbox: Option<&str>) -> Vec<Check> {
    let bound = settings.selftest_timeout;
    // The self test reports the first failure instead of retrying.
    let once = GraphSettings { max_retries: 0, ..settings.graph.clone() };
    let without_token = |failed: Check| {
        let skipped = |(id, name): (&str, &str)| Check::skipped(id, name, "there is no token");
        let looked_into = mailbox.map(|_| skipped(MAILBOX));
        [failed, skipped(PERMISSIONS), skipped(REQUEST)].into_iter().chain(looked_into).collect()
    };
    let client = match Client::new(&once) {
        Ok(client) => client,
        Err(error) => {
            let advice = "Correct verify (or REQUESTS_CA_BUNDLE), token_verify, client_auth_cert and client_auth_key of \
                          [fn_exchange_online].";
            return without_token(Check::failed(TOKEN.0, TOKEN.1, ExitCode::of_tls(&error), error, advice));
        }
    };
    let claims = match within(bound, client.claims()).await {
        Ok(Ok(claims)) => claims,
        Ok(Err(error)) => {
            return without_token(Check::failed(
                TOKEN.0,
                TOKEN.1,
                ExitCode::Failed,
                found(&error),
                proxies::advice(&error.to_string(), &settings.graph.proxy, PROXY_OPTIONS)
                    .unwrap_or_else(|| advice(&error).to_owned()),
            ));
        }
        Err(late) => {
            return without_token(Check::failed(TOKEN.0, TOKEN.1, ExitCode::Failed, late, REACH_FOR_TOKEN));
        }
    };
    let mut checks = vec![token(&settings.graph, claims.as_ref())];
    let answer = within(bound, client.send(&Request::get(first_user()))).await;
    let request = request(answer, claims.as_ref());
    let looked_into = match mailbox {
        Some(mailbox) => Some(look_into(&client, bound, mailbox).await),
        None => None,
    };
    let lets_in = looked_into.as_ref().is_some_and(|check| check.outcome == Outcome::Passed);
    checks.extend(permissions(claims.as_ref(), lets_in, &settings.guard));
    checks.push(request);
    checks.extend(looked_into);
    checks.extend(message_trace(&client, bound, claims.as_ref()).await);
    checks.extend(patterns::check(&client, bound, &settings.guard).await);
    checks
}

/// Looks into the message trace, where the application may: a permission alone is not enough for it.
async fn message_trace(client: &Client, bound: Duration, claims: Option<&Claims>) -> Option<Check> {
    let permissions = Function::TraceMessage.spec().permissions().0;
    if !permissions.iter().all(|permission| granted(*permission, claims).is_some()) {
        return None;
    }
    let (id, name) = TRACE;
    Some(match within(bound, graph::probe_message_trace(client)).await {
        Ok(Ok(())) => Check::passed(id, name, "the message trace answers"),
        Ok(Err(error)) => {
            let advice = error.remedy().unwrap_or("Try again in some minutes.");
            Check::warning(id, name, error.for_log(), advice.to_owned())
        }
        Err(late) => Check::warning(id, name, late, "Try again in some minutes.".to_owned()),
    })
}

/// The credential, and the end of a certificate's validity.
fn credential(settings: &GraphSettings) -> String {
    let certificate = settings.credential.certificate().and_then(|files| Certificate::read(files).ok());
    let lasts = certificate.map(|certificate| {
        format!(" {}, valid until {}", certificate.subject(), certificate.not_after().format("%Y-%m-%d"))
    });
    format!("{}{}", settings.credential, lasts.unwrap_or_default())
}

fn token(settings: &GraphSettings, claims: Option<&Claims>) -> Check {
    let expires = claims.and_then(|claims| claims.expires);
    let valid = expires
        .map(|end| format!("; the token is valid for {} min", ((end - Utc::now()).num_seconds() + 30) / 60));
    Check::passed(
        TOKEN.0,
        TOKEN.1,
        format!("signed in as {}{}", credential(settings), valid.unwrap_or_default()),
    )
}

/// Checks the token's permissions against those of each function. `lets_in`: the test mailbox could be read, whatever
/// the token shows.
fn permissions(claims: Option<&Claims>, lets_in: bool, rails: &GuardSettings) -> Vec<Check> {
    let Some(Claims { roles, .. }) = claims else {
        let found = "the token cannot be read, so its permissions are not known";
        return vec![Check::warning(PERMISSIONS.0, PERMISSIONS.1, found, None)];
    };
    if roles.is_empty() && lets_in {
        let found = "the token has no permissions; Exchange grants access by RBAC for Applications";
        return vec![Check::warning(PERMISSIONS.0, PERMISSIONS.1, found, None)];
    }
    if roles.is_empty() {
        return vec![Check::failed(
            PERMISSIONS.0,
            PERMISSIONS.1,
            ExitCode::Failed,
            "the token has no application permissions, so every request is refused",
            format!(
                "Add {} to the Entra application under API permissions, Microsoft Graph, as application permissions \
                 (not delegated ones), those of functions that you do not use left out, and grant admin consent. Where \
                 Exchange grants them by RBAC for Applications, name a mailbox: --mailbox ADDRESS.",
                all_permissions().join(", ")
            ),
        )];
    }
    let uses = Function::ALL
        .into_iter()
        .flat_map(|function| function.spec().uses.iter().map(move |way| (function, way)));
    uses.map(|(function, way)| allowed(function, *way, rails, claims)).collect()
}

/// Permissions that are sufficient for queries without a message body (Graph page "List messages").
const READ_BASIC: [&str; 2] = ["Mail.ReadBasic.All", "Mail.ReadBasic"];

/// The permissions of all functions, sorted.
fn all_permissions() -> Vec<&'static str> {
    let uses = Function::ALL.into_iter().flat_map(|function| function.spec().uses);
    let names: BTreeSet<&str> =
        uses.flat_map(|way| way.permissions.0).map(|permission| permission.name()).collect();
    // The permission to change messages includes reading them.
    let includes_read = names.contains("Mail.ReadWrite");
    names.into_iter().filter(|name| !(includes_read && *name == "Mail.Read")).collect()
}

/// Whether the guard rails ask the directory who owns the mailbox that `function` changes or reads.
fn identifies(function: Function, rails: &GuardSettings) -> bool {
    match function {
        Function::GetMessage
        | Function::GetAttachments
        | Function::WriteMessageAsAttachment
        | Function::QueryEmails
        | Function::TraceMessage => !rails.denied_reading.is_empty(),
        _ => function.spec().changes_mailbox && rails.name_mailboxes(),
    }
}

fn allowed(function: Function, way: Use, rails: &GuardSettings, claims: Option<&Claims>) -> Check {
    let (id, name) = (format!("graph.permission.{}", function.name()), short(function));
    let (id, name) = match way.condition {
        None => (id, name.to_owned()),
        Some(condition) => {
            (format!("{id}.{}", condition.replace(' ', "_").to_lowercase()), format!("{name} {condition}"))
        }
    };
    let identifying = identifies(function, rails).then_some(IDENTIFY);
    let needed = || way.permissions.0.iter().copied().chain(identifying);
    let missing: Vec<&str> =
        needed().filter(|permission| granted(*permission, claims).is_none()).map(Permission::name).collect();
    if missing.is_empty() {
        let by: Vec<&str> = needed().filter_map(|permission| granted(permission, claims)).collect();
        return Check::passed(id, name, format!("allowed by {}", by.join(" and ")));
    }
    let basic = claims.and_then(|claims| READ_BASIC.into_iter().find(|name| claims.roles.contains(*name)));
    if let (Function::QueryEmails, ["Mail.Read"], Some(basic)) = (function, &missing[..], basic) {
        let found = format!("allowed by {basic}, except queries for a message body, which need Mail.Read");
        return Check::passed(id, name, found);
    }
    let for_rails = identifying.filter(|permission| granted(*permission, claims).is_none());
    let why = for_rails.map_or(
        "",
        |_| " to identify the mailbox (mailboxes_allowed, mailboxes_denied, mailboxes_denied_reading)",
    );
    let lost: Vec<&str> = needed()
        .filter(|permission| granted(*permission, claims).is_none())
        .filter_map(Permission::lost_without)
        .collect();
    if for_rails.is_none() && lost.len() == missing.len() {
        return Check::warning(
            id,
            name,
            format!("missing {} (optional)", missing.join(" and ")),
            format!(
                "{} To use it, add it as an application permission and grant admin consent.",
                lost.join(" ")
            ),
        );
    }
    Check::warning(
        id,
        name,
        format!("missing {}{why}", missing.join(" and ")),
        "Add it as an application permission and grant admin consent, unless the function is not used, or Exchange \
         grants it by RBAC for Applications, which the token does not show."
            .to_owned(),
    )
}

fn granted(permission: Permission, claims: Option<&Claims>) -> Option<&'static str> {
    permission.among(&claims?.roles)
}

/// The id of one user: a request that changes nothing and does not read mail.
fn first_user() -> Path {
    Path::users().option("$select", "id").option("$top", "1")
}

/// The outcome of the request. Without the permission to list users, a refusal is the right answer of Graph.
fn request<T>(answer: Result<Result<T, Error>, String>, claims: Option<&Claims>) -> Check {
    let may_list_users = Function::GetEmailUserProfile
        .spec()
        .permissions()
        .0
        .iter()
        .all(|permission| granted(*permission, claims).is_some());
    match answer {
        Ok(Ok(_)) => Check::passed(REQUEST.0, REQUEST.1, "Microsoft Graph answers"),
        Ok(Err(error)) if !may_list_users && error.refusal().is_some_and(|refusal| refusal.status == 403) => {
            let found = "Microsoft Graph answers (the application may not list users)";
            Check::passed(REQUEST.0, REQUEST.1, found)
        }
        Ok(Err(error)) => {
            Check::failed(REQUEST.0, REQUEST.1, ExitCode::Failed, found(&error), advice(&error))
        }
        Err(late) => Check::failed(REQUEST.0, REQUEST.1, ExitCode::Failed, late, REACH),
    }
}

/// Reads the id of one message. Does not test other access to messages.
async fn look_into(client: &Client, bound: Duration, mailbox: &str) -> Check {
    let path = match Path::messages(mailbox, None) {
        Ok(path) => path.option("$select", "id").option("$top", "1"),
        Err(error) => {
            return Check::failed(
                MAILBOX.0,
                MAILBOX.1,
                ExitCode::Failed,
                error,
                "Give the address of a mailbox.",
            );
        }
    };
    match within(bound, client.send(&Request::get(path).in_mailbox(mailbox))).await {
        Ok(Ok(_)) => Check::passed(MAILBOX.0, MAILBOX.1, format!("messages of {mailbox} can be listed")),
        Ok(Err(error)) => {
            let advice = match error.refusal().map(|refusal| refusal.status) {
                Some(403) => {
                    "Grant Mail.ReadWrite (or Mail.Read) with admin consent; with RBAC for Applications, the mailbox \
                     must be within the scope of a role assignment."
                }
                Some(404) => "Check the address; a user without a licence for Exchange has no mailbox.",
                _ => advice(&error),
            };
            Check::failed(MAILBOX.0, MAILBOX.1, ExitCode::Failed, found(&error), advice)
        }
        Err(late) => Check::failed(MAILBOX.0, MAILBOX.1, ExitCode::Failed, late, REACH),
    }
}

const PROXY_OPTIONS: &str = "https_proxy and http_proxy of [fn_exchange_online] or [integrations]";

const REACH: &str = "Check microsoft_graph_url and microsoft_graph_token_url, the proxy (HTTPS_PROXY, or https_proxy \
                     in app.config), and the firewalls in between.";

const REACH_FOR_TOKEN: &str = "Check microsoft_graph_token_url, the proxy (HTTPS_PROXY, or https_proxy in app.config), and the \
                               firewalls on the way. Where it is a certificate that is not trusted, put the PEM file of \
                               its authority into verify of [fn_exchange_online], or into token_verify where that is set.";

/// What went wrong, without what [`advice`] explains better.
fn found(error: &Error) -> String {
    let refused = match error.kind() {
        ErrorKind::Token(error) => error.as_ref(),
        _ => return error.to_string(),
    };
    let TokenError::Refused { status, application, error, description, trace_id, .. } = refused else {
        return refused.to_string();
    };
    // Entra appends ids and the time to its message; the trace id is enough to ask Microsoft.
    let description = description.split(" Trace ID:").next().unwrap_or_default();
    let trace = trace_id.as_ref().map(|id| format!(" (trace id {id})")).unwrap_or_default();
    format!("Entra ID refuses {application} with HTTP status {status}, {error}: {description}{trace}")
}

/// The advice for an error.
fn advice(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::Token(error) => match error.as_ref() {
            TokenError::Refused { description, .. } => about_refusal(description),
            TokenError::Unavailable { .. } => REACH_FOR_TOKEN,
            TokenError::Credential { .. } => "Correct the file, or name another one in app.config.",
        },
        ErrorKind::Untrusted(_) => {
            "Put the PEM file of the certificate authority (a proxy that opens TLS has one of its own) into verify \
             of [fn_exchange_online]."
        }
        ErrorKind::Refused(refusal) if refusal.status == 403 => {
            "Grant the permission User.Read.All with admin consent; a change takes some minutes to arrive."
        }
        ErrorKind::Refused(refusal) if refusal.status == 429 || refusal.status >= 500 => {
            "Microsoft Graph is busy or not available; try again in some minutes."
        }
        _ => REACH,
    }
}

/// The advice for Entra's error codes. They only explain; no decision depends on them (Microsoft page "Microsoft
/// identity platform and the OAuth 2.0 client credentials flow").
fn about_refusal(description: &str) -> &'static str {
    const CODES: [(&str, &str); 5] = [
        (
            "AADSTS7000215",
            "Put the client secret's Value into client_secret; its Secret ID, in the next column, does not work.",
        ),
        ("AADSTS7000222", "Make a new client secret in Entra, and put its Value into client_secret."),
        ("AADSTS700016", "Put the Application (client) ID of the app registration into client_id."),
        ("AADSTS90002", "Put the Directory (tenant) ID into tenant_id."),
        ("AADSTS53003", "Have the Conditional Access policy for workload identities admit this address."),
    ];
    CODES.iter().find(|(code, _)| description.starts_with(&format!("{code}:"))).map_or(
        "Check tenant_id, client_id and the credential; Microsoft explains the code at \
         https://login.microsoftonline.com/error",
        |(_, advice)| advice,
    )
}
