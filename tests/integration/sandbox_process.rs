//! Promise: a sandbox leaves nothing behind when it ends, does not disturb another one, and shows the calls.

use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::support::poll::poll;

/// A sandbox, and the lines that it prints.
struct Sandbox {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Sandbox {
    /// Starts one whose temporary files are in `directory`.
    fn start(directory: &Path, arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_fn-exchange-online"))
            .args(["sandbox", "--mailboxes", "10"])
            .args(arguments)
            .env("TMPDIR", directory)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// The next line with this text.
    fn line(&mut self, text: &str) -> String {
        self.lines
            .find_map(|line| line.ok().filter(|line| line.contains(text)))
            .unwrap_or_else(|| panic!("no {text}"))
    }

    /// Sends the signal, and returns the exit code.
    fn end(mut self, signal: &str) -> i32 {
        let kill = format!("kill -{signal} {}", self.process.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        self.process.wait().unwrap().code().unwrap()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn files(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Whether the process runs; one that has ended may not have been waited for.
fn is_running(id: &str) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    state.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
}

#[tokio::test]
async fn signal_ends_demonstration_without_remains() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let directory = tempfile::tempdir().unwrap();
        // The investigation takes longer than the test.
        let mut sandbox = Sandbox::start(directory.path(), &["--latency", "5000"]);
        let daemon = sandbox.line("  daemon ");
        let daemon = daemon.split("process ").nth(1).unwrap().split(',').next().unwrap().to_owned();
        sandbox.line("1. Who ");
        assert!(!files(directory.path()).is_empty());
        assert_eq!(sandbox.end(signal), code);
        assert_eq!(files(directory.path()), [""; 0], "{signal}");
        // It was killed, and may still be ending.
        let running = || format!("{signal}: the daemon {daemon} still runs");
        poll(async || if is_running(&daemon) { Err(running()) } else { Ok(()) }).await;
    }
}

#[test]
fn served_directory_belongs_to_one_sandbox() {
    let (temporary, served) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let arguments = ["--serve", "--directory", served.path().to_str().unwrap()];
    let mut first = Sandbox::start(temporary.path(), &arguments);
    first.line("Calls appear here");
    let config = std::fs::read(served.path().join("app.config")).unwrap();
    for arguments in [&arguments[..], &arguments[1..]] {
        let mut second = Command::new(env!("CARGO_BIN_EXE_fn-exchange-online"));
        let second = second.arg("sandbox").args(arguments).output().unwrap();
        let stderr = String::from_utf8(second.stderr).unwrap();
        assert!(second.status.code() == Some(1) && stderr.contains("another sandbox runs in"), "{stderr}");
    }
    assert_eq!(std::fs::read(served.path().join("app.config")).unwrap(), config);
    assert_eq!(first.end("INT"), 0);
    // The user's directory stays. Nothing in it suggests that a sandbox is there.
    let left = files(served.path());
    assert!(left.iter().all(|file| ["app.config", "ca.pem"].contains(&file.as_str())), "{left:?}");
    assert_eq!(files(temporary.path()), [""; 0]);
    Sandbox::start(temporary.path(), &arguments).line("Calls appear here");
}

#[test]
fn served_sandbox_shows_calls_and_missing_daemon() {
    let directory = tempfile::tempdir().unwrap();
    let mut sandbox = Sandbox::start(directory.path(), &["--serve", "--color", "always"]);
    let app_config = sandbox.line("  app.config ");
    let served = Path::new(app_config.split_whitespace().nth(1).unwrap()).parent().unwrap().to_owned();
    assert!(sandbox.line("Import the functions").is_ascii());
    assert!(sandbox.line(" run --config-file ").contains("\x1b[1m"), "no color");
    sandbox.line("Calls appear here");
    let mut call = Command::new(env!("CARGO_BIN_EXE_fn-exchange-online"))
        .args(["sandbox", "--call", "get_email_user_profile", "--input=exo_email_address=x@y", "--directory"])
        .arg(&served)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(call.stderr.take().unwrap()).lines().map(Result::unwrap);
    let no_daemon = lines.next().unwrap();
    assert!(no_daemon.starts_with("No daemon is subscribed"), "{no_daemon}");
    assert!(lines.next().unwrap().contains("run --config-file"));
    assert!(
        sandbox
            .line("call 1: ")
            .ends_with(" get_email_user_profile, call 1: from a workflow of incident 2095")
    );
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_fn-exchange-online"))
        .args(["run", "--config-file"])
        .arg(served.join("app.config"))
        .env("NO_PROXY", "localhost,127.0.0.1")
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    sandbox.line("call 1: … ");
    assert!(sandbox.line("call 1: ✘").contains("x@y"));
    call.wait().unwrap();
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    assert_eq!(sandbox.end("TERM"), 0);
    assert_eq!(files(directory.path()), [""; 0]);
}
