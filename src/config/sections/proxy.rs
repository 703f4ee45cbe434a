//! The choice of a proxy: that of the environment if it names one, otherwise that of the file.

use hyper_util::client::proxy::matcher::Matcher;
use percent_encoding::percent_decode_str;
use url::Url;

use crate::config::definitions::{Opt, app, integrations, resilient};
use crate::config::options::Options;
use net::{Proxy, ProxyUrl, Secret};

/// The proxy for SOAR: `proxy_host` and its companions, for http and https.
pub(in crate::config) fn for_soar(options: &mut Options<'_>) -> Proxy {
    let port = options.number(&resilient::PROXY_PORT);
    let user = options.optional(&resilient::PROXY_USER);
    let password = options.secret_or_file(&resilient::PROXY_PASSWORD, &resilient::PROXY_PASSWORD_FILE);
    let address = address(options, &resilient::PROXY_HOST, "https");
    let (Some(mut proxy), false) = (address, environment_decides(options)) else { return Proxy::Environment };
    // `proxy_port` takes precedence over a port in the address. An https URL always accepts a port.
    if port != 0 && proxy.url.set_port(Some(port)).is_err() {
        options.problem(&resilient::PROXY_HOST, "takes no port", "write proxy_host = proxy.example.com");
    }
    if let Some(user) = user {
        proxy.login = Some((user.text, password.unwrap_or_else(|| Secret::new(""))));
    }
    Proxy::Explicit { http: Some(proxy.clone()), https: Some(proxy) }
}

/// The proxy for Graph: the options of the app's section if one of them is set, otherwise those of `[integrations]`.
pub(in crate::config) fn for_graph(options: &mut Options<'_>) -> Proxy {
    let pairs =
        [(&app::HTTP_PROXY, &app::HTTPS_PROXY), (&integrations::HTTP_PROXY, &integrations::HTTPS_PROXY)];
    let [own, common] = pairs.map(|(http, https)| {
        let (http, https) = (address(options, http, "http"), address(options, https, "http"));
        (http.is_some() || https.is_some()).then_some(Proxy::Explicit { http, https })
    });
    if environment_decides(options) {
        return Proxy::Environment;
    }
    own.or(common).unwrap_or(Proxy::Environment)
}

/// The proxy for the broker at `host`, from `stomp_proxy`: an address, or `environment` for that of `HTTPS_PROXY`
/// unless `NO_PROXY` lists the broker. Without the option the connection is direct, whatever the environment says,
/// since many proxies for HTTP do not permit anything else.
pub(in crate::config) fn for_stomp(options: &mut Options<'_>, host: Option<&str>) -> Option<ProxyUrl> {
    let written = options.optional(&resilient::STOMP_PROXY)?.text;
    let proxy = if written.eq_ignore_ascii_case("environment") {
        let variable = |names: [&str; 2]| {
            names.iter().find_map(|name| options.environment.get_filled(name)).unwrap_or_default().to_owned()
        };
        let (https, no) = (variable(["HTTPS_PROXY", "https_proxy"]), variable(["NO_PROXY", "no_proxy"]));
        // NO_PROXY has the same rules as in the HTTP library.
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
            &resilient::STOMP_PROXY,
            "is not the address of an http proxy, and does not name one",
            "write http://proxy.example.com:8080, or environment",
        );
    }
    http
}

fn environment_decides(options: &Options<'_>) -> bool {
    ["HTTPS_PROXY", "HTTP_PROXY"].iter().any(|name| options.environment.get_filled(name).is_some())
}

/// The address of a proxy. Problems do not quote it, since it may contain a password.
fn address(options: &mut Options<'_>, opt: &Opt, default_scheme: &str) -> Option<ProxyUrl> {
    let text = options.optional(opt)?.text;
    let address = parsed(&text, default_scheme);
    if address.is_none() {
        options.problem(opt, "is not the address of a proxy", "write http://proxy.example.com:8080");
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
