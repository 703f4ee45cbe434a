//! Answers of a size no Graph gives, from a server that has no end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{Response, Uri};
use bytes::Bytes;
use futures_util::stream;
use graph::GraphSettings;
use graph::{Client, ErrorKind, Path, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::graph_tenant::settings_at;
use crate::support::gzip_bomb::gzip_bomb;
use crate::support::permit::Permit;

const MIB: usize = 1 << 20;
static ZEROS: [u8; MIB] = [b'0'; MIB];
const TOKEN: &str = r#"{"token_type":"Bearer","expires_in":3599,"access_token":"T"}"#;

/// Settings for a Graph at `address` that tries once.
async fn settings(address: std::net::SocketAddr) -> GraphSettings {
    settings_at(&format!("http://{address}"), &[("max_retries_total", "0")]).await
}

/// A server that hands out tokens and answers all else with `answer`.
async fn graph(answer: impl Fn() -> Response<Body> + Clone + Send + Sync + 'static) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let respond = move |uri: Uri| {
        let response = if uri.path() == "/token" { Response::new(Body::from(TOKEN)) } else { answer() };
        std::future::ready(response)
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(respond)).await });
    Client::new(&settings(address).await).unwrap()
}

fn message() -> Request {
    Request::get(Path::message("a@x.example", None, "id").unwrap())
}

/// Zeros without end, and how many bytes of them were taken.
fn endless(taken: &Arc<AtomicUsize>) -> Body {
    let taken = Arc::clone(taken);
    Body::from_stream(stream::repeat_with(move || {
        taken.fetch_add(MIB, Ordering::Relaxed);
        Ok::<_, std::io::Error>(Bytes::from_static(&ZEROS))
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_response_is_cut_at_the_bound() {
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&taken);
    let client = graph(move || Response::new(endless(&counted))).await;
    let act = Permit::default();
    let deletion = Request::delete(Path::message("a@x.example", None, "id").unwrap(), &act);
    let error = client.send(&deletion).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TooLarge(128)), "{error}");
    assert!(error.is_indeterminate(), "the message may have been deleted");
    assert!(taken.load(Ordering::Relaxed) < 200 * MIB, "the server was left soon after");
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_refusal_stays_a_refusal() {
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&taken);
    let client = graph(move || {
        let mut response = Response::new(endless(&counted));
        *response.status_mut() = axum::http::StatusCode::FORBIDDEN;
        response
    })
    .await;
    let error = client.send(&message()).await.unwrap_err();
    assert_eq!(error.refusal().map(|refusal| refusal.status), Some(403), "{error}");
    assert!(taken.load(Ordering::Relaxed) < 64 * MIB);
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_response_is_bounded_by_its_full_size() {
    let packed = gzip_bomb(200);
    let client = graph(move || {
        Response::builder().header("content-encoding", "gzip").body(Body::from(packed.clone())).unwrap()
    })
    .await;
    let error = client.send(&message()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TooLarge(128)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_headers_fail() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let counted = Arc::clone(&counted);
            tokio::spawn(async move {
                let mut request = vec![0; 64 * 1024];
                while let Ok(1..) = stream.read(&mut request).await {
                    if request.starts_with(b"POST /token") {
                        let answer =
                            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{TOKEN}", TOKEN.len());
                        stream.write_all(answer.as_bytes()).await.unwrap();
                        continue;
                    }
                    stream.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
                    let header = format!("x-more: {}\r\n", "a".repeat(8000));
                    while stream.write_all(header.as_bytes()).await.is_ok() {
                        counted.fetch_add(header.len(), Ordering::Relaxed);
                    }
                    return;
                }
            });
        }
    });
    let client = Client::new(&settings(address).await).unwrap();
    let error = client.send(&message()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unreachable { sent: true, .. }), "{error}");
    assert!(sent.load(Ordering::Relaxed) < 64 * MIB, "the server was left soon");
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_token_response_fails() {
    let taken = Arc::new(AtomicUsize::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let counted = Arc::clone(&taken);
    let respond = move || std::future::ready(Response::new(endless(&counted)));
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(respond)).await });
    let client = Client::new(&settings(address).await).unwrap();
    let error = client.send(&message()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Token(_)), "{error}");
    assert!(error.to_string().contains("larger than 1 MiB"), "{error}");
    assert!(taken.load(Ordering::Relaxed) < 64 * MIB);
}
