//! The replies to SOAR, by call.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::observed::Observed;
use serde::Deserialize;
use serde_json::Value;
use stomp::{Frame, Headers, ServerCommand};

/// One reply: a status message, or the final reply to a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// 0 for information, 1 for a failed call.
    pub message_type: i64,
    /// The text that SOAR shows.
    pub message: String,
    /// Whether it is the final reply.
    pub complete: bool,
    /// The results for the workflow; may be null.
    pub results: Value,
    /// The body as received.
    pub raw_body: String,
    /// The headers of its MESSAGE.
    pub headers: Headers,
}

/// The fields that SOAR reads in a reply's body.
#[derive(Deserialize)]
struct Body {
    message_type: i64,
    message: String,
    complete: bool,
    #[serde(default)]
    results: Value,
}

/// A message that SOAR could not read as a reply.
#[derive(Debug, Clone, PartialEq)]
pub struct Unreadable {
    /// Its headers.
    pub headers: Headers,
    /// Its body, as far as it is text.
    pub body: String,
    /// What is wrong with it.
    pub reason: String,
}

/// No final reply arrived in time.
#[derive(Debug, thiserror::Error)]
#[error(
    "no final reply to {correlation} within {deadline:?}; status messages so far: {statuses:?}; messages \
         that are not replies: {unreadable}"
)]
pub struct NoReply {
    /// The call.
    pub correlation: String,
    /// How long the caller waited.
    pub deadline: Duration,
    /// The status messages in the meantime.
    pub statuses: Vec<String>,
    /// How many unreadable messages have arrived, for any call.
    pub unreadable: usize,
}

/// The replies to one call.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) statuses: Vec<Reply>,
    pub(super) finals: Vec<Reply>,
}

#[derive(Debug, Default)]
struct Sorted {
    calls: HashMap<String, Answers>,
    unreadable: Vec<Unreadable>,
    /// The ids of the received messages, by which a redelivered message is recognised.
    seen: HashSet<String>,
    /// The calls whose replies were forgotten.
    closed: HashSet<String>,
    /// How many final replies came to closed calls.
    late: usize,
}

/// All replies.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    sorted: Observed<Sorted>,
}

impl Inbox {
    /// Receives a MESSAGE.
    pub(super) fn take(&self, frame: Frame<ServerCommand>) {
        let id = frame.header("message-id").unwrap_or_default().to_owned();
        let correlation = frame.header("correlation-id").map(ToOwned::to_owned);
        let body = String::from_utf8_lossy(&frame.body).into_owned();
        let parsed: Result<Body, _> = serde_json::from_slice(&frame.body);
        let headers = frame.headers;
        self.sorted.change(|sorted| {
            if !sorted.seen.insert(id) {
                return;
            }
            let unreadable = |headers, body, reason: &dyn ToString| Unreadable {
                headers,
                body,
                reason: reason.to_string(),
            };
            match (correlation, parsed) {
                (Some(correlation), Ok(parsed)) if sorted.closed.contains(&correlation) => {
                    sorted.late += usize::from(parsed.complete);
                }
                (Some(correlation), Ok(parsed)) => {
                    let reply = Reply {
                        message_type: parsed.message_type,
                        message: parsed.message,
                        complete: parsed.complete,
                        results: parsed.results,
                        raw_body: body,
                        headers,
                    };
                    let answers = sorted.calls.entry(correlation).or_default();
                    if reply.complete { answers.finals.push(reply) } else { answers.statuses.push(reply) }
                }
                (None, _) => sorted.unreadable.push(unreadable(headers, body, &"no correlation-id")),
                (_, Err(error)) => sorted.unreadable.push(unreadable(headers, body, &error)),
            }
        });
    }

    /// Reads the replies to a call.
    pub(super) fn look<T>(&self, correlation: &str, look: impl FnOnce(&Answers) -> T) -> T {
        self.sorted.look(|sorted| match sorted.calls.get(correlation) {
            Some(answers) => look(answers),
            None => look(&Answers::default()),
        })
    }

    /// Forgets the replies to a call, and returns how many of them were final.
    pub(super) fn close(&self, correlation: &str) -> usize {
        self.sorted.change(|sorted| {
            sorted.closed.insert(correlation.to_owned());
            sorted.calls.remove(correlation).map_or(0, |answers| answers.finals.len())
        })
    }

    /// How many final replies came to closed calls.
    pub(super) fn late(&self) -> usize {
        self.sorted.look(|sorted| sorted.late)
    }

    pub(super) fn unreadable(&self) -> Vec<Unreadable> {
        self.sorted.look(|sorted| sorted.unreadable.clone())
    }

    /// Waits for a call's final reply.
    pub(super) async fn reply(&self, correlation: &str, deadline: Duration) -> Result<Reply, NoReply> {
        let first = || self.look(correlation, |answers| answers.finals.first().cloned());
        self.until(deadline, || first().is_some()).await;
        first().ok_or_else(|| NoReply {
            correlation: correlation.to_owned(),
            deadline,
            statuses: self.look(correlation, |a| a.statuses.iter().map(|s| s.message.clone()).collect()),
            unreadable: self.unreadable().len(),
        })
    }

    /// Waits until `condition` holds, or `deadline` has passed.
    pub(super) async fn until(&self, deadline: Duration, condition: impl Fn() -> bool) {
        self.sorted.until(deadline, condition).await;
    }
}
