//! `[fn_exchange_online]`, and what `[integrations]` says for it: Microsoft Graph, its token endpoint, and how
//! far a query goes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::{credential, proxy};
use crate::config::CallLimits;
use crate::config::options::{APP, INTEGRATIONS, Name, Options};
use crate::config::url_option::url_or;
use graph::GraphSettings;
use net::Trust;

const GRAPH_URL: &str = "https://graph.microsoft.com/v1.0";

const fn option(key: &'static str) -> Name {
    (APP, key)
}

/// `None` only where a problem was noted.
pub(in crate::config) fn graph(options: &mut Options<'_>) -> Option<GraphSettings> {
    let credential = credential::credential(options);
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
    let proxy = proxy::for_graph(options);
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

pub(in crate::config) fn limits(options: &mut Options<'_>) -> CallLimits {
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
pub(in crate::config) fn health_listen(options: &mut Options<'_>) -> Option<SocketAddr> {
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
