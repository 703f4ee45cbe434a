//! SOAR's side of the queue: calls functions as workflows and playbooks do, and collects what comes back.
//!
//! It is a STOMP client of its own that shares nothing with the daemon's but the codec, so it works towards the
//! sandbox's broker and a real ActiveMQ alike, and a mistake of the daemon's client is not mirrored here.

mod inbox;
mod link;
mod payload;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use self::inbox::Inbox;
pub use self::inbox::{NoReply, Reply, Unreadable};
use self::link::{Link, Outgoing};
pub use self::payload::Origin;
use net::Trust;
use net::tls::TlsError;
use stomp::{ClientCommand, CodecError, Frame, Headers};

/// Where a caller connects to, and for which queue it calls.
#[derive(Clone)]
pub struct CallerOptions {
    /// The broker's host, which its certificate must be for.
    pub host: String,
    /// The broker's port.
    pub port: u16,
    /// `login` of the CONNECT.
    pub login: String,
    /// `passcode` of the CONNECT.
    pub passcode: String,
    /// Whose certificates are believed.
    pub trust: Trust,
    /// The organisation's number.
    pub org: i64,
    /// The message destination's programmatic name.
    pub destination: String,
}

impl std::fmt::Debug for CallerOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallerOptions")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("login", &self.login)
            .field("org", &self.org)
            .field("destination", &self.destination)
            .finish_non_exhaustive()
    }
}

impl CallerOptions {
    /// The queue calls go to.
    pub fn actions_queue(&self) -> String {
        format!("actions.{}.{}", self.org, self.destination)
    }

    /// The queue replies come to.
    pub fn acks_queue(&self) -> String {
        format!("acks.{}.{}", self.org, self.destination)
    }
}

/// Why the caller could not connect, or a call did not get into the queue.
#[derive(Debug, thiserror::Error)]
pub enum CallerError {
    /// No TLS configuration.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// No connection, or a broken one.
    #[error("the broker cannot be reached: {0}")]
    Connection(#[from] std::io::Error),
    /// What came is no STOMP, or what was to be sent cannot be.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The broker said ERROR.
    #[error("the broker refuses: {0}")]
    Refused(String),
    /// The broker did not answer in time.
    #[error("the broker does not answer")]
    Silent,
    /// The connection broke between the SEND and its receipt: the message may or may not be in the queue. It is
    /// not sent again, so that one call never becomes two.
    #[error("the connection broke before the broker confirmed the message; it may or may not have it")]
    Unconfirmed,
    /// The caller has ended.
    #[error("the caller has ended")]
    Ended,
}

/// SOAR as the caller of functions. Connects again by itself when the broker goes away. Dropping it closes its
/// connection.
#[derive(Debug)]
pub struct Caller {
    options: Arc<CallerOptions>,
    outgoing: mpsc::UnboundedSender<Outgoing>,
    inbox: Arc<Inbox>,
    next_instance: AtomicI64,
    task: JoinHandle<()>,
}

impl Caller {
    /// Connects, logs in, and subscribes to the replies.
    pub async fn connect(options: CallerOptions) -> Result<Self, CallerError> {
        let options = Arc::new(options);
        let inbox = Arc::new(Inbox::default());
        let link = Link::new(options.clone(), inbox.clone())?;
        let connection = link.connect().await?;
        let (outgoing, commands) = mpsc::unbounded_channel();
        let task = tokio::spawn(link.run(connection, commands));
        // Replies to an earlier caller may still be in the queue: the numbers must not meet.
        let next_instance = AtomicI64::new(Utc::now().timestamp_micros());
        Ok(Self { options, outgoing, inbox, next_instance, task })
    }

    /// Calls `function` with `inputs` as a workflow does. Returns when the broker has the message.
    pub async fn call(&self, function: &str, inputs: Value) -> Result<Call, CallerError> {
        self.call_from(Origin::Workflow, function, inputs).await
    }

    /// Calls `function` with `inputs` as `origin` does. Returns when the broker has the message.
    pub async fn call_from(
        &self,
        origin: Origin,
        function: &str,
        inputs: Value,
    ) -> Result<Call, CallerError> {
        let instance = self.next_instance.fetch_add(1, Ordering::Relaxed);
        let correlation = format!("invid:{instance}");
        let body = payload::function_call(origin, function, &inputs, instance).to_string();
        self.send_raw(self.usual_headers(&correlation), body).await?;
        Ok(self.answers_to(correlation))
    }

    /// The headers SOAR gives a function call, in its words; to be changed and sent with
    /// [`Caller::send_raw`].
    pub fn usual_headers(&self, correlation: &str) -> Headers {
        let mut headers = Headers::default();
        for (name, value) in [
            ("destination", format!("/queue/{}", self.options.actions_queue())),
            ("reply-to", format!("/queue/{}", self.options.acks_queue())),
            ("correlation-id", correlation.to_owned()),
            ("persistent", "true".to_owned()),
            ("priority", "4".to_owned()),
            ("expires", "0".to_owned()),
            ("timestamp", Utc::now().timestamp_millis().to_string()),
            ("Co3ContentType", "application/json".to_owned()),
            ("Co3MessagePayload", "FunctionDataDTO".to_owned()),
            ("Co3ContextToken", payload::CONTEXT_TOKEN.to_owned()),
            ("Co3RemoteAddr", "127.0.0.1".to_owned()),
            ("JMSXUserID", self.options.login.clone()),
        ] {
            headers.push(name, value);
        }
        headers
    }

    /// Sends any message, whatever is wrong with it; to the actions queue where `headers` name no destination.
    /// Returns when the broker has it.
    pub async fn send_raw(&self, mut headers: Headers, body: impl Into<Bytes>) -> Result<(), CallerError> {
        if headers.get("destination").is_none() {
            headers.push("destination", format!("/queue/{}", self.options.actions_queue()));
        }
        let mut frame = Frame::new(ClientCommand::Send).with_body(body);
        frame.headers = headers;
        let (confirm, confirmed) = oneshot::channel();
        self.outgoing.send(Outgoing { frame, confirm }).map_err(|_| CallerError::Ended)?;
        confirmed.await.map_err(|_| CallerError::Ended)?
    }

    /// What comes back under a correlation id, whoever has called.
    pub fn answers_to(&self, correlation: impl Into<String>) -> Call {
        Call { correlation: correlation.into(), inbox: self.inbox.clone() }
    }

    /// How many final replies have come for a correlation id: one, where all is well. A message that the broker
    /// delivers twice counts once.
    pub fn replies(&self, correlation: &str) -> usize {
        self.inbox.look(correlation, |answers| answers.finals.len())
    }

    /// What came to the acks queue and is no reply SOAR could read.
    pub fn unreadable(&self) -> Vec<Unreadable> {
        self.inbox.unreadable()
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A call that was sent, and what comes back for it.
#[derive(Debug, Clone)]
pub struct Call {
    correlation: String,
    inbox: Arc<Inbox>,
}

impl Call {
    /// The correlation id: `invid:` and the number of the invocation.
    pub fn correlation(&self) -> &str {
        &self.correlation
    }

    /// Waits up to `deadline` for the final reply; the first, should there be more.
    pub async fn reply(&self, deadline: Duration) -> Result<Reply, NoReply> {
        self.inbox.reply(&self.correlation, deadline).await
    }

    /// The texts of the status messages that have come so far.
    pub fn statuses(&self) -> Vec<String> {
        self.inbox.look(&self.correlation, |answers| {
            answers.statuses.iter().map(|status| status.message.clone()).collect()
        })
    }

    /// Waits up to `deadline` until at least `count` status messages have come, and returns all there are then.
    pub async fn statuses_up_to(&self, count: usize, deadline: Duration) -> Vec<String> {
        self.inbox.until(deadline, || self.statuses().len() >= count).await;
        self.statuses()
    }

    /// How many final replies have come so far.
    pub fn replies(&self) -> usize {
        self.inbox.look(&self.correlation, |answers| answers.finals.len())
    }
}
