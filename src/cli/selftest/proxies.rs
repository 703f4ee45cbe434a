//! The advice where a proxy is in the way.

use net::Proxy;

/// The advice for `message`, if it is about the proxy; `options` are those that name it.
pub(super) fn advice(message: &str, proxy: &Proxy, options: &str) -> Option<String> {
    // The text is that of `net::http::proxy_trouble`.
    let is_of_proxy = message.contains("the proxy ") && message.contains(" on the way ");
    let named = match proxy {
        Proxy::Environment => {
            "the environment variables HTTPS_PROXY and HTTP_PROXY, which name it, and NO_PROXY, which lists the hosts that \
             are reached without it"
        }
        Proxy::Explicit { .. } => options,
    };
    is_of_proxy.then(|| format!("Check {named}; then the proxy itself, and what it permits."))
}
