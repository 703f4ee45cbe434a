//! The byte stream to the broker: TCP, direct or through a proxy, and TLS over it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::Error;
use super::http_connect;
use super::quick_ack::QuickAckStream;
use net::ProxyUrl;
use net::tls;

/// The longest time for one address to accept. After an outage in which packets were lost, a new attempt succeeds
/// sooner than the system's own repetitions, which come at growing intervals.
const ACCEPT_WITHIN: Duration = Duration::from_secs(4);

/// The longest time for a proxy to reach the broker.
const TUNNEL_WITHIN: Duration = Duration::from_secs(10);

/// The longest time for the TLS handshake.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// A secured connection.
pub(super) type Stream = TlsStream<QuickAckStream>;

/// Connects to `host`, through `proxy` if there is one, and starts TLS; the certificate must be made for `host`.
pub(super) async fn connect(
    host: &str,
    port: u16,
    proxy: Option<&ProxyUrl>,
    config: &Arc<ClientConfig>,
    limit: Duration,
) -> Result<Stream, Error> {
    let stream = match proxy {
        None => reach(host, port, limit.min(ACCEPT_WITHIN)).await.map_err(|error| Error::Unreachable {
            address: address(host, port),
            reason: error.to_string(),
        })?,
        Some(proxy) => reach_through(proxy, &address(host, port), limit).await?,
    };
    secure(stream, host, port, config, limit.min(HANDSHAKE_WITHIN)).await
}

/// A connection through `proxy` to `target`.
async fn reach_through(proxy: &ProxyUrl, target: &str, limit: Duration) -> Result<TcpStream, Error> {
    // Brackets around an IPv6 address belong to the URL.
    let host = proxy.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = proxy.url.port_or_known_default().unwrap_or(80);
    let failure =
        |reason: String| Error::Proxy { proxy: address(host, port), address: target.to_owned(), reason };
    let mut stream = reach(host, port, limit.min(ACCEPT_WITHIN))
        .await
        .map_err(|error| failure(format!("it cannot be reached: {error}")))?;
    let limit = limit.min(TUNNEL_WITHIN);
    match timeout(limit, http_connect::tunnel(&mut stream, target, proxy)).await {
        Ok(made) => made.map_err(failure)?,
        Err(_) => return Err(failure(format!("no answer within {limit:?}"))),
    }
    Ok(stream)
}

/// A TCP connection to the first address of `host` that accepts one.
async fn reach(host: &str, port: u16, limit: Duration) -> io::Result<TcpStream> {
    let addresses = match timeout(limit, lookup_host((host, port))).await {
        Ok(found) => found?,
        Err(_) => return Err(no_answer("its name was not resolved", limit)),
    };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
    for address in addresses {
        match timeout(limit, dial(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = no_answer("no answer", limit),
        }
    }
    Err(last)
}

fn no_answer(what: &str, limit: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("{what} within {limit:?}"))
}

async fn dial(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_keepalive(true)?;
    socket.set_nodelay(true)?;
    socket.connect(address).await
}

async fn secure(
    stream: TcpStream,
    host: &str,
    port: u16,
    config: &Arc<ClientConfig>,
    limit: Duration,
) -> Result<Stream, Error> {
    let failure = |reason: String| Error::Tls { address: address(host, port), reason };
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| failure("the host is neither a name nor an address".to_owned()))?;
    let connector = TlsConnector::from(Arc::clone(config));
    match timeout(limit, connector.connect(name, QuickAckStream::new(stream))).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(match tls::refused_certificate(&error) {
            Some(reason) => {
                Error::Untrusted { address: address(host, port), reason: tls::refusal_words(reason) }
            }
            None => failure(error.to_string()),
        }),
        Err(_) => Err(failure(format!("no answer to the handshake within {limit:?}"))),
    }
}

/// `host:port`, with an IPv6 address in brackets.
pub(super) fn address(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}
