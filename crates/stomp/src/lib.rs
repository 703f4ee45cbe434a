//! STOMP 1.2: bytes to frames, the connection to the broker, and the session that keeps it alive.
//!
//! Commands and frame builders are those of `stomp-rs`. Codec and session are written here, because that crate's reader
//! ignores `content-length` and header escapes, and its client has neither login, TLS nor heart-beats.

mod client_frames;
mod codec;
mod connection;
mod error;
mod frame;
mod http_connect;
mod metrics;
mod probe;
mod quick_ack;
mod reply_body;
mod session;
mod transport;

pub use codec::{CodecError, Command, FrameCodec, HeartBeat, Limits, Received};
pub use error::Error;
pub use frame::{Frame, Headers};
pub use metrics::Metrics;
pub use probe::Probe;
pub use reply_body::ReplyBody;
pub use session::{
    AckToken, Delivery, HeartBeatOffer, NotConfirmed, RECONNECT, Reply, Session, SessionOptions, State,
};
pub use stomp_rs::protocol::{ClientCommand, ServerCommand};
