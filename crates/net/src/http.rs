//! What the HTTP clients of SOAR and Graph share: TLS, proxy and timeouts.

use std::error::Error as _;
use std::time::Duration;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::ClientBuilder;
use rustls::ClientConfig;
use url::{Host, Url};

use crate::tls::{self, TlsError};
use crate::{ClientCertificate, Proxy, ProxyUrl, Trust};

/// The longest time for a connection to be made, TLS included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Whether `url` leads to this machine, by its name or its address.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

const USER_AGENT: &str = concat!("fn-exchange-online/", env!("CARGO_PKG_VERSION"));

/// The TLS configuration, with HTTP/2 if the server offers it. Clients made from one configuration share TLS sessions.
pub fn tls_config(trust: &Trust, certificate: Option<&ClientCertificate>) -> Result<ClientConfig, TlsError> {
    let mut tls = tls::client_config(trust, certificate)?;
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tls)
}

/// A client builder with `tls`, compression and the proxy. Redirects are not followed: they would carry credentials to
/// another server.
///
/// `silence` is the longest wait for the head of a response, counted from the start of the request and so including
/// the time to send its body, and then for each further part of the response. A request with a long body needs `None`
/// and its own check of progress. The total time has no limit, so that long downloads are not cut.
pub fn client_builder(tls: ClientConfig, proxy: &Proxy, silence: Option<Duration>) -> ClientBuilder {
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(USER_AGENT)
        .gzip(true)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(Duration::from_secs(60))
        .tcp_keepalive(Duration::from_secs(30))
        // Without this, a connection that died silently would stay in the pool and fail one request after another.
        .http2_keep_alive_interval(Duration::from_secs(20))
        .http2_keep_alive_timeout(Duration::from_secs(10));
    let builder = match silence {
        Some(silence) => builder.read_timeout(silence),
        None => builder,
    };
    with_proxy(builder, proxy)
}

fn with_proxy(builder: ClientBuilder, proxy: &Proxy) -> ClientBuilder {
    match proxy {
        // The library reads the environment itself.
        Proxy::Environment => builder,
        Proxy::Explicit { http, https } => [("http", http), ("https", https)].into_iter().fold(
            builder.no_proxy(),
            |builder, (scheme, proxy)| match proxy {
                Some(proxy) => builder.proxy(for_scheme(scheme, proxy)),
                None => builder,
            },
        ),
    }
}

fn for_scheme(scheme: &'static str, ProxyUrl { url, login }: &ProxyUrl) -> reqwest::Proxy {
    let url = url.clone();
    let proxy = reqwest::Proxy::custom(move |target: &Url| (target.scheme() == scheme).then(|| url.clone()));
    match login {
        Some((user, password)) => proxy.basic_auth(user, password.expose()),
        None => proxy,
    }
}

/// What `proxy` did, if it is the reason why a request failed with `error`; the request did not reach the server then.
pub fn proxy_trouble(proxy: &Proxy, error: &reqwest::Error) -> Option<String> {
    // hyper-util's error type is not public through reqwest, so its text is read; a test fails if an upgrade changes
    // it.
    const TUNNEL: &str = "tunnel error: ";
    let address = proxy_to(proxy, error.url()?)?;
    let causes = || std::iter::successors(error.source(), |&cause| cause.source());
    let tunnel = causes().find_map(|cause| cause.to_string().strip_prefix(TUNNEL).map(str::to_owned));
    let did = match tunnel.as_deref() {
        Some("failed to create underlying connection") => {
            let innermost = causes().last().map(ToString::to_string).unwrap_or_default();
            format!("cannot be reached ({innermost})")
        }
        Some("proxy authorization required") => {
            "wants a user name and password, or refuses those it got (HTTP status 407)".to_owned()
        }
        // The library does not give the status.
        Some("unsuccessful") => {
            "refuses its user name and password or the way to the server, or cannot reach it".to_owned()
        }
        Some(_) => "did not answer as a proxy".to_owned(),
        None if error.is_connect() && error.is_timeout() => "gave no connection in time".to_owned(),
        None => return None,
    };
    Some(format!("the proxy {address} on the way {did}"))
}

/// The address of the proxy to `target`, composed from its parts: the URL as written may contain part of a password
/// that has an `@` in it.
fn proxy_to(proxy: &Proxy, target: &Url) -> Option<String> {
    let (scheme, host, port) = match proxy {
        // As the library chooses it.
        Proxy::Environment => {
            let found = Matcher::from_env().intercept(&target.as_str().parse().ok()?)?;
            let uri = found.uri();
            (uri.scheme_str().unwrap_or("http").to_owned(), uri.host()?.to_owned(), uri.port_u16())
        }
        Proxy::Explicit { http, https } => {
            let url = &if target.scheme() == "http" { http } else { https }.as_ref()?.url;
            (url.scheme().to_owned(), url.host_str()?.to_owned(), url.port())
        }
    };
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{scheme}://{host}{port}"))
}
