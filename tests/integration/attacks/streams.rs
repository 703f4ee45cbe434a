//! Whatever bytes a broker sends, the session is there for the next message: over the same connection, or a new one.

use std::time::Duration;

use stomp::Session;

use crate::support::session::{broker, next};

/// Streams that break STOMP or its limits, each with a name.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let message = |headers: &str, body: &str| {
        let usual = "message-id:x\nack:x\ndestination:/queue/actions.201.fn\nsubscription:actions.201.fn";
        format!("MESSAGE\n{usual}\n{headers}\n\n{body}\0").into_bytes()
    };
    vec![
        ("no command", b"\0\0\0:\n\n\0".to_vec()),
        ("second CONNECTED", b"CONNECTED\nversion:1.2\nheart-beat:1,1\n\n\0".to_vec()),
        ("no ack", b"MESSAGE\nmessage-id:x\ndestination:/queue/x\n\nbody\0".to_vec()),
        ("length too small", message("content-length:2", "a body that is longer")),
        ("length too large", message("content-length:1000", "short")),
        ("length of an exabyte", message("content-length:1000000000000000000", "short")),
        ("length beyond 64 bits", message("content-length:99999999999999999999999", "short")),
        ("negative length", message("content-length:-1", "short")),
        ("line of 1 MB", [b"MESSAGE\nx:".to_vec(), vec![b'x'; 1_000_000]].concat()),
        ("20,000 receipts", b"RECEIPT\nreceipt-id:never-asked\n\n\0".repeat(20_000)),
        ("2,000 errors", b"ERROR\nmessage:no\n\nno\0".repeat(2_000)),
        ("300,000 line ends", vec![b'\n'; 300_000]),
        ("TLS in TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(100)),
    ]
}

#[tokio::test]
async fn broken_stream_does_not_keep_the_next_message() {
    for (name, bytes) in hostile() {
        let (peer, mut options) = broker().await;
        options.heart_beat.expect = Duration::from_millis(100);
        let (_session, mut deliveries) = Session::start(options);
        let mut first = peer.accept().await;
        first.log_in("100,0").await;
        first.accept_subscriptions().await;
        if first.try_send_raw(&bytes).await {
            let call = b"MESSAGE\nmessage-id:m1\nack:a1\ndestination:/queue/actions.201.fn\n\ncall\0";
            first.try_send_raw(call).await;
        }
        let mut others = Vec::new();
        let delivered = tokio::select! {
            delivery = next(&mut deliveries) => delivery,
            () = async {
                loop {
                    let mut line = peer.serve().await;
                    line.deliver("m1", "a1", "call").await;
                    others.push(line);
                }
            } => unreachable!(),
        };
        assert_eq!((delivered.message_id.as_str(), &delivered.body[..]), ("m1", &b"call"[..]), "{name}");
    }
}
