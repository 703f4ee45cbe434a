//! `$batch`: requests of many callers, sent together, several batches side by side (Graph page "Combine
//! multiple HTTP requests using JSON batching").
//!
//! One task, the driver, holds what waits. Callers hand it single requests through a [`Lane`] and get single
//! answers; what shares a batch with what is nobody else's concern. Lanes take turns, so that a search through
//! a whole tenant does not keep a small one waiting.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::debug;

use super::error::Error;
use super::path::Path;
use super::retry::retry_after;
use super::service::Service;
use super::token::Token;
use super::wire::{self, Answer, Body};

/// How long a batch that is not full waits for more to come. A round trip takes far longer.
const LINGER: Duration = Duration::from_millis(2);

/// What can stand in a batch: a request without a body.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) method: Method,
    pub(super) path: Path,
}

struct Waiting {
    lane: u64,
    part: Part,
    answer: oneshot::Sender<Result<Answer, Error>>,
    /// Whether it was sent again for a new token already.
    signed_again: bool,
}

/// The driver's door.
#[derive(Debug)]
pub(super) struct Batches {
    inbox: mpsc::UnboundedSender<Waiting>,
    lanes: AtomicU64,
}

/// One caller's line before the door. Lanes are served in turn.
#[derive(Debug, Clone)]
pub struct Lane {
    id: u64,
    inbox: mpsc::UnboundedSender<Waiting>,
}

impl Batches {
    /// Starts the driver: batches of `size` parts, `side_by_side` of them at once.
    pub(super) fn start(service: Arc<Service>, size: usize, side_by_side: usize) -> Self {
        let (inbox, requests) = mpsc::unbounded_channel();
        let driver =
            Driver { service, size, side_by_side, waiting: Lines::default(), in_flight: JoinSet::new() };
        tokio::spawn(driver.run(requests));
        Self { inbox, lanes: AtomicU64::new(0) }
    }

    pub(super) fn lane(&self) -> Lane {
        Lane { id: self.lanes.fetch_add(1, Ordering::Relaxed), inbox: self.inbox.clone() }
    }
}

impl Lane {
    /// One try of `part` in some batch. Dropping the future takes the part out of what waits.
    pub(super) async fn once(&self, part: Part) -> Result<Answer, Error> {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { lane: self.id, part, answer, signed_again: false };
        let gone = || Error::Unreachable { reason: "the program is ending".to_owned(), sent: false };
        self.inbox.send(waiting).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

/// What waits, a line a lane.
#[derive(Default)]
struct Lines {
    lines: VecDeque<(u64, VecDeque<Waiting>)>,
    len: usize,
}

impl Lines {
    fn push(&mut self, waiting: Waiting) {
        self.len += 1;
        match self.lines.iter_mut().find(|(lane, _)| *lane == waiting.lane) {
            Some((_, line)) => line.push_back(waiting),
            None => self.lines.push_back((waiting.lane, VecDeque::from([waiting]))),
        }
    }

    /// Up to `most` requests, one of each lane in turn. Those nobody waits for any more are dropped.
    fn take(&mut self, most: usize) -> Vec<Waiting> {
        let mut taken = Vec::with_capacity(most);
        while taken.len() < most
            && let Some((lane, mut line)) = self.lines.pop_front()
        {
            if let Some(waiting) = line.pop_front() {
                self.len -= 1;
                if !waiting.answer.is_closed() {
                    taken.push(waiting);
                }
                self.lines.push_back((lane, line));
            }
        }
        taken
    }
}

struct Driver {
    service: Arc<Service>,
    size: usize,
    side_by_side: usize,
    waiting: Lines,
    /// Each ends with the parts that want to be sent again with a new token.
    in_flight: JoinSet<Vec<Waiting>>,
}

impl Driver {
    /// Runs until every [`Lane`] and the [`Batches`] are gone.
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Waiting>) {
        let mut arrived = Vec::new();
        let mut partial_at: Option<Instant> = None;
        loop {
            tokio::select! {
                count = inbox.recv_many(&mut arrived, 1024) => {
                    if count == 0 {
                        return;
                    }
                    arrived.drain(..).for_each(|waiting| self.waiting.push(waiting));
                }
                Some(batch) = self.in_flight.join_next() => {
                    batch.into_iter().flatten().for_each(|again| self.waiting.push(again));
                }
                () = tokio::time::sleep_until(partial_at.unwrap_or_else(Instant::now)), if partial_at.is_some() => {}
            }
            let deadline = *partial_at.get_or_insert_with(|| Instant::now() + LINGER);
            while self.in_flight.len() < self.side_by_side
                && (self.waiting.len >= self.size || self.waiting.len > 0 && deadline <= Instant::now())
            {
                self.send();
            }
            // With every place taken there is nothing to wait for but an answer.
            if self.waiting.len == 0 || self.in_flight.len() >= self.side_by_side {
                partial_at = None;
            }
        }
    }

    fn send(&mut self) {
        let parts = self.waiting.take(self.size);
        if !parts.is_empty() {
            self.in_flight.spawn(send(Arc::clone(&self.service), parts));
        }
    }
}

/// Sends one batch and hands out its answers.
async fn send(service: Arc<Service>, parts: Vec<Waiting>) -> Vec<Waiting> {
    let started = Instant::now();
    let (mut answers, token) = match exchange(&service, &parts).await {
        Ok(exchanged) => exchanged,
        Err(error) => {
            debug!(parts = parts.len(), %error, "batch failed");
            for part in parts {
                let _ = part.answer.send(Err(error.clone()));
            }
            return Vec::new();
        }
    };
    debug!(parts = parts.len(), elapsed_ms = started.elapsed().as_millis(), "batch answered");
    let mut again = Vec::new();
    for (id, mut part) in parts.into_iter().enumerate() {
        let answer = answers.remove(&id).unwrap_or(Err(Error::NotAnAnswer {
            status: 200,
            what: "the batch's answer leaves out one of its requests",
            request_id: None,
        }));
        if let Err(Error::Refused(refusal)) = &answer
            && refusal.status == 401
            && !part.signed_again
        {
            service.discard(&token);
            part.signed_again = true;
            again.push(part);
        } else {
            let _ = part.answer.send(answer);
        }
    }
    again
}

type Answers = HashMap<usize, Result<Answer, Error>>;

async fn exchange(service: &Service, parts: &[Waiting]) -> Result<(Answers, Token), Error> {
    #[derive(Serialize)]
    struct Batch<'a> {
        requests: Vec<Request<'a>>,
    }
    #[derive(Serialize)]
    struct Request<'a> {
        id: String,
        method: &'a str,
        url: &'a str,
    }
    let requests = parts.iter().enumerate().map(|(id, waiting)| Request {
        id: id.to_string(),
        method: waiting.part.method.as_str(),
        url: waiting.part.path.as_str(),
    });
    let body = serde_json::to_vec(&Batch { requests: requests.collect() }).unwrap_or_default();
    let (answer, token) = service.exchange(&Method::POST, &Path::batch(), Some(Bytes::from(body))).await?;
    Ok((read(&answer)?, token))
}

/// Takes a batch's answer apart, by the id of each part. The parts come in any order.
fn read(answer: &Answer) -> Result<Answers, Error> {
    #[derive(Deserialize)]
    struct Batch {
        responses: Vec<Response>,
    }
    #[derive(Deserialize)]
    struct Response {
        id: String,
        status: u16,
        #[serde(default)]
        headers: Option<HashMap<String, Value>>,
        body: Option<Box<RawValue>>,
    }
    let batch: Batch = answer.parse()?;
    let answers = batch.responses.into_iter().filter_map(|response| {
        let header = |wanted: &str| {
            let headers = response.headers.as_ref()?;
            let value = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted))?.1;
            Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        };
        let wait = header("retry-after").and_then(|value| retry_after(&value, Utc::now()));
        let request_id = header("request-id").or_else(|| answer.request_id.clone());
        let body = response.body.map_or(Body::None, |body| {
            // What is no JSON stands in a batch as base64 text; no answer of ours is a mere text.
            if body.get().starts_with('"') { Body::Other } else { Body::Json(body) }
        });
        let judged = wire::judge(response.status, wait, request_id, body);
        Some((response.id.parse().ok()?, judged))
    });
    Ok(answers.collect())
}
