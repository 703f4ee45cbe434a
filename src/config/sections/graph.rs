//! `[fn_exchange_online]`, and what `[integrations]` says for it: Microsoft Graph, its token endpoint, and how
//! far a query goes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::{Host, Url};

use super::options::{APP, INTEGRATIONS, Name, Options};
use super::{CallLimits, credential_options, proxy_options};
use graph::GraphSettings;
use net::Trust;

const GRAPH_URL: &str = "https://graph.microsoft.com/v1.0";

/// RFC 3986's unreserved characters stay as they are in a path segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

const fn option(key: &'static str) -> Name {
    (APP, key)
}

/// `None` only where a problem was noted.
pub(super) fn graph(options: &mut Options<'_>) -> Option<GraphSettings> {
    let credential = credential_options::credential(options);
    let base_url = url_or(options, option("microsoft_graph_url"), GRAPH_URL, None);
    let token_trust = options.trust(option("token_verify"));
    let trust = match options.trust(option("verify")) {
        Some(trust) => trust,
        None => options
            .environment
            .get_filled("REQUESTS_CA_BUNDLE")
            .map_or(Trust::System, |path| Trust::SystemAnd(PathBuf::from(path))),
    };
    let client_certificate = options.client_certificate(APP);
    let proxy = proxy_options::for_graph(options);
    let timeout = seconds(options, option("timeout"));
    let common_timeout = seconds(options, (INTEGRATIONS, "timeout"));
    let max_batched_requests = options.number(option("max_batched_requests"), 1..=20, 20);
    let max_concurrent_batches = options.number(option("max_concurrent_batches"), 1..=32, 8);
    let max_retries = options.number(option("max_retries_total"), 0..=1000, 10);
    let backoff = options.number(option("max_retries_backoff_factor"), 0.0..=3600.0, 5.0);
    let (token_url, credential) = credential?;
    Some(GraphSettings {
        token_url,
        base_url: base_url?,
        credential,
        trust,
        token_trust,
        client_certificate,
        proxy,
        timeout: timeout.or(common_timeout).unwrap_or(Duration::from_secs(30)),
        max_batched_requests,
        max_concurrent_batches,
        max_retries,
        retry_backoff: Duration::from_secs_f64(backoff),
    })
}

pub(super) fn limits(options: &mut Options<'_>) -> CallLimits {
    const MOST: usize = 1_000_000;
    const WEEK: u64 = 7 * 24 * 3600;
    CallLimits {
        max_messages: options.number(option("max_messages"), 1..=MOST, 100),
        max_users: options.number(option("max_users"), 1..=MOST, 2000),
        call_timeout: Duration::from_secs(options.number(option("call_timeout"), 1..=WEEK, WEEK / 7)),
        max_attachment: options.number(option("max_attachment_mb"), 1..=1 << 20, 1024) << 20,
        // The session takes no larger one.
        max_reply: options.number(option("max_reply_mb"), 1..=96, 96) << 20,
    }
}

/// Where health and metrics are told. Who else than this machine can ask there is told.
pub(super) fn health_listen(options: &mut Options<'_>) -> Option<SocketAddr> {
    const NAME: Name = option("health_listen");
    let value = options.optional(NAME)?;
    let Ok(address) = value.text.parse::<SocketAddr>() else {
        options.problem(
            NAME,
            "is no address with a port",
            "give this machine's address and a port, for instance 127.0.0.1:9108 or [::1]:9108; 0.0.0.0:9108 is all of \
             its addresses",
        );
        return None;
    };
    if !address.ip().to_canonical().is_loopback() {
        options.warning(
            NAME,
            "can be reached from other machines: there is no login, so whoever reaches it reads what this program \
             does, though not to whose mail; let a firewall or network policy admit only who has to ask",
        );
    }
    Some(address)
}

fn seconds(options: &mut Options<'_>, name: Name) -> Option<Duration> {
    options.number_if_set(name, 1..=3600).map(Duration::from_secs)
}

/// The option's URL, with `{tenant}` replaced; the client secret, tokens and mail go there, so it is https, or
/// does not leave the machine.
pub(super) fn url_or(
    options: &mut Options<'_>,
    name: Name,
    default: &str,
    tenant: Option<&str>,
) -> Option<Url> {
    let noted = options.problems.len();
    let text = options.optional(name).map_or_else(|| default.to_owned(), |value| value.text);
    if options.problems.len() > noted {
        return None;
    }
    // Without a tenant (noted already) the rest of the URL can still be looked at.
    let tenant = utf8_percent_encode(tenant.unwrap_or("tenant"), SEGMENT).to_string();
    let text = text.replace("{tenant}", &tenant);
    // The text is in none of the messages: somebody may have put a password in it.
    let wrong = match Url::parse(text.trim_end_matches('/')) {
        Err(reason) => format!("is no URL ({reason})"),
        Ok(url) if url.host().is_none() || !matches!(url.scheme(), "https" | "http") => {
            "is no https URL".to_owned()
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            "has a user name or password in it".to_owned()
        }
        Ok(url) if url.query().is_some() || url.fragment().is_some() => "has a ? or # in it".to_owned(),
        Ok(url) if url.scheme() == "http" && !is_loopback(&url) => {
            "is http, which would show secrets and mail to everybody on the way".to_owned()
        }
        Ok(url) => return Some(url),
    };
    options.problem(name, wrong, format!("write it as in {default}"));
    None
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
