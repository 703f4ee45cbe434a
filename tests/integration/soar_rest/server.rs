//! A small HTTPS server to be SOAR, and a bare TLS one for what no well-behaved server does.

use std::future::Future;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Uri};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use net::tls;
use net::{Proxy, Secret, Trust};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use soar::{Login, SoarSettings};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A request's head, as the server saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
}

pub(crate) type Log = Arc<Mutex<Vec<Seen>>>;

pub(crate) struct Soar {
    pub(crate) settings: SoarSettings,
    log: Log,
    _directory: TempDir,
}

impl Soar {
    /// Requests to paths that end with `path`.
    pub(crate) fn seen(&self, path: &str) -> Vec<Seen> {
        self.log.lock().unwrap().iter().filter(|seen| seen.uri.path().ends_with(path)).cloned().collect()
    }
}

/// The organisations of the account, as most tests want them.
pub(crate) fn session() -> Value {
    json!({
        "orgs": [
            {"id": 200, "name": "Other", "enabled": true, "uuid": "u-200", "cloud_account": null},
            {"id": 201, "name": "My Org", "enabled": true, "uuid": "u-201", "cloud_account": "cloud-1"},
            {"id": 202, "name": "u-201", "enabled": true, "uuid": "u-202", "cloud_account": "cloud-2"},
            {"id": 203, "name": "Closed", "enabled": false},
        ],
        "session_ip": "192.0.2.1",
        "an_unknown_field": {},
    })
}

/// What every SOAR answers.
pub(crate) fn soar() -> Router {
    Router::new().route("/rest/session", get(|| async { Json(session()) })).route(
        "/rest/orgs/201",
        get(|| async { Json(json!({"id": 201, "actions_framework_enabled": true})) }),
    )
}

/// Serves `router` on a free port.
pub(crate) async fn start(router: Router) -> Soar {
    let log = Log::default();
    let router = router.layer(middleware::from_fn_with_state(log.clone(), record));
    let mut soar = start_raw(&[b"h2", b"http/1.1"], move |stream| {
        let router = router.clone();
        async move {
            let service = TowerToHyperService::new(router);
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        }
    })
    .await;
    soar.log = log;
    soar
}

async fn record(State(log): State<Log>, request: Request, next: Next) -> Response {
    let (uri, headers) = (request.uri().clone(), request.headers().clone());
    log.lock().unwrap().push(Seen { uri, headers });
    next.run(request).await
}

/// Hands every TLS connection to `handle`.
pub(crate) async fn start_raw<H, F>(alpn: &[&[u8]], handle: H) -> Soar
where
    H: Fn(TlsStream<TcpStream>) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let mut config = ServerConfig::builder_with_provider(tls::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.pem");
    std::fs::write(&ca, made.cert.pem()).unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let handle = Arc::new(handle);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, handle) = (acceptor.clone(), Arc::clone(&handle));
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    handle(stream).await;
                }
            });
        }
    });
    Soar { settings: settings(port, Trust::SystemAnd(ca)), log: Log::default(), _directory: directory }
}

/// Settings for a server on this port; three tries, with next to no wait between them.
pub(crate) fn settings(port: u16, trust: Trust) -> SoarSettings {
    SoarSettings {
        host: "localhost".to_owned(),
        port,
        org: "My Org".to_owned(),
        resource_prefix: None,
        login: Login::ApiKey { id: "key-id".to_owned(), secret: Secret::new("key-S3CR3T") },
        trust,
        client_certificate: None,
        proxy: Proxy::Explicit { http: None, https: None },
        login_tries: Some(3),
        request_tries: 3,
        retry_delay: Duration::from_millis(1),
        retry_backoff: 2.0,
    }
}

/// Reads an HTTP/1.1 request's head (and whatever came with it).
pub(crate) async fn read_head(stream: &mut TlsStream<TcpStream>) -> String {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut buffer).await.unwrap_or(0);
        if read == 0 {
            break;
        }
        head.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8_lossy(&head).into_owned()
}
