//! A minimal HTTP client: it sends what a test requests, and nothing on its own.

use std::sync::Arc;

use reqwest::{Method, Response};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use sandbox::certificates::Certificates;
use sandbox::graph::{Tenant, TenantOptions};
use serde_json::{Value, json};

/// A tenant and a client that has a token for it.
pub(crate) struct TestTenant {
    pub(crate) tenant: Tenant,
    pub(crate) http: reqwest::Client,
    pub(crate) token: String,
}

impl TestTenant {
    pub(crate) async fn new(options: TenantOptions) -> Self {
        let certificates = Certificates::generate().unwrap();
        let tenant = Tenant::start(options, &certificates).await.unwrap();
        let http = http_client(&certificates);
        let token = token(&tenant, &http).await;
        Self { tenant, http, token }
    }

    /// A small tenant without faults.
    pub(crate) async fn small() -> Self {
        Self::new(TenantOptions { mailboxes: 60, users_without_mailbox: 4, ..TenantOptions::default() }).await
    }

    pub(crate) async fn request(&self, method: Method, url: &str, body: Option<Value>) -> Response {
        self.request_with(method, url, body, &[]).await
    }

    pub(crate) async fn request_with(
        &self,
        method: Method,
        url: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Response {
        let url =
            if url.starts_with("https:") { url.to_owned() } else { self.tenant.graph_url().to_owned() + url };
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.unwrap()
    }

    /// GETs below the version root, or an absolute URL.
    pub(crate) async fn get(&self, url: &str) -> (u16, Value) {
        read(self.request(Method::GET, url, None).await).await
    }

    pub(crate) async fn post(&self, url: &str, body: Value) -> (u16, Value) {
        read(self.request(Method::POST, url, Some(body)).await).await
    }

    pub(crate) async fn delete(&self, url: &str) -> (u16, Value) {
        read(self.request(Method::DELETE, url, None).await).await
    }

    /// Sends a batch of GETs of these URLs. The ids are their indexes.
    pub(crate) async fn batch(&self, urls: &[String]) -> (u16, Value) {
        let requests: Vec<Value> = urls
            .iter()
            .enumerate()
            .map(|(id, url)| json!({"id": id.to_string(), "method": "GET", "url": url}))
            .collect();
        self.post("/$batch", json!({"requests": requests})).await
    }

    /// The entries of all pages from a URL on.
    pub(crate) async fn all(&self, url: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut next = Some(url.to_owned());
        while let Some(url) = next {
            let (status, page) = self.get(&url).await;
            assert_eq!(status, 200, "{page}");
            all.extend(page["value"].as_array().unwrap().iter().cloned());
            next = page["@odata.nextLink"].as_str().map(str::to_owned);
        }
        all
    }

    /// The first mailbox with a planted mail, and the mail's id.
    pub(crate) fn phish(&self) -> (String, String) {
        let planted = self.tenant.planted().remove(0);
        (planted.mailbox, planted.id)
    }
}

pub(crate) async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let bytes = response.bytes().await.unwrap();
    (status, if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() })
}

pub(crate) fn http_client(certificates: &Certificates) -> reqwest::Client {
    http_client_of(certificates, &[b"h2", b"http/1.1"])
}

/// A client that speaks these protocols only.
pub(crate) fn http_client_of(certificates: &Certificates, alpn: &[&[u8]]) -> reqwest::Client {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificates.ca_pem().as_bytes()).unwrap()).unwrap();
    let mut tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap()
}

/// A valid request for a token.
pub(crate) fn form(tenant: &Tenant) -> Vec<(&'static str, String)> {
    let graph = tenant.graph_url().trim_end_matches("/v1.0");
    vec![
        ("client_id", tenant.client_id().to_owned()),
        ("client_secret", tenant.client_secret().to_owned()),
        ("scope", format!("{graph}/.default")),
        ("grant_type", "client_credentials".to_owned()),
    ]
}

pub(crate) async fn ask_for_token(
    tenant: &Tenant,
    http: &reqwest::Client,
    form: &[(&str, String)],
) -> (u16, Value) {
    let url = tenant.token_url().replace("{tenant}", tenant.tenant_id());
    read(http.post(url).form(form).send().await.unwrap()).await
}

pub(crate) async fn token(tenant: &Tenant, http: &reqwest::Client) -> String {
    let (status, answer) = ask_for_token(tenant, http, &form(tenant)).await;
    assert_eq!(status, 200, "{answer}");
    answer["access_token"].as_str().unwrap().to_owned()
}

/// A value as a path segment or query value.
pub(crate) fn encode(value: &str) -> String {
    percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// The error code of a response.
pub(crate) fn code(answer: &Value) -> &str {
    answer["error"]["code"].as_str().unwrap_or_default()
}
