//! `--print-env`: the environment variables that the program reads.

use url::Url;

use crate::config::Environment;

/// A variable, and the part of its value that may be shown; `None` if it is not set.
pub(super) struct Variable {
    pub(super) name: &'static str,
    pub(super) shown: Option<String>,
}

/// Variables without secrets or personal data.
const PLAIN: [&str; 19] = [
    "APP_CONFIG_FILE",
    "APP_HOST_CONTAINER",
    "APP_LOG_DIR",
    "LOGLEVEL",
    "RESOURCE_PREFIX",
    "RESILIENT_MAX_CONNECTION_RETRIES",
    "RESILIENT_STOMP_TIMEOUT",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NO_PROXY",
    "no_proxy",
    "PAM_TYPE",
    "PAM_VERIFY_SERVER_CERT",
    "PAM_SECRET_ID_FILE",
    "VAULT_TOKEN_FILE",
    "VAULT_NAMESPACE",
    "HOME",
    "TZ",
];
/// Variables whose URL may contain a user name and a password.
const URLS: [&str; 6] =
    ["PAM_ADDRESS", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"];

/// The variables to show. Variables that app.config names ($NAME) are secrets, and not in the lists.
pub(super) fn shown(environment: &Environment) -> Vec<Variable> {
    let plain = PLAIN.map(|name| Variable { name, shown: environment.get(name).map(str::to_owned) });
    let urls = URLS.map(|name| Variable { name, shown: environment.get(name).map(without_login) });
    plain.into_iter().chain(urls).collect()
}

fn without_login(address: &str) -> String {
    match Url::parse(address) {
        Ok(url) if url.username().is_empty() && url.password().is_none() && url.has_host() => {
            address.to_owned()
        }
        Ok(url) => match (url.host_str(), url.port_or_known_default()) {
            (Some(host), Some(port)) => format!("{}://***@{host}:{port}", url.scheme()),
            _ => "(set, but not a URL with a host)".to_owned(),
        },
        Err(_) => "(set, but not a URL with a host)".to_owned(),
    }
}
