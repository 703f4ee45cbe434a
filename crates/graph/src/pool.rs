//! The connections to Graph. Over HTTP/2 a connection carries many requests at once, but no more than the server
//! allows, so there are several. After a 503 the following requests use new connections (Graph page "Best practices for
//! working with Microsoft Graph"): one host name stands for many servers, and a new connection may lead to another one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use net::tls::TlsError;
use net::{Proxy, http};
use parking_lot::Mutex;
use rustls::ClientConfig;
use tracing::debug;

use crate::GraphSettings;

/// Requests at once on one connection. Servers are to allow 100 at least (RFC 9113 section 6.5.2); what is still read
/// counts there, too.
const EACH: usize = 90;

/// The source of connections. They have no timeout of their own: a batch may be silent for longer than a single
/// request.
#[derive(Debug)]
pub(crate) struct Connections {
    tls: ClientConfig,
    proxy: Proxy,
    most: usize,
    current: Mutex<Current>,
}

/// The connections in use, which are replaced together.
#[derive(Debug)]
struct Current {
    number: u64,
    /// Each opens one connection over HTTP/2, and as many as it needs over HTTP/1.1.
    clients: Vec<Counted>,
}

/// A client, and how many requests it carries.
#[derive(Debug)]
struct Counted {
    http: reqwest::Client,
    requests: Arc<AtomicUsize>,
}

/// A request's place on a connection, until its response begins.
#[derive(Debug)]
pub(crate) struct ConnectionUse {
    number: u64,
    pub(crate) http: reqwest::Client,
    requests: Arc<AtomicUsize>,
}

impl Drop for ConnectionUse {
    fn drop(&mut self) {
        self.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connections {
    pub(crate) fn new(settings: &GraphSettings) -> Result<Self, TlsError> {
        let tls = http::tls_config(&settings.trust, settings.client_certificate.as_ref())?;
        let proxy = settings.proxy.clone();
        let first = client(&tls, &proxy)?;
        let most = settings.max_concurrent_requests.div_ceil(EACH);
        Ok(Self { tls, proxy, most, current: Mutex::new(Current { number: 0, clients: vec![first] }) })
    }

    /// Returns the proxy on the way to Graph.
    pub(crate) fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// Returns a place on the first connection that has one. Where all are full, the last one takes more, which wait
    /// there.
    pub(crate) fn take(&self) -> ConnectionUse {
        let mut current = self.current.lock();
        let free = |client: &Counted| client.requests.load(Ordering::Relaxed) < EACH;
        let index = current.clients.iter().position(free).unwrap_or_else(|| {
            if current.clients.len() < self.most
                && let Ok(another) = client(&self.tls, &self.proxy)
            {
                current.clients.push(another);
            }
            current.clients.len() - 1
        });
        let Counted { http, requests } = &current.clients[index];
        requests.fetch_add(1, Ordering::Relaxed);
        ConnectionUse { number: current.number, http: http.clone(), requests: Arc::clone(requests) }
    }

    /// Makes new requests use new connections, unless that of `left` was replaced already. Requests that are under way
    /// are not affected.
    pub(crate) fn leave(&self, left: &ConnectionUse) {
        let mut current = self.current.lock();
        if current.number != left.number {
            return;
        }
        match client(&self.tls, &self.proxy) {
            Ok(first) => {
                debug!("Graph is out of service; the next requests use new connections");
                *current = Current { number: left.number + 1, clients: vec![first] };
            }
            Err(error) => debug!(%error, "new connections are not possible; the old ones stay in use"),
        }
    }
}

fn client(tls: &ClientConfig, proxy: &Proxy) -> Result<Counted, TlsError> {
    let http = http::client_builder(tls.clone(), proxy, None).build()?;
    Ok(Counted { http, requests: Arc::default() })
}
