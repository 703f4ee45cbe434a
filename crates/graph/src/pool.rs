//! The connections to Graph. Where it says that it is out of service, what follows goes over new ones (Graph page "Best
//! practices for working with Microsoft Graph", 503): a name stands for many servers, and the next connection may lead
//! to another.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::ClientConfig;
use tracing::debug;

use crate::GraphSettings;
use net::Proxy;
use net::http;
use net::tls::TlsError;

/// Where connections come from: one pool at a time.
#[derive(Debug)]
pub(super) struct Connections {
    tls: ClientConfig,
    proxy: Proxy,
    silence: Duration,
    current: Mutex<Pool>,
}

/// A pool of connections, which share what goes over them. It is gone when the last request over it has ended.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    number: u64,
    pub(super) http: reqwest::Client,
}

impl Connections {
    pub(super) fn new(settings: &GraphSettings) -> Result<Self, TlsError> {
        let tls = http::tls_config(&settings.trust, settings.client_certificate.as_ref())?;
        let (proxy, silence) = (settings.proxy.clone(), settings.timeout);
        let http = http::client_builder(tls.clone(), &proxy, Some(silence)).build()?;
        Ok(Self { tls, proxy, silence, current: Mutex::new(Pool { number: 0, http }) })
    }

    /// The way to Graph.
    pub(super) fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    pub(super) fn pool(&self) -> Pool {
        self.lock().clone()
    }

    /// Has new requests go over new connections, unless others than those of `left` are in use already. Those that are
    /// under way go on.
    pub(super) fn leave(&self, left: &Pool) {
        let mut current = self.lock();
        if current.number != left.number {
            return;
        }
        match http::client_builder(self.tls.clone(), &self.proxy, Some(self.silence)).build() {
            Ok(http) => {
                debug!("Graph is out of service; the next requests go over new connections");
                *current = Pool { number: left.number + 1, http };
            }
            Err(error) => debug!(%error, "no new connections; those there are stay"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
