//! A tunnel through an HTTP proxy to the broker by CONNECT (RFC 9110, 9.3.6). hyper-util's `Tunnel` would do, but it
//! hides the proxy's status, which the operator needs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use net::ProxyUrl;

/// The longest head of the proxy's response, in bytes; a usual one has a few hundred.
const LONGEST_HEAD: usize = 16 * 1024;

/// Asks the proxy at the other end of `stream` to connect to `target` (host and port).
///
/// # Errors
/// A text that says what the proxy did instead. The proxy's own text is left out: it is a page for browsers.
pub(super) async fn tunnel(stream: &mut TcpStream, target: &str, proxy: &ProxyUrl) -> Result<(), String> {
    let login = proxy.login.as_ref().map(|(user, password)| {
        let login = STANDARD.encode(format!("{user}:{}", password.expose()));
        format!("Proxy-Authorization: Basic {login}\r\n")
    });
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{}\r\n", login.unwrap_or_default());
    stream.write_all(request.as_bytes()).await.map_err(|error| broke(&error))?;
    match (status(&head(stream).await?), &proxy.login) {
        (Some(200..300), _) => Ok(()),
        // Some proxies answer a wrong password with 401.
        (Some(status @ (401 | 407)), login) => Err(match login {
            None => format!("it wants a user name and password (HTTP status {status})"),
            Some(_) => format!("it refuses the user name and password (HTTP status {status})"),
        }),
        (Some(status @ 502..=504), _) => Err(format!("it cannot reach the broker (HTTP status {status})")),
        (Some(status), _) => Err(format!("it refuses to lead to the broker (HTTP status {status})")),
        (None, _) => Err("its answer is not HTTP".to_owned()),
    }
}

/// The response up to its empty line. It is read byte by byte, since the bytes after the head belong to the broker;
/// it is short, and a broker sends nothing before the client does.
async fn head(stream: &mut TcpStream) -> Result<Vec<u8>, String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= LONGEST_HEAD {
            return Err("its answer has no end".to_owned());
        }
        head.push(stream.read_u8().await.map_err(|error| broke(&error))?);
    }
    Ok(head)
}

fn broke(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "it closed the connection".to_owned(),
        _ => format!("the connection to it broke: {error}"),
    }
}

/// The status of `HTTP/1.1 200 Connection established`.
fn status(head: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(head.split(|&byte| byte == b'\r').next()?).ok()?;
    let (version, rest) = line.split_once(' ')?;
    let digits = rest.get(..3).filter(|_| version.starts_with("HTTP/1."))?;
    digits.parse().ok()
}
