//! A session that talks to a scripted broker, and how to wait for what it does.

use std::sync::Arc;
use std::time::Duration;

use net::Secret;
use net::{Backoff, Jitter};
use stomp::{Delivery, Error, HeartBeatOffer, Session, SessionOptions, State};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::peer::{Line, Peer};
use super::tls::Authority;

/// The queue it reads.
pub(crate) const QUEUE: &str = "actions.201.fn";

/// Longer than anything takes that works.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How to connect to `peer`, trusting `authority`, without long waits.
pub(crate) fn options(peer: &Peer, authority: &Authority) -> SessionOptions {
    SessionOptions {
        host: "localhost".to_owned(),
        port: peer.port(),
        proxy: None,
        tls: authority.client(),
        login: "key id".to_owned(),
        passcode: Secret::new("pass:code\\"),
        destinations: vec![QUEUE.to_owned()],
        prefetch: 5,
        timeout: Duration::from_secs(10),
        heart_beat: HeartBeatOffer::default(),
        reconnect: Backoff::new(Duration::from_millis(10), Duration::from_millis(50), Jitter::Shorter(0.5)),
        metrics: Arc::default(),
    }
}

/// A broker for `localhost`, and how to connect to it.
pub(crate) async fn broker() -> (Peer, SessionOptions) {
    let authority = Authority::new();
    let peer = Peer::new(&authority.vouch_for(&["localhost"])).await;
    let options = options(&peer, &authority);
    (peer, options)
}

/// A session that is subscribed, and the broker's end of it.
pub(crate) async fn subscribed() -> (Peer, Line, Session, mpsc::Receiver<Delivery>) {
    let (peer, options) = broker().await;
    let (session, deliveries) = Session::start(options);
    let line = peer.serve().await;
    reach(&session, |state| matches!(state, State::Subscribed { connection: 1 })).await;
    (peer, line, session, deliveries)
}

/// Waits until the session's state is as wanted.
pub(crate) async fn reach(session: &Session, wanted: impl FnMut(&State) -> bool) -> State {
    let mut state = session.state();
    timeout(PATIENCE, state.wait_for(wanted)).await.expect("the state in time").unwrap().clone()
}

/// Waits until the session reports a failure.
pub(crate) async fn failure(session: &Session) -> Error {
    match reach(session, |state| matches!(state, State::Connecting { last: Some(_), .. })).await {
        State::Connecting { last: Some(failure), .. } => failure,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn next(deliveries: &mut mpsc::Receiver<Delivery>) -> Delivery {
    timeout(PATIENCE, deliveries.recv()).await.expect("a delivery in time").unwrap()
}
