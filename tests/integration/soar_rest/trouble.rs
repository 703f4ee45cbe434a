//! The network and TLS at their worst.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::routing::{get, post};
use futures_util::stream;
use net::{Proxy, ProxyUrl, Secret, Trust};
use serde_json::json;
use soar::{Client, Content, Error, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::exit_code;
use super::server::{self, read_head, session, settings, soar};
use crate::support::ports::ClosedPort;

#[tokio::test]
async fn untrusted_certificate_is_refused_at_once() {
    let mut soar = server::start(soar()).await;
    soar.settings.trust = Trust::System;
    soar.settings.login_tries = None;
    let tried = tokio::time::timeout(Duration::from_secs(20), Client::connect(&soar.settings)).await;
    let error = tried.expect("it is tried again and again").unwrap_err();
    assert!(matches!(error, Error::Untrusted { .. }), "{error}");
    let words = format!("the certificate of SOAR at localhost:{} is not trusted", soar.settings.port);
    assert!(error.to_string().starts_with(&words) && error.to_string().contains("cafile"), "{error}");
    assert_eq!(exit_code(&error), 23);
    assert!(soar.seen("").is_empty(), "something was sent to a server that is not trusted");

    soar.settings.trust = Trust::Insecure;
    Client::connect(&soar.settings).await.unwrap();
}

#[tokio::test]
async fn certificate_for_another_host_is_rejected() {
    let mut soar = server::start(soar()).await;
    soar.settings.host = "127.0.0.1".to_owned();
    let error = Client::connect(&soar.settings).await.unwrap_err();
    assert!(error.to_string().contains("it was made for another host name"), "{error}");
}

#[tokio::test]
async fn missing_ca_file_has_exit_code_22() {
    let error = Client::connect(&settings(1, Trust::SystemAnd("/no/ca.pem".into()))).await.unwrap_err();
    assert_eq!(exit_code(&error), 22);
    assert!(error.to_string().contains("/no/ca.pem"), "{error}");
}

#[tokio::test]
async fn closed_port_is_reported_after_the_configured_tries() {
    let closed = ClosedPort::new();
    let error = Client::connect(&settings(closed.number(), Trust::System)).await.unwrap_err();
    assert!(error.to_string().contains("connection refused"), "{error}");
    assert_eq!(exit_code(&error), 20);
}

#[tokio::test]
async fn unresolvable_name_is_reported() {
    let mut settings = settings(443, Trust::System);
    settings.host = "soar.invalid".to_owned();
    settings.login_tries = Some(1);
    let error = Client::connect(&settings).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot reach SOAR at soar.invalid:443: its name cannot be resolved");
}

#[tokio::test]
async fn server_without_tls_is_reported() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let error = Client::connect(&settings(port, Trust::System)).await.unwrap_err();
    assert!(matches!(error, Error::Handshake { .. }), "{error}");
    assert_eq!(exit_code(&error), 23);
}

/// A SOAR that signs in, and cuts the connection on every other request after it has come.
async fn cutting(count: Arc<AtomicUsize>) -> server::Soar {
    server::start_raw(&[b"http/1.1"], move |mut stream| {
        let count = Arc::clone(&count);
        async move {
            loop {
                let head = read_head(&mut stream).await;
                let body = if head.contains("/session") { session() } else { json!({}) };
                if !head.contains("/session") && !head.contains("/orgs/201 ") {
                    count.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                let body = body.to_string();
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    })
    .await
}

#[tokio::test]
async fn broken_connection_is_retried_for_reads_but_not_writes() {
    let count = Arc::new(AtomicUsize::new(0));
    let soar = cutting(Arc::clone(&count)).await;
    let client = Client::connect(&soar.settings).await.unwrap();
    let error = client.attachments(Target::Incident(7)).await.unwrap_err();
    assert!(matches!(error, Error::Interrupted { .. }), "{error}");
    assert_eq!(count.swap(0, Ordering::SeqCst), 3);

    client.add_note(7, "x").await.unwrap_err();
    assert_eq!(count.swap(0, Ordering::SeqCst), 1);
    client.attach(Target::Incident(7), "f", "a/b", Content::bytes("x")).await.unwrap_err();
    assert_eq!(count.swap(0, Ordering::SeqCst), 1);
}

#[tokio::test]
async fn endless_response_is_aborted_at_size_limit() {
    let endless = || async {
        let piece = || Ok::<_, io::Error>(Bytes::from(vec![b' '; 1 << 20]));
        Body::from_stream(stream::repeat_with(piece))
    };
    let mut soar = server::start(soar().route("/rest/orgs/201/incidents/7/attachments", get(endless))).await;
    soar.settings.request_tries = 1;
    let client = Client::connect(&soar.settings).await.unwrap();
    let error = client.attachments(Target::Incident(7)).await.unwrap_err();
    assert!(error.to_string().ends_with("it is larger than 64 MiB"), "{error}");
}

#[tokio::test]
async fn response_with_too_many_values_is_rejected() {
    let many = || async { format!("[{}1]", "1,".repeat(2_000_000)) };
    let mut soar = server::start(soar().route("/rest/orgs/201/incidents/7/attachments", get(many))).await;
    soar.settings.request_tries = 1;
    let client = Client::connect(&soar.settings).await.unwrap();
    let error = client.attachments(Target::Incident(7)).await.unwrap_err();
    assert!(error.to_string().ends_with("it holds more than 2000000 values"), "{error}");
}

#[tokio::test]
async fn silent_server_causes_timeout() {
    let silent = || async { std::future::pending::<()>().await };
    let router = soar()
        .route("/rest/orgs/201/incidents/7/attachments", get(silent).post(silent))
        .route("/rest/orgs/201/incidents/7/comments", post(silent));
    let mut soar = server::start(router).await;
    soar.settings.request_tries = 1;
    let client = Client::connect(&soar.settings).await.unwrap();
    // From here on, time advances while all tasks wait.
    tokio::time::pause();
    let started = tokio::time::Instant::now();
    for error in [
        client.attachments(Target::Incident(7)).await.unwrap_err(),
        client.add_note(7, "x").await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::Interrupted { .. }), "{error}");
        assert!(error.to_string().ends_with("no answer in time"), "{error}");
    }
    assert!(started.elapsed().as_secs() >= 120, "{:?}", started.elapsed());
}

#[tokio::test]
async fn stalled_upload_times_out_without_retry() {
    let silent = || async { std::future::pending::<()>().await };
    let endless = || async { Body::from_stream(stream::pending::<io::Result<Bytes>>()) };
    let well = || async { Json(json!({"id": 1, "name": "x"})) };
    let router = soar()
        .route("/rest/orgs/201/incidents/7/attachments", post(silent))
        .route("/rest/orgs/201/incidents/8/attachments", post(well))
        .route("/rest/orgs/201/incidents/9/attachments", post(endless));
    let soar = server::start(router).await;
    let client = Client::connect(&soar.settings).await.unwrap();
    // Uploads have connections of their own; one is made while time is real.
    client.attach(Target::Incident(8), "f", "a/b", Content::bytes("x")).await.unwrap();
    tokio::time::pause();
    let error = client.attach(Target::Incident(7), "f", "a/b", Content::bytes("x")).await.unwrap_err();
    assert!(error.to_string().ends_with("no progress in time"), "{error}");
    let error = client.attach(Target::Incident(9), "f", "a/b", Content::bytes("x")).await.unwrap_err();
    assert!(error.to_string().ends_with("no answer in time"), "{error}");
    assert_eq!(
        soar.seen("/incidents/7/attachments").len(),
        1,
        "it may have been taken, so it is not sent again"
    );
}

#[tokio::test]
async fn configured_proxy_is_used_with_its_login() {
    let mut soar = server::start(soar()).await;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let proxy = listener.local_addr().unwrap();
    let (heads, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let target = soar.settings.port;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let heads = heads.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                heads.send(String::from_utf8(head).unwrap()).unwrap();
                stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await.unwrap();
                let mut onward = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await.unwrap();
                let _ = copy_bidirectional(&mut stream, &mut onward).await;
            });
        }
    });
    let url = ProxyUrl {
        url: Url::parse(&format!("http://{proxy}")).unwrap(),
        login: Some(("me".to_owned(), Secret::new("p:ss"))),
    };
    soar.settings.proxy = Proxy::Explicit { http: None, https: Some(url) };
    Client::connect(&soar.settings).await.unwrap();
    let head = seen.recv().await.unwrap();
    assert!(head.starts_with(&format!("CONNECT localhost:{target} HTTP/1.1\r\n")), "{head}");
    assert!(head.to_lowercase().contains("proxy-authorization: basic bwu6cdpzcw=="), "{head}");
}

#[tokio::test]
async fn upload_stream_survives_failed_connection_attempts() {
    let well = || async { Json(json!({"id": 1, "name": "x"})) };
    let mut soar = server::start(soar().route("/rest/orgs/201/incidents/7/attachments", post(well))).await;
    // A relay closes the second and third connection.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let target = std::mem::replace(&mut soar.settings.port, listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        for number in 1.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            if number == 2 || number == 3 {
                continue;
            }
            tokio::spawn(async move {
                let mut onward = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await.unwrap();
                let _ = copy_bidirectional(&mut stream, &mut onward).await;
            });
        }
    });
    let client = Client::connect(&soar.settings).await.unwrap();
    let content = Content::stream(stream::iter([Ok::<_, io::Error>(Bytes::from("abc"))]), Some(3));
    client.attach(Target::Incident(7), "f", "a/b", content).await.unwrap();
    assert_eq!(soar.seen("/attachments").len(), 1);
}
