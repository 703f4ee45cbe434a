//! Requests to SOAR's REST interface: login, timeouts, retries, and checks of the answers.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use parking_lot::Mutex;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::clock::Clock;
use super::error::Credentials;
use super::sign_in::Session;
use super::upload::form;
use super::{Content, Error};
use crate::{Login, SoarSettings};
use net::http;
use net::untrusted::json;
use net::untrusted::text::excerpt;
use net::{Backoff, Jitter, Proxy, Scrubber, Secret};

/// The longest silence of SOAR within one request.
const SILENCE: Duration = Duration::from_secs(60);

/// The longest wait between two attempts, whatever the settings or SOAR's `Retry-After` say.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The largest answer that is read as a whole, in bytes; lists of attachments and notes are far smaller.
const LARGEST_ANSWER: u64 = 64 * 1024 * 1024;

/// The most JSON values in an answer; a small value takes dozens of bytes in memory.
const MOST_VALUES: usize = 2_000_000;

/// The most bytes of an error's body that are read.
const ERROR_BODY: usize = 64 * 1024;
/// The most characters of SOAR's message that are shown.
pub(super) const MESSAGE: usize = 500;

/// A request, which may be sent several times.
pub(super) struct Request<'a> {
    /// What it does, as in "the attempt to …".
    pub(super) attempt: String,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: RequestBody<'a>,
    /// The longest time until the answer, where that is longer than [`SILENCE`].
    pub(super) bound: Option<Duration>,
}

pub(super) enum RequestBody<'a> {
    None,
    Json(Bytes),
    File { name: &'a str, content_type: &'a str, content: &'a Content },
}

impl Request<'_> {
    /// Whether to send the request again after `error`. A read may be repeated. A note or an attachment would exist
    /// twice, so it is repeated only if SOAR certainly did not accept it: no connection was made, or SOAR answered
    /// 429. A stream is repeated only while none of it was sent.
    fn may_follow(&self, error: &Error) -> bool {
        let harmless = if self.method == Method::GET { error.is_transient() } else { error.is_put_off() };
        harmless && self.can_be_sent()
    }

    fn can_be_sent(&self) -> bool {
        match &self.body {
            RequestBody::File { content, .. } => content.is_whole(),
            RequestBody::None | RequestBody::Json(_) => true,
        }
    }
}

/// The REST interface of one SOAR, with the login.
pub(super) struct Connection {
    requests: reqwest::Client,
    /// Has no limit on the time until the answer, which would include the time of the upload.
    uploads: reqwest::Client,
    proxy: Proxy,
    server: String,
    base: Url,
    login: Login,
    /// The headers of a password's session; replaced when the session has expired.
    session: Mutex<Arc<HeaderMap>>,
    tries: u32,
    backoff: Backoff,
    pub(super) clock: Clock,
}

impl Connection {
    pub(super) fn new(settings: &SoarSettings) -> Result<Self, Error> {
        let tls = http::tls_config(&settings.trust, settings.client_certificate.as_ref())?;
        let client = |silence| {
            http::client_builder(tls.clone(), &settings.proxy, silence)
                .build()
                .map_err(|error| Error::of_network(&error, &settings.host, "set up HTTP"))
        };
        let host =
            if settings.host.contains(':') { format!("[{}]", settings.host) } else { settings.host.clone() };
        let server = format!("{host}:{}", settings.port);
        let prefix = settings.resource_prefix.as_deref().unwrap_or_default().trim_matches('/');
        let base = Url::parse(&format!("https://{server}/{prefix}")).map_err(|error| Error::Unreachable {
            server: server.clone(),
            reason: format!("host or resource_prefix is wrong ({error})"),
        })?;
        Ok(Self {
            requests: client(Some(SILENCE))?,
            uploads: client(None)?,
            proxy: settings.proxy.clone(),
            server,
            base,
            login: settings.login.clone(),
            session: Mutex::default(),
            tries: settings.request_tries,
            backoff: Backoff {
                first: settings.retry_delay,
                factor: settings.retry_backoff,
                cap: LONGEST_WAIT,
                jitter: Jitter::Longer(0.25),
            },
            clock: Clock::default(),
        })
    }

    /// The URL of `segments` below `/rest`; each segment is encoded.
    pub(super) fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        // Only a URL without a host has no path segments, and this one has a host.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("rest").extend(segments);
        }
        url
    }

    /// Host and port.
    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// Whether the login is a session that expires, and not an API key.
    pub(super) fn may_expire(&self) -> bool {
        matches!(self.login, Login::Password { .. })
    }

    /// Signs in, with up to `tries` attempts (`None`: no limit) if a repeat may help.
    pub(super) async fn sign_in(&self, tries: Option<u32>) -> Result<Session, Error> {
        let mut url = self.url(&["session"]);
        url.set_query(Some("include_permissions=false"));
        let (method, body) = match &self.login {
            Login::ApiKey { .. } => (Method::GET, RequestBody::None),
            Login::Password { email, password } => {
                let body = serde_json::json!({ "email": email, "password": password.expose() });
                (Method::POST, RequestBody::Json(body.to_string().into()))
            }
        };
        let request = Request { attempt: "sign in".to_owned(), method, url, body, bound: None };
        let mut done = 0;
        loop {
            let error = match self.try_to_sign_in(&request).await {
                Ok(session) => return Ok(session),
                Err(error) => error,
            };
            done += 1;
            if !error.is_transient() || tries.is_some_and(|tries| done >= tries) {
                return Err(error);
            }
            let wait = self.wait(done, error.retry_after());
            let reason = error.for_log();
            tracing::warn!(
                error = reason,
                tries = done,
                wait_ms = wait.as_millis(),
                "signing in to SOAR is tried again"
            );
            tokio::time::sleep(wait).await;
        }
    }

    async fn try_to_sign_in(&self, request: &Request<'_>) -> Result<Session, Error> {
        let sent = self.send(request, &HeaderMap::new()).await;
        let response = match self.login {
            Login::ApiKey { .. } => sent?,
            Login::Password { .. } => sent.map_err(Error::of_password)?,
        };
        let answered = response.headers().clone();
        let session: Session = self.json(response, &request.attempt).await?;
        let headers = Arc::new(session.headers(&self.login, &answered));
        *self.session.lock() = headers;
        Ok(session)
    }

    /// The answer to `request`, read as JSON.
    pub(super) async fn fetch<T: DeserializeOwned>(&self, request: &Request<'_>) -> Result<T, Error> {
        self.repeat(request, |response| self.json(response, &request.attempt)).await
    }

    /// The body of the answer to `request`; `None` where it has more than `most` bytes.
    pub(super) async fn read(&self, request: &Request<'_>, most: u64) -> Result<Option<Vec<u8>>, Error> {
        self.repeat(request, |response| self.bytes(response, &request.attempt, most)).await
    }

    async fn bytes(
        &self,
        mut response: Response,
        attempt: &str,
        most: u64,
    ) -> Result<Option<Vec<u8>>, Error> {
        let mut body = Vec::new();
        let network = |error| Error::of_network(&error, &self.server, attempt);
        while let Some(piece) = response.chunk().await.map_err(network)? {
            if (body.len() + piece.len()) as u64 > most {
                return Ok(None);
            }
            body.extend_from_slice(&piece);
        }
        Ok(Some(body))
    }

    /// The answer to `request`; the caller reads its body.
    pub(super) async fn open(&self, request: &Request<'_>) -> Result<Response, Error> {
        self.repeat(request, |response| std::future::ready(Ok(response))).await
    }

    async fn repeat<T, F, A>(&self, request: &Request<'_>, read: F) -> Result<T, Error>
    where
        F: Fn(Response) -> A,
        A: Future<Output = Result<T, Error>>,
    {
        let mut done = 0;
        let mut signed_in_again = false;
        loop {
            let session = self.session();
            let answer = match self.send(request, &session).await {
                Ok(response) => read(response).await,
                Err(error) => Err(error),
            };
            let error = match answer {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if error.status() == Some(401) && self.may_expire() && !signed_in_again && request.can_be_sent() {
                signed_in_again = true;
                // Another request may have signed in meanwhile.
                if Arc::ptr_eq(&session, &self.session()) {
                    self.sign_in(Some(self.tries)).await?;
                }
                continue;
            }
            done += 1;
            if done >= self.tries || !request.may_follow(&error) {
                return Err(error);
            }
            let wait = self.wait(done, error.retry_after());
            let reason = error.for_log();
            tracing::info!(
                error = reason,
                tries = done,
                wait_ms = wait.as_millis(),
                "a request to SOAR is tried again"
            );
            tokio::time::sleep(wait).await;
        }
    }

    fn session(&self) -> Arc<HeaderMap> {
        Arc::clone(&self.session.lock())
    }

    /// One attempt. Any status but a success is an error.
    async fn send(&self, request: &Request<'_>, session: &HeaderMap) -> Result<Response, Error> {
        let client = match (&request.body, request.bound) {
            (RequestBody::File { .. }, _) | (_, Some(_)) => &self.uploads,
            (RequestBody::None | RequestBody::Json(_), None) => &self.requests,
        };
        let mut builder =
            client.request(request.method.clone(), request.url.clone()).headers(session.clone());
        if let Some(bound) = request.bound {
            builder = builder.timeout(bound);
        }
        if let Login::ApiKey { id, secret } = &self.login {
            builder = builder.basic_auth(id, Some(secret.expose()));
        }
        let network = |error: reqwest::Error| match http::proxy_trouble(&self.proxy, &error) {
            Some(reason) => Error::Unreachable { server: self.server.clone(), reason },
            None => Error::of_network(&error, &self.server, &request.attempt),
        };
        let sent_at = Utc::now();
        let response = match &request.body {
            RequestBody::None => builder.send().await.map_err(network)?,
            RequestBody::Json(json) => {
                let builder = builder.header(CONTENT_TYPE, "application/json").body(json.clone());
                builder.send().await.map_err(network)?
            }
            RequestBody::File { name, content_type, content } => {
                let (body, progress) = content.watched();
                let builder = builder.multipart(form(name, content_type, content.length(), body));
                let sent = tokio::select! {
                    sent = builder.send() => sent.map_err(network),
                    () = progress.standstill(SILENCE) => Err(Error::Interrupted {
                        attempt: request.attempt.clone(),
                        reason: "no progress in time".to_owned(),
                    }),
                };
                match progress.take_error() {
                    Some(source) => return Err(Error::Content { attempt: request.attempt.clone(), source }),
                    None => sent?,
                }
            }
        };
        // The time of an upload says nothing about the time of its answer.
        if !matches!(request.body, RequestBody::File { .. }) {
            let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
            self.clock.measure(date, sent_at, Utc::now());
        }
        if response.status().is_success() { Ok(response) } else { Err(self.refusal(response, request).await) }
    }

    async fn refusal(&self, mut response: Response, request: &Request<'_>) -> Error {
        let status = response.status();
        let retry_after =
            response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let mut body = Vec::new();
        let reading = async {
            while let Ok(Some(chunk)) = response.chunk().await {
                body.extend_from_slice(&chunk);
                if body.len() > ERROR_BODY {
                    break;
                }
            }
        };
        // The part of the body that came in time is enough.
        let _ = tokio::time::timeout(SILENCE, reading).await;
        let message = message(&body, &self.scrubber());
        if status == StatusCode::UNAUTHORIZED {
            let credentials = match self.login {
                Login::ApiKey { .. } => Credentials::ApiKey,
                Login::Password { .. } => Credentials::Password,
            };
            return Error::Unauthorized { credentials, message };
        }
        Error::Refused {
            attempt: request.attempt.clone(),
            status: status.as_u16(),
            message: message.or_else(|| status.canonical_reason().map(str::to_owned)),
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    /// Removes the login and the session from texts, in case that SOAR quotes them.
    pub(super) fn scrubber(&self) -> Scrubber {
        let login = match &self.login {
            Login::ApiKey { secret, .. } => secret.clone(),
            Login::Password { password, .. } => password.clone(),
        };
        let session = self.session();
        let session = session.values().filter_map(|value| Some(Secret::new(value.to_str().ok()?)));
        Scrubber::new(&session.chain([login]).collect::<Vec<_>>())
    }

    async fn json<T: DeserializeOwned>(&self, response: Response, attempt: &str) -> Result<T, Error> {
        // The answer to an upload has no other time limit.
        let reading = tokio::time::timeout(SILENCE, self.bytes(response, attempt, LARGEST_ANSWER));
        let body = reading.await.map_err(|_| Error::Interrupted {
            attempt: attempt.to_owned(),
            reason: "no answer in time".to_owned(),
        })??;
        let no_answer = |reason| Error::NotAnAnswer { attempt: attempt.to_owned(), reason };
        let too_large = || no_answer(format!("it is larger than {} MiB", LARGEST_ANSWER >> 20));
        let body = body.ok_or_else(too_large)?;
        let text = std::str::from_utf8(&body).map_err(|_| no_answer("it is not UTF-8".to_owned()))?;
        if json::values(text) > MOST_VALUES {
            return Err(no_answer(format!("it holds more than {MOST_VALUES} values")));
        }
        serde_json::from_str(text).map_err(|error| {
            // serde's own text might quote the body.
            let (line, column) = (error.line(), error.column());
            no_answer(format!("it is not the JSON that was expected (line {line}, column {column})"))
        })
    }

    /// Returns the wait before an upload is repeated that SOAR refused with 429 (`error`) while it was sent. `attempts`
    /// have been made. `None` if the upload must not be repeated. An upload that never reached SOAR is repeated
    /// without this.
    pub(super) fn put_off(&self, attempts: u32, error: &Error) -> Option<Duration> {
        (attempts < self.tries && error.status() == Some(429))
            .then(|| self.wait(attempts, error.retry_after()))
    }

    /// The wait after `done` attempts: SOAR's `Retry-After`, else the configured delay, which grows each time. A
    /// random part is added, so that calls that failed together do not return together.
    fn wait(&self, done: u32, asked: Option<Duration>) -> Duration {
        let own = self.backoff.nominal(done.saturating_sub(1));
        self.backoff.jitter.apply(asked.unwrap_or(own).min(LONGEST_WAIT))
    }
}

/// SOAR's message in the body of an error, if it has one, without the secrets of `scrubber`.
pub(super) fn message(body: &[u8], scrubber: &Scrubber) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer {
        message: Option<String>,
        title: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let text = answer.message.or(answer.title)?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = excerpt(&scrubber.scrub(&words.join(" ")), MESSAGE);
    Some(text).filter(|text| !text.is_empty())
}
