//! A STOMP 1.2 broker over TLS that behaves towards a client as ActiveMQ 5.17 does, as far as a consumer of
//! SOAR's queues can tell: logins, heart-beats, queues, prefetch, acknowledgements, redelivery, transactions,
//! receipts and its way of refusing. It differs in three things that no such consumer needs: it has no topics, it
//! writes a `content-length` wherever there is a body, and messages do not expire.
//!
//! Faults are switched on by methods of [`Broker`], and what happened is read from it.

mod connection;
mod message;
mod queues;
mod refusal;
mod session;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use self::session::State;
use crate::observed::Observed;
use stomp::{ClientCommand, Headers};

/// Who may come in.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The `login` of a CONNECT: an API key's id or an e-mail address.
    pub login: String,
    /// Its `passcode`: the key's secret or the password.
    pub passcode: String,
}

impl User {
    /// A user.
    pub fn new(login: impl Into<String>, passcode: impl Into<String>) -> Self {
        Self { login: login.into(), passcode: passcode.into() }
    }
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("login", &self.login).finish_non_exhaustive()
    }
}

/// Says of a user's login and a queue whether the one may read the other.
pub struct Readers(Box<MayRead>);

type MayRead = dyn Fn(&str, &str) -> bool + Send + Sync;

impl Readers {
    /// Asks `may_read`, which must not ask the broker.
    pub fn new(may_read: impl Fn(&str, &str) -> bool + Send + Sync + 'static) -> Self {
        Self(Box::new(may_read))
    }
}

impl std::fmt::Debug for Readers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Readers").finish_non_exhaustive()
    }
}

/// How a COMMIT goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitFault {
    /// The connection breaks and nothing of the transaction is done.
    CutBefore,
    /// All of the transaction is done, and the connection breaks before the receipt.
    CutAfter,
    /// It is confirmed, and what was sent in the transaction is there, but its acknowledgements are forgotten, as by
    /// a disk that lost them: what they were for is delivered again on the next connection.
    Forget,
}

/// A running broker. Dropping it closes its listener and all its connections.
#[derive(Debug)]
pub struct Broker {
    shared: Arc<Shared>,
    tls: Arc<ServerConfig>,
    address: SocketAddr,
    listening: Mutex<Option<JoinHandle<()>>>,
    /// Keeps the port while nobody listens, so that no other program is given it in between.
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
        // The sender lives in `self`, so there is no other end to this than the one waited for.
        let _ = self.muted.subscribe().wait_for(|muted| !*muted).await;
    }
}

/// How often it is tried again to have the port back, and when.
const MOST_BINDS: u32 = 200;
const BIND_AGAIN_AFTER: Duration = Duration::from_millis(10);

impl Broker {
    /// Starts a broker on `port` of 127.0.0.1 (0: any that is free) for `users`. Must be called within a
    /// Tokio runtime.
    pub fn start(port: u16, users: Vec<User>, tls: Arc<ServerConfig>) -> io::Result<Self> {
        let place = reusable(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        let address = place.local_addr()?;
        let listener = listener(address)?;
        let broker = Self {
            shared: Arc::new(Shared {
                state: Observed::new(State { users, ..State::default() }),
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
        let before = self.listening.lock().unwrap_or_else(PoisonError::into_inner).replace(task);
        if let Some(before) = before {
            before.abort();
        }
    }

    /// Has `readers` say who may subscribe to what.
    pub fn ask_who_may_read(&self, readers: Readers) {
        self.shared.state.change(|state| state.readers = Some(readers));
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops the broker, as a shutdown would: all connections break, and messages that are not persistent are
    /// lost. Returns when the port is free. As with ActiveMQ's own store, the messages kept forget that they
    /// had been delivered before.
    pub async fn stop(&self) {
        let task = self.listening.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.abort();
            // Ends with the cancellation asked for, when the listener is dropped.
            let _ = task.await;
        }
        self.shared.state.change(|state| state.queues.restart());
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Starts the broker again on the port it had, after [`Broker::stop`].
    pub fn restart(&self) -> io::Result<()> {
        // A child of this process that is just being made holds the former listener until it runs its program.
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
        self.listen(listener);
        Ok(())
    }

    /// Breaks all connections. New ones are welcome.
    pub fn cut_connections(&self) {
        self.shared.state.change(|state| state.queues.disconnect_all());
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Makes the broker silent, or ends its silence: connections are accepted and kept, and nothing is read from
    /// or written to them, no heart-beat either, like a process that was stopped.
    pub fn mute(&self, muted: bool) {
        self.shared.muted.send_replace(muted);
    }

    /// Refuses all logins with an ERROR of this message; `None` lets the users in again.
    pub fn refuse_logins(&self, reason: Option<&str>) {
        self.shared.state.change(|state| state.faults.refuse_logins = reason.map(ToOwned::to_owned));
    }

    /// Never answers the CONNECT of the next `count` connections, and leaves them open, as ActiveMQ on Java 17
    /// does now and then with TLS 1.3.
    pub fn lose_connects(&self, count: usize) {
        self.shared.state.change(|state| state.faults.lose_connects = count);
    }

    /// Has the next COMMIT go wrong; called again, the one after it too.
    pub fn break_commit(&self, fault: CommitFault) {
        self.shared.state.change(|state| state.faults.commits.push_back(fault));
    }

    /// Whether BEGIN is answered with an ERROR (it is not, unless told so).
    pub fn refuse_transactions(&self, refuse: bool) {
        self.shared.state.change(|state| state.faults.no_transactions = refuse);
    }

    /// Refuses every message to come, as a broker does whose store is full.
    pub fn be_full(&self, full: bool) {
        self.shared.state.change(|state| state.faults.full = full);
    }

    /// Refuses every message to come with a body of more than `bytes`; `None` ends it.
    pub fn refuse_bodies_over(&self, bytes: Option<usize>) {
        self.shared.state.change(|state| state.faults.largest_body = bytes);
    }

    /// Whether `login` may subscribe to `queue` (everyone may, unless told otherwise). Holds for subscriptions
    /// to come.
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

    /// How many messages are in `queue`, those handed out and not acknowledged included.
    pub fn queue_depth(&self, queue: &str) -> usize {
        self.shared.state.look(|state| state.queues.depth(queue))
    }

    /// How many messages of `queue` are handed out and not acknowledged, or so in a transaction only.
    pub fn unacknowledged(&self, queue: &str) -> usize {
        self.shared.state.look(|state| state.queues.unacknowledged(queue))
    }

    /// How many subscriptions `queue` has.
    pub fn consumers(&self, queue: &str) -> usize {
        self.shared.state.look(|state| state.queues.consumers(queue))
    }

    /// How many frames with `command` have come in since the start.
    pub fn frames(&self, command: ClientCommand) -> usize {
        let command: &'static str = command.into();
        self.shared.state.look(|state| state.seen.frames.get(command).copied().unwrap_or(0))
    }

    /// How many heart-beats have come in since the start.
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
        let task = self.listening.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            // The connections live in a set that the task owns, and end with it.
            task.abort();
        }
    }
}

/// A socket with this address that others may have as well, as long as not two of them listen.
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
                // Out of file descriptors, say: the next accept may do better, but not at once.
                Err(error) => {
                    tracing::warn!(%error, "sandbox broker: cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}
