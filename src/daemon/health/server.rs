//! The HTTP server: one small request for each connection, a limit on time and on connections, so that clients cannot
//! harm the daemon.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::{Health, ProbeResult, exposition};

/// Concurrent connections. For a further one, the oldest without a request is closed.
const MAX_CONNECTIONS: usize = 32;
/// How long the head of a request may take to arrive.
const HEAD_WITHIN: Duration = Duration::from_secs(3);
/// How long a connection may last: a response may wait for signs of life.
const MAX_DURATION: Duration = Duration::from_secs(10);
/// Bytes of the head of a request.
const MAX_HEAD: usize = 8192;
/// Headers of a request.
const MAX_HEADERS: usize = 64;
/// The wait after the system refused a connection, for instance because too many files are open.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Listens until it is dropped.
#[derive(Debug)]
pub(in crate::daemon) struct Listener {
    pub(in crate::daemon) address: SocketAddr,
    task: AbortHandle,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Listener {
    /// Must be called within a Tokio runtime.
    pub(super) fn start(address: SocketAddr, health: Arc<Health>) -> io::Result<Self> {
        let socket = std::net::TcpListener::bind(address)?;
        socket.set_nonblocking(true)?;
        let socket = TcpListener::from_std(socket)?;
        info!("health and metrics at http://{}", socket.local_addr()?);
        let task = tokio::spawn(accept(socket, health)).abort_handle();
        Ok(Self { address, task })
    }
}

async fn accept(socket: TcpListener, health: Arc<Health>) {
    let mut connections = Connections::default();
    loop {
        match socket.accept().await {
            Ok((stream, _)) => {
                connections.make_room().await;
                connections.add(stream, Arc::clone(&health));
            }
            Err(error) => {
                warn!(%error, "cannot accept a connection for health and metrics; trying again");
                sleep(ACCEPT_AGAIN_AFTER).await;
            }
        }
    }
}

/// The open connections, oldest first. Dropping them closes them.
#[derive(Default)]
struct Connections {
    tasks: JoinSet<()>,
    open: VecDeque<Connection>,
}

struct Connection {
    task: AbortHandle,
    has_asked: Arc<AtomicBool>,
}

impl Connections {
    fn add(&mut self, stream: TcpStream, health: Arc<Health>) {
        let has_asked = Arc::new(AtomicBool::new(false));
        let served = timeout(MAX_DURATION, serve(stream, health, Arc::clone(&has_asked)));
        let task = self.tasks.spawn(async { served.await.unwrap_or_default() });
        self.open.push_back(Connection { task, has_asked });
    }

    /// Closes the oldest connection without a request, if there are too many. While each has one, waits for an answer.
    async fn make_room(&mut self) {
        while self.tasks.try_join_next().is_some() {}
        self.open.retain(|connection| !connection.task.is_finished());
        if self.open.len() < MAX_CONNECTIONS {
            return;
        }
        let silent = self.open.iter().position(|connection| !connection.has_asked.load(Ordering::Relaxed));
        match silent.and_then(|oldest| self.open.remove(oldest)) {
            Some(oldest) => oldest.task.abort(),
            None => {
                self.tasks.join_next().await;
            }
        }
    }
}

async fn serve(stream: TcpStream, health: Arc<Health>, has_asked: Arc<AtomicBool>) {
    let service = service_fn(|request| {
        has_asked.store(true, Ordering::Relaxed);
        respond(request, &health)
    });
    // An error concerns the client only.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Does not read the body of a request. hyper responds to HEAD without a body.
async fn respond(request: Request<Incoming>, health: &Health) -> Result<Response<Full<Bytes>>, Infallible> {
    let path @ ("/healthz" | "/readyz" | "/metrics") = request.uri().path() else {
        return Ok(response(StatusCode::NOT_FOUND, "/healthz, /readyz, /metrics\n".to_owned()));
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refusal = response(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD\n".to_owned());
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Ok(refusal);
    }
    Ok(match path {
        "/healthz" => probe(health.alive().await),
        "/readyz" => probe(health.ready().await),
        _ => {
            let mut response = response(StatusCode::OK, health.exposition().await);
            let kind = HeaderValue::from_static(exposition::CONTENT_TYPE);
            response.headers_mut().insert(CONTENT_TYPE, kind);
            response
        }
    })
}

fn probe(result: ProbeResult) -> Response<Full<Bytes>> {
    match result {
        Ok(text) => response(StatusCode::OK, text + "\n"),
        Err(text) => response(StatusCode::SERVICE_UNAVAILABLE, text + "\n"),
    }
}

fn response(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
