//! The documents keep their word: links lead somewhere, commands are those the program has, and the exercise of the
//! README's chapter "Replace the older app" works as it stands there.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_fn-exchange-online");
/// No step of the exercise may take longer.
const PATIENCE: Duration = Duration::from_secs(60);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every document, with its text outside of code blocks and its text as a whole.
fn documents() -> Vec<(PathBuf, String, String)> {
    let top = fs::read_dir(root()).unwrap();
    let docs = fs::read_dir(root().join("docs")).unwrap();
    let paths = top.chain(docs).map(|entry| entry.unwrap().path());
    let documents = paths.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    documents
        .map(|path| {
            let whole = fs::read_to_string(&path).unwrap();
            let prose = whole.split("```").step_by(2).collect();
            (path, prose, whole)
        })
        .collect()
}

/// The anchors that a document's headings make, as code hosts make them.
fn anchors(prose: &str) -> HashSet<String> {
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|heading| {
            let words = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = words.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let documents = documents();
    assert!(documents.len() > 10, "{documents:?}");
    let mut broken = Vec::new();
    for (path, prose, _) in &documents {
        for target in prose.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0)) {
            if target.starts_with("https://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let found = file.canonicalize().is_ok_and(|file| {
                let there = documents.iter().find(|(path, ..)| path.canonicalize().unwrap() == file);
                anchor.is_empty() || there.is_some_and(|(_, prose, _)| anchors(prose).contains(anchor))
            });
            if !found {
                broken.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "these links lead nowhere:\n{}", broken.join("\n"));
}

/// The help of the program, or of one of its commands.
fn help(command: &str) -> Option<String> {
    let arguments = [command, "--help"].into_iter().filter(|argument| !argument.is_empty());
    let output = Command::new(PROGRAM).args(arguments).output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

/// The calls of the program in a document, in blocks of commands and within sentences: command and arguments.
fn calls(prose: &str, whole: &str) -> Vec<Vec<String>> {
    let blocks = blocks(whole).concat();
    let spans = prose.split('`').skip(1).step_by(2).map(str::to_owned);
    let other_programs = ["systemctl", "systemd-analyze", "journalctl", "install ", "cargo", "cp ", "mv "];
    blocks
        .into_iter()
        .chain(spans)
        .filter(|code| !other_programs.iter().any(|program| code.starts_with(program)))
        .filter_map(|code| {
            let (_, call) = code.rsplit_once("fn-exchange-online ")?;
            // What follows a pipe, a redirection or a comment is not ours.
            let call = call.split(['|', '>', '#']).next()?;
            Some(call.split_whitespace().map(str::to_owned).collect())
        })
        .collect()
}

#[test]
fn the_documents_name_only_commands_and_options_that_there_are() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (path, prose, whole) in documents() {
        for call in calls(&prose, &whole) {
            seen += 1;
            // Options of the program itself come without a command.
            let command = call.first().filter(|word| !word.starts_with('-')).map_or("", String::as_str);
            let Some(help) = help(command) else {
                wrong.push(format!("{}: there is no command {command:?}", path.display()));
                continue;
            };
            let options = call.iter().filter(|word| word.starts_with('-') && word.len() > 1);
            let unknown = options.filter(|option| !help.split([' ', ',', '\n']).any(|word| word == *option));
            wrong.extend(unknown.map(|option| format!("{}: {command} has no {option}", path.display())));
        }
    }
    assert!(seen > 20, "only {seen} calls of the program were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_readme_lists_every_command() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let chapter = chapter(&readme, "## Commands");
    let help = help("").unwrap();
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let commands: Vec<_> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 5, "{help}");
    for command in commands.into_iter().filter(|command| *command != "help") {
        assert!(chapter.contains(&format!("| `{command}")), "the README does not list {command}");
    }
}

#[test]
fn the_map_of_the_house_has_every_room() {
    let architecture = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let library = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let modules = library.lines().map(|line| line.strip_prefix("pub ").unwrap_or(line));
    let rooms: Vec<_> = modules.filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).collect();
    assert!(rooms.len() > 10, "{rooms:?}");
    let map = chapter(&architecture, "## The map of the house");
    for room in rooms {
        assert!(map.contains(&format!("`{room}`")), "the map has no {room}");
    }
}

/// A chapter from its heading to the next of its rank or above.
fn chapter<'a>(text: &'a str, heading: &str) -> &'a str {
    let start = text.find(&format!("{heading}\n")).unwrap_or_else(|| panic!("there is no {heading:?}"));
    let rank = heading.find(' ').unwrap();
    let body = &text[start + heading.len()..];
    let mut end = 0;
    let mut in_code = false;
    for line in body.split_inclusive('\n') {
        in_code ^= line.starts_with("```");
        let hashes = line.chars().take_while(|c| *c == '#').count();
        if end > 0 && !in_code && (1..=rank).contains(&hashes) {
            break;
        }
        end += line.len();
    }
    &body[..end]
}

/// The commands of a chapter, block by block.
fn blocks(chapter: &str) -> Vec<Vec<String>> {
    let blocks = chapter.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks
        .map(|block| {
            let joined = block.replace("\\\n", " ");
            joined.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
        })
        .collect()
}

/// The repository as the exercise finds it after `cargo build`: the program is where it says.
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
    /// Starts it and waits until it has said `ready`.
    fn open(command: &str, directory: &Path, ready: &str) -> Self {
        let mut child =
            shell(command, directory).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (say, said) = mpsc::channel();
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
            let next = said.recv_timeout(deadline.saturating_duration_since(Instant::now()));
            let line = next.unwrap_or_else(|_| panic!("{command} never said {ready:?}:\n{heard}"));
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
fn the_exercise_of_replacing_the_older_app_works_as_it_is_written() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let exercise = chapter(&readme, "### The same as an exercise");
    let directory = built();
    let directory = directory.path();
    let mut terminals = Vec::new();
    let mut said = String::new();
    for command in blocks(exercise).concat() {
        if command == "cargo build" {
            // Done already, for this test.
        } else if command.contains(" --serve ") {
            terminals.push(Terminal::open(&command, directory, "end the sandbox with Ctrl-C"));
        } else if command.contains(" run ") {
            terminals.push(Terminal::open(&command, directory, "ready: listening for calls"));
        } else {
            let output = typed(&command, directory);
            said += &String::from_utf8_lossy(&output.stdout);
            said += &String::from_utf8_lossy(&output.stderr);
        }
    }
    assert_eq!(terminals.len(), 2, "SOAR and the daemon");
    // Below /tmp, where tests may run, the audit trail would not last.
    assert!(said.contains("All is well.") || said.contains("does not last there"), "{said}");
    for expected in ["will change", "This was a dry run", "SOAR has imported it", "Nora Kraus"] {
        assert!(said.contains(expected), "nothing said {expected:?}:\n{said}");
    }
    let found = fs::read_to_string(directory.join("target/exercise/found.json")).unwrap();
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["content"]["messages_found"], 37, "{found}");
}
