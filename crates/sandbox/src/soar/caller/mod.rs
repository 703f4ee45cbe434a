//! SOAR's side of the queue: calls functions as workflows and playbooks do, and collects the replies.
//!
//! It is a separate STOMP client that shares only the codec with the daemon's, so that it does not repeat an error of
//! the daemon's client. It works with the sandbox's broker and with ActiveMQ.

mod inbox;
mod link;
mod payload;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use self::inbox::Inbox;
pub use self::inbox::{NoReply, Reply, Unreadable};
use self::link::{Link, Outgoing};
pub use self::payload::Origin;
use net::Trust;
use net::tls::TlsError;
use stomp::{ClientCommand, CodecError, Frame, Headers};

/// The broker that a caller connects to, and the queue that it uses.
#[derive(Clone)]
pub struct CallerOptions {
    /// The broker's host, which its certificate must name.
    pub host: String,
    /// The broker's port.
    pub port: u16,
    /// `login` of the CONNECT.
    pub login: String,
    /// `passcode` of the CONNECT.
    pub passcode: String,
    /// Which certificates are trusted.
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
    /// The queue for calls.
    pub fn actions_queue(&self) -> String {
        format!("actions.{}.{}", self.org, self.destination)
    }

    /// The queue for replies.
    pub fn acks_queue(&self) -> String {
        format!("acks.{}.{}", self.org, self.destination)
    }
}

/// Why the caller could not connect, or could not send a call.
#[derive(Debug, thiserror::Error)]
pub enum CallerError {
    /// The TLS configuration is not valid.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The connection could not be opened, or broke.
    #[error("the broker cannot be reached: {0}")]
    Connection(#[from] std::io::Error),
    /// A received frame is not valid STOMP, or a frame cannot be encoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The broker sent an ERROR.
    #[error("the broker refuses: {0}")]
    Refused(String),
    /// The broker did not answer in time.
    #[error("the broker does not answer")]
    Silent,
    /// The connection broke between the SEND and its receipt, so the message may be in the queue. It is not sent again,
    /// so that one call never becomes two.
    #[error("the connection broke before the broker confirmed the message; it may or may not have it")]
    Unconfirmed,
    /// The caller has ended.
    #[error("the caller has ended")]
    Ended,
}

/// SOAR as the caller of functions. Reconnects when the connection breaks. Dropping it closes the connection.
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
        // Replies to an earlier caller may still be in the queue, so the numbers must differ.
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
        let analyst =
            json!({"id": 1, "name": "analyst@example.com", "display_name": "An Analyst", "type": "user"});
        self.call_as(&analyst, origin, function, inputs).await
    }

    /// Calls `function` with `inputs` as `origin` does that `principal` has started.
    pub(in crate::soar) async fn call_as(
        &self,
        principal: &Value,
        origin: Origin,
        function: &str,
        inputs: Value,
    ) -> Result<Call, CallerError> {
        let instance = self.next_instance.fetch_add(1, Ordering::Relaxed);
        let correlation = format!("invid:{instance}");
        let body = payload::function_call(origin, function, &inputs, instance, principal).to_string();
        self.send_raw(self.usual_headers(&correlation), body).await?;
        Ok(self.answers_to(correlation))
    }

    /// The headers of a function call as SOAR writes them, to be changed and sent with [`Caller::send_raw`].
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

    /// Sends any message, even an invalid one, to the actions queue if `headers` has no destination. Returns when the
    /// broker has the message.
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

    /// The replies with a correlation id, from any caller's call.
    pub fn answers_to(&self, correlation: impl Into<String>) -> Call {
        Call { correlation: correlation.into(), inbox: self.inbox.clone() }
    }

    /// How many final replies with a correlation id have arrived. One is correct. A message that the broker delivers
    /// twice counts once.
    pub fn replies(&self, correlation: &str) -> usize {
        self.inbox.look(correlation, |answers| answers.finals.len())
    }

    /// How many final replies came to calls after [`Call::close`]. None is correct.
    pub fn late_replies(&self) -> usize {
        self.inbox.late()
    }

    /// The messages in the acks queue that SOAR could not read as replies.
    pub fn unreadable(&self) -> Vec<Unreadable> {
        self.inbox.unreadable()
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A call that was sent, and its replies.
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

    /// Waits up to `deadline` for the final reply. Returns the first one if there are more.
    pub async fn reply(&self, deadline: Duration) -> Result<Reply, NoReply> {
        self.inbox.reply(&self.correlation, deadline).await
    }

    /// The texts of the status messages so far.
    pub fn statuses(&self) -> Vec<String> {
        self.inbox.look(&self.correlation, |answers| {
            answers.statuses.iter().map(|status| status.message.clone()).collect()
        })
    }

    /// Waits up to `deadline` for at least `count` status messages, and returns all that have arrived by then.
    pub async fn statuses_up_to(&self, count: usize, deadline: Duration) -> Vec<String> {
        self.inbox.until(deadline, || self.statuses().len() >= count).await;
        self.statuses()
    }

    /// Forgets the replies, so that a run of hours does not fill the memory. Returns how many of them were final; one
    /// is correct. [`Caller::late_replies`] counts those that come later.
    pub fn close(self) -> usize {
        self.inbox.close(&self.correlation)
    }

    /// How many final replies have arrived so far.
    pub fn replies(&self) -> usize {
        self.inbox.look(&self.correlation, |answers| answers.finals.len())
    }
}
