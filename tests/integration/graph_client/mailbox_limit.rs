//! One mailbox has at most four requests at once.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::try_join_all;
use graph::{Client, Download, Path, Request};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::raw::{RawResponse, server};

/// Long enough for one request too many to be seen.
const MOMENT: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(30);

/// Counts what is at work at once.
#[derive(Default)]
struct AtWork {
    now: AtomicUsize,
    most: watch::Sender<usize>,
}

impl AtWork {
    /// Counts one more, which ends a moment after there were `expected` at once.
    async fn take_part(&self, expected: usize) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.send_modify(|most| *most = now.max(*most));
        let mut most = self.most.subscribe();
        let have_come = timeout(PATIENCE, most.wait_for(|most| *most >= expected)).await.is_ok();
        assert!(have_come, "never {expected} at once");
        sleep(MOMENT).await;
        self.now.fetch_sub(1, Ordering::SeqCst);
    }

    fn most(&self) -> usize {
        *self.most.borrow()
    }
}

/// A client of a server that answers its requests when `expected` of them have come at once.
async fn counted(expected: usize) -> (Client, Arc<AtWork>) {
    let at_work = Arc::new(AtWork::default());
    let counted = Arc::clone(&at_work);
    let settings = server(&[], move |_| {
        let at_work = Arc::clone(&counted);
        async move {
            at_work.take_part(expected).await;
            RawResponse::new(200, r#"{"id":"m"}"#)
        }
    })
    .await;
    (Client::new(&settings).unwrap(), at_work)
}

fn message(mailbox: &str) -> Request {
    Request::get(Path::message(mailbox, None, "m").unwrap()).in_mailbox(mailbox)
}

#[tokio::test(flavor = "multi_thread")]
async fn single_requests_stay_within_the_limit() {
    let (client, at_work) = counted(4).await;
    let request = message("a@x.example");
    try_join_all((0..50).map(|_| client.send(&request))).await.unwrap();
    assert_eq!(at_work.most(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn mailboxes_have_independent_request_limits() {
    let (client, at_work) = counted(12).await;
    let requests: Vec<_> = (0..12).map(|n| message(&format!("user{}@x.example", n % 3))).collect();
    try_join_all(requests.iter().map(|request| client.send(request))).await.unwrap();
    assert_eq!(at_work.most(), 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn downloads_stay_within_the_limit_until_their_end() {
    let settings = server(&[], |_| async {
        RawResponse::new(200, vec![b'x'; 64]).with_header("content-type", "text/plain")
    })
    .await;
    let client = Client::new(&settings).unwrap();
    let request = message("a@x.example");
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(client.open(&request).await.unwrap());
    }
    let mut fifth = pin!(client.open(&request));
    assert!(timeout(MOMENT, &mut fifth).await.is_err(), "four are open, and a fifth");
    let read = async |download: Download| {
        let bytes: Vec<_> = download.stream(1 << 20).collect().await;
        assert_eq!(bytes.into_iter().map(|piece| piece.unwrap().len()).sum::<usize>(), 64);
    };
    read(open.remove(0)).await;
    read(timeout(PATIENCE, fifth).await.expect("one has ended").unwrap()).await;
}
