//! Promise: as many requests are at work as Graph allows, no work delays other work, no request that succeeded is
//! sent twice, and none is lost or left out in silence.

mod fairness;
mod limits;
mod searches;
mod throttling;
mod window;

use std::collections::HashMap;
use std::time::Duration;

use crate::support::graph_tenant::TestTenant;
use futures_util::future::try_join_all;
use graph::{AddressMatch, Client, Criteria, Path, Request, Search, SearchScope, search};
use sandbox::graph::{Phish, Tenant, TenantOptions};

/// A tenant of this many mailboxes, without HTTP/2, whose batches take 50 ms.
async fn tenant(mailboxes: usize) -> TestTenant {
    let fixture =
        TestTenant::new(TenantOptions { mailboxes, http1_only: true, ..TenantOptions::default() }).await;
    fixture.sandbox.graph.faults().set_latency(Duration::ZERO, Duration::from_millis(50));
    fixture
}

/// Asks for a mailbox's messages.
fn messages(mailbox: &str) -> Request {
    let path = Path::messages(mailbox, None).unwrap().option("$top", "1").option("$select", "id");
    Request::get(path).in_mailbox(mailbox)
}

/// Sends `requests` through one lane; all succeed.
async fn send_all(client: &Client, requests: &[Request]) {
    let route = client.bulk();
    try_join_all(requests.iter().map(|request| client.send_by(&route, request))).await.unwrap();
}

fn phishing() -> Criteria {
    Criteria { sender: Some(AddressMatch::Address(Phish::default().sender.address)), ..Criteria::default() }
}

/// Searches all mailboxes.
async fn search_all(client: &Client, criteria: &Criteria, max_messages: usize) -> Search {
    let tenant = SearchScope::Tenant { prefix: String::new() };
    search(client, tenant, criteria, 100_000, max_messages, |_| ()).await.unwrap()
}

/// The ids that were found, in their order.
fn ids(found: &Search) -> Vec<String> {
    let messages = found.mailboxes.iter().flat_map(|mailbox| &mailbox.messages);
    messages
        .map(|message| {
            let message: serde_json::Value = serde_json::from_str(message.get()).unwrap();
            message["id"].as_str().unwrap().to_owned()
        })
        .collect()
}

fn planted(tenant: &Tenant) -> Vec<String> {
    tenant.planted().into_iter().map(|planted| planted.id).collect()
}

/// No sub-request that was answered was sent once more.
fn assert_nothing_done_twice(tenant: &Tenant) {
    let mut times: HashMap<String, usize> = HashMap::new();
    for request in tenant.requests() {
        if request.status == Some(200) && request.mailbox.is_some() {
            *times.entry(request.path_and_query).or_default() += 1;
        }
    }
    let twice: Vec<_> = times.into_iter().filter(|(_, times)| *times > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}
