//! What a client does that does not measure: eight batches of twenty at a time, whatever the service answers. Throttled
//! parts are sent again after the time that the service asks for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use graph::{Client, Credential, GraphSettings, Proof, SearchScope, list_mailboxes};
use parking_lot::Mutex;
use serde_json::{Value, json};

const SIZE: usize = 20;
const AT_ONCE: usize = 8;

/// The mailboxes that are still to be searched, each with the time from which on it may be.
type Queue = Arc<Mutex<Vec<(Instant, String)>>>;

/// Returns how many messages of `sender` all mailboxes have.
pub(crate) async fn search(settings: &GraphSettings, sender: &str) -> usize {
    let client = Client::new(settings).unwrap();
    let tenant = SearchScope::Tenant { prefix: String::new() };
    let mailboxes = list_mailboxes(&client, tenant, 1_000_000).await.unwrap();
    let now = Instant::now();
    let queue: Vec<_> = mailboxes.named.into_iter().map(|(name, id)| (now, id.unwrap_or(name))).collect();
    let left = Arc::new(Mutex::new(queue.len()));
    let queue: Queue = Arc::new(Mutex::new(queue));
    let tls = net::http::tls_config(&settings.trust, None).unwrap();
    let http = net::http::client_builder(tls, &settings.proxy, None).build().unwrap();
    let token = token(settings, &http).await;
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

/// The path of a query for the messages of `sender`.
pub(crate) fn query(mailbox: &str, sender: &str) -> String {
    format!(
        "/users/{mailbox}/messages?$select=id,subject,from&$top=1000&\
         $filter=from%2FemailAddress%2Faddress%20eq%20'{sender}'"
    )
}

pub(crate) async fn token(settings: &GraphSettings, http: &reqwest::Client) -> String {
    let Credential::Application { client_id, proof: Proof::Secret(secret) } = &settings.credential else {
        panic!("the sandbox's application signs in by a secret")
    };
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", "https://graph.microsoft.com/.default"),
        ("client_id", client_id),
        ("client_secret", secret.expose()),
    ];
    let answer = http.post(settings.token_url.clone()).form(&form).send().await.unwrap();
    answer.json::<Value>().await.unwrap()["access_token"].as_str().unwrap().to_owned()
}
