//! The HTTP side: one request a connection, small, in little time, and only so many at once, so that whoever asks
//! cannot hurt the daemon.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
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
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::{Answer, Health};
use net::metrics;

/// Connections at once; more wait in the system's queue.
const CONNECTIONS: usize = 32;
/// How long a request's head may take to arrive.
const HEAD_WITHIN: Duration = Duration::from_secs(3);
/// How long a connection may last: its answer may wait for signs of life.
const LASTS: Duration = Duration::from_secs(10);
/// Bytes of a request's head.
const HEAD: usize = 8192;
/// Headers of a request.
const HEADERS: usize = 64;
/// The wait after the system granted no connection, for instance because there are too many files.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// It listens for as long as this value is there.
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
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match socket.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(timeout(LASTS, serve(stream, Arc::clone(&health), place)));
            }
            Err(error) => {
                warn!(%error, "no connection was taken for health and metrics; trying again");
                sleep(AGAIN_AFTER).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, health: Arc<Health>, _place: OwnedSemaphorePermit) {
    let answer = service_fn(|request| answer(request, &health));
    // How it ends is the other side's affair.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD)
        .max_headers(HEADERS)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
}

/// The body of a request is not read. To HEAD the library answers without a body.
async fn answer(request: Request<Incoming>, health: &Health) -> Result<Response<Full<Bytes>>, Infallible> {
    let asked @ ("/healthz" | "/readyz" | "/metrics") = request.uri().path() else {
        return Ok(response(StatusCode::NOT_FOUND, "/healthz, /readyz, /metrics\n".to_owned()));
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refusal = response(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD\n".to_owned());
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Ok(refusal);
    }
    Ok(match asked {
        "/healthz" => told(health.alive().await),
        "/readyz" => told(health.ready().await),
        _ => {
            let mut response = response(StatusCode::OK, health.exposition().await);
            let kind = HeaderValue::from_static(metrics::CONTENT_TYPE);
            response.headers_mut().insert(CONTENT_TYPE, kind);
            response
        }
    })
}

fn told(answer: Answer) -> Response<Full<Bytes>> {
    match answer {
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
