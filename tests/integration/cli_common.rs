//! Promise: all commands have the manners of command lines: help that fits the screen, suggestions, colors that can be
//! turned off, JSON on request, completions and manual pages, and no success where the output was lost.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::{Command, Output};

use fn_exchange_online::functions::Function;
use serde_json::Value;

use crate::support::terminal::{on_terminal, plain};

const COMMANDS: [&str; 12] = [
    "run",
    "selftest",
    "invoke",
    "measure",
    "config",
    "customize",
    "package",
    "audit",
    "list",
    "completions",
    "man-pages",
    "sandbox",
];

fn program(arguments: &[&str]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_fn-exchange-online"));
    program.args(arguments).env_remove("NO_COLOR").env_remove("LOGLEVEL");
    program
}

fn run(arguments: &[&str]) -> Output {
    program(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn help_fits_the_terminal_and_has_examples() {
    for (command, columns) in COMMANDS.iter().flat_map(|command| [(*command, 60), (*command, 66)]) {
        let (code, shown) = on_terminal(columns, &[], &[command, "--help"], "");
        assert_eq!(code, 0, "{shown}");
        assert!(shown.contains('\x1b'), "no bold headings: {shown}");
        let shown = plain(&shown);
        let wide: Vec<&str> = shown.lines().filter(|line| line.chars().count() > columns).collect();
        assert!(wide.is_empty(), "{command}: {wide:?}");
        assert!(shown.contains("\nExamples:\n") && shown.contains("  $ fn-exchange-online "), "{shown}");
        let document = shown.split("\nDocumentation: ").nth(1).unwrap().trim();
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(document).is_file(), "{document}");
    }
}

#[test]
fn usage_of_errors_fits_the_terminal() {
    for arguments in [
        &["sandbox", "--call", "query_emails"][..],
        &["sandbox", "--fresh", "--mailboxes", "20", "--latency", "1", "--throttled", "1"],
        &["package", "--image", "registry.example.com/x:1"],
        &["selftest", "--json", "--config-file", "app.config", "--color", "never", "--nonsense"],
    ] {
        let output = run(arguments);
        let shown = text(&output.stderr);
        let usage = shown.split("\nUsage: ").nth(1).unwrap_or_else(|| panic!("{arguments:?}: {shown}"));
        let wide: Vec<&str> = usage.lines().filter(|line| line.chars().count() + 7 > 66).collect();
        assert!(output.status.code() == Some(2) && wide.is_empty(), "{arguments:?}: {wide:?}");
    }
}

#[test]
fn colors_follow_no_color_and_the_option() {
    let has_colors = |environment: &[(&str, &str)], arguments: &[&str]| {
        on_terminal(80, environment, arguments, "").1.contains('\x1b')
    };
    let selftest = ["selftest", "--config-file", "/nowhere"];
    assert!(has_colors(&[], &selftest));
    for (environment, more) in
        [(("NO_COLOR", "1"), &[][..]), (("TERM", "dumb"), &[]), (("TERM", "xterm"), &["--color", "never"])]
    {
        for arguments in [&selftest[..], &["list", "--help"]] {
            // What clap shows depends on TERM in the same way, and on CI without `color_of`.
            for environment in [&[environment][..], &[environment, ("CI", "true")]] {
                let arguments = [arguments, more].concat();
                assert!(!has_colors(environment, &arguments), "{environment:?} {arguments:?}");
            }
        }
    }
    for arguments in [&selftest[..], &["list", "--help"]] {
        let piped = run(&[arguments, &["--color=always"]].concat());
        assert!(piped.stdout.contains(&b'\x1b'), "{arguments:?}");
        assert!(!run(arguments).stdout.contains(&b'\x1b'), "{arguments:?}");
    }
}

#[test]
fn version_names_the_commit() {
    let git = Command::new("git")
        .args(["-C", env!("CARGO_MANIFEST_DIR"), "rev-parse", "--show-toplevel", "HEAD"])
        .output();
    let mut expected = format!("fn-exchange-online {}", env!("CARGO_PKG_VERSION"));
    if let Ok(git) = git
        && let Some((top, commit)) = text(&git.stdout).trim().split_once('\n')
        && top == env!("CARGO_MANIFEST_DIR")
    {
        expected = format!("{expected} ({})", &commit[..12]);
    }
    assert_eq!(text(&run(&["--version"]).stdout).trim_end(), expected);
}

#[test]
fn lost_output_is_a_failure() {
    for arguments in [
        &["--print-config"][..],
        &["--help"],
        &["--version"],
        &["list"],
        &["list", "--json"],
        &["invoke", "--list"],
        &["selftest", "--config-file", "/nowhere"],
        &["selftest", "--json", "--config-file", "/nowhere"],
        &["customize", "--export", "-"],
        &["completions", "bash"],
        &["audit", "/dev/null"],
        &["sandbox", "--serve", "--mailboxes", "10"],
    ] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = program(arguments).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(text(&output.stderr).contains("could not be written: No space left"), "{arguments:?}");
    }
}

#[test]
fn closed_pipe_is_no_failure() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = program(&["invoke", "--list"]).stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}

#[test]
fn lists_are_shown_as_json() {
    let list: Value = serde_json::from_slice(&run(&["list", "--json"]).stdout).unwrap();
    assert_eq!(list["functions"].as_array().unwrap().len(), Function::ALL.len());
    assert_eq!(list["version"], env!("CARGO_PKG_VERSION"));
    let all: Value = serde_json::from_slice(&run(&["invoke", "--list", "--json"]).stdout).unwrap();
    for (listed, function) in all["functions"].as_array().unwrap().iter().zip(Function::ALL) {
        assert_eq!(listed["name"], function.name());
        assert_eq!(listed["inputs"].as_array().unwrap().len(), function.spec().inputs.len());
        assert_eq!(listed["changes_mailbox"], function.spec().changes_mailbox);
    }
    let one: Value =
        serde_json::from_slice(&run(&["invoke", "get_message", "--list", "--json"]).stdout).unwrap();
    assert_eq!(one["functions"][0]["inputs"][0]["name"], "exo_email_address");
}

#[test]
fn bash_completes_commands_and_functions() {
    let complete = |words: &str, at: usize, word: &str| {
        let script = format!(
            "source <('{}' completions bash); COMP_WORDS=({words}); COMP_CWORD={at}; \
             _fn-exchange-online fn-exchange-online '{word}' x; echo \"${{COMPREPLY[*]}}\"",
            env!("CARGO_BIN_EXE_fn-exchange-online")
        );
        let output = Command::new("bash").args(["-c", &script]).output().unwrap();
        assert_eq!(text(&output.stderr), "");
        text(&output.stdout).trim().to_owned()
    };
    assert_eq!(complete("fn-exchange-online self", 1, "self"), "selftest");
    assert_eq!(complete("fn-exchange-online invoke get_m", 2, "get_m"), "get_message");
    for shell in ["zsh", "fish"] {
        let output = run(&["completions", shell]);
        assert!(text(&output.stdout).contains("man-pages"), "{shell}");
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let directory = tempfile::tempdir().unwrap();
    let pages = directory.path().join("man1");
    assert!(run(&["man-pages", "-q", pages.to_str().unwrap()]).status.success());
    let mut names: Vec<String> = std::fs::read_dir(&pages)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut expected = COMMANDS.map(|command| format!("fn-exchange-online-{command}.1")).to_vec();
    expected.push("fn-exchange-online.1".to_owned());
    expected.sort();
    assert_eq!(names, expected);
    let page = std::fs::read_to_string(pages.join("fn-exchange-online-selftest.1")).unwrap();
    assert!(page.contains(".TH fn-exchange-online-selftest 1"), "{page}");
    assert!(page.contains(r"\-\-config\-file") && page.contains(r"\-\-mailbox"), "{page}");
}

#[test]
fn quiet_leaves_out_messages_and_what_passed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("app.config").display().to_string();
    let created = run(&["-q", "config", "--create", &file]);
    assert_eq!((created.status.code(), created.stderr.as_slice()), (Some(0), &b""[..]));
    assert_eq!(run(&["-q", "-v", "list"]).status.code(), Some(2));
    let report = run(&["selftest", "--quiet", "--config-file", &file]);
    let report = text(&report.stdout);
    assert!(report.contains("FAIL") && !report.contains("ok  "), "{report}");
}

#[test]
fn missing_configuration_is_explained() {
    let output = program(&["run"]).env("HOME", "/nowhere").env_remove("APP_CONFIG_FILE").output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("./app.config") && stderr.contains("config --create FILE"), "{stderr}");
}
