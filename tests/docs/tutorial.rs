//! The tutorial works as it is written.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::documents::blocks;
use crate::{PROGRAM, root};

/// No step of the tutorial may take longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The repository as the tutorial finds it after `cargo build`: the program is where it says.
fn built() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("target/debug")).unwrap();
    let program = directory.path().join("target/debug/fn-exchange-online");
    std::os::unix::fs::symlink(PROGRAM, program).unwrap();
    directory
}

fn shell(command: &str, directory: &Path) -> Command {
    let mut shell = Command::new("sh");
    // The program takes the shell's place, so that it is what is stopped.
    shell.args(["-c", &format!("exec {command}")]).current_dir(directory);
    shell.env("NO_PROXY", "localhost,127.0.0.1").env("no_proxy", "localhost,127.0.0.1");
    shell
}

/// A command that stays, as in a terminal of its own.
struct Terminal(Child);

impl Terminal {
    /// Starts it and waits until it prints `ready`.
    fn open(command: &str, directory: &Path, ready: &str) -> Self {
        let mut child =
            shell(command, directory).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (say, lines) = mpsc::channel();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let readers: [Box<dyn BufRead + Send>; 2] =
            [Box::new(BufReader::new(out)), Box::new(BufReader::new(err))];
        for reader in readers {
            let say = say.clone();
            std::thread::spawn(move || {
                reader.lines().map_while(Result::ok).for_each(|line| drop(say.send(line)));
            });
        }
        let terminal = Self(child);
        let deadline = Instant::now() + PATIENCE;
        let mut heard = String::new();
        while !heard.contains(ready) {
            let next = lines.recv_timeout(deadline.saturating_duration_since(Instant::now()));
            let line = next.unwrap_or_else(|_| panic!("{command} never printed {ready:?}:\n{heard}"));
            heard = heard + &line + "\n";
        }
        terminal
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a command that ends by itself, with "y" for its question.
fn typed(command: &str, directory: &Path) -> Output {
    let mut child = shell(command, directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Most ask nothing, and may have ended.
    let _ = child.stdin.take().unwrap().write_all(b"y\n");
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{command}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

#[test]
fn tutorial_works_as_written() {
    let tutorial = fs::read_to_string(root().join("docs/tutorial.md")).unwrap();
    let directory = built();
    let directory = directory.path();
    let mut terminals = Vec::new();
    let mut lines = String::new();
    for command in blocks(&tutorial).concat() {
        if command == "cargo build" {
            // Done already, for this test.
        } else if command.contains(" --serve ") {
            // Graph's latency is waiting, which proves nothing here.
            let command = format!("{command} --latency 2 --throttled 0");
            terminals.push(Terminal::open(&command, directory, "end the sandbox with Ctrl-C"));
        } else if command.contains(" run ") {
            terminals.push(Terminal::open(&command, directory, "ready: listening for calls"));
        } else {
            let output = typed(&command, directory);
            lines += &String::from_utf8_lossy(&output.stdout);
            lines += &String::from_utf8_lossy(&output.stderr);
        }
    }
    assert_eq!(terminals.len(), 2, "SOAR and the daemon");
    // Below /tmp, where tests may run, the audit trail would not last.
    assert!(lines.contains("All checks passed.") || lines.contains("is not kept there"), "{lines}");
    for expected in ["46 to change", "Dry run: nothing was changed", "SOAR has imported it", "Nora Kraus"] {
        assert!(lines.contains(expected), "nothing lines {expected:?}:\n{lines}");
    }
    let result = |file: &str| -> serde_json::Value {
        let text = fs::read_to_string(directory.join("target/exercise").join(file)).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    assert_eq!(result("found.json")["content"]["messages_found"], 37);
    assert_eq!(result("deleted.json")["content"]["messages_deleted"], 37);
    assert!(lines.contains("\"messages_found\":0"), "the mail is gone:\n{lines}");
    assert!(lines.matches("delete message").count() >= 37, "the audit trail has each deletion:\n{lines}");
}
