//! Requests to SOAR: signed, timed, repeated where that is right, and their answers judged.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::error::Credentials;
use super::sign_in::Session;
use super::upload::Watched;
use super::{Content, Error};
use crate::{Login, SoarSettings};
use net::Proxy;
use net::http;
use net::untrusted::json;
use net::untrusted::text::is_unsafe_to_display;

/// Longest silence of SOAR within one request.
const SILENCE: Duration = Duration::from_secs(60);

/// Longest wait between two tries, whatever the settings or SOAR's `Retry-After` say.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// No answer that is read whole is larger: lists of attachments and of notes are far below.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;

/// Nor does one hold more values; a small one takes dozens of bytes in memory.
const MOST_VALUES: usize = 2_000_000;

/// The part of an error's body that is read, and the part of SOAR's message that is shown.
const ERROR_BODY: usize = 64 * 1024;
pub(super) const MESSAGE: usize = 500;

/// One request, as often as it is made.
pub(super) struct Request<'a> {
    /// What it tries, as in "the attempt to …".
    pub(super) attempt: String,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: RequestBody<'a>,
    /// How long SOAR may think about it, where that is longer than its usual [`SILENCE`].
    pub(super) bound: Option<Duration>,
}

pub(super) enum RequestBody<'a> {
    None,
    Json(Bytes),
    File { name: &'a str, content_type: &'a str, content: &'a Content },
}

impl Request<'_> {
    /// Whether to make it again after `error`. Reading twice does no harm. A note or an attachment would be there
    /// twice, so it is repeated only where SOAR certainly did not take it: no connection was made, or SOAR asked
    /// to come later (429, 503); and a stream, only while nothing of it was sent.
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

/// How SOAR is reached, and who we are to it.
pub(super) struct Connection {
    requests: reqwest::Client,
    /// Without a limit on the time until the answer, which would count the upload's own time.
    uploads: reqwest::Client,
    proxy: Proxy,
    server: String,
    base: Url,
    login: Login,
    /// What a password's session shows with each request; replaced when it has expired.
    session: Mutex<Arc<HeaderMap>>,
    tries: u32,
    delay: Duration,
    backoff: f64,
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
            delay: settings.retry_delay,
            backoff: settings.retry_backoff,
        })
    }

    /// The address of `segments` under `/rest`; each is encoded.
    pub(super) fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        // Only a URL without a host has no path, and this one has one.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("rest").extend(segments);
        }
        url
    }

    /// Host and port.
    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// Whether this is a session that ends, rather than an API key.
    pub(super) fn may_expire(&self) -> bool {
        matches!(self.login, Login::Password { .. })
    }

    /// Signs in, as often as `tries` allows (`None`: until it works) where a repeat may do better.
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
            let said = error.for_log();
            tracing::warn!(error = said, tries = done, ?wait, "signing in to SOAR is tried again");
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
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = headers;
        Ok(session)
    }

    /// The answer to `request`, read as JSON.
    pub(super) async fn fetch<T: DeserializeOwned>(&self, request: &Request<'_>) -> Result<T, Error> {
        self.repeat(request, |response| self.json(response, &request.attempt)).await
    }

    /// The answer to `request`, whose body is still on its way.
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
                // Somebody else may have done so in the meantime.
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
            let said = error.for_log();
            tracing::info!(error = said, tries = done, ?wait, "a request to SOAR is tried again");
            tokio::time::sleep(wait).await;
        }
    }

    fn session(&self) -> Arc<HeaderMap> {
        Arc::clone(&self.session.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// One try. Any status but a success is an error.
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
        // What came until then will do.
        let _ = tokio::time::timeout(SILENCE, reading).await;
        let message = message(&body);
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

    async fn json<T: DeserializeOwned>(&self, mut response: Response, attempt: &str) -> Result<T, Error> {
        let mut body = Vec::new();
        let reading = async {
            while let Some(chunk) =
                response.chunk().await.map_err(|error| Error::of_network(&error, &self.server, attempt))?
            {
                if body.len() + chunk.len() > LARGEST_ANSWER {
                    return Err(Error::NotAnAnswer {
                        attempt: attempt.to_owned(),
                        reason: format!("it is larger than {} MiB", LARGEST_ANSWER >> 20),
                    });
                }
                body.extend_from_slice(&chunk);
            }
            Ok(())
        };
        // Uploads have no other limit on their answer.
        tokio::time::timeout(SILENCE, reading).await.map_err(|_| Error::Interrupted {
            attempt: attempt.to_owned(),
            reason: "no answer in time".to_owned(),
        })??;
        let no_answer = |reason| Error::NotAnAnswer { attempt: attempt.to_owned(), reason };
        let text = std::str::from_utf8(&body).map_err(|_| no_answer("it is not UTF-8".to_owned()))?;
        if json::values(text) > MOST_VALUES {
            return Err(no_answer(format!("it holds more than {MOST_VALUES} values")));
        }
        serde_json::from_str(text).map_err(|error| {
            // The error itself might quote what is in the body.
            let (line, column) = (error.line(), error.column());
            no_answer(format!("it is not the JSON that was expected (line {line}, column {column})"))
        })
    }

    /// The wait after `done` uploads, the last of which SOAR put off with `error` (429) after some of it was sent;
    /// `None` where it is not to be tried again. Where SOAR was not reached, nothing was sent, and it was tried again
    /// already.
    pub(super) fn put_off(&self, done: u32, error: &Error) -> Option<Duration> {
        (done < self.tries && error.status() == Some(429)).then(|| self.wait(done, error.retry_after()))
    }

    /// The wait after `done` tries: what SOAR asks for, else the delay, longer each time; some of it is chance,
    /// so that calls that failed together do not come back together.
    fn wait(&self, done: u32, asked: Option<Duration>) -> Duration {
        let factor = self.backoff.powi(i32::try_from(done).unwrap_or(i32::MAX).saturating_sub(1));
        let own = Duration::try_from_secs_f64(self.delay.as_secs_f64() * factor).unwrap_or(LONGEST_WAIT);
        let wait = asked.unwrap_or(own).min(LONGEST_WAIT);
        wait.mul_f64(1.0 + fastrand::f64() / 4.0)
    }
}

/// `name` as the name of a file, wherever it is opened later: it leads to no other place, ends no line, and looks
/// like what it is. What would do otherwise becomes `_`. A slash alone does not: message ids have some, and the file
/// of a message is called after it.
pub fn file_name(name: &str) -> String {
    let misleads = |c: char| c == '\\' || is_unsafe_to_display(c);
    let name: String = name.chars().map(|c| if misleads(c) { '_' } else { c }).collect();
    let leads_away = name.starts_with('/') || name.split('/').any(|part| matches!(part, "." | ".."));
    match name.as_str() {
        "." | ".." => "_".to_owned(),
        _ if leads_away => name.replace('/', "_"),
        _ => name,
    }
}

/// The parts `file` and `description`, the latter empty, as SOAR wants them.
fn form(name: &str, content_type: &str, length: Option<u64>, content: Watched) -> Form {
    let name = if name.is_empty() { "Unknown".to_owned() } else { file_name(name) };
    let mut headers = HeaderMap::new();
    let media_type =
        HeaderValue::from_str(content_type).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_TYPE, media_type);
    let body = reqwest::Body::wrap_stream(content);
    let file = match length {
        Some(length) => Part::stream_with_length(body, length),
        None => Part::stream(body),
    };
    Form::new().part("file", file.file_name(name).headers(headers)).text("description", "")
}

/// SOAR's own words, where its error has some.
pub(super) fn message(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer {
        message: Option<String>,
        title: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let text = answer.message.or(answer.title)?;
    let words: Vec<&str> = text.split_whitespace().collect();
    Some(words.join(" ").chars().take(MESSAGE).collect::<String>()).filter(|text| !text.is_empty())
}
