//! The service behind all requests: one connection pool at a time, one source of tokens, one exchange at a time.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::header::{AUTHORIZATION, CONTENT_RANGE, CONTENT_TYPE};
use reqwest::{Method, Response};
use tokio::time::Instant;
use tracing::debug;
use url::Url;
use uuid::Uuid;

use super::error::Error;
use super::path::Path;
use crate::auth::assertion::Certificate;
use crate::auth::token::{Token, TokenLife, Tokens};
use crate::metrics::{Meters, Sent};
use crate::pool::Connections;
use crate::response::{self as wire, Answer};
use crate::{ApplicationCertificate, Credential, GraphSettings};
use net::Proxy;
use net::http;
use net::tls::TlsError;

/// Microsoft Graph at one address, for one application.
#[derive(Debug)]
pub(super) struct Transport {
    connections: Connections,
    root: Url,
    tokens: Tokens,
    /// The files of the certificate that signs in, where one does, and its end when it was read first.
    certificate: Option<(ApplicationCertificate, DateTime<Utc>)>,
    meters: Arc<Meters>,
}

/// Who asks for tokens: Graph's client, unless the token endpoint has certificate authorities of its own, or is
/// the machine itself, to which no proxy leads; and the proxy on its way.
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
    pub(super) fn new(settings: &GraphSettings, meters: Arc<Meters>) -> Result<Self, TlsError> {
        // A certificate that does not do shows at the start, not with the first call.
        let signs_in = match settings.credential.certificate() {
            Some(files) => {
                let read = Certificate::read(files)?;
                read.warn_of_its_end();
                Some((files.clone(), read.not_after()))
            }
            None => None,
        };
        let connections = Connections::new(settings)?;
        let asks = token_client(settings, &connections.pool().http)?;
        let tokens = Tokens::new(asks, settings, Arc::clone(&meters));
        let root = settings.base_url.clone();
        Ok(Self { connections, root, tokens, certificate: signs_in, meters })
    }

    pub(super) fn root(&self) -> &Url {
        &self.root
    }

    pub(super) fn meters(&self) -> &Arc<Meters> {
        &self.meters
    }

    /// As its file says now: it may have been renewed, and the next token is asked for with what is there.
    pub(super) async fn certificate_end(&self) -> Option<DateTime<Utc>> {
        let (files, first) = self.certificate.clone()?;
        let read = tokio::task::spawn_blocking(move || Certificate::read(&files));
        Some(read.await.ok().and_then(Result::ok).map_or(first, |read| read.not_after()))
    }

    pub(super) fn token_life(&self) -> Option<TokenLife> {
        self.tokens.life()
    }

    pub(super) async fn token(&self) -> Result<Token, Error> {
        Ok(self.tokens.get().await?)
    }

    pub(super) fn discard(&self, refused: &Token) {
        self.tokens.discard(refused);
    }

    /// One try: sends the request and reads its answer.
    pub(super) async fn exchange(
        &self,
        method: &Method,
        path: &Path,
        body: Option<Bytes>,
    ) -> Result<(Answer, Token), Error> {
        let (response, token) = self.open(method, path, body).await?;
        Ok((wire::answer(response).await?, token))
    }

    /// One try: sends the request and returns the response of a success, unread. A token that is refused is
    /// replaced once, and the request signed again.
    pub(super) async fn open(
        &self,
        method: &Method,
        path: &Path,
        body: Option<Bytes>,
    ) -> Result<(Response, Token), Error> {
        let mut token = self.tokens.get().await?;
        let mut response = self.signed(method, path, body.clone(), &token).await;
        if response.as_ref().is_err_and(|error| error.refusal().is_some_and(|refusal| refusal.status == 401))
        {
            self.discard(&token);
            token = self.tokens.get().await?;
            response = self.signed(method, path, body, &token).await;
        }
        Ok((response?, token))
    }

    async fn signed(
        &self,
        method: &Method,
        path: &Path,
        body: Option<Bytes>,
        token: &Token,
    ) -> Result<Response, Error> {
        let started = Instant::now();
        let client_request_id = Uuid::new_v4().to_string();
        let pool = self.connections.pool();
        let mut request = pool
            .http
            .request(method.clone(), path.url(&self.root))
            .header(AUTHORIZATION, token.header.clone())
            .header("client-request-id", &client_request_id);
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let response = match request.send().await {
            Ok(response) => wire::success(response).await,
            Err(error) => Err(wire::no_answer(self.connections.proxy(), &error)),
        };
        if response.as_ref().is_err_and(is_out_of_service) {
            self.connections.leave(&pool);
        }
        let sent = if path.is_batch() { Sent::Batch } else { Sent::Single };
        self.meters.answered(sent, response.as_ref().map(|response| response.status().as_u16()));
        self.meters.durations.observe(started.elapsed());
        let resource = path.resource();
        let elapsed_ms = started.elapsed().as_millis();
        match &response {
            Ok(response) => {
                let (status, request_id) = (response.status().as_u16(), wire::request_id(response));
                debug!(%method, resource, status, request_id, client_request_id, elapsed_ms, "graph request");
            }
            Err(error) => {
                debug!(%method, resource, error = error.for_log(), client_request_id, elapsed_ms, "graph request failed");
            }
        }
        response
    }

    /// Sends one range of an upload to the address Graph named for it, which is authorised by itself and must
    /// not get our token (Graph page "Attach large files to Outlook messages or events"). An empty range asks
    /// what is missing.
    pub(super) async fn upload(&self, to: &Url, range: Option<(String, Bytes)>) -> Result<Answer, Error> {
        let pool = self.connections.pool();
        let request = match range {
            Some((range, bytes)) => pool
                .http
                .put(to.clone())
                .header(CONTENT_TYPE, "application/octet-stream")
                .header(CONTENT_RANGE, range)
                .body(bytes),
            None => pool.http.get(to.clone()),
        };
        let sent = async {
            let answered = request.send().await;
            let response = answered.map_err(|error| wire::no_answer(self.connections.proxy(), &error))?;
            wire::answer(wire::success(response).await?).await
        };
        let answer = sent.await;
        if answer.as_ref().is_err_and(is_out_of_service) {
            self.connections.leave(&pool);
        }
        self.meters.answered(Sent::Upload, answer.as_ref().map(|answer| answer.status));
        answer
    }
}

fn is_out_of_service(error: &Error) -> bool {
    error.refusal().is_some_and(|refusal| refusal.status == 503)
}
