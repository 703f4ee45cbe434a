//! The sandbox's SOAR answers REST requests as SOAR does, and calls functions as SOAR does.

use std::path::PathBuf;

use net::Trust;
use net::tls::client_config;
use reqwest::{Method, RequestBuilder, StatusCode};
use sandbox::certificates::Certificates;
use sandbox::soar::{INCIDENT, Soar, SoarOptions};
use serde_json::{Value, json};

mod attachments;
mod caller;
mod faults;
mod incidents;
mod platform;
mod rows;
mod sign_in;

/// A SOAR, and an HTTP client that trusts its certificate.
struct TestSoar {
    soar: Soar,
    ca: PathBuf,
    http: reqwest::Client,
    _directory: tempfile::TempDir,
}

impl TestSoar {
    async fn new() -> Self {
        Self::with(SoarOptions::default()).await
    }

    async fn with(options: SoarOptions) -> Self {
        let certificates = Certificates::generate().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let ca = directory.path().join("ca.pem");
        std::fs::write(&ca, certificates.ca_pem()).unwrap();
        let tls = client_config(&Trust::SystemAnd(ca.clone()), None).unwrap();
        let http = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap();
        let soar = Soar::start(options, &certificates).await.unwrap();
        Self { soar, ca, http, _directory: directory }
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.soar.rest.address().port())
    }

    /// A request signed with the API key.
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let key = &self.soar.options().api_key;
        self.http.request(method, self.url(path)).basic_auth(&key.id, Some(&key.secret))
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    fn note(&self, text: &str) -> RequestBuilder {
        self.request(Method::POST, &format!("/rest/orgs/201/incidents/{INCIDENT}/comments"))
            .json(&json!({"text": {"format": "html", "content": text}}))
    }
}

async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}
