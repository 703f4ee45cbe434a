//! A STOMP 1.2 broker over TLS that behaves towards a consumer of SOAR's queues as ActiveMQ 5.17 does: logins,
//! heart-beats, queues, prefetch, acknowledgements, redelivery, transactions, receipts and errors. It differs in three
//! points that such a consumer does not need: it has no topics, it writes a `content-length` for every body, and
//! messages do not expire.
//!
//! Methods of [`Broker`] switch faults on and return what happened.

mod connection;
mod message;
mod queues;
mod refusal;
mod session;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::Utc;
use parking_lot::Mutex;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use self::session::State;
use crate::observed::Observed;
use stomp::{ClientCommand, Headers};

/// A user who may log in.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The `login` of a CONNECT: an API key's id or an e-mail address.
    pub login: String,
    /// Its `passcode`: the key's secret or the password.
    pub passcode: String,
}

impl User {
    /// Creates a user.
    pub fn new(login: impl Into<String>, passcode: impl Into<String>) -> Self {
        Self { login: login.into(), passcode: passcode.into() }
    }
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("login", &self.login).finish_non_exhaustive()
    }
}

/// Decides whether a user may read a queue.
pub struct Readers(Box<MayRead>);

type MayRead = dyn Fn(&str, &str) -> bool + Send + Sync;

impl Readers {
    /// Uses `may_read`, which must not call the broker.
    pub fn new(may_read: impl Fn(&str, &str) -> bool + Send + Sync + 'static) -> Self {
        Self(Box::new(may_read))
    }
}

impl std::fmt::Debug for Readers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Readers").finish_non_exhaustive()
    }
}

type View = dyn Fn(&str, Option<&str>, &[u8]) + Send + Sync;

/// Sees each message that reaches a queue: the queue, the message's correlation id, and its body.
pub struct Viewer(Box<View>);

impl Viewer {
    /// Uses `view`, which must not call the broker.
    pub fn new(view: impl Fn(&str, Option<&str>, &[u8]) + Send + Sync + 'static) -> Self {
        Self(Box::new(view))
    }
}

impl std::fmt::Debug for Viewer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Viewer").finish_non_exhaustive()
    }
}

/// How a COMMIT goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitFault {
    /// The connection breaks and nothing of the transaction is done.
    CutBefore,
    /// All of the transaction is done, and the connection breaks before the receipt.
    CutAfter,
    /// The commit is confirmed and its messages are in their queues, but its acknowledgements are lost, as by a failing
    /// disk: the acknowledged messages are delivered again on the next connection.
    Forget,
}

/// A running broker. Dropping it closes its listener and all its connections.
#[derive(Debug)]
pub struct Broker {
    shared: Arc<Shared>,
    tls: Arc<ServerConfig>,
    address: SocketAddr,
    listening: Mutex<Option<JoinHandle<()>>>,
    /// Keeps the port while the broker is stopped, so that no other program takes it.
    _place: TcpSocket,
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    state: Observed<State>,
    /// Counts the times all connections were cut.
    cuts: watch::Sender<u64>,
    muted: watch::Sender<bool>,
    sessions: AtomicU64,
}

impl Shared {
    fn next_session(&self) -> u64 {
        self.sessions.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn is_muted(&self) -> bool {
        *self.muted.borrow()
    }

    /// Waits while the broker is mute.
    async fn unmuted(&self) {
        // The sender lives in `self`, so `wait_for` does not fail.
        let _ = self.muted.subscribe().wait_for(|muted| !*muted).await;
    }
}

/// How often, and after which pause, the broker tries to bind its port again.
const MOST_BINDS: u32 = 200;
const BIND_AGAIN_AFTER: Duration = Duration::from_millis(10);

impl Broker {
    /// Starts a broker on `port` of 127.0.0.1 (0 for any free port) for `users`. Must be called within a Tokio runtime.
    pub fn start(port: u16, users: Vec<User>, mut tls: Arc<ServerConfig>) -> io::Result<Self> {
        // stomp.py reads and writes one TLS connection in two threads, which OpenSSL does not allow: a ticket that
        // arrives with the first frame corrupts the connection, and seldom ends the process
        // (<https://github.com/python/cpython/issues/143756>). Without tickets the two do not meet.
        Arc::make_mut(&mut tls).send_tls13_tickets = 0;
        let place = reusable(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        let address = place.local_addr()?;
        let listener = listener(address)?;
        let broker = Self {
            shared: Arc::new(Shared {
                state: Observed::new(State { users, started: Utc::now(), ..State::default() }),
                cuts: watch::Sender::new(0),
                muted: watch::Sender::new(false),
                sessions: AtomicU64::new(0),
            }),
            tls,
            address,
            listening: Mutex::new(None),
            _place: place,
        };
        broker.listen(listener);
        Ok(broker)
    }

    fn listen(&self, listener: TcpListener) {
        let task = tokio::spawn(accept(listener, self.shared.clone(), TlsAcceptor::from(self.tls.clone())));
        let before = self.listening.lock().replace(task);
        if let Some(before) = before {
            before.abort();
        }
    }

    /// Lets `readers` decide which user may subscribe to which queue.
    pub fn ask_who_may_read(&self, readers: Readers) {
        self.shared.state.change(|state| state.readers = Some(readers));
    }

    /// Shows `viewer` each message that reaches a queue from now on.
    pub fn show_messages(&self, viewer: Viewer) {
        self.shared.state.change(|state| state.queues.viewer = Some(viewer));
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops the broker: all connections break, and messages that are not persistent are lost. Returns when the port is
    /// free. As in ActiveMQ's own store, the remaining messages lose their mark of an earlier delivery.
    pub async fn stop(&self) {
        let task = self.listening.lock().take();
        if let Some(task) = task {
            task.abort();
            // Ends with the cancellation, when the listener is dropped.
            let _ = task.await;
        }
        self.shared.state.change(|state| state.queues.restart());
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Starts the broker again on the port it had, after [`Broker::stop`].
    pub fn restart(&self) -> io::Result<()> {
        // A child process that is being created holds the former listener until it executes its program.
        let mut tries = 0;
        let listener = loop {
            match listener(self.address) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries < MOST_BINDS => {
                    tries += 1;
                    std::thread::sleep(BIND_AGAIN_AFTER);
                }
                bound => break bound?,
            }
        };
        self.shared.state.change(|state| state.started = Utc::now());
        self.listen(listener);
        Ok(())
    }

    /// Breaks all connections. New ones are accepted.
    pub fn cut_connections(&self) {
        self.shared.state.change(|state| state.queues.disconnect_all());
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Makes the broker silent, or ends its silence: it accepts and keeps connections, but neither reads nor writes,
    /// not even heart-beats, like a suspended process.
    pub fn mute(&self, muted: bool) {
        self.shared.muted.send_replace(muted);
    }

    /// Refuses all logins with this ERROR message; `None` accepts them again.
    pub fn refuse_logins(&self, reason: Option<&str>) {
        self.shared.state.change(|state| state.faults.refuse_logins = reason.map(ToOwned::to_owned));
    }

    /// Never answers the CONNECT of the next `count` connections, and leaves them open, as ActiveMQ on Java 17
    /// sometimes does with TLS 1.3.
    pub fn lose_connects(&self, count: usize) {
        self.shared.state.change(|state| state.faults.lose_connects = count);
    }

    /// Makes the next COMMIT fail. A second call makes the one after it fail as well.
    pub fn break_commit(&self, fault: CommitFault) {
        self.shared.state.change(|state| state.faults.commits.push_back(fault));
    }

    /// Sets whether BEGIN is answered with an ERROR.
    pub fn refuse_transactions(&self, refuse: bool) {
        self.shared.state.change(|state| state.faults.no_transactions = refuse);
    }

    /// Refuses all further messages, as a broker with a full store does.
    pub fn be_full(&self, full: bool) {
        self.shared.state.change(|state| state.faults.full = full);
    }

    /// Refuses all further messages with a body of more than `bytes`; `None` ends it.
    pub fn refuse_bodies_over(&self, bytes: Option<usize>) {
        self.shared.state.change(|state| state.faults.largest_body = bytes);
    }

    /// Sets whether `login` may subscribe to `queue`; by default every user may. Applies to new subscriptions.
    pub fn allow_reading(&self, login: &str, queue: &str, allowed: bool) {
        let entry = (login.to_owned(), queue.to_owned());
        self.shared.state.change(|state| {
            if allowed {
                state.faults.unreadable.remove(&entry);
            } else {
                state.faults.unreadable.insert(entry);
            }
        });
    }

    /// How many messages are in `queue`, including those delivered and not acknowledged.
    pub fn queue_depth(&self, queue: &str) -> usize {
        self.shared.state.look(|state| state.queues.depth(queue))
    }

    /// How many messages of `queue` are delivered and not acknowledged, or acknowledged in an open transaction.
    pub fn unacknowledged(&self, queue: &str) -> usize {
        self.shared.state.look(|state| state.queues.unacknowledged(queue))
    }

    /// How many subscriptions `queue` has.
    pub fn consumers(&self, queue: &str) -> usize {
        self.shared.state.look(|state| state.queues.consumers(queue))
    }

    /// How many frames with `command` have arrived since the start.
    pub fn frames(&self, command: ClientCommand) -> usize {
        let command: &'static str = command.into();
        self.shared.state.look(|state| state.seen.frames.get(command).copied().unwrap_or(0))
    }

    /// How many heart-beats have arrived since the start.
    pub fn heart_beats(&self) -> usize {
        self.shared.state.look(|state| state.seen.heart_beats)
    }

    /// The headers of every CONNECT so far, without the passcode.
    pub fn connects(&self) -> Vec<Headers> {
        self.shared.state.look(|state| state.seen.connects.clone())
    }

    /// The headers of every SUBSCRIBE so far.
    pub fn subscribes(&self) -> Vec<Headers> {
        self.shared.state.look(|state| state.seen.subscribes.clone())
    }

    /// Waits until `condition` holds, and checks it again after each change. Returns `false` if it does not hold
    /// within `deadline`.
    pub async fn until(&self, deadline: Duration, condition: impl Fn(&Self) -> bool) -> bool {
        self.shared.state.until(deadline, || condition(self)).await
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let task = self.listening.lock().take();
        if let Some(task) = task {
            // The connections live in a set that the task owns, and end with it.
            task.abort();
        }
    }
}

/// A socket whose address other sockets may share, as long as only one of them listens.
fn reusable(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    reusable(address)?.listen(1024)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, tls: TlsAcceptor) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            incoming = listener.accept() => match incoming {
                Ok((stream, _)) => {
                    connections.spawn(connection::serve(stream, shared.clone(), tls.clone()));
                }
                // For example, no file descriptor is free. The next accept may succeed, but not immediately.
                Err(error) => {
                    tracing::warn!(%error, "sandbox broker: cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}
