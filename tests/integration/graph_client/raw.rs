//! A server that speaks HTTP/1.1 on a plain socket, like the proxies in front of many installations. Tests see each
//! request as it was sent, and decide each byte of the response.

use std::sync::Arc;

use graph::GraphSettings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::graph_tenant::settings_at;

/// A request as it was sent.
pub(crate) struct RawRequest {
    /// The request line and the headers, with names in small letters.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl RawRequest {
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The parts of a batch.
    pub(crate) fn parts(&self) -> Vec<serde_json::Value> {
        let batch: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        batch["requests"].as_array().unwrap().clone()
    }
}

/// A response.
pub(crate) struct RawResponse {
    pub(crate) status: u16,
    /// Further headers, each with its line end.
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
}

impl RawResponse {
    pub(crate) fn new(status: u16, body: impl AsRef<[u8]>) -> Self {
        Self { status, headers: String::new(), body: body.as_ref().to_vec() }
    }

    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers += &[name, ": ", value, "\r\n"].concat();
        self
    }
}

/// Starts a server that grants tokens and answers all other requests with `respond`. Returns settings for it, with
/// these `options`.
pub(crate) async fn server<R, F>(options: &[(&str, &str)], respond: R) -> GraphSettings
where
    R: Fn(RawRequest) -> F + Send + Sync + 'static,
    F: Future<Output = RawResponse> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let root = format!("http://{}", listener.local_addr().unwrap());
    let respond = Arc::new(respond);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let respond = Arc::clone(&respond);
            tokio::spawn(serve(stream, respond));
        }
    });
    settings_at(&root, options).await
}

async fn serve<R, F>(mut stream: TcpStream, respond: Arc<R>)
where
    R: Fn(RawRequest) -> F,
    F: Future<Output = RawResponse>,
{
    const TOKEN: &str = r#"{"token_type":"Bearer","expires_in":3599,"access_token":"T"}"#;
    let mut received = Vec::new();
    while let Some(request) = Box::pin(read(&mut stream, &mut received)).await {
        let RawResponse { status, headers, body } = if request.line().starts_with("POST /token") {
            RawResponse::new(200, TOKEN)
        } else {
            respond(request).await
        };
        let length = match status {
            204 => String::new(),
            _ => format!("content-length: {}\r\n", body.len()),
        };
        let head = format!("HTTP/1.1 {status} Status\r\n{length}{headers}\r\n");
        if stream.write_all(head.as_bytes()).await.is_err() || stream.write_all(&body).await.is_err() {
            return;
        }
    }
}

/// Reads the next request of a connection.
async fn read(stream: &mut TcpStream, received: &mut Vec<u8>) -> Option<RawRequest> {
    let end = loop {
        if let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        Box::pin(fill(stream, received)).await?;
    };
    let text = String::from_utf8(received.drain(..end).collect()).unwrap();
    let (line, headers) = text.split_once("\r\n").unwrap();
    let headers = headers.lines().filter_map(|line| line.split_once(':'));
    let headers: Vec<_> =
        headers.map(|(name, value)| format!("{}: {}", name.to_ascii_lowercase(), value.trim())).collect();
    let mut request = RawRequest { head: format!("{line}\n{}", headers.join("\n")), body: Vec::new() };
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    while received.len() < length {
        Box::pin(fill(stream, received)).await?;
    }
    request.body = received.drain(..length).collect();
    Some(request)
}

async fn fill(stream: &mut TcpStream, received: &mut Vec<u8>) -> Option<()> {
    let mut some = [0; 16 * 1024];
    let count = stream.read(&mut some).await.ok().filter(|count| *count > 0)?;
    received.extend_from_slice(&some[..count]);
    Some(())
}
