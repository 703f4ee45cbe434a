//! Serves an axum [`Router`] over TLS (HTTP/2 or HTTP/1.1, as ALPN decides) on a loopback listener, until it is
//! dropped. Graph, Entra and SOAR's REST interface use it; the incident page does without TLS.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::Request;
use futures_util::{StreamExt, stream};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tower_service::Service;

/// The protocols an HTTPS server offers, best first.
pub const HTTP_ALPN: &[&[u8]] = &[b"h2", b"http/1.1"];

/// The protocol that an older server or a proxy offers.
pub const HTTP1_ALPN: &[&[u8]] = &[b"http/1.1"];

/// How many requests of one connection are at work at once over HTTP/2. RFC 9113, section 6.5.2, recommends that a
/// server allows no fewer than these.
const MOST_STREAMS: u32 = 100;

/// The time after which a connection without a TLS handshake is closed.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The connection of a request, found among the request's extensions. A handler can break it without a response, as a
/// failing server or a proxy does.
#[derive(Debug, Clone)]
pub struct Connection(Arc<Notify>);

impl Connection {
    /// Closes the connection immediately. No request on it is answered.
    pub fn cut(&self) {
        self.0.notify_one();
    }
}

/// A running HTTPS server. Dropping it closes its listener and all its connections.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves `router` on a free port of 127.0.0.1. Must be called within a Tokio runtime.
    pub async fn start(router: Router, tls: Arc<ServerConfig>) -> io::Result<Self> {
        Self::start_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?, router, tls)
    }

    /// Serves `router` on `listener`, for a router that must know its own address.
    pub fn start_on(listener: TcpListener, router: Router, tls: Arc<ServerConfig>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let accepted = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(accept(listener, router, Some(TlsAcceptor::from(tls)), accepted.clone()));
        Ok(Self { address, accepted, task })
    }

    /// Serves `router` on `listener` without TLS, for a browser on this machine.
    pub fn start_plain_on(listener: TcpListener, router: Router) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let accepted = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(accept(listener, router, None, accepted.clone()));
        Ok(Self { address, accepted, task })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many TCP connections were accepted since the start.
    pub fn connections(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The connections live in a set that the task owns, and end with it.
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, router: Router, tls: Option<TlsAcceptor>, accepted: Arc<AtomicUsize>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            incoming = listener.accept() => match incoming {
                Ok((stream, _)) => {
                    accepted.fetch_add(1, Ordering::Relaxed);
                    connections.spawn(serve(stream, router.clone(), tls.clone()));
                }
                // For example, no file descriptor is free. The next accept may succeed, but not immediately.
                Err(error) => {
                    tracing::warn!(%error, "sandbox: cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, router: Router, tls: Option<TlsAcceptor>) {
    // Small answers must not wait for the peer's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else { return serve_on(stream, router).await };
    let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await;
    let Ok(Ok(stream)) = handshake else {
        tracing::debug!("sandbox: a TLS handshake failed");
        return;
    };
    serve_on(stream, router).await;
}

async fn serve_on(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router) {
    let connection = Connection(Arc::new(Notify::new()));
    let service = TowerToHyperService::new(Marked { router, connection: connection.clone() });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http2().max_concurrent_streams(MOST_STREAMS);
    tokio::select! {
        result = builder.serve_connection(TokioIo::new(stream), service) => {
            if let Err(error) = result {
                tracing::debug!(%error, "sandbox: a connection ended badly");
            }
        }
        () = connection.0.notified() => {}
    }
}

/// A router that adds the [`Connection`] to each request.
#[derive(Clone)]
struct Marked {
    router: Router,
    connection: Connection,
}

impl<B> Service<Request<B>> for Marked
where
    Router: Service<Request<B>>,
{
    type Response = <Router as Service<Request<B>>>::Response;
    type Error = <Router as Service<Request<B>>>::Error;
    type Future = <Router as Service<Request<B>>>::Future;

    fn poll_ready(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        Service::<Request<B>>::poll_ready(&mut self.router, context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        request.extensions_mut().insert(self.connection.clone());
        self.router.call(request)
    }
}

/// A body that ends with a broken connection.
pub(crate) fn cut_after(chunks: impl Iterator<Item = Bytes> + Send + 'static) -> Body {
    let broken = std::iter::once_with(|| Err(io::Error::from(io::ErrorKind::ConnectionReset)));
    // The pause lets the first half be sent before the connection is closed.
    let pause = stream::once(async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok(Bytes::new())
    });
    Body::from_stream(stream::iter(chunks.map(Ok)).chain(pause).chain(stream::iter(broken)))
}
