//! What the HTTP library costs alone: one request for each mailbox, 256 at a time over three connections, and nothing
//! else. No retries, no limits, no check of what comes back.

use graph::GraphSettings;
use serde_json::Value;

use crate::pace::AT_ONCE;
use crate::plain_client::{PlainClient, query};

/// A server allows a hundred requests at once on one connection.
const CONNECTIONS: usize = 3;

/// Returns how many messages of `sender` all mailboxes have.
pub(crate) async fn search(settings: &GraphSettings, sender: &str) -> usize {
    let PlainClient { mut mailboxes, connections, token } = PlainClient::start(settings, CONNECTIONS).await;
    let each = mailboxes.len().div_ceil(AT_ONCE);
    let mut workers = Vec::new();
    while !mailboxes.is_empty() {
        let own = mailboxes.split_off(mailboxes.len().saturating_sub(each));
        let http = connections[workers.len() % CONNECTIONS].clone();
        let (root, token, sender) = (settings.base_url.clone(), token.clone(), sender.to_owned());
        workers.push(tokio::spawn(async move {
            let mut found = 0;
            for mailbox in own {
                let url = format!("{root}{}", query(&mailbox, &sender));
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
