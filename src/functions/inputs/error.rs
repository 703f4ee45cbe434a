//! Inputs that a function cannot work with, and why.

use net::untrusted::text::sanitize_line;

/// The longest part of an input, in characters, that an error quotes.
const LONGEST_QUOTE: usize = 100;

/// Inputs that a function cannot work with. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", sentences(problems, Reason::for_analyst))]
pub struct InputError {
    problems: Vec<Problem>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) input: &'static str,
    pub(super) reason: Reason,
}

/// Why an input cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It is required, and it is not set.
    Missing,
    /// Its value is not text, or an object without text.
    NotText,
    /// A criterion or folder that looks empty. Ignoring it would widen a search.
    Blank,
    /// It has more bytes than this.
    TooLong(usize),
    /// It is not a whole number.
    NotNumber,
    /// It is not a date and time.
    NotTime,
    /// It is neither true nor false.
    NotFlag,
    /// It is not the label of a choice.
    NotChoice,
    /// It is not a list of labels.
    NotChoices,
    /// A label that does not exist.
    UnknownChoice {
        /// The label.
        label: String,
        /// The labels that exist.
        options: &'static [&'static str],
    },
    /// An entry that cannot be a mail address.
    NotAddress(String),
    /// An entry of a list that is not of its kind.
    NotA {
        /// What an entry is, with its article.
        what: &'static str,
        /// The entry.
        entry: String,
    },
    /// It holds more values than this.
    TooMany(usize),
    /// It holds no address.
    NoAddress,
    /// It holds more than one address.
    SeveralAddresses,
    /// Neither it nor the input named here is set, and one of them is required.
    NeitherIsSet(&'static str),
    /// The input named here is set as well, and only one of them may be.
    BothAreSet(&'static str),
    /// A time that is before the one in the input named here.
    Before(&'static str),
}

impl InputError {
    pub(super) fn new(problems: Vec<Problem>) -> Self {
        Self { problems }
    }

    /// The names of the required inputs that are not set.
    pub fn missing(&self) -> Vec<&'static str> {
        missing(&self.problems)
    }

    /// The text for the log: without quotes from the inputs, which may hold words of a mail.
    pub fn for_log(&self) -> String {
        sentences(&self.problems, Reason::for_log)
    }
}

fn missing(problems: &[Problem]) -> Vec<&'static str> {
    let missing = problems.iter().filter(|problem| problem.reason == Reason::Missing);
    missing.map(|problem| problem.input).collect()
}

/// One sentence for all missing inputs, then one for each other problem.
fn sentences(problems: &[Problem], say: impl Fn(&Reason) -> String) -> String {
    let missing: Vec<String> = missing(problems).iter().map(|name| format!("\"{name}\"")).collect();
    let mut sentences = match missing.as_slice() {
        [] => Vec::new(),
        [one] => vec![format!("The input {one} is required, and it is not set.")],
        more => vec![format!("The inputs {} are required, and they are not set.", more.join(", "))],
    };
    for Problem { input, reason } in problems {
        if *reason != Reason::Missing {
            sentences.push(format!("The input \"{input}\" {}.", say(reason)));
        }
    }
    sentences.join(" ")
}

impl Reason {
    /// The rest of a sentence that begins with the name of the input.
    fn for_analyst(&self) -> String {
        match self {
            Self::NotAddress(entry) => {
                format!("holds {}, which is not an address", quoted(entry))
            }
            Self::UnknownChoice { label, options } => {
                format!("has no choice {}; it has {}", quoted(label), options.join(", "))
            }
            Self::NotA { what, entry } => format!("holds {}, which is not {what}", quoted(entry)),
            other => other.for_log(),
        }
    }

    fn for_log(&self) -> String {
        match self {
            Self::Missing => "is required, and it is not set".to_owned(),
            Self::NotText => "must be a text".to_owned(),
            Self::Blank => {
                "holds only blanks or invisible characters; give it a value, or leave it empty".to_owned()
            }
            Self::TooLong(limit) => format!("must be no longer than {limit} bytes"),
            Self::NotNumber => "must be a whole number".to_owned(),
            Self::NotTime => {
                "must be a date and time: milliseconds since 1970, or for instance 2026-11-28T10:00:00Z"
                    .to_owned()
            }
            Self::NotFlag => "must be true or false".to_owned(),
            Self::NotChoice => "must be a choice".to_owned(),
            Self::NotChoices => "must be a list of choices".to_owned(),
            Self::UnknownChoice { options, .. } => {
                format!("has no such choice; it has {}", options.join(", "))
            }
            Self::NotAddress(_) => "holds what is not an address".to_owned(),
            Self::NotA { what, .. } => format!("holds what is not {what}"),
            Self::TooMany(most) => format!("must hold at most {most} values"),
            Self::NoAddress => "holds no address".to_owned(),
            Self::SeveralAddresses => "must be one address".to_owned(),
            Self::NeitherIsSet(other) => {
                format!("or \"{other}\" is required, and neither is set")
            }
            Self::BothAreSet(other) => format!("must not be set together with \"{other}\""),
            Self::Before(start) => format!("is before \"{start}\", so nothing can be found"),
        }
    }
}

/// A part of an input, on one line and not longer than an error should be.
fn quoted(text: &str) -> String {
    let mut quote: String = sanitize_line(text).chars().take(LONGEST_QUOTE).collect();
    if text.chars().count() > LONGEST_QUOTE {
        quote.push('…');
    }
    format!("“{quote}”")
}
