//! What the clients have in common that the product's is compared with: mailboxes, connections and a token.

use graph::{Client, Credential, GraphSettings, Proof, SearchScope, list_mailboxes};
use serde_json::Value;

/// A client without limits, retries and checks.
pub(crate) struct PlainClient {
    /// The directory's ids of all mailboxes.
    pub(crate) mailboxes: Vec<String>,
    /// Each opens one connection over HTTP/2.
    pub(crate) connections: Vec<reqwest::Client>,
    pub(crate) token: String,
}

impl PlainClient {
    /// Lists the mailboxes, and signs in.
    pub(crate) async fn start(settings: &GraphSettings, connections: usize) -> Self {
        let client = Client::new(settings).unwrap();
        let tenant = SearchScope::Tenant { prefix: String::new() };
        let mailboxes = list_mailboxes(&client, tenant, 1_000_000).await.unwrap().named;
        let tls = net::http::tls_config(&settings.trust, None).unwrap();
        let connection = || net::http::client_builder(tls.clone(), &settings.proxy, None).build().unwrap();
        let connections: Vec<_> = (0..connections).map(|_| connection()).collect();
        let token = token(settings, &connections[0]).await;
        let mailboxes = mailboxes.into_iter().map(|(name, id)| id.unwrap_or(name)).collect();
        Self { mailboxes, connections, token }
    }
}

/// The path of a query for the messages of `sender`.
pub(crate) fn query(mailbox: &str, sender: &str) -> String {
    format!(
        "/users/{mailbox}/messages?$select=id,subject,from&$top=1000&\
         $filter=from%2FemailAddress%2Faddress%20eq%20'{sender}'"
    )
}

async fn token(settings: &GraphSettings, http: &reqwest::Client) -> String {
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
