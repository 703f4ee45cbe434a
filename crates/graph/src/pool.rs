//! The connections to Graph. After a 503 the following requests use new connections (Graph page "Best practices for
//! working with Microsoft Graph"): one host name stands for many servers, and a new connection may lead to another one.

use net::tls::TlsError;
use net::{Proxy, http};
use parking_lot::Mutex;
use rustls::ClientConfig;
use tracing::debug;

use crate::GraphSettings;

/// The source of connections: one pool at a time. They have no timeout of their own: a batch may be silent for longer
/// than a single request.
#[derive(Debug)]
pub(crate) struct Connections {
    tls: ClientConfig,
    proxy: Proxy,
    current: Mutex<Pool>,
}

/// A pool of connections. It is closed when the last request over it has ended.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    number: u64,
    pub(crate) http: reqwest::Client,
}

impl Connections {
    pub(crate) fn new(settings: &GraphSettings) -> Result<Self, TlsError> {
        let tls = http::tls_config(&settings.trust, settings.client_certificate.as_ref())?;
        let proxy = settings.proxy.clone();
        let http = http::client_builder(tls.clone(), &proxy, None).build()?;
        Ok(Self { tls, proxy, current: Mutex::new(Pool { number: 0, http }) })
    }

    /// Returns the proxy on the way to Graph.
    pub(crate) fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    pub(crate) fn pool(&self) -> Pool {
        self.current.lock().clone()
    }

    /// Makes new requests use new connections, unless `left` was replaced already. Requests that are under way are not
    /// affected.
    pub(crate) fn leave(&self, left: &Pool) {
        let mut current = self.current.lock();
        if current.number != left.number {
            return;
        }
        match http::client_builder(self.tls.clone(), &self.proxy, None).build() {
            Ok(http) => {
                debug!("Graph is out of service; the next requests use new connections");
                *current = Pool { number: left.number + 1, http };
            }
            Err(error) => debug!(%error, "new connections are not possible; the old ones stay in use"),
        }
    }
}
