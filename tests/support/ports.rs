//! Ports of this machine for tests, which run at the same time.

use std::net::{Ipv4Addr, TcpListener};

use tokio::net::TcpSocket;

/// A port at which no server listens. It stays taken, so that no other test listens there.
#[derive(Debug)]
pub(crate) struct ClosedPort(TcpSocket);

impl ClosedPort {
    pub(crate) fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        Self(socket)
    }

    pub(crate) fn number(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }
}

/// A free port for a server that is started, and perhaps stopped for a while. It is below those that the system hands
/// out, so that no other program gets it by chance.
pub(crate) fn free_port() -> u16 {
    (0..100)
        .map(|_| fastrand::u16(15_000..30_000))
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("a free port")
}
