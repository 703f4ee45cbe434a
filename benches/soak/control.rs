//! A piece of work without the daemon, whose time says how busy the machine is: packets over loopback, and a digest.

use std::time::Instant;

use graph::attachments::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Packets there and back, and what is computed in between.
const ROUND_TRIPS: usize = 20;
const PACKET: usize = 1 << 10;
const COMPUTED: usize = 64 << 10;

/// A connection to an echo.
pub struct Control(TcpStream);

impl Control {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let mut packet = [0; PACKET];
            while stream.read_exact(&mut packet).await.is_ok() {
                stream.write_all(&packet).await.unwrap();
            }
        });
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// Does the work; returns its milliseconds.
    pub async fn time(&mut self) -> f64 {
        let started = Instant::now();
        let (mut packet, computed) = ([0; PACKET], vec![0; COMPUTED]);
        for _ in 0..ROUND_TRIPS {
            self.0.write_all(&packet).await.unwrap();
            self.0.read_exact(&mut packet).await.unwrap();
            std::hint::black_box(Sha256::of(&computed));
        }
        started.elapsed().as_secs_f64() * 1000.0
    }
}
