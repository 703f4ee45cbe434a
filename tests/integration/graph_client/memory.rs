//! Promise: large answers wait for memory, which all calls share; small ones do not, and every call ends.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Uri;
use futures_util::future::join_all;
use graph::{Client, Path, Request};
use net::memory::Budget;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::support::graph_tenant::settings_at;

const MIB: usize = 1 << 20;
const SOON: Duration = Duration::from_secs(30);

/// A Graph whose message `large` has three MiB, and how often it was requested.
async fn graph() -> (Client, watch::Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let root = format!("http://{}", listener.local_addr().unwrap());
    let (count, counted) = watch::channel(0);
    let count = Arc::new(count);
    let large = format!(r#"{{"id":"m","body":"{}"}}"#, "a".repeat(3 * MIB));
    let respond = move |uri: Uri| {
        let is_large = uri.path().ends_with("/large");
        count.send_modify(|count| *count += usize::from(is_large));
        std::future::ready(match uri.path() {
            "/token" => r#"{"token_type":"Bearer","expires_in":3599,"access_token":"T"}"#.to_owned(),
            _ if is_large => large.clone(),
            _ => r#"{"id":"m"}"#.to_owned(),
        })
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(respond)).await });
    (Client::new(&settings_at(&root, &[]).await).unwrap(), counted)
}

fn message(id: &str) -> Request {
    Request::get(Path::message("a@x.example", None, id).unwrap()).in_mailbox("a@x.example")
}

#[tokio::test(flavor = "multi_thread")]
async fn small_answer_passes_large_ones_that_wait() {
    let (client, mut requested) = graph().await;
    let budget = Budget::default();
    let others = [40 * MIB, MIB].map(|bytes| budget.share().try_hold(bytes).unwrap());
    // As many as there are places in the mailbox.
    let large: Vec<_> = (0..4)
        .map(|_| {
            let call = client.for_call(budget.share());
            tokio::spawn(async move { call.send(&message("large")).await.unwrap().json().unwrap() })
        })
        .collect();
    timeout(SOON, requested.wait_for(|requested| *requested == 4)).await.unwrap().unwrap();
    let call = client.for_call(budget.share());
    timeout(SOON, call.send(&message("small"))).await.unwrap().unwrap();
    assert!(large.iter().all(|read| !read.is_finished()));
    drop(others);
    for read in timeout(SOON, join_all(large)).await.unwrap() {
        assert!(read.unwrap().get().len() > 3 * MIB);
    }
    assert!(*requested.borrow() > 4, "those that had no room were requested again");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_keep_large_answers_all_end() {
    let (client, _) = graph().await;
    let budget = Budget::default();
    // Together they keep one and a half times the budget.
    let calls = (0..5).map(|_| {
        let call = client.for_call(budget.share());
        tokio::spawn(async move {
            let mut kept = Vec::new();
            for _ in 0..4 {
                kept.push(call.send(&message("large")).await.unwrap().json().unwrap());
            }
            kept.len()
        })
    });
    for kept in timeout(SOON, join_all(calls)).await.unwrap() {
        assert_eq!(kept.unwrap(), 4);
    }
}
