//! The options of `app.config`, each defined once. The parser takes names, bounds and defaults from here; the list of
//! known names, the template (`config::template`) and the tables of docs/settings.md are made from the same
//! definitions.

pub(super) mod app;
mod arguments;
pub(super) mod integrations;
pub(super) mod resilient;

pub use arguments::{ARGUMENTS, Argument, Effect};

use std::fmt::Display;
use std::ops::RangeInclusive;

/// SOAR's own section.
pub(super) const RESILIENT: &str = "resilient";
/// The section that all apps of an installation share.
pub(super) const INTEGRATIONS: &str = "integrations";
/// The section of this program.
pub(super) const APP: &str = "fn_exchange_online";

/// The sections that this program reads, in the order of the template.
pub static SECTIONS: [&Section; 3] = [&resilient::SECTION, &integrations::SECTION, &app::SECTION];

/// A section of `app.config`.
pub struct Section {
    /// Its name.
    pub name: &'static str,
    /// What the template says below the section's header.
    pub introduction: &'static str,
    /// Its options, in groups that the template separates by blank lines.
    pub groups: &'static [&'static [&'static dyn Definition]],
    /// Options of SOAR's framework that mean nothing to this program. They are accepted, since installations have them.
    ignored: &'static [&'static str],
}

impl Section {
    /// All options, in the order of the template.
    pub fn options(&self) -> impl Iterator<Item = &'static dyn Definition> {
        self.groups.iter().flat_map(|group| group.iter().copied())
    }

    pub(super) fn knows(&self, key: &str) -> bool {
        self.ignored.contains(&key) || self.options().any(|option| option.opt().key == key)
    }
}

/// Whether the placeholder of some option in the template is `text`.
pub(super) fn is_placeholder(text: &str) -> bool {
    SECTIONS
        .iter()
        .flat_map(|section| section.options())
        .any(|option| matches!(option.opt().line, Line::Placeholder(it) if it.eq_ignore_ascii_case(text)))
}

/// A definition of any type: what the template and the documentation need.
pub trait Definition: Sync {
    /// The part that options of all types have.
    fn opt(&self) -> &Opt;

    /// The values that are accepted, as a sentence; `None` where any text is.
    fn accepted(&self) -> Option<String> {
        None
    }

    /// The default, as the documentation shows it.
    fn default(&self) -> Option<String> {
        self.opt().default.map(str::to_owned)
    }
}

/// An option.
#[derive(Debug, Clone, Copy)]
pub struct Opt {
    /// The section it is in.
    pub section: &'static str,
    /// Its name in the section.
    pub key: &'static str,
    /// What it means, in full sentences. Names of options stand between backticks.
    pub documentation: &'static str,
    /// The value that an absent option stands for.
    pub(super) default: Option<&'static str>,
    /// Its line in the template.
    pub line: Line,
    /// The environment variable that overrides or replaces it.
    pub variable: Option<Variable>,
}

/// The line of an option in the template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// `key=`, followed by this value.
    Set(&'static str),
    /// As [`Line::Set`]; a value that has to be replaced before the program starts.
    Placeholder(&'static str),
    /// `#key=`, followed by this value: a comment that suggests one.
    Suggested(&'static str),
}

/// An environment variable that stands for an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variable {
    /// It takes precedence over the option.
    Overrides(&'static str),
    /// It is used where the option is absent.
    StandsIn(&'static str),
}

impl Variable {
    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Overrides(name) | Self::StandsIn(name) => name,
        }
    }
}

impl Opt {
    /// An option without a default, which the template suggests without a value.
    const fn new(section: &'static str, key: &'static str, documentation: &'static str) -> Self {
        Self { section, key, documentation, default: None, line: Line::Suggested(""), variable: None }
    }

    /// An option that the program accepts and does not use.
    pub(super) const fn ignored(section: &'static str, key: &'static str) -> Self {
        Self::new(section, key, "")
    }

    const fn or(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    const fn set(self, value: &'static str) -> Self {
        Self { line: Line::Set(value), ..self }
    }

    const fn placeholder(self, value: &'static str) -> Self {
        Self { line: Line::Placeholder(value), ..self }
    }

    const fn suggested(self, value: &'static str) -> Self {
        Self { line: Line::Suggested(value), ..self }
    }

    const fn variable(self, variable: Variable) -> Self {
        Self { variable: Some(variable), ..self }
    }

    /// What it means, with the values that are accepted and the environment variable, in sentences.
    pub fn described(definition: &dyn Definition) -> String {
        let opt = definition.opt();
        let mut text = opt.documentation.to_owned();
        let variable = opt.variable.map(|variable| match variable {
            Variable::Overrides(name) => format!("The environment variable {name} takes precedence."),
            Variable::StandsIn(name) => format!("If absent, the environment variable {name} is used."),
        });
        for sentence in definition.accepted().into_iter().chain(variable) {
            text.push(' ');
            text.push_str(&sentence);
        }
        text
    }

    /// The default of a text. Empty where there is none.
    pub(super) fn default_text(&self) -> &'static str {
        self.default.unwrap_or_default()
    }
}

impl Definition for Opt {
    fn opt(&self) -> &Opt {
        self
    }
}

/// An option that is a number.
pub(super) struct Number<T> {
    pub(super) opt: Opt,
    pub(super) range: RangeInclusive<T>,
    pub(super) default: T,
}

/// An option that is a number, whose absence means something else, which [`Opt::default`] names.
pub(super) struct OptionalNumber<T> {
    pub(super) opt: Opt,
    pub(super) range: RangeInclusive<T>,
}

impl<T: Display + Sync> Definition for Number<T> {
    fn opt(&self) -> &Opt {
        &self.opt
    }

    fn accepted(&self) -> Option<String> {
        Some(bounds(&self.range))
    }

    fn default(&self) -> Option<String> {
        Some(self.default.to_string())
    }
}

impl<T: Display + Sync> Definition for OptionalNumber<T> {
    fn opt(&self) -> &Opt {
        &self.opt
    }

    fn accepted(&self) -> Option<String> {
        Some(bounds(&self.range))
    }
}

fn bounds<T: Display>(range: &RangeInclusive<T>) -> String {
    /// A bound of more digits is only that of the type.
    const MOST_DIGITS: usize = 9;
    let (start, end) = (range.start(), range.end().to_string());
    if end.len() > MOST_DIGITS {
        format!("A number, at least {start}.")
    } else {
        format!("A number from {start} to {end}.")
    }
}

/// An option that names one of a few values; upper and lower case are equal.
pub(super) struct Choice<T: 'static> {
    pub(super) opt: Opt,
    pub(super) choices: &'static [(&'static str, T)],
    pub(super) default: T,
    /// Further names of the values, which the documentation leaves out.
    pub(super) aliases: &'static [(&'static str, T)],
}

impl<T: Copy> Choice<T> {
    /// The value that `text` names.
    pub(super) fn value_of(&self, text: &str) -> Option<T> {
        let mut names = self.choices.iter().chain(self.aliases);
        names.find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, value)| *value)
    }

    /// The names, for messages: `a, b or c`.
    pub(super) fn names(&self) -> String {
        let names: Vec<&str> = self.choices.iter().map(|(name, _)| *name).collect();
        match names.split_last() {
            Some((last, [])) => (*last).to_owned(),
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
            None => String::new(),
        }
    }
}

impl<T: Copy + PartialEq + Sync> Definition for Choice<T> {
    fn opt(&self) -> &Opt {
        &self.opt
    }

    fn accepted(&self) -> Option<String> {
        Some(format!("One of {}.", self.names()))
    }

    fn default(&self) -> Option<String> {
        let name = self.choices.iter().find(|(_, value)| *value == self.default);
        name.map(|(name, _)| (*name).to_owned())
    }
}
