//! The INI syntax of `app.config`, which is that of Python's `configparser.ConfigParser(interpolation=None)`, as a
//! format of the `config` crate.
//!
//! The crate's own INI reader drops backslashes, strips quotes and does not support continuation lines, so it would
//! change secrets. A test compares this reader with Python's, file by file: `tests/integration/app_config_dialect.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt;

use ::config::{FileStoredFormat, Format, Map, Value, ValueKind};

/// The only top-level key that [`IniFormat`] gives to `config`, with the sections below it. `config` parses top-level
/// keys as path expressions, and a section may be named `a.b` or `x[0]`.
pub const ROOT: &str = "sections";

/// The origin of values that a section takes from `[DEFAULT]`.
pub const DEFAULT_ORIGIN: &str = "[DEFAULT]";

/// Section name → option name (lower-cased) → value.
pub type Sections = BTreeMap<String, BTreeMap<String, String>>;

/// `app.config`'s format, for [`::config::File`].
#[derive(Debug, Clone, Copy, Default)]
pub struct IniFormat;

impl Format for IniFormat {
    fn parse(
        &self,
        uri: Option<&String>,
        text: &str,
    ) -> Result<Map<String, Value>, Box<dyn Error + Send + Sync>> {
        Ok(parse(text)?.into_map(uri))
    }
}

impl FileStoredFormat for IniFormat {
    fn file_extensions(&self) -> &'static [&'static str] {
        &["config"]
    }
}

/// A parsed file: its sections, and the options of `[DEFAULT]`, which every section inherits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// The sections, without the options they inherit.
    pub sections: Sections,
    /// The options of `[DEFAULT]`.
    pub defaults: BTreeMap<String, String>,
}

impl Document {
    /// Converts the document into the form that `config` takes.
    pub fn into_map(self, uri: Option<&String>) -> Map<String, Value> {
        let from_default = DEFAULT_ORIGIN.to_owned();
        let defaults = self.defaults;
        let sections: Map<String, Value> = self
            .sections
            .into_iter()
            .map(|(section, options)| {
                let mut table: Map<String, Value> = defaults
                    .iter()
                    .map(|(key, value)| (key.clone(), Value::new(Some(&from_default), value.as_str())))
                    .collect();
                table.extend(options.into_iter().map(|(key, value)| (key, Value::new(uri, value))));
                (section, Value::new(uri, ValueKind::Table(table)))
            })
            .collect();
        Map::from_iter([(ROOT.to_owned(), Value::new(uri, ValueKind::Table(sections)))])
    }
}

/// A line that Python's reader rejects. Does not hold the text of the line, which may be part of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The number of the line, from 1.
    pub line: usize,
    /// The section the line is in.
    pub section: Option<String>,
    /// What is wrong.
    pub kind: FaultKind,
}

/// The errors that Python's reader reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// Text above the first section header.
    BeforeAnySection,
    /// A second header of the section.
    DuplicateSection,
    /// A second line for this option.
    DuplicateOption(String),
    /// Neither an option (no `=` or `:`) nor a section header nor a comment.
    NotAnOption,
    /// Nothing before the `=` or `:`.
    NoName,
}

/// The file has errors of syntax. Lists all of them, and keeps the lines that could be read.
#[derive(Debug)]
pub struct Syntax {
    /// What is wrong, in the order of the lines; never empty.
    pub faults: Vec<Fault>,
    /// The file without its faulty lines, so that everything else in it can be checked as well.
    pub readable: Document,
}

impl fmt::Display for Syntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.faults.iter().map(|fault| fault.line.to_string()).collect();
        write!(f, "not in the form of app.config: line {}", lines.join(", "))
    }
}

impl Error for Syntax {}

/// Reads `text`, the decoded content of a file; a byte order mark at its start is skipped.
pub fn parse(text: &str) -> Result<Document, Syntax> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // Python opens files with universal newlines.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut reader = Reader::default();
    for (number, line) in text.split('\n').enumerate() {
        reader.line(number + 1, line);
    }
    reader.finish()
}

/// Options, whose values are lists of lines until the whole file has been read.
type Lines = BTreeMap<String, Vec<String>>;

const DEFAULT_SECTION: &str = "DEFAULT";

#[derive(Default)]
struct Reader {
    sections: BTreeMap<String, Lines>,
    defaults: Lines,
    section: Option<String>,
    target: Target,
    /// The indentation of the last section header or option.
    indentation: usize,
    faults: Vec<Fault>,
    /// Sections that had a header already.
    seen: BTreeSet<String>,
}

/// The target of continuation lines, which are indented more.
#[derive(Default)]
enum Target {
    /// Nothing: a section has just begun.
    #[default]
    Nothing,
    /// An option of the section.
    Option(String),
    /// A line that was refused.
    Refused,
}

impl Reader {
    fn line(&mut self, number: usize, line: &str) {
        let text = line.trim_matches(is_space);
        if text.starts_with(['#', ';']) {
            return;
        }
        if text.is_empty() {
            self.continue_with("");
            return;
        }
        let indentation = line.chars().take_while(|&c| is_space(c)).count();
        if indentation > self.indentation && !matches!(self.target, Target::Nothing) {
            self.continue_with(text);
            return;
        }
        self.indentation = indentation;
        if let Some(name) = section_header(text) {
            self.header(number, name);
        } else if self.section.is_some() {
            self.option(number, text);
        } else {
            self.target = Target::Refused;
            if self.faults.is_empty() {
                self.fault(number, FaultKind::BeforeAnySection);
            }
        }
    }

    fn continue_with(&mut self, text: &str) {
        if let Target::Option(key) = &self.target {
            let key = key.clone();
            self.options().entry(key).or_default().push(text.to_owned());
        }
    }

    fn header(&mut self, number: usize, name: &str) {
        self.target = Target::Nothing;
        self.section = Some(name.to_owned());
        if name == DEFAULT_SECTION {
            return;
        }
        self.sections.entry(name.to_owned()).or_default();
        if !self.seen.insert(name.to_owned()) {
            self.fault(number, FaultKind::DuplicateSection);
        }
    }

    fn option(&mut self, number: usize, text: &str) {
        self.target = Target::Refused;
        let Some((key, value)) = text.split_once(['=', ':']) else {
            return self.fault(number, FaultKind::NotAnOption);
        };
        let key = key.trim_end_matches(is_space).to_lowercase();
        if key.is_empty() {
            return self.fault(number, FaultKind::NoName);
        }
        let value = value.trim_matches(is_space).to_owned();
        let options = self.options();
        if options.contains_key(&key) {
            return self.fault(number, FaultKind::DuplicateOption(key));
        }
        options.insert(key.clone(), vec![value]);
        self.target = Target::Option(key);
    }

    fn options(&mut self) -> &mut Lines {
        match self.section.as_deref() {
            None | Some(DEFAULT_SECTION) => &mut self.defaults,
            Some(name) => self.sections.entry(name.to_owned()).or_default(),
        }
    }

    fn fault(&mut self, line: usize, kind: FaultKind) {
        self.faults.push(Fault { line, section: self.section.clone(), kind });
    }

    fn finish(self) -> Result<Document, Syntax> {
        let document = Document {
            sections: self.sections.into_iter().map(|(name, options)| (name, joined(options))).collect(),
            defaults: joined(self.defaults),
        };
        if self.faults.is_empty() {
            Ok(document)
        } else {
            Err(Syntax { faults: self.faults, readable: document })
        }
    }
}

fn joined(options: Lines) -> BTreeMap<String, String> {
    options
        .into_iter()
        .map(|(key, lines)| (key, lines.join("\n").trim_end_matches(is_space).to_owned()))
        .collect()
}

/// Returns the name in `[name]`, which extends to the last `]` of the line. Text after it is ignored.
fn section_header(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let name = &inner[..inner.rfind(']')?];
    (!name.is_empty()).then_some(name)
}

/// White space as in Python's `str.strip` and `\s`: Unicode's, and the four ASCII separators.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}
