//! How the broker handles each frame of a client.

use std::collections::{HashMap, HashSet, VecDeque};

use chrono::{DateTime, Utc};

use super::message::{AckMode, Message, Settlement, Subscription};
use super::queues::Queues;
use super::refusal::Refusal;
use super::{CommitFault, Readers, User};
use stomp::{ClientCommand, Frame, Headers, ServerCommand};

/// ActiveMQ's default prefetch.
const DEFAULT_PREFETCH: usize = 1000;

/// Headers of a SEND that do not belong to the message, or that the broker sets.
const NOT_PASSED_ON: &[&str] = &[
    "destination",
    "transaction",
    "receipt",
    "persistent",
    "JMSXUserID",
    "message-id",
    "ack",
    "subscription",
    "redelivered",
];

/// The broker's state.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) queues: Queues,
    pub(super) users: Vec<User>,
    /// Decides whether a user may read a queue. Without it every user may.
    pub(super) readers: Option<Readers>,
    pub(super) faults: Faults,
    pub(super) seen: Seen,
    /// The number of messages received, for their ids.
    pub(super) messages: u64,
    /// When it started last; CONNECTED names it, as ActiveMQ's does.
    pub(super) started: DateTime<Utc>,
}

/// The faults.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// Every login is refused with this message.
    pub(super) refuse_logins: Option<String>,
    /// The CONNECT of this many connections is never answered.
    pub(super) lose_connects: usize,
    /// What happens to the next COMMITs.
    pub(super) commits: VecDeque<CommitFault>,
    /// BEGIN is refused.
    pub(super) no_transactions: bool,
    /// Messages with a larger body are refused.
    pub(super) largest_body: Option<usize>,
    pub(super) full: bool,
    /// Users and the queues that they may not read.
    pub(super) unreadable: HashSet<(String, String)>,
}

/// What the clients have sent.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Frames by command.
    pub(super) frames: HashMap<&'static str, usize>,
    /// Heart-beats.
    pub(super) heart_beats: usize,
    /// The headers of every CONNECT, without the passcode.
    pub(super) connects: Vec<Headers>,
    /// The headers of every SUBSCRIBE.
    pub(super) subscribes: Vec<Headers>,
}

/// The client of a connection.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) session: u64,
    pub(super) login: String,
}

/// The fate of a connection after a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It continues.
    Continue,
    /// It is closed after the frames so far are written.
    Close,
    /// It breaks now.
    Break,
}

impl State {
    /// Records a frame.
    pub(super) fn note(&mut self, frame: &Frame<ClientCommand>) {
        *self.seen.frames.entry(frame.command.into()).or_default() += 1;
        match frame.command {
            ClientCommand::Connect => {
                let mut headers = frame.headers.clone();
                headers.remove("passcode");
                self.seen.connects.push(headers);
            }
            ClientCommand::Subscribe => self.seen.subscribes.push(frame.headers.clone()),
            _ => {}
        }
    }

    /// Returns the login name of a valid CONNECT.
    pub(super) fn log_in(&self, frame: &Frame<ClientCommand>) -> Result<String, Refusal> {
        if frame.command != ClientCommand::Connect {
            return Err(Refusal::fatal("Not connected."));
        }
        let versions = frame.header("accept-version").unwrap_or("1.0");
        if !versions.split(',').any(|version| version.trim() == "1.2") {
            return Err(Refusal::fatal("Supported protocol versions are 1.2"));
        }
        if let Some(reason) = &self.faults.refuse_logins {
            return Err(Refusal::fatal(reason.as_str()));
        }
        let login = frame.header("login").unwrap_or_default();
        let passcode = frame.header("passcode").unwrap_or_default();
        if self.users.iter().any(|user| user.login == login && user.passcode == passcode) {
            Ok(login.to_owned())
        } else {
            Err(Refusal::fatal(format!("User name [{login}] or password is invalid.")))
        }
    }

    /// Carries out a frame of a logged-in client, and answers it.
    pub(super) fn handle(&mut self, peer: &Peer, frame: &Frame<ClientCommand>) -> Next {
        if !self.queues.is_connected(peer.session) {
            return Next::Break;
        }
        self.note(frame);
        let fault = match frame.command {
            ClientCommand::Commit => self.faults.commits.pop_front(),
            _ => None,
        };
        if fault == Some(CommitFault::CutBefore) {
            self.queues.disconnect(peer.session);
            return Next::Break;
        }
        if fault == Some(CommitFault::Forget)
            && let Some(transaction) = frame.header("transaction")
        {
            self.queues.forget_acknowledgements(peer.session, transaction);
        }
        let receipt = frame.header("receipt");
        let outcome = self.carry_out(peer, frame);
        if fault == Some(CommitFault::CutAfter) {
            self.queues.disconnect(peer.session);
            return Next::Break;
        }
        match outcome {
            Ok(()) => {
                if let Some(receipt) = receipt {
                    let frame = Frame::new(ServerCommand::Receipt).with_header("receipt-id", receipt);
                    self.queues.tell(peer.session, frame);
                }
                if frame.command == ClientCommand::Disconnect { Next::Close } else { Next::Continue }
            }
            Err(refusal) => {
                self.queues.tell(peer.session, refusal.frame(receipt));
                if refusal.closes() { Next::Close } else { Next::Continue }
            }
        }
    }

    fn carry_out(&mut self, peer: &Peer, frame: &Frame<ClientCommand>) -> Result<(), Refusal> {
        let session = peer.session;
        match frame.command {
            ClientCommand::Connect => Err(Refusal::protocol("Already connected.")),
            ClientCommand::Send => self.send(peer, frame),
            ClientCommand::Subscribe => self.subscribe(peer, frame),
            ClientCommand::Unsubscribe => {
                let id = needed(frame, "id", "UNSUBSCRIBE received without a subscription id!")?;
                self.queues.unsubscribe(session, id)
            }
            ClientCommand::Ack | ClientCommand::Nack => {
                let settlement = match frame.command {
                    ClientCommand::Ack => Settlement::Accepted,
                    _ => Settlement::Refused,
                };
                let id = needed(frame, "id", "ACK received without a ack id for acknowledge!")?;
                self.queues.settle(session, frame.header("transaction"), id, settlement)
            }
            ClientCommand::Begin if self.faults.no_transactions => {
                Err(Refusal::protocol("Transactions are not supported."))
            }
            ClientCommand::Begin => self.queues.begin(session, transaction(frame)?),
            ClientCommand::Commit => self.queues.commit(session, transaction(frame)?),
            ClientCommand::Abort => self.queues.abort(session, transaction(frame)?),
            ClientCommand::Disconnect => Ok(()),
        }
    }

    fn send(&mut self, peer: &Peer, frame: &Frame<ClientCommand>) -> Result<(), Refusal> {
        let queue =
            queue_name(needed(frame, "destination", "SEND received without a Destination specified!")?)?;
        if self.faults.largest_body.is_some_and(|largest| frame.body.len() > largest) {
            return Err(Refusal::protocol("The message is too large."));
        }
        if self.faults.full {
            return Err(Refusal::protocol(format!(
                "Usage Manager Store is Full, 100% of 104857600. Stopping producer to prevent flooding queue://{queue}."
            )));
        }
        self.messages += 1;
        let mut headers = Headers::default();
        for (name, value) in frame.headers.iter().filter(|(name, _)| !NOT_PASSED_ON.contains(name)) {
            headers.push(name, value);
        }
        let persistent = frame.header("persistent") == Some("true");
        if persistent {
            headers.push("persistent", "true");
        }
        for (name, value) in [("expires", "0"), ("priority", "4")] {
            if frame.header(name).is_none() {
                headers.push(name, value);
            }
        }
        if frame.header("timestamp").is_none() {
            headers.push("timestamp", Utc::now().timestamp_millis().to_string());
        }
        headers.push("JMSXUserID", peer.login.as_str());
        let message = Message {
            id: format!("ID:sandbox-3:{}:-1:1:{}", peer.session, self.messages),
            headers,
            persistent,
            redelivered: false,
            body: frame.body.clone(),
        };
        self.queues.publish(peer.session, frame.header("transaction"), queue, message)
    }

    fn subscribe(&mut self, peer: &Peer, frame: &Frame<ClientCommand>) -> Result<(), Refusal> {
        let queue = queue_name(needed(
            frame,
            "destination",
            "Subscription received without a Destination specified!",
        )?)?;
        let id = needed(frame, "id", "SUBSCRIBE received without a subscription id!")?;
        let mode = match frame.header("ack").unwrap_or("auto") {
            "auto" => AckMode::Auto,
            "client" => AckMode::Client,
            "client-individual" => AckMode::ClientIndividual,
            other => return Err(Refusal::protocol(format!("Unsupported ack mode: {other}"))),
        };
        let prefetch = match frame.header("activemq.prefetchSize") {
            None => DEFAULT_PREFETCH,
            Some(text) => text
                .parse()
                .ok()
                .filter(|size| *size > 0)
                .ok_or_else(|| Refusal::protocol(format!("Invalid prefetch size: {text}")))?,
        };
        // The only supported selector.
        let selects = match frame.header("selector") {
            None => true,
            Some("1=0") => false,
            Some(other) => return Err(Refusal::protocol(format!("Invalid selector: {other}"))),
        };
        let may_read = self.readers.as_ref().is_none_or(|Readers(may_read)| may_read(&peer.login, &queue));
        if !may_read || self.faults.unreadable.contains(&(peer.login.clone(), queue.clone())) {
            let login = &peer.login;
            return Err(Refusal::forbidden(format!(
                "User {login} is not authorized to read from: queue://{queue}"
            )));
        }
        let subscription = Subscription { id: id.to_owned(), queue, mode, prefetch, selects };
        self.queues.subscribe(peer.session, subscription);
        Ok(())
    }
}

/// The queue that a frame names: `x` and `/queue/x` are the same.
pub(super) fn queue_name(destination: &str) -> Result<String, Refusal> {
    match destination.strip_prefix("/queue/").unwrap_or(destination) {
        name if name.is_empty() || name.starts_with('/') => {
            Err(Refusal::protocol(format!("Invalid destination: {destination} (there are only queues here)")))
        }
        name => Ok(name.to_owned()),
    }
}

fn needed<'f>(frame: &'f Frame<ClientCommand>, name: &str, missing: &str) -> Result<&'f str, Refusal> {
    frame.header(name).ok_or_else(|| Refusal::protocol(missing))
}

fn transaction(frame: &Frame<ClientCommand>) -> Result<&str, Refusal> {
    needed(frame, "transaction", "Must specify the transaction you are using")
}
