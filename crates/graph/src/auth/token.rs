//! The access token: fetched once for all requests that wait for it, and renewed before it expires (Microsoft identity
//! platform, "OAuth 2.0 client credentials flow").

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use chrono::Utc;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use parking_lot::Mutex;
use reqwest::header::{HeaderValue, RETRY_AFTER};
use serde::Deserialize;
use tracing::{Instrument, info, warn};
use url::Url;

use crate::auth::error::TokenError;
use crate::auth::token_request;
use crate::auth::token_response::TokenResponse;
use crate::error::Error;
use crate::failure::{Failure, retry_after};
use crate::metrics::{Metrics, TokenOutcome};
use crate::response;
use crate::retry::{Policy, RetrySafety};
use crate::{Credential, GraphSettings};
use net::untrusted::text::{excerpt, is_code, is_request_id};
use net::{Proxy, Scrubber, Secret};

/// A token is renewed this long before its end, or after four fifths of its life where that is later.
const RENEW_BEFORE: Duration = Duration::from_secs(300);
/// After a failed renewal, the next one is tried this much later, or when the token has ended.
const RENEW_AGAIN_AFTER: Duration = Duration::from_secs(30);
/// A token answer is a few kilobytes.
const LARGEST_ANSWER: usize = 1 << 20;

/// A longer description does not help an analyst, in characters.
const LONGEST_DESCRIPTION: usize = 500;

/// A token, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    /// `Bearer …`, marked as sensitive.
    pub(crate) header: HeaderValue,
    fetched_at: Instant,
    renew_at: Instant,
    expires_at: Instant,
    /// Removes the token from texts; made when it is first needed.
    scrubber: Arc<OnceLock<Scrubber>>,
}

impl Token {
    /// Returns what removes the token from texts.
    pub(crate) fn scrubber(&self) -> &Scrubber {
        self.scrubber.get_or_init(|| {
            let header = self.header.to_str().unwrap_or_default();
            Scrubber::new([&Secret::new(header.strip_prefix("Bearer ").unwrap_or(header))])
        })
    }
}

/// From when to when a token is good.
#[derive(Clone, Copy, Debug)]
pub struct TokenLife {
    /// When it was asked for.
    pub fetched_at: Instant,
    /// When it ends.
    pub expires_at: Instant,
}

type Fetch = Shared<BoxFuture<'static, Result<Token, TokenError>>>;

/// Where tokens come from.
#[derive(Debug)]
pub(crate) struct Tokens {
    endpoint: Arc<Endpoint>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    current: Option<Token>,
    fetching: Option<Fetch>,
    /// Counts fetches begun and tokens refused: only the fetch that nothing came after may set the token.
    generation: u64,
}

impl State {
    /// Takes in what the fetch of `generation` brought.
    fn settle(&mut self, generation: u64, fetched: &Result<Token, TokenError>) {
        if self.generation != generation {
            return;
        }
        self.fetching = None;
        match (fetched, &mut self.current) {
            (Ok(token), _) => self.current = Some(token.clone()),
            (Err(error), Some(current)) => {
                warn!(%error, "the access token could not be renewed; the current one is used while it lasts");
                current.renew_at = Instant::now() + RENEW_AGAIN_AFTER;
            }
            (Err(_), None) => {}
        }
    }
}

impl Tokens {
    pub(crate) fn new(
        (http, proxy): (reqwest::Client, Proxy),
        settings: &GraphSettings,
        metrics: Arc<Metrics>,
    ) -> Self {
        let endpoint = Endpoint {
            http,
            proxy,
            url: settings.token_url.clone(),
            credential: settings.credential.clone(),
            resource: settings.base_url.origin().ascii_serialization(),
            policy: Policy::new(settings),
            metrics,
            read_timeout: settings.timeout,
        };
        Self { endpoint: Arc::new(endpoint), state: Arc::default() }
    }

    /// The life of the token in use, where it is good.
    pub(crate) fn life(&self) -> Option<TokenLife> {
        let state = self.state.lock();
        let Token { fetched_at, expires_at, .. } = *state.current.as_ref()?;
        (Instant::now() < expires_at).then_some(TokenLife { fetched_at, expires_at })
    }

    /// Returns a token that is still valid. A renewal runs in the background, so requests do not wait for it.
    pub(crate) async fn get(&self) -> Result<Token, TokenError> {
        let fetch = {
            let mut state = self.state.lock();
            let now = Instant::now();
            if let Some(token) = state.current.clone().filter(|token| now < token.expires_at) {
                if token.renew_at <= now {
                    drop(self.join_fetch(&mut state));
                }
                return Ok(token);
            }
            state.current = None;
            self.join_fetch(&mut state)
        };
        fetch.await
    }

    /// Forgets `refused`, which Graph does not take, so that the next [`get`](Self::get) fetches another.
    pub(crate) fn discard(&self, refused: &Token) {
        let mut state = self.state.lock();
        if state.current.as_ref().is_some_and(|token| token.header == refused.header) {
            *state = State { generation: state.generation + 1, ..State::default() };
        }
    }

    /// The fetch under way, or a new one. It is a task of its own, so it goes on when its first caller leaves; its
    /// lines of the log are that caller's.
    fn join_fetch(&self, state: &mut State) -> Fetch {
        if let Some(fetch) = state.fetching.as_ref().filter(|fetch| fetch.peek().is_none()) {
            return fetch.clone();
        }
        state.generation += 1;
        let generation = state.generation;
        let (endpoint, shared) = (Arc::clone(&self.endpoint), Arc::clone(&self.state));
        let url = endpoint.url.to_string();
        let fetching = async move {
            let fetched = endpoint.fetch().await;
            shared.lock().settle(generation, &fetched);
            fetched
        };
        let task = tokio::spawn(fetching.in_current_span());
        let fetch = task
            .map(|joined| {
                joined.unwrap_or_else(|error| Err(TokenError::Unavailable { url, reason: error.to_string() }))
            })
            .boxed()
            .shared();
        state.fetching = Some(fetch.clone());
        fetch
    }
}

#[derive(Debug)]
pub(crate) struct Endpoint {
    http: reqwest::Client,
    proxy: Proxy,
    url: Url,
    credential: Credential,
    /// Graph, whatever cloud it is in: scheme and host.
    resource: String,
    policy: Policy,
    metrics: Arc<Metrics>,
    /// The longest silence of the endpoint.
    read_timeout: Duration,
}

#[derive(Deserialize)]
pub(crate) struct Denied {
    error: String,
    #[serde(default)]
    error_description: String,
    trace_id: Option<String>,
}

impl Denied {
    /// Whether the server says that it may grant the token soon (RFC 6749, 4.1.2.1), whatever the status.
    fn is_transient(&self) -> bool {
        matches!(self.error.as_str(), "temporarily_unavailable" | "server_error")
    }
}

/// One try's failure, and how the retry policy sees it.
struct Failed(TokenError, Failure);

impl Endpoint {
    async fn fetch(&self) -> Result<Token, TokenError> {
        let mut tries = self.policy.tries(RetrySafety::Harmless, &self.metrics);
        loop {
            let tried = self.try_once().await;
            let outcome = outcome(tried.as_ref().err().map(|Failed(error, _)| error));
            self.metrics.token_requested(outcome);
            let Failed(error, failure) = match tried {
                Ok(token) => return Ok(token),
                Err(failed) => failed,
            };
            let Some(wait) = tries.after(failure) else { return Err(error) };
            warn!(%error, wait_ms = wait.as_millis(), "no access token yet; trying again");
            tokio::time::sleep(wait).await;
        }
    }

    async fn try_once(&self) -> Result<Token, Failed> {
        let asked_at = Instant::now();
        let request = token_request::request(&self.http, &self.url, &self.credential, &self.resource).await;
        let (request, proof) = request.map_err(|reason| {
            Failed(TokenError::Credential { option: self.credential.option(), reason }, Failure::Final)
        })?;
        let answer = response::within(self.read_timeout, request.send()).await;
        let answer = answer.map_err(|silent| self.not_asked(&silent))?;
        let answer = answer.map_err(|error| self.not_asked(&response::no_response(&self.proxy, &error)))?;
        let status = answer.status().as_u16();
        let wait = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let wait = wait.and_then(|value| retry_after(value, Utc::now()));
        let body = response::read(answer, LARGEST_ANSWER, self.read_timeout, &mut response::Room::Small)
            .await
            .map_err(|error| self.not_asked(&error))?;
        let denied = serde_json::from_slice::<Denied>(&body).ok();
        if status == 200 && denied.is_none() {
            return self.granted(&body, asked_at).ok_or_else(|| self.unreadable(status, Failure::Unknown));
        }
        let failure = match &self.credential {
            // While it starts or is updated ("How to use managed identities … to acquire an access token").
            Credential::ManagedIdentity { .. } if matches!(status, 404 | 410) => Failure::Throttled(wait),
            _ if denied.as_ref().is_some_and(Denied::is_transient) => Failure::Busy(wait),
            _ => Failure::of_status(status, wait),
        };
        match (failure, denied) {
            (Failure::Final, Some(denied)) => {
                Err(Failed(self.refused(status, &denied, &Scrubber::new(&proof)), Failure::Final))
            }
            (failure, _) => Err(self.unreadable(status, failure)),
        }
    }

    fn granted(&self, body: &[u8], asked_at: Instant) -> Option<Token> {
        let granted: TokenResponse = serde_json::from_slice(body).ok()?;
        let mut header = HeaderValue::try_from(format!("Bearer {}", granted.access_token)).ok()?;
        header.set_sensitive(true);
        let life = Duration::from_secs(granted.life()?.min(7 * 24 * 3600));
        info!(expires_in_s = life.as_secs(), credential = %self.credential, "access token fetched");
        let renew_after = life.saturating_sub(RENEW_BEFORE).max(life * 4 / 5);
        Some(Token {
            header,
            fetched_at: asked_at,
            renew_at: asked_at + renew_after,
            expires_at: asked_at + life,
            scrubber: Arc::default(),
        })
    }

    fn refused(&self, status: u16, denied: &Denied, scrubber: &Scrubber) -> TokenError {
        let description = denied.error_description.lines().next().unwrap_or_default().trim();
        let trace_id = denied.trace_id.as_deref().filter(|id| is_request_id(id));
        TokenError::Refused {
            status,
            application: self.credential.to_string(),
            check: match &self.credential {
                Credential::Application { .. } => {
                    format!("tenant_id, client_id and {}", self.credential.option())
                }
                Credential::ManagedIdentity { .. } => "client_id and managed_identity".to_owned(),
            },
            error: if is_code(&denied.error) { scrubber.scrub(&denied.error) } else { "an error".to_owned() },
            description: excerpt(&scrubber.scrub(description), LONGEST_DESCRIPTION),
            trace_id: trace_id.map(|id| scrubber.scrub(id)),
        }
    }

    fn unreadable(&self, status: u16, failure: Failure) -> Failed {
        let reason = match failure {
            Failure::Throttled(_) | Failure::Busy(_) => format!("it asks to wait (HTTP status {status})"),
            _ => format!("HTTP status {status}, and not the answer of a token endpoint"),
        };
        Failed(TokenError::Unavailable { url: self.url.to_string(), reason }, failure)
    }

    fn not_asked(&self, error: &Error) -> Failed {
        Failed(
            TokenError::Unavailable { url: self.url.to_string(), reason: error.to_string() },
            error.failure(),
        )
    }
}

fn outcome(failure: Option<&TokenError>) -> TokenOutcome {
    match failure {
        None => TokenOutcome::Granted,
        Some(TokenError::Refused { .. } | TokenError::Credential { .. }) => TokenOutcome::Refused,
        Some(TokenError::Unavailable { .. }) => TokenOutcome::Unavailable,
    }
}
