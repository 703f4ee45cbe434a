//! Headless Chromium, driven by `browser.py`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// A page in a window.
pub(crate) struct Browser {
    process: Child,
    /// Open until the page is closed.
    expressions: Option<ChildStdin>,
    values: BufReader<ChildStdout>,
}

impl Browser {
    /// Opens the page in a window of this width.
    pub(crate) fn open(url: &str, width: u32) -> Self {
        let runs =
            |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|it| it.status.success());
        let program = NAMES.into_iter().find(runs).expect("Chromium is not installed (Debian: chromium)");
        let mut process = Command::new("python3")
            .args(["-c", include_str!("browser.py"), program, url, &width.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (expressions, values) = (process.stdin.take(), BufReader::new(process.stdout.take().unwrap()));
        Self { process, expressions, values }
    }

    /// The value of a JavaScript expression in the page.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        writeln!(self.expressions.as_mut().unwrap(), "{expression}").unwrap();
        let mut line = String::new();
        self.values.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("no value of {expression}"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The end of its input ends the script, and the script ends Chromium.
        drop(self.expressions.take());
        let _ = self.process.wait();
    }
}
