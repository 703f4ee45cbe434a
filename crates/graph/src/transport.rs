//! Sends one request over the current connections, signs it with the current token, and reads the response.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use net::tls::TlsError;
use net::{Proxy, Scrubber, Secret, http};
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use reqwest::{Response as HttpResponse, Version};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::debug;
use url::Url;
use uuid::Uuid;

use crate::auth::assertion::Certificate;
use crate::auth::token::{Token, TokenLife, Tokens};
use crate::change::unless_withdrawn;
use crate::error::Error;
use crate::error_code::Meaning;
use crate::expected::Expected;
use crate::metrics::{Metrics, Sent};
use crate::pool::{ConnectionUse, Connections};
use crate::request::Request;
use crate::response::{self, Response, Room};
use crate::{ApplicationCertificate, Credential, GraphSettings};

/// The hosts of Outlook, where upload sessions lead: worldwide and GCC (Graph page "Attach large files to Outlook
/// messages or events"; "Microsoft 365 URLs and IP address ranges", Exchange Online, 1), GCC High and DoD ("Office 365
/// U.S. Government GCC High endpoints" and "… DoD endpoints", Exchange Online, 1), 21Vianet ("API endpoints of Office
/// 365 operated by 21Vianet", Mail API).
const OUTLOOK_HOSTS: [&str; 7] = [
    "outlook.office.com",
    "outlook.office365.com",
    "outlook.cloud.microsoft",
    "outlook.office365.us",
    "outlook-dod.office365.us",
    "webmail.apps.mil",
    "partner.outlook.cn",
];

/// Microsoft Graph at one address, for one application.
#[derive(Debug)]
pub(crate) struct Transport {
    connections: Connections,
    root: Url,
    upload_hosts: Vec<String>,
    tokens: Tokens,
    /// The files of the certificate that signs in, if there is one, and its end when it was first read.
    certificate: Option<(ApplicationCertificate, DateTime<Utc>)>,
    metrics: Arc<Metrics>,
    /// The longest silence within one request.
    read_timeout: Duration,
    is_http2: AtomicBool,
    /// The turn to read a large answer that does not belong to one call.
    large_answers: Arc<Semaphore>,
}

/// Returns the HTTP client for the token endpoint, and its proxy. It is Graph's client, unless the endpoint has
/// certificate authorities of its own, or is the machine itself, which no proxy leads to.
fn token_client(
    settings: &GraphSettings,
    http: &reqwest::Client,
) -> Result<(reqwest::Client, Proxy), TlsError> {
    let (trust, proxy) = match (&settings.credential, &settings.token_trust) {
        (Credential::ManagedIdentity { .. }, trust) => {
            (trust.as_ref(), Proxy::Explicit { http: None, https: None })
        }
        (Credential::Application { .. }, Some(trust)) => (Some(trust), settings.proxy.clone()),
        (Credential::Application { .. }, None) => return Ok((http.clone(), settings.proxy.clone())),
    };
    let trust = trust.unwrap_or(&settings.trust);
    let certificate = settings.client_certificate.as_ref();
    let tls = http::tls_config(trust, certificate)?;
    let client = http::client_builder(tls, &proxy, Some(settings.timeout)).build()?;
    Ok((client, proxy))
}

impl Transport {
    pub(crate) fn new(settings: &GraphSettings, metrics: Arc<Metrics>) -> Result<Self, TlsError> {
        // An unusable certificate is reported at the start, not with the first call.
        let signs_in = match settings.credential.certificate() {
            Some(files) => {
                let read = Certificate::read(files)?;
                read.warn_of_its_end();
                Some((files.clone(), read.not_after()))
            }
            None => None,
        };
        let connections = Connections::new(settings)?;
        let asks = token_client(settings, &connections.take().http)?;
        let tokens = Tokens::new(asks, settings, Arc::clone(&metrics));
        let root = settings.base_url.clone();
        let upload_hosts = settings.upload_hosts.clone();
        let read_timeout = settings.timeout;
        Ok(Self {
            connections,
            root,
            upload_hosts,
            tokens,
            certificate: signs_in,
            metrics,
            read_timeout,
            is_http2: AtomicBool::new(false),
            large_answers: Arc::new(Semaphore::new(1)),
        })
    }

    /// Whether Graph, or the proxy before it, answered over HTTP/2 the last time.
    pub(crate) fn is_http2(&self) -> bool {
        self.is_http2.load(Ordering::Relaxed)
    }

    pub(crate) fn root(&self) -> &Url {
        &self.root
    }

    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Returns the end of the certificate as its file says now: it may have been renewed, and the next token request
    /// uses the file's current content.
    pub(crate) async fn certificate_end(&self) -> Option<DateTime<Utc>> {
        let (files, first) = self.certificate.clone()?;
        let read = tokio::task::spawn_blocking(move || Certificate::read(&files));
        Some(read.await.ok().and_then(Result::ok).map_or(first, |read| read.not_after()))
    }

    pub(crate) fn token_life(&self) -> Option<TokenLife> {
        self.tokens.life()
    }

    pub(crate) async fn token(&self) -> Result<Token, Error> {
        Ok(self.tokens.get().await?)
    }

    /// Returns the longest silence within `request`. Graph is silent until all rounds of a batch are done.
    pub(crate) fn read_timeout(&self, request: &Request) -> Duration {
        self.read_timeout * request.rounds
    }

    pub(crate) fn discard(&self, refused: &Token) {
        self.tokens.discard(refused);
    }

    /// Returns the memory for an answer that does not belong to one call.
    fn turn(&self) -> Room<'_> {
        Room::Turn { turns: &self.large_answers, permit: None }
    }

    /// Sends `request` once and reads the response. A large one is read when it is its turn.
    pub(crate) async fn exchange(&self, request: &Request) -> Result<(Response, Token), Error> {
        self.exchange_within(request, self.turn()).await
    }

    /// Sends `request` once and reads the response, in memory from `room`.
    pub(crate) async fn exchange_within(
        &self,
        request: &Request,
        room: Room<'_>,
    ) -> Result<(Response, Token), Error> {
        let (response, token) = self.open(request).await?;
        let read_timeout = self.read_timeout(request);
        let read = response::read_success(response, request.expected, read_timeout, room).await;
        let read = read.map_err(|error| error.scrubbed(token.scrubber()))?;
        Ok((read.with_change(request.is_change()), token))
    }

    /// Sends `request` once and returns a success unread. Where the token is refused, it is replaced once and the
    /// request is signed again.
    pub(crate) async fn open(&self, request: &Request) -> Result<(HttpResponse, Token), Error> {
        let mut token = unless_withdrawn(request.gate.as_ref(), self.tokens.get()).await??;
        request.begin()?;
        let mut response = self.send_signed(request, &token).await;
        if response.as_ref().is_err_and(is_token_rejected) {
            self.discard(&token);
            token = unless_withdrawn(request.gate.as_ref(), self.tokens.get()).await??;
            request.begin()?;
            response = self.send_signed(request, &token).await;
        }
        Ok((response?, token))
    }

    async fn send_signed(&self, request: &Request, token: &Token) -> Result<HttpResponse, Error> {
        let read_timeout = self.read_timeout(request);
        let prefer = request.prefer();
        let Request { method, path, body, is_advanced_query, .. } = request;
        let started = Instant::now();
        let client_request_id = Uuid::new_v4().to_string();
        let connection = self.connections.take();
        let mut request = connection
            .http
            .request(method.clone(), path.url(&self.root))
            .header(AUTHORIZATION, token.header.clone())
            .header("client-request-id", &client_request_id);
        if let Some(prefer) = prefer {
            request = request.header("Prefer", prefer);
        }
        if *is_advanced_query {
            request = request.header("ConsistencyLevel", "eventual");
        }
        request = match body.clone() {
            // Graph's front end answers 411 to an empty POST without this header (Graph page "message: send"), and over
            // HTTP/1.1 it is left out unless it is set. An empty body has no type.
            Some(body) if body.is_empty() => request.header(CONTENT_LENGTH, 0),
            Some(body) => request.header(CONTENT_TYPE, "application/json").body(body),
            None => request,
        };
        let response = match response::within(read_timeout, request.send()).await {
            Err(silent) => Err(silent),
            Ok(Ok(response)) => response::success(response, read_timeout).await,
            Ok(Err(error)) => Err(response::no_response(self.connections.proxy(), &error)),
        };
        let response = response.map_err(|error| error.scrubbed(token.scrubber()));
        if response.as_ref().is_err_and(is_out_of_service) {
            self.connections.leave(&connection);
        }
        if let Ok(response) = &response {
            self.is_http2.store(response.version() == Version::HTTP_2, Ordering::Relaxed);
        }
        let sent = if path.is_batch() { Sent::Batch } else { Sent::Single };
        count(&self.metrics, sent, response.as_ref().map(|response| response.status().as_u16()));
        self.metrics.took(started.elapsed());
        let elapsed_ms = started.elapsed().as_millis();
        match &response {
            Ok(response) => debug!(
                %method,
                resource = path.resource(),
                status = response.status().as_u16(),
                request_id = response::request_id(response),
                client_request_id,
                elapsed_ms,
                "graph request"
            ),
            Err(error) => debug!(
                %method,
                resource = path.resource(),
                error = error.for_log(),
                client_request_id,
                elapsed_ms,
                "graph request failed"
            ),
        }
        response
    }

    /// Returns the address of an upload session, where it is one of Graph's own server, or of a host that files may be
    /// sent to. A Graph without TLS is a stand-in on this machine, and may name another server there.
    pub(crate) fn upload_address(&self, address: &str) -> Option<Url> {
        upload_address(address, &self.root, &self.upload_hosts)
    }

    /// Sends one range of an upload to the address that Graph named for it. That address is authorised by itself and
    /// must not get the token (Graph page "Attach large files to Outlook messages or events"). Without a range, asks
    /// which ranges are missing.
    pub(crate) async fn upload(&self, to: &Url, range: Option<(String, Bytes)>) -> Result<Response, Error> {
        let connection = self.connections.take();
        let request = match range {
            Some((range, bytes)) => connection
                .http
                .put(to.clone())
                .header(CONTENT_TYPE, "application/octet-stream")
                .header(CONTENT_RANGE, range)
                .body(bytes),
            None => connection.http.get(to.clone()),
        };
        self.send_authorised(&connection, to, request).await
    }

    /// Sends the JSON `body` to an address that Graph named for it, without the token, as an upload.
    pub(crate) async fn post_authorised(&self, to: &Url, body: Bytes) -> Result<Response, Error> {
        let connection = self.connections.take();
        let request = connection.http.post(to.clone()).header(CONTENT_TYPE, "application/json").body(body);
        self.send_authorised(&connection, to, request).await
    }

    async fn send_authorised(
        &self,
        connection: &ConnectionUse,
        to: &Url,
        request: reqwest::RequestBuilder,
    ) -> Result<Response, Error> {
        let sent = async {
            let response = response::within(self.read_timeout, request.send()).await?;
            let response =
                response.map_err(|error| response::no_response(self.connections.proxy(), &error))?;
            let response = response::success(response, self.read_timeout).await?;
            response::read_success(response, Expected::Success, self.read_timeout, self.turn()).await
        };
        // Who knows the address may send to it.
        let address = to.query().map(Secret::new);
        let response = sent.await.map_err(|error| error.scrubbed(&Scrubber::new(&address)));
        if response.as_ref().is_err_and(is_out_of_service) {
            self.connections.leave(connection);
        }
        count(&self.metrics, Sent::Upload, response.as_ref().map(|response| response.status));
        response
    }
}

/// Counts a response by its status, or that there was none.
pub(crate) fn count(metrics: &Metrics, sent: Sent, outcome: Result<u16, &Error>) {
    let status = outcome.map_or_else(Error::status, Some);
    let throttled = outcome.is_err_and(|error| error.backoff_hint().is_some());
    metrics.answered(sent, status, throttled);
}

/// Whether the token is not accepted.
pub(crate) fn is_token_rejected(error: &Error) -> bool {
    error.meaning() == Some(Meaning::TokenRejected)
}

/// Returns `address`, where a file may be sent to it: over TLS, without a login, to the server of `root`, to an Outlook
/// host or to one of `hosts`.
pub(crate) fn upload_address(address: &str, root: &Url, hosts: &[String]) -> Option<Url> {
    let url = Url::parse(address).ok()?;
    let is_plain = url.scheme() == "https" && url.username().is_empty() && url.password().is_none();
    let is_listed = |host: &str| OUTLOOK_HOSTS.contains(&host) || hosts.iter().any(|listed| listed == host);
    let may_be_sent_to = url.origin() == root.origin()
        || url.port().is_none() && url.host_str().is_some_and(is_listed)
        || root.scheme() == "http" && http::is_loopback(&url);
    (is_plain && may_be_sent_to).then_some(url)
}

fn is_out_of_service(error: &Error) -> bool {
    error.refusal().is_some_and(|refusal| refusal.status == 503)
}
