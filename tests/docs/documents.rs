//! Links between documents lead somewhere, and commands in documents exist.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::{PROGRAM, root};

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
fn links_lead_to_existing_anchors() {
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
            // What follows a pipe, a redirection, a comment or a substitution is not ours.
            let call = call.split(['|', '>', '#']).next()?.split("$(").next()?;
            Some(call.split_whitespace().map(str::to_owned).collect())
        })
        .collect()
}

#[test]
fn documents_name_existing_commands() {
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
fn command_line_page_lists_every_command() {
    let page = fs::read_to_string(root().join("docs/command-line.md")).unwrap();
    let chapter = chapter(&page, "## Commands");
    let help = help("").unwrap();
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let commands: Vec<_> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 5, "{help}");
    for command in commands.into_iter().filter(|command| *command != "help") {
        assert!(chapter.contains(&format!("| `{command}")), "docs/command-line.md does not list {command}");
    }
}

/// A chapter from its heading to the next of its rank or above.
pub(crate) fn chapter<'a>(text: &'a str, heading: &str) -> &'a str {
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
pub(crate) fn blocks(chapter: &str) -> Vec<Vec<String>> {
    let blocks = chapter.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks
        .map(|block| {
            let joined = block.replace("\\\n", " ");
            joined.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
        })
        .collect()
}
