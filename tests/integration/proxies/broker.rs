//! The way to the broker.

use std::time::Duration;

use stomp::{Error, Session, SessionOptions, State};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::peer::Peer;
use crate::support::ports::ClosedPort;
use crate::support::session::{broker, failure, next, options, reach};
use crate::support::tinyproxy::{TinyProxy, proxy_url};
use crate::support::tls::Authority;

const LOGIN: (&str, &str) = ("soar", "hunter2");

/// What the proxy did, as the session tells it.
async fn trouble(options: SessionOptions) -> String {
    let (session, _deliveries) = Session::start(options);
    let failure = failure(&session).await;
    let words = failure.to_string();
    assert!(matches!(failure, Error::Proxy { .. }), "{failure:?}");
    assert!(words.starts_with("the proxy 127.0.0.1:") && !words.contains("hunter2"), "{words}");
    words
}

#[tokio::test]
async fn messages_pass_through_the_proxy() {
    for login in [None, Some(LOGIN)] {
        let proxy = TinyProxy::start(login);
        let (peer, mut options) = broker().await;
        options.proxy = Some(proxy.url(login));
        let (session, mut deliveries) = Session::start(options);
        let mut line = peer.serve().await;
        reach(&session, |state| matches!(state, State::Subscribed { connection: 1 })).await;
        line.deliver("m1", "a1", "call").await;
        assert_eq!(next(&mut deliveries).await.message_id, "m1");
        assert!(proxy.led_to(&format!("localhost:{}", peer.port())));
    }
}

#[tokio::test]
async fn wrong_and_missing_logins_are_reported() {
    let proxy = TinyProxy::start(Some(LOGIN));
    let (_peer, mut options) = broker().await;
    options.proxy = Some(proxy.url(Some(("soar", "hunter2-wrong"))));
    assert!(trouble(options.clone()).await.contains("it refuses the user name and password"));
    options.proxy = Some(proxy.url(None));
    assert!(trouble(options).await.contains("wants a user name and password (HTTP status 407)"));
}

#[tokio::test]
async fn dead_proxy_differs_from_unreachable_broker() {
    let (_peer, mut options) = broker().await;
    let closed = ClosedPort::new();
    options.proxy = Some(proxy_url(closed.number(), Some(LOGIN)));
    assert!(trouble(options.clone()).await.contains("it cannot be reached: Connection refused"));
    let proxy = TinyProxy::start(None);
    options.proxy = Some(proxy.url(None));
    options.port = closed.number();
    let words = trouble(options).await;
    assert!(words.contains("HTTP status 50"), "{words}");
}

#[tokio::test]
async fn broker_certificate_is_verified_through_a_proxy() {
    let proxy = TinyProxy::start(None);
    let peer = Peer::new(&Authority::new().vouch_for(&["localhost"])).await;
    let mut options = options(&peer, &Authority::new());
    options.proxy = Some(proxy.url(None));
    let (session, _deliveries) = Session::start(options);
    let accepting = tokio::spawn(async move { peer.accept().await });
    let failure = failure(&session).await;
    assert!(matches!(failure, Error::Untrusted { .. }), "{failure:?}");
    accepting.abort();
}

#[tokio::test]
async fn server_that_is_not_a_proxy_is_left() {
    let endless = vec![b'x'; 64 * 1024];
    let answers: [(&[u8], &str); 5] = [
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "is not HTTP"),
        (
            b"HTTP/1.1 403 Forbidden\r\nX-Note: hunter2\r\n\r\n",
            "refuses to lead to the broker (HTTP status 403)",
        ),
        (b"HTTP/1.1 200", "it closed the connection"),
        (b"", "it closed the connection"),
        (&endless, "its answer has no end"),
    ];
    for (answer, words) in answers {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (_peer, mut options) = broker().await;
        options.proxy = Some(proxy_url(listener.local_addr().unwrap().port(), Some(LOGIN)));
        let answering = async {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 1024];
                let length = stream.read(&mut request).await.unwrap();
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                assert!(request.starts_with("CONNECT localhost:"), "{request}");
                // soar:hunter2
                assert!(request.contains("\r\nProxy-Authorization: Basic c29hcjpodW50ZXIy\r\n"), "{request}");
                let _ = stream.write_all(answer).await;
                let _ = stream.shutdown().await;
            }
        };
        let failure =
            tokio::select! { failure = trouble(options) => failure, () = answering => unreachable!() };
        assert!(failure.contains(words), "{failure}");
    }
}

#[tokio::test]
async fn silent_proxy_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (_peer, mut options) = broker().await;
    options.proxy = Some(proxy_url(listener.local_addr().unwrap().port(), None));
    options.timeout = Duration::from_millis(200);
    assert!(trouble(options).await.contains("no answer within 200ms"));
}
