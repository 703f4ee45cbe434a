//! One mailbox has at most four requests at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{join_all, try_join_all};
use graph::{Client, Path, Request};

use super::raw::{RawResponse, server};

/// A client of a server that takes a moment for each request, and the most requests that it had at once.
async fn counted() -> (Client, Arc<AtomicUsize>) {
    let most = Arc::new(AtomicUsize::new(0));
    let (now, highest) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&most));
    let settings = server(&[], move |_| {
        let (now, highest) = (Arc::clone(&now), Arc::clone(&highest));
        async move {
            highest.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            RawResponse::new(200, r#"{"id":"m"}"#)
        }
    })
    .await;
    (Client::new(&settings).unwrap(), most)
}

fn message(mailbox: &str) -> Request {
    Request::get(Path::message(mailbox, None, "m").unwrap()).in_mailbox(mailbox)
}

#[tokio::test(flavor = "multi_thread")]
async fn single_requests_stay_within_the_limit() {
    let (client, most) = counted().await;
    let request = message("a@x.example");
    try_join_all((0..50).map(|_| client.send(&request))).await.unwrap();
    assert_eq!(most.load(Ordering::SeqCst), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn mailboxes_have_independent_request_limits() {
    let (client, most) = counted().await;
    let requests: Vec<_> = (0..12).map(|n| message(&format!("user{}@x.example", n % 3))).collect();
    try_join_all(requests.iter().map(|request| client.send(request))).await.unwrap();
    assert!(most.load(Ordering::SeqCst) > 4, "{most:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn downloads_stay_within_the_limit_until_their_end() {
    let open = Arc::new(AtomicUsize::new(0));
    let settings = server(&[], |_| async {
        RawResponse::new(200, vec![b'x'; 64]).with_header("content-type", "text/plain")
    })
    .await;
    let client = Client::new(&settings).unwrap();
    let request = message("a@x.example");
    let downloads = (0..20).map(|_| async {
        let download = client.open(&request).await.unwrap();
        let now = open.fetch_add(1, Ordering::SeqCst) + 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
        open.fetch_sub(1, Ordering::SeqCst);
        let bytes: Vec<_> = download.stream(1 << 20).collect().await;
        assert_eq!(bytes.into_iter().map(|piece| piece.unwrap().len()).sum::<usize>(), 64);
        now
    });
    let most = join_all(downloads).await.into_iter().max().unwrap();
    assert!((2..=4).contains(&most), "{most}");
}
