//! Which proxy is taken: the environment's where it names one, else the file's.

use hyper_util::client::proxy::matcher::Matcher;
use percent_encoding::percent_decode_str;
use url::Url;

use crate::config::options::{APP, INTEGRATIONS, Name, Options, RESILIENT};
use net::{Proxy, ProxyUrl, Secret};

/// `proxy_host` and its companions, for both kinds of requests.
pub(in crate::config) fn for_soar(options: &mut Options<'_>) -> Proxy {
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
pub(in crate::config) fn for_graph(options: &mut Options<'_>) -> Proxy {
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

/// `stomp_proxy`, for the broker at `host`: an address, or `environment`, for the one of `HTTPS_PROXY` unless
/// `NO_PROXY` has the broker. Without the option the way is straight, whatever the environment has: installations
/// that have a proxy for HTTP often let nothing else through it.
pub(in crate::config) fn for_stomp(options: &mut Options<'_>, host: Option<&str>) -> Option<ProxyUrl> {
    const PROXY: Name = (RESILIENT, "stomp_proxy");
    let written = options.optional(PROXY)?.text;
    let proxy = if written.eq_ignore_ascii_case("environment") {
        let variable = |names: [&str; 2]| {
            names.iter().find_map(|name| options.environment.get_filled(name)).unwrap_or_default().to_owned()
        };
        let (https, no) = (variable(["HTTPS_PROXY", "https_proxy"]), variable(["NO_PROXY", "no_proxy"]));
        // The rules of NO_PROXY are those of our HTTP library.
        let rules = Matcher::builder().https(https.as_str()).no(no).build();
        let host = host?;
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        rules.intercept(&format!("https://{host}/").parse().ok()?)?;
        parsed(&https, "http")
    } else {
        parsed(&written, "http")
    };
    let http = proxy.filter(|proxy| proxy.url.scheme() == "http");
    if http.is_none() {
        options.problem(
            PROXY,
            "is, or names, no http proxy's address",
            "write http://proxy.example.com:8080, or environment",
        );
    }
    http
}

fn environment_decides(options: &Options<'_>) -> bool {
    ["HTTPS_PROXY", "HTTP_PROXY"].iter().any(|name| options.environment.get_filled(name).is_some())
}

/// A proxy's address. Problems do not quote it: it may hold a password.
fn address(options: &mut Options<'_>, name: Name, default_scheme: &str) -> Option<ProxyUrl> {
    let text = options.optional(name)?.text;
    let address = parsed(&text, default_scheme);
    if address.is_none() {
        options.problem(name, "is no proxy's address", "write http://proxy.example.com:8080");
    }
    address
}

fn parsed(text: &str, default_scheme: &str) -> Option<ProxyUrl> {
    let text = if text.contains("://") { text.to_owned() } else { format!("{default_scheme}://{text}") };
    let url = Url::parse(&text).ok()?;
    if url.has_host() && matches!(url.scheme(), "http" | "https") { split_login(url) } else { None }
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
