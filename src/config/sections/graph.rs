//! Microsoft Graph, its token endpoint, and the limits of a call, from `[fn_exchange_online]` and `[integrations]`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::{credential, proxy};
use crate::config::CallLimits;
use crate::config::definitions::{app as opt, integrations};
use crate::config::options::Options;
use crate::config::url_option::url;
use graph::GraphSettings;
use net::Secret;
use net::Trust;

/// `None` only where a problem was noted.
pub(in crate::config) fn graph(options: &mut Options<'_>) -> Option<GraphSettings> {
    let credential = credential::credential(options);
    let base_url = url(options, &opt::MICROSOFT_GRAPH_URL, None);
    let upload_hosts = options.list(&opt::UPLOAD_HOSTS);
    let upload_hosts =
        upload_hosts.iter().filter_map(|host| options.host(&opt::UPLOAD_HOSTS, host)).collect();
    let token_trust = options.trust(&opt::TOKEN_VERIFY);
    let trust = match options.trust(&opt::VERIFY) {
        Some(trust) => trust,
        None => options
            .environment
            .get_filled("REQUESTS_CA_BUNDLE")
            .map_or(Trust::System, |path| Trust::SystemAnd(PathBuf::from(path))),
    };
    let client_certificate = options.client_certificate(&opt::CLIENT_AUTH_CERT, &opt::CLIENT_AUTH_KEY);
    let proxy = proxy::for_graph(options);
    let common_timeout = options.number(&integrations::TIMEOUT);
    let timeout = options.number_if_set(&opt::TIMEOUT).unwrap_or(common_timeout);
    let max_batched_requests = options.number(&opt::MAX_BATCHED_REQUESTS);
    let max_concurrent_requests = options.number(&opt::MAX_CONCURRENT_REQUESTS);
    let max_concurrent_batches = options.number(&opt::MAX_CONCURRENT_BATCHES);
    let max_retries = options.number(&opt::MAX_RETRIES_TOTAL);
    let backoff = options.number(&opt::MAX_RETRIES_BACKOFF_FACTOR);
    let (token_url, credential) = credential?;
    Some(GraphSettings {
        token_url,
        base_url: base_url?,
        upload_hosts,
        credential,
        trust,
        token_trust,
        client_certificate,
        proxy,
        timeout: Duration::from_secs(timeout),
        max_batched_requests,
        max_concurrent_requests,
        max_concurrent_batches,
        max_retries,
        retry_backoff: Duration::from_secs_f64(backoff),
    })
}

pub(in crate::config) fn limits(options: &mut Options<'_>) -> CallLimits {
    CallLimits {
        search_strategy: options.choice(&opt::SEARCH_STRATEGY).unwrap_or_default(),
        max_messages: options.number(&opt::MAX_MESSAGES),
        max_users: options.number(&opt::MAX_USERS),
        call_timeout: Duration::from_secs(options.number(&opt::CALL_TIMEOUT)),
        max_call_age: Duration::from_secs(options.number(&opt::MAX_CALL_AGE)),
        max_attachment: options.number(&opt::MAX_ATTACHMENT_MB) << 20,
        max_reply: options.number(&opt::MAX_REPLY_MB) << 20,
    }
}

/// The password of the ZIP file for attachments.
pub(in crate::config) fn zip_password(options: &mut Options<'_>) -> Option<Secret> {
    options.secret(&opt::ATTACHMENTS_ZIP_PASSWORD)
}

/// The address that serves health and metrics. An address that other machines can reach is a warning.
pub(in crate::config) fn health_listen(options: &mut Options<'_>) -> Option<SocketAddr> {
    let value = options.optional(&opt::HEALTH_LISTEN)?;
    let Ok(address) = value.text.parse::<SocketAddr>() else {
        options.problem(
            &opt::HEALTH_LISTEN,
            "is not an address with a port",
            "give this machine's address and a port, for instance 127.0.0.1:9108 or [::1]:9108; 0.0.0.0:9108 is all of \
             its addresses",
        );
        return None;
    };
    if !address.ip().to_canonical().is_loopback() {
        options.warning(
            &opt::HEALTH_LISTEN,
            "can be reached from other machines: there is no login, so anyone who reaches it can read what this program \
             does, though not to whose mail; let a firewall or network policy admit only your monitoring",
        );
    }
    Some(address)
}
