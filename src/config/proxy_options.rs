//! Which proxy is taken: the environment's where it names one, else the file's.

use percent_encoding::percent_decode_str;
use url::Url;

use super::options::{APP, INTEGRATIONS, Name, Options, RESILIENT};
use super::{Proxy, ProxyUrl, Secret};

/// `proxy_host` and its companions, for both kinds of requests.
pub(super) fn for_soar(options: &mut Options<'_>) -> Proxy {
    const HOST: Name = (RESILIENT, "proxy_host");
    let port = options.number((RESILIENT, "proxy_port"), 0..=u16::MAX, 0);
    let user = options.optional((RESILIENT, "proxy_user"));
    let password = options.secret_or_file((RESILIENT, "proxy_password"), (RESILIENT, "proxy_password_file"));
    let address = address(options, HOST, "https");
    let (Some(mut proxy), false) = (address, environment_decides(options)) else { return Proxy::Environment };
    // The port of the option wins over one in the address; an https URL always takes a port.
    if port != 0 && proxy.url.set_port(Some(port)).is_err() {
        options.problem(HOST, "takes no port", "write proxy_host = proxy.example.com");
    }
    if let Some(user) = user {
        proxy.login = Some((user.text, password.unwrap_or_else(|| Secret::new(""))));
    }
    Proxy::Explicit { http: Some(proxy.clone()), https: Some(proxy) }
}

/// The app section's pair where either of it is set, else that of `[integrations]`.
pub(super) fn for_graph(options: &mut Options<'_>) -> Proxy {
    let [own, common] = [APP, INTEGRATIONS].map(|section| {
        let http = address(options, (section, "http_proxy"), "http");
        let https = address(options, (section, "https_proxy"), "http");
        (http.is_some() || https.is_some()).then_some(Proxy::Explicit { http, https })
    });
    if environment_decides(options) {
        return Proxy::Environment;
    }
    own.or(common).unwrap_or(Proxy::Environment)
}

fn environment_decides(options: &Options<'_>) -> bool {
    ["HTTPS_PROXY", "HTTP_PROXY"].iter().any(|name| options.environment.get_filled(name).is_some())
}

/// A proxy's address. Problems do not quote it: it may hold a password.
fn address(options: &mut Options<'_>, name: Name, default_scheme: &str) -> Option<ProxyUrl> {
    let text = options.optional(name)?.text;
    let text = if text.contains("://") { text } else { format!("{default_scheme}://{text}") };
    match Url::parse(&text).ok().filter(Url::has_host) {
        Some(url) if matches!(url.scheme(), "http" | "https") => split_login(url),
        _ => {
            options.problem(name, "is no proxy's address", "write http://proxy.example.com:8080");
            None
        }
    }
}

fn split_login(mut url: Url) -> Option<ProxyUrl> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let login = (!url.username().is_empty())
        .then(|| (decoded(url.username()), Secret::new(decoded(url.password().unwrap_or_default()))));
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    url.set_path("");
    url.set_query(None);
    url.set_fragment(None);
    Some(ProxyUrl { url, login })
}
