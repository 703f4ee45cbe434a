//! The program on a terminal: `script` of util-linux provides one.

use std::io::Write;
use std::process::{Command, Stdio};

/// Runs the program on a terminal of that many columns, with `typed` as what a person types. Returns the exit code and
/// what the terminal shows, without its carriage returns.
pub(crate) fn on_terminal(
    columns: usize,
    environment: &[(&str, &str)],
    arguments: &[&str],
    typed: &str,
) -> (i32, String) {
    let quoted: Vec<String> = [&[env!("CARGO_BIN_EXE_fn-exchange-online")], arguments]
        .concat()
        .iter()
        .map(|word| format!("'{}'", word.replace('\'', r"'\''")))
        .collect();
    let mut script = Command::new("script")
        .args(["-qec", &format!("stty rows 40 cols {columns}; exec {}", quoted.join(" ")), "/dev/null"])
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .env_remove("LOGLEVEL")
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    script.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    let output = script.wait_with_output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap().replace('\r', "");
    (output.status.code().unwrap(), shown)
}

/// The text without sequences that control the terminal.
pub(crate) fn plain(shown: &str) -> String {
    let mut text = String::new();
    let mut rest = shown;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        text.push_str(before);
        rest = after.split_once(|c: char| c.is_ascii_alphabetic()).map_or("", |(_, rest)| rest);
    }
    text + rest
}
