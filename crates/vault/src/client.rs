//! Requests to Vault.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;
use std::time::Duration;

use net::http;
use net::tls::{refusal_words, refused_certificate};
use net::{Backoff, Jitter, Proxy, Secret};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::Url;

use crate::answers::{Read, SignedIn};
use crate::{Error, Login, Reference, VaultSettings};

/// The longest time for one request, as in SOAR's own framework.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Attempts of one request while the server cannot be reached or does not serve.
const TRIES: u32 = 3;
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(5), Jitter::Longer(0.25));
/// The largest answer, in bytes: Vault's own limit of an entry.
const LARGEST_ANSWER: usize = 1024 * 1024;

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
/// A Vault Agent may require it, so that a browser cannot be led to it.
const REQUEST: HeaderName = HeaderName::from_static("x-vault-request");

/// What was read: the values, or what is wrong with each.
pub type Values = BTreeMap<Reference, Result<Secret, String>>;

/// The values of one secret, by key.
type Fields = BTreeMap<String, Value>;

/// A client of one Vault, with the token of its last sign-in.
#[derive(Debug)]
pub struct Client {
    settings: VaultSettings,
    http: reqwest::Client,
    /// Host and port.
    server: String,
    token: Option<Secret>,
}

impl Client {
    /// Returns a client that has not signed in yet.
    ///
    /// # Errors
    /// A file of certificates cannot be used.
    pub fn new(settings: VaultSettings) -> Result<Self, Error> {
        let tls = http::tls_config(&settings.trust, None)?;
        let mut headers = HeaderMap::from_iter([(REQUEST, HeaderValue::from_static("true"))]);
        if let Some(namespace) = &settings.namespace {
            headers.insert(NAMESPACE, HeaderValue::from_str(namespace).map_err(|_| Error::Namespace)?);
        }
        let http = http::client_builder(tls, &Proxy::Environment, Some(TIMEOUT))
            .timeout(TIMEOUT)
            .default_headers(headers)
            .build()
            .map_err(net::tls::TlsError::from)?;
        let host = settings.address.host_str().unwrap_or_default();
        let port = settings.address.port_or_known_default().map(|port| format!(":{port}"));
        let server = format!("{host}{}", port.unwrap_or_default());
        Ok(Self { settings, http, server, token: None })
    }

    /// The settings that it was made with.
    pub fn settings(&self) -> &VaultSettings {
        &self.settings
    }

    /// Reads values. Each secret is read once, however many of its values are wanted.
    ///
    /// # Errors
    /// Vault cannot be used. What is wrong with one value is in the result.
    pub async fn read(&mut self, references: &BTreeSet<Reference>) -> Result<Values, Error> {
        let mut read = Values::new();
        // References are in order, so those of one secret follow each other.
        let mut last: Option<(&Reference, Result<Fields, Error>)> = None;
        for reference in references {
            let secret = match last.take() {
                Some((before, secret)) if before.is_beside(reference) => secret,
                _ => match self.secret(reference).await {
                    Err(error) if !error.is_of_value() => return Err(error),
                    secret => secret,
                },
            };
            read.insert(reference.clone(), value(&secret, reference.key()));
            last = Some((reference, secret));
        }
        Ok(read)
    }

    /// Reads all values of the secret. A token may have expired since its sign-in, and Vault says only that access is
    /// denied; then it signs in once more.
    async fn secret(&mut self, reference: &Reference) -> Result<Fields, Error> {
        if let Some(token) = self.token.clone() {
            match self.secret_with(reference, &token).await {
                Err(Error::Denied) => {}
                read => return read,
            }
        }
        let token = self.sign_in().await?;
        let read = self.secret_with(reference, &token).await;
        self.token = Some(token);
        read
    }

    async fn secret_with(&self, reference: &Reference, token: &Secret) -> Result<Fields, Error> {
        let url = self.url(reference.segments());
        let mut header = HeaderValue::from_str(token.expose()).map_err(|_| Error::Denied)?;
        header.set_sensitive(true);
        let (status, read) =
            self.answer::<Read>(|| self.http.get(url.clone()).header(TOKEN, header.clone())).await?;
        match (status, read) {
            (StatusCode::FORBIDDEN, _) => Err(Error::Denied),
            (StatusCode::OK | StatusCode::NOT_FOUND, Some(read)) => read.values().ok_or(Error::Deleted),
            (StatusCode::NOT_FOUND, None) => Err(Error::NotFound),
            (status, _) => Err(self.not_an_answer(status)),
        }
    }

    async fn sign_in(&self) -> Result<Secret, Error> {
        let (role_id, secret_id) = match &self.settings.login {
            Login::Token(token) => return Ok(token.clone()),
            Login::AppRole { role_id, secret_id } => (role_id, secret_id),
        };
        let url = self.url(["auth", "approle", "login"]);
        let body = json!({"role_id": role_id.expose(), "secret_id": secret_id.expose()});
        let (status, signed_in) = self.answer::<SignedIn>(|| self.http.post(url.clone()).json(&body)).await?;
        match (status, signed_in) {
            (StatusCode::OK, Some(signed_in)) => Ok(signed_in.token()),
            (StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => {
                Err(Error::LoginRefused { server: self.server.clone(), status: status.as_u16() })
            }
            (status, _) => Err(self.not_an_answer(status)),
        }
    }

    /// The address of `segments` below `/v1`; each segment is encoded.
    fn url<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Url {
        address_of(&self.settings.address, segments)
    }

    /// The status of the answer, and its content where it has the expected form. Both requests may be repeated: a
    /// second sign-in makes a second token.
    async fn answer<T: DeserializeOwned>(
        &self,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<(StatusCode, Option<T>), Error> {
        let mut tries = 1;
        loop {
            let error = match self.once(request()).await {
                Err(error) if error.is_transient() && tries < TRIES => error,
                answer => return answer,
            };
            let wait = BACKOFF.delay(tries - 1);
            tracing::warn!(%error, tries, wait_ms = wait.as_millis(), "the password store is asked again");
            tokio::time::sleep(wait).await;
            tries += 1;
        }
    }

    async fn once<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<(StatusCode, Option<T>), Error> {
        let mut response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if let Some(reason) = unavailable(status) {
            return Err(Error::Unavailable { server: self.server.clone(), reason });
        }
        let body = self.body(&mut response).await?;
        Ok((status, serde_json::from_slice(&body).ok()))
    }

    async fn body(&self, response: &mut Response) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            if body.len() + part.len() > LARGEST_ANSWER {
                return Err(self.not_an_answer(response.status()));
            }
            body.extend_from_slice(&part);
        }
        Ok(body)
    }

    fn not_an_answer(&self, status: StatusCode) -> Error {
        Error::NotAnAnswer { server: self.server.clone(), status: status.as_u16() }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Error {
        let server = self.server.clone();
        if let Some(reason) = refused_certificate(error) {
            return Error::Untrusted { server, reason: refusal_words(reason) };
        }
        let causes = std::iter::successors(error.source(), |&cause| cause.source());
        let reason = http::proxy_trouble(&Proxy::Environment, error).unwrap_or_else(|| {
            if error.is_timeout() {
                "there is no answer in time".to_owned()
            } else {
                causes.last().map_or_else(|| "the request failed".to_owned(), ToString::to_string)
            }
        });
        Error::Unreachable { server, reason }
    }
}

/// The address of `segments` below `/v1` of the server.
pub(crate) fn address_of<'a>(server: &Url, segments: impl IntoIterator<Item = &'a str>) -> Url {
    let mut url = server.clone();
    // Only a URL without a host has no path segments, and this one has a host.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push("v1").extend(segments);
    }
    url
}

/// The value of `key` in a secret, if it could be read.
pub(crate) fn value(secret: &Result<Fields, Error>, key: &str) -> Result<Secret, String> {
    let secret = secret.as_ref().map_err(ToString::to_string)?;
    match secret.get(key) {
        Some(Value::String(text)) => Ok(Secret::new(text)),
        Some(_) => Err(Error::NotText.to_string()),
        None => Err(Error::NoKey.to_string()),
    }
}

/// Why the server does not serve, if the status says so (<https://developer.hashicorp.com/vault/api-docs#http-status-codes>).
fn unavailable(status: StatusCode) -> Option<String> {
    let why = match status.as_u16() {
        503 => "it is sealed, or in maintenance".to_owned(),
        472 | 473 | 300..400 => {
            "it is a standby that does not forward requests; name the active server".to_owned()
        }
        429 => "it has too many requests".to_owned(),
        500.. => "it has a fault of its own".to_owned(),
        _ => return None,
    };
    Some(format!("{why} (HTTP status {})", status.as_u16()))
}
