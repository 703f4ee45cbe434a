//! What the HTTP library costs alone: one request for each mailbox, 256 at a time over three connections, and nothing
//! else. No retries, no limits, no check of what comes back.

use graph::{Client, GraphSettings, SearchScope, list_mailboxes};
use serde_json::Value;

use crate::fixed_batches::{query, token};
use crate::pace::AT_ONCE;

/// A server allows a hundred requests at once on one connection.
const CONNECTIONS: usize = 3;

/// Returns how many messages of `sender` all mailboxes have.
pub(crate) async fn search(settings: &GraphSettings, sender: &str) -> usize {
    let client = Client::new(settings).unwrap();
    let tenant = SearchScope::Tenant { prefix: String::new() };
    let mut mailboxes = list_mailboxes(&client, tenant, 1_000_000).await.unwrap().named;
    let tls = net::http::tls_config(&settings.trust, None).unwrap();
    let http = || net::http::client_builder(tls.clone(), &settings.proxy, None).build().unwrap();
    let connections: Vec<_> = (0..CONNECTIONS).map(|_| http()).collect();
    let token = token(settings, &connections[0]).await;
    let each = mailboxes.len().div_ceil(AT_ONCE);
    let mut workers = Vec::new();
    while !mailboxes.is_empty() {
        let own = mailboxes.split_off(mailboxes.len().saturating_sub(each));
        let http = connections[workers.len() % CONNECTIONS].clone();
        let (root, token, sender) = (settings.base_url.clone(), token.clone(), sender.to_owned());
        workers.push(tokio::spawn(async move {
            let mut found = 0;
            for (name, id) in own {
                let url = format!("{root}{}", query(&id.unwrap_or(name), &sender));
                let response = http.get(url).bearer_auth(&token).send().await.unwrap();
                let answer: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
                found += answer["value"].as_array().unwrap().len();
            }
            found
        }));
    }
    let mut found = 0;
    for worker in workers {
        found += worker.await.unwrap();
    }
    found
}
