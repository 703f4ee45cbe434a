//! A relay between the daemon and the broker, whose connections can be cut without those of SOAR.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes bytes on. Ends with the runtime.
pub struct Relay {
    pub port: u16,
    cuts: watch::Sender<()>,
    refusing: Arc<AtomicBool>,
}

impl Relay {
    /// Listens on a free port of 127.0.0.1, and passes on to `broker`.
    pub async fn start(broker: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (cuts, _) = watch::channel(());
        let refusing = Arc::new(AtomicBool::new(false));
        tokio::spawn(accept(listener, broker, cuts.clone(), refusing.clone()));
        Self { port, cuts, refusing }
    }

    /// Cuts all connections. New ones are passed on.
    pub fn cut(&self) {
        self.cuts.send_replace(());
    }

    /// Sets whether new connections are cut at once.
    pub fn refuse(&self, refusing: bool) {
        self.refusing.store(refusing, Ordering::Relaxed);
    }
}

async fn accept(listener: TcpListener, broker: u16, cuts: watch::Sender<()>, refusing: Arc<AtomicBool>) {
    while let Ok((client, _)) = listener.accept().await {
        if refusing.load(Ordering::Relaxed) {
            continue;
        }
        let mut cut = cuts.subscribe();
        tokio::spawn(async move {
            tokio::select! {
                // An error ends the connection, as its end does.
                _ = pass(client, broker) => {}
                _ = cut.changed() => {}
            }
        });
    }
}

async fn pass(mut client: TcpStream, broker: u16) -> std::io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", broker)).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}
