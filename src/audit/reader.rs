//! Reads trails: verifies the chain of each file, and finds intents without an outcome.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::chain::LineHash;
use super::json_line::BEGUN;

/// No line of a trail is longer, in bytes.
const LONGEST_LINE: u64 = 16 << 20;
/// So many breaks of a chain are named.
const MAX_BREAKS: usize = 100;

/// A line of a trail: a JSON object.
pub type Line = Map<String, Value>;

/// What several trails say together.
#[derive(Debug, Default)]
pub struct TrailReport {
    /// The files, in the order in which they were given.
    pub files: Vec<FileReport>,
    /// All lines but intents, by time. Each has the key `file` in addition.
    pub lines: Vec<Line>,
    /// Intents without an outcome, by time: one line for each act. It may be under way, or may have been cut off.
    pub open: Vec<Line>,
}

/// What the chain of one file says.
#[derive(Debug)]
pub struct FileReport {
    /// The file.
    pub path: PathBuf,
    /// The number of its lines.
    pub lines: usize,
    /// The number of lines before the first one with a hash: of a version that wrote none.
    pub unchained: usize,
    /// Where its chain begins.
    pub start: Start,
    /// The hash of its last line. Kept elsewhere, it shows later whether lines were removed from the end.
    pub head: Option<String>,
    /// The number of lines that are not JSON objects: cut off by a full disk or a crash, or not written completely yet.
    pub cut: usize,
    /// Where the chain is broken; the first hundred.
    pub breaks: Vec<Break>,
}

/// Where the chain of a file begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// With this file.
    Here,
    /// With the last line of another file that was read.
    After(PathBuf),
    /// With the last line of a file that was not read. Holds the hash of that line.
    Elsewhere(String),
}

/// A break of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Break {
    /// The number of the line, from 1.
    pub line: usize,
    /// What is wrong.
    pub kind: BreakKind,
}

/// The kinds of breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakKind {
    /// The line's hash is not that of the line before it.
    OtherHash,
    /// The line has no hash, and a line before it has one.
    NoHash,
}

impl fmt::Display for BreakKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherHash => {
                "its hash is not that of the line before it: a line was changed, removed or added"
            }
            Self::NoHash => "it has no hash: another program wrote it",
        })
    }
}

/// Reads the trails in `files`.
///
/// # Errors
/// A file cannot be read.
pub fn read(files: &[PathBuf]) -> Result<TrailReport, (PathBuf, io::Error)> {
    read_from(files.iter().map(|path| (path.as_path(), File::open(path).map(BufReader::new))))
}

/// Reads the trails in `files`, each with its path.
///
/// # Errors
/// A file cannot be read.
pub(super) fn read_from<'p, R: BufRead>(
    files: impl Iterator<Item = (&'p Path, io::Result<R>)>,
) -> Result<TrailReport, (PathBuf, io::Error)> {
    let mut report = TrailReport::default();
    let mut acts = Acts::default();
    for (path, file) in files {
        let mut read = FileReader::default();
        let lines = file.and_then(|file| read.all(file, path, &mut acts));
        report.lines.extend(lines.map_err(|error| (path.to_owned(), error))?);
        report.files.push(read.report(path));
    }
    for nth in 0..report.files.len() {
        if let Start::Elsewhere(hash) = &report.files[nth].start
            && let Some(before) = report.files.iter().find(|file| file.head.as_ref() == Some(hash))
        {
            report.files[nth].start = Start::After(before.path.clone());
        }
    }
    report.open = acts.open();
    for lines in [&mut report.lines, &mut report.open] {
        lines.sort_by(|a, b| text(a, "time").cmp(text(b, "time")));
    }
    Ok(report)
}

fn text<'l>(line: &'l Line, key: &str) -> &'l str {
    line.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Acts by the names of their intents. A file may hold the outcome of an intent in the file before it.
#[derive(Default)]
struct Acts {
    begun: BTreeMap<String, Vec<Line>>,
    ended: BTreeSet<(String, String, String)>,
}

impl Acts {
    /// Takes a line; returns it unless it is an intent.
    fn take(&mut self, line: Line) -> Option<Line> {
        let intent = text(&line, "intent").to_owned();
        if intent.is_empty() {
            return Some(line);
        }
        if text(&line, "outcome") != BEGUN {
            self.ended.insert(key(&intent, &line));
            return Some(line);
        }
        let mut common = line;
        let acts = match common.remove("batch") {
            Some(Value::Array(parts)) => {
                let objects = parts.into_iter().filter_map(|part| match part {
                    Value::Object(part) => Some(part),
                    _ => None,
                });
                objects.map(|part| common.clone().into_iter().chain(part).collect()).collect()
            }
            Some(_) | None => vec![common],
        };
        self.begun.insert(intent, acts);
        None
    }

    fn open(self) -> Vec<Line> {
        let Self { begun, ended } = self;
        let acts = begun
            .into_iter()
            .flat_map(|(intent, acts)| acts.into_iter().map(move |act| (key(&intent, &act), act)));
        acts.filter(|(key, _)| !ended.contains(key)).map(|(_, act)| act).collect()
    }
}

/// What tells the acts of one intent apart.
fn key(intent: &str, line: &Line) -> (String, String, String) {
    (intent.to_owned(), text(line, "mailbox").to_owned(), text(line, "message_id").to_owned())
}

/// Reads one file.
#[derive(Default)]
struct FileReader {
    lines: usize,
    unchained: usize,
    start: Option<Start>,
    last: Option<LineHash>,
    cut: usize,
    breaks: Vec<Break>,
}

impl FileReader {
    fn all(&mut self, mut file: impl BufRead, path: &Path, acts: &mut Acts) -> io::Result<Vec<Line>> {
        let mut lines = Vec::new();
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            if file.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut bytes)? == 0 {
                return Ok(lines);
            }
            self.lines += 1;
            let line = serde_json::from_slice::<Line>(&bytes);
            match line {
                Ok(mut line) => {
                    self.check(line.remove("prev"));
                    line.insert("file".to_owned(), path.display().to_string().into());
                    lines.extend(acts.take(line));
                }
                // The next line's hash says whether it was like this when that line was written.
                Err(_) => self.cut += 1,
            }
            self.last = Some(LineHash::of(&bytes));
        }
    }

    /// Compares the hash in a line with that of the line before it.
    fn check(&mut self, prev: Option<Value>) {
        let is_chained = self.start.is_some();
        match prev {
            None if is_chained => self.breaks_here(BreakKind::NoHash),
            None => self.unchained += 1,
            Some(prev) => {
                let prev = prev.as_str().map(str::to_owned);
                let is_next = prev.as_deref() == self.last.as_ref().map(LineHash::text);
                if let (None, Some(hash)) = (&self.last, &prev) {
                    self.start = Some(Start::Elsewhere(hash.clone()));
                    return;
                }
                self.start.get_or_insert(Start::Here);
                if !is_next {
                    self.breaks_here(BreakKind::OtherHash);
                }
            }
        }
    }

    fn breaks_here(&mut self, kind: BreakKind) {
        if self.breaks.len() < MAX_BREAKS {
            self.breaks.push(Break { line: self.lines, kind });
        }
    }

    fn report(self, path: &Path) -> FileReport {
        FileReport {
            path: path.to_owned(),
            lines: self.lines,
            unchained: self.unchained,
            start: self.start.unwrap_or(Start::Here),
            head: self.last.map(|last| last.text().to_owned()),
            cut: self.cut,
            breaks: self.breaks,
        }
    }
}
