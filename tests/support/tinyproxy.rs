//! A real HTTP proxy, started with its own configuration on a free port.

use std::fs;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use net::{ProxyUrl, Secret};
use tempfile::TempDir;

use super::ports::free_port;

pub(crate) struct TinyProxy {
    process: Child,
    port: u16,
    directory: TempDir,
}

/// Longer than it takes to start.
const PATIENCE: Duration = Duration::from_secs(20);

impl TinyProxy {
    /// Starts one that asks for this user name and password, if any. Where another program snatches the port away,
    /// it tries another.
    pub(crate) fn start(login: Option<(&str, &str)>) -> Self {
        for _ in 0..5 {
            if let Some(proxy) = Self::try_to_start(login) {
                return proxy;
            }
        }
        panic!("tinyproxy does not start");
    }

    fn try_to_start(login: Option<(&str, &str)>) -> Option<Self> {
        let port = free_port();
        let directory = tempfile::tempdir().unwrap();
        let login = login.map(|(user, password)| format!("BasicAuth {user} {password}\n"));
        let settings = format!(
            "Port {port}\nListen 127.0.0.1\nAllow 127.0.0.1\nTimeout 60\nLogLevel Connect\nLogFile \"{}\"\n{}",
            directory.path().join("log").display(),
            login.unwrap_or_default()
        );
        let file = directory.path().join("tinyproxy.conf");
        fs::write(&file, settings).unwrap();
        let mut command = Command::new("tinyproxy");
        command.arg("-d").arg("-c").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("tinyproxy is installed (tests/run does it)");
        let mut proxy = Self { process, port, directory };
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && proxy.process.try_wait().unwrap().is_none() {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(proxy);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }

    /// How to reach it, with this user name and password.
    pub(crate) fn url(&self, login: Option<(&str, &str)>) -> ProxyUrl {
        proxy_url(self.port, login)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Whether it was asked to lead to `target` (host and port).
    pub(crate) fn led_to(&self, target: &str) -> bool {
        let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        log.lines().any(|line| line.contains(&format!(" CONNECT {target} ")))
    }
}

impl Drop for TinyProxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A proxy's address on this machine.
pub(crate) fn proxy_url(port: u16, login: Option<(&str, &str)>) -> ProxyUrl {
    ProxyUrl {
        url: format!("http://127.0.0.1:{port}").parse().unwrap(),
        login: login.map(|(user, password)| (user.to_owned(), Secret::new(password))),
    }
}
