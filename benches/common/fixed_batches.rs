//! What a client does that does not measure: eight batches of twenty at a time, whatever the service answers. Throttled
//! parts are sent again after the time that the service asks for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use graph::GraphSettings;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::plain_client::{PlainClient, query};

const SIZE: usize = 20;
const AT_ONCE: usize = 8;

/// The mailboxes that are still to be searched, each with the time from which on it may be.
type Queue = Arc<Mutex<Vec<(Instant, String)>>>;

/// Returns how many messages of `sender` all mailboxes have.
pub(crate) async fn search(settings: &GraphSettings, sender: &str) -> usize {
    let PlainClient { mailboxes, connections, token } = PlainClient::start(settings, 1).await;
    let http = &connections[0];
    let left = Arc::new(Mutex::new(mailboxes.len()));
    let now = Instant::now();
    let queue: Queue = Arc::new(Mutex::new(mailboxes.into_iter().map(|mailbox| (now, mailbox)).collect()));
    let workers = (0..AT_ONCE).map(|_| {
        let (http, token, sender) = (http.clone(), token.clone(), sender.to_owned());
        let (queue, left, url) =
            (Arc::clone(&queue), Arc::clone(&left), format!("{}/$batch", settings.base_url));
        tokio::spawn(async move {
            let mut found = 0;
            while *left.lock() > 0 {
                let mailboxes = take(&queue);
                if mailboxes.is_empty() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                }
                let request = http.post(&url).bearer_auth(&token).json(&batch(&mailboxes, &sender));
                let answer: Value = request.send().await.unwrap().json().await.unwrap();
                for part in answer["responses"].as_array().unwrap() {
                    let mailbox = &mailboxes[part["id"].as_str().unwrap().parse::<usize>().unwrap()];
                    if part["status"] == 429 {
                        queue.lock().push((Instant::now() + Duration::from_secs(1), mailbox.clone()));
                    } else {
                        found += part["body"]["value"].as_array().unwrap().len();
                        *left.lock() -= 1;
                    }
                }
            }
            found
        })
    });
    let workers: Vec<_> = workers.collect();
    let mut found = 0;
    for worker in workers {
        found += worker.await.unwrap();
    }
    found
}

fn take(queue: &Queue) -> Vec<String> {
    let mut queue = queue.lock();
    let now = Instant::now();
    let mut taken = Vec::new();
    let mut index = queue.len();
    while index > 0 && taken.len() < SIZE {
        index -= 1;
        if queue[index].0 <= now {
            taken.push(queue.swap_remove(index).1);
        }
    }
    taken
}

fn batch(mailboxes: &[String], sender: &str) -> Value {
    let requests: Vec<_> = mailboxes
        .iter()
        .enumerate()
        .map(|(id, mailbox)| json!({ "id": id.to_string(), "method": "GET", "url": query(mailbox, sender) }))
        .collect();
    json!({ "requests": requests })
}
