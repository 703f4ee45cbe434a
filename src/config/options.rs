//! Reads options from the layers, inserts secrets, and parses numbers, paths and so on. Notes problems and continues,
//! so that all problems are reported at once.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use ::config::{Map, Value};

use super::definitions::{Choice, Line, Number, Opt, OptionalNumber, is_placeholder};
use super::ini::DEFAULT_ORIGIN;
use super::interpolation::{Interpolated, Refusal, Store, interpolate};
use super::{Environment, Location, Problem, Warning};
use crate::similar::similar;
use net::{ClientCertificate, Secret, Trust};

/// The types of numbers that an option can be.
pub(super) trait Numeric: FromStr + PartialOrd + Display + Copy {}

impl<T: FromStr + PartialOrd + Display + Copy> Numeric for T {}

/// The layered options, and the problems and warnings noted so far.
pub(super) struct Options<'a> {
    pub(super) sections: BTreeMap<String, Map<String, Value>>,
    pub(super) environment: &'a Environment,
    /// What `^` in a value refers to.
    pub(super) store: Store,
    /// The files that the settings were read from: `app.config`, and those of secrets.
    pub(super) files: Vec<PathBuf>,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Warning>,
}

/// The text of an option, and whether a message may quote it.
pub(super) struct Text {
    pub(super) text: String,
    /// The text is in the file itself, and does not come from a secret.
    literal: bool,
}

impl Text {
    /// Quotes the value of an option that is not a secret, unless the value comes from one.
    fn quoted(&self) -> String {
        if self.literal { format!("is {:?}", self.text) } else { "(from a secret)".to_owned() }
    }
}

impl Options<'_> {
    /// Notes a problem with an option.
    pub(super) fn problem(&mut self, opt: &Opt, wrong: impl Into<String>, right: impl Into<String>) {
        let location = self.location(opt);
        self.problems.push(Problem { location, wrong: wrong.into(), right: right.into() });
    }

    /// Notes a warning about an option.
    pub(super) fn warning(&mut self, opt: &Opt, text: impl Into<String>) {
        let location = self.location(opt);
        self.warnings.push(Warning { location, text: text.into() });
    }

    fn location(&self, opt: &Opt) -> Location {
        let Opt { section, key, .. } = *opt;
        let source = self.sections.get(section).and_then(|options| options.get(key)?.origin());
        Location::Option {
            section: section.to_owned(),
            key: key.to_owned(),
            source: source.filter(|origin| *origin != DEFAULT_ORIGIN).map(str::to_owned),
        }
    }

    /// The option's value; `None` where it is absent, empty, or wrong in itself.
    pub(super) fn optional(&mut self, opt: &Opt) -> Option<Text> {
        let text = self.text(opt)?;
        if text.text.chars().any(|c| c.is_control() && c != '\t') {
            self.problem(
                opt,
                "has several lines or control characters",
                "write it on one line; an indented line belongs to the option above it",
            );
            return None;
        }
        (!text.text.is_empty()).then_some(text)
    }

    /// The value of an option that may have several lines.
    pub(super) fn several_lines(&mut self, opt: &Opt) -> Option<String> {
        self.text(opt).map(|text| text.text).filter(|text| !text.is_empty())
    }

    /// The entries of a list, between commas or on lines of their own.
    pub(super) fn list(&mut self, opt: &Opt) -> Vec<String> {
        let text = self.several_lines(opt).unwrap_or_default();
        text.split([',', '\n', '\r'])
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// The value as it is written, with secrets inserted.
    fn text(&mut self, opt: &Opt) -> Option<Text> {
        let value = self.sections.get(opt.section)?.get(opt.key)?.clone().into_string().ok()?;
        let Interpolated { text, is_literal: literal, has_unknown_variable, has_unknown_entry } = self
            .interpolated(&value)
            .map_err(|Refusal { wrong, right }| self.problem(opt, wrong, right))
            .ok()?;
        // The messages do not show the name, which may be a secret that begins with such a sign.
        if has_unknown_variable {
            self.warning(opt, Warning::UNKNOWN_VARIABLE);
        }
        if has_unknown_entry {
            self.warning(opt, Warning::UNKNOWN_ENTRY);
        }
        Some(Text { text, literal })
    }

    fn interpolated(&self, raw: &str) -> Result<Interpolated, Refusal> {
        let environment = self.environment;
        interpolate(raw, environment, &self.store, &mut |entry| {
            environment.stored().value(entry).map_err(|reason| Refusal {
                wrong: format!("names an entry of the password store that cannot be read: {reason}"),
                right: "write ^ENGINE.PATH.KEY, and let a policy of Vault permit reading ENGINE/data/PATH",
            })
        })
    }

    /// The value of a mandatory option. A missing or empty value and the template's placeholder are problems.
    pub(super) fn mandatory(&mut self, opt: &Opt, right: &str) -> Option<String> {
        let noted = self.problems.len();
        let value = self.optional(opt);
        match value {
            Some(value) if is_placeholder(&value.text) => {
                self.problem(opt, "still has the template's placeholder", right);
                None
            }
            Some(value) => Some(value.text),
            None => {
                if self.problems.len() == noted {
                    self.problem(opt, if self.is_there(opt) { "is empty" } else { "is missing" }, right);
                }
                None
            }
        }
    }

    /// Whether the section has any option. A missing one is a problem.
    pub(super) fn has_section(&mut self, section: &str) -> bool {
        if self.sections.get(section).is_some_and(|options| !options.is_empty()) {
            return true;
        }
        let others = self.sections.keys().map(String::as_str).filter(|name| *name != section);
        let meant = similar(section, others).map(|other| format!(" (there is [{other}])"));
        let wrong = format!("is missing, or has no options{}", meant.unwrap_or_default());
        self.problems.push(Problem {
            location: Location::Section(section.to_owned()),
            wrong,
            right: "add the section as --print-config shows it".to_owned(),
        });
        false
    }

    /// Notes a value that is still the example of the template.
    pub(super) fn note_example(&mut self, opt: &Opt, value: &str) {
        let (Line::Set(example) | Line::Placeholder(example) | Line::Suggested(example)) = opt.line;
        if value == example {
            self.warning(opt, "still has the template's value, which is an example; put your own there");
        }
    }

    /// Whether the option exists, empty or not.
    pub(super) fn is_there(&self, opt: &Opt) -> bool {
        self.sections.get(opt.section).is_some_and(|options| options.contains_key(opt.key))
    }

    /// Whether the option exists and is not empty.
    pub(super) fn is_set(&self, opt: &Opt) -> bool {
        self.raw(opt).is_some()
    }

    /// Whether the option takes its value from a variable that is not set, or is empty.
    pub(super) fn is_void(&self, opt: &Opt) -> bool {
        self.raw(opt).is_some_and(|raw| {
            self.interpolated(&raw).is_ok_and(|value| value.has_unknown_variable || value.text.is_empty())
        })
    }

    /// Whether the option exists, and is neither empty nor the template's placeholder.
    pub(super) fn is_filled_in(&self, opt: &Opt) -> bool {
        self.raw(opt).is_some_and(|text| !is_placeholder(&text))
    }

    pub(super) fn raw(&self, opt: &Opt) -> Option<String> {
        let value = self.sections.get(opt.section)?.get(opt.key)?.clone();
        value.into_string().ok().filter(|text| !text.is_empty())
    }

    /// A number within its bounds; its default where it is absent or wrong.
    pub(super) fn number<T: Numeric>(&mut self, Number { opt, range, default }: &Number<T>) -> T {
        self.within(opt, range).unwrap_or(*default)
    }

    /// A number within its bounds; `None` where it is absent or wrong.
    pub(super) fn number_if_set<T: Numeric>(&mut self, number: &OptionalNumber<T>) -> Option<T> {
        self.within(&number.opt, &number.range)
    }

    fn within<T: Numeric>(&mut self, opt: &Opt, range: &RangeInclusive<T>) -> Option<T> {
        let value = self.optional(opt)?;
        let number = value.text.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            let right = format!("give a number from {} to {}", range.start(), range.end());
            self.problem(opt, value.quoted(), right);
        }
        number
    }

    /// The value that a choice names, its default where it is absent; `None` where it is wrong.
    pub(super) fn choice<T: Copy>(&mut self, choice: &Choice<T>) -> Option<T> {
        let Some(value) = self.optional(&choice.opt) else { return Some(choice.default) };
        let chosen = choice.value_of(&value.text);
        if chosen.is_none() {
            self.problem(&choice.opt, value.quoted(), format!("give {}", choice.names()));
        }
        chosen
    }

    /// Whether the first letter is 1, t or y, as SOAR's framework reads flags; `false` if the option is absent.
    pub(super) fn flag(&mut self, opt: &Opt) -> bool {
        let Some(value) = self.optional(opt) else { return false };
        let is_set = value.text.starts_with(|c: char| "1tTyY".contains(c));
        if !is_set && !value.text.starts_with(|c: char| "0fFnNoO".contains(c)) {
            self.warning(opt, format!("{}, which counts as false; write true or false", value.quoted()));
        }
        is_set
    }

    /// A file's path; a leading `~` is the home directory.
    pub(super) fn path(&mut self, opt: &Opt) -> Option<PathBuf> {
        let value = self.optional(opt)?;
        self.expanded(opt, &value.text)
    }

    /// Expands a leading `~`. An unknown home directory is a problem.
    fn expanded(&mut self, opt: &Opt, path: &str) -> Option<PathBuf> {
        self.environment
            .expand_home(path)
            .inspect_err(|no_home| self.problem(opt, no_home.wrong(), no_home.right()))
            .ok()
    }

    /// A secret.
    pub(super) fn secret(&mut self, opt: &Opt) -> Option<Secret> {
        self.optional(opt).map(|value| Secret::new(value.text))
    }

    /// A client certificate and its key; one of them alone is a problem.
    pub(super) fn client_certificate(&mut self, certificate: &Opt, key: &Opt) -> Option<ClientCertificate> {
        let noted = self.problems.len();
        let (set, unset) = match (self.path(certificate), self.path(key)) {
            (Some(certificate), Some(key)) => return Some(ClientCertificate { certificate, key }),
            (None, None) => return None,
            // One is set, and wrong in itself.
            _ if self.problems.len() > noted => return None,
            (Some(_), None) => (certificate, key),
            (None, Some(_)) => (key, certificate),
        };
        self.problem(unset, format!("is missing, while {} is set", set.key), "set both or none");
        None
    }

    /// The certificates to trust: `false` turns verification off, a path adds to the system's authorities; `None` if
    /// the option is absent.
    pub(super) fn trust(&mut self, opt: &Opt) -> Option<Trust> {
        let value = self.optional(opt)?;
        if value.text.eq_ignore_ascii_case("false") {
            self.warning(
                opt,
                "is false: the server's certificate is not verified, so the connection can be intercepted",
            );
            return Some(Trust::Insecure);
        }
        if value.text.eq_ignore_ascii_case("true") {
            return Some(Trust::System);
        }
        self.expanded(opt, &value.text).map(Trust::SystemAnd)
    }

    /// A server's name or address, without scheme, port and path.
    pub(super) fn host(&mut self, opt: &Opt, text: &str) -> Option<String> {
        const RIGHT: &str = "give the server's name or address only, without https://, port and path";
        if let Ok(address) = text.trim_matches(['[', ']']).parse::<std::net::IpAddr>() {
            return Some(address.to_string());
        }
        if let Ok(url::Host::Domain(host)) = url::Host::parse(text) {
            return Some(host);
        }
        self.problem(opt, "is not a host name", RIGHT);
        None
    }
}
