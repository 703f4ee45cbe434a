//! SOAR's part: sends calls, so many outstanding, and reads their replies.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};
use stomp::{ClientCommand, Frame, ServerCommand};

use crate::Queues;
use crate::wire::Wire;

/// The replies wait here, not in the broker's queue.
const PREFETCH: u32 = 1000;

/// Sends calls of one function with the same inputs.
pub(crate) struct Load {
    wire: Wire,
    queues: Queues,
    function: &'static str,
    inputs: Value,
    sent: u64,
}

/// What came back to a call: the status messages, and the final reply.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) statuses: Vec<Bytes>,
    pub(crate) reply: Bytes,
}

/// What became of a number of calls.
pub(crate) struct Run {
    pub(crate) calls: u32,
    pub(crate) took: Duration,
    /// When each call was sent and when its final reply came, in the order of the replies.
    pub(crate) times: Vec<(Instant, Instant)>,
    /// The answer to the last call.
    pub(crate) last: Answer,
    /// Status messages that came after the final reply. They are not stored and replies are, and the broker keeps the
    /// order of either kind only.
    pub(crate) late_statuses: u32,
}

impl Run {
    pub(crate) fn per_second(&self) -> f64 {
        f64::from(self.calls) / self.took.as_secs_f64()
    }
}

/// What SOAR reads in a reply to know whether the call has ended.
#[derive(Deserialize)]
struct Reply {
    complete: bool,
    results: Option<Results>,
}

#[derive(Deserialize)]
struct Results {
    success: bool,
}

impl Load {
    pub(crate) async fn new(mut wire: Wire, queues: &Queues, function: &'static str, inputs: Value) -> Self {
        wire.subscribe(&queues.acks, "auto", PREFETCH).await;
        Self { wire, queues: queues.clone(), function, inputs, sent: 0 }
    }

    /// Makes `calls` calls, `outstanding` of them at once. Each must be answered once, with success.
    pub(crate) async fn run(&mut self, calls: u32, outstanding: u32) -> Run {
        let mut open: HashMap<String, (Instant, Answer)> = HashMap::new();
        let mut times = Vec::new();
        let (mut last, mut late_statuses) = (Answer::default(), 0);
        let (mut to_send, started) = (calls, Instant::now());
        while to_send > 0 || !open.is_empty() {
            while to_send > 0 && open.len() < outstanding as usize {
                let correlation = self.send().await;
                open.insert(correlation, (Instant::now(), Answer::default()));
                to_send -= 1;
            }
            self.wire.flush().await;
            let mut next = Some(self.wire.read().await);
            while let Some(frame) = next {
                assert_eq!(frame.command, ServerCommand::Message, "{frame:?}");
                let correlation = frame.header("correlation-id").expect("replies are correlated").to_owned();
                let reply: Reply = serde_json::from_slice(&frame.body).unwrap();
                if reply.complete {
                    assert!(reply.results.is_some_and(|results| results.success), "{:?}", frame.body);
                    let (sent, mut answer) = open.remove(&correlation).expect("one reply to each call");
                    times.push((sent, Instant::now()));
                    answer.reply = frame.body;
                    last = answer;
                } else if let Some((_, answer)) = open.get_mut(&correlation) {
                    answer.statuses.push(frame.body);
                } else {
                    late_statuses += 1;
                }
                next = self.wire.read_now();
            }
        }
        Run { calls, took: started.elapsed(), times, last, late_statuses }
    }

    /// Queues a call as SOAR writes it, and returns its correlation id.
    async fn send(&mut self) -> String {
        self.sent += 1;
        let now = Utc::now();
        let correlation = format!("invid:{}{}", now.timestamp_micros(), self.sent);
        let body = json!({
            "function": {"id": 3, "name": self.function, "display_name": self.function, "version": 1},
            "inputs": self.inputs,
            "groups": [],
            "principal": {"id": 1, "name": "analyst@example.com", "display_name": "An Analyst", "type": "user"},
            "workflow": {"workflow_id": 3, "name": "Example", "programmatic_name": "example"},
            "workflow_instance": {"workflow_instance_id": self.sent},
            "playbook_instance": null
        });
        let frame = Frame::new(ClientCommand::Send)
            .with_header("destination", format!("/queue/{}", self.queues.actions))
            .with_header("reply-to", format!("/queue/{}", self.queues.acks))
            .with_header("correlation-id", &correlation)
            .with_header("persistent", "true")
            .with_header("timestamp", now.timestamp_millis().to_string())
            .with_header("Co3ContentType", "application/json")
            .with_header("Co3MessagePayload", "FunctionDataDTO")
            .with_body(body.to_string());
        self.wire.feed(frame).await;
        correlation
    }
}
