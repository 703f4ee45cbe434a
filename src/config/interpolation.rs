//! Secrets that the file names instead of holding them: `$NAME` and `${NAME}`, which App Host protects, or which
//! are variables of the environment.
//!
//! A value that holds `${NAME}` anywhere has each replaced; otherwise, where it starts with `$`, the whole rest
//! is the name. Names that nobody knows leave the text as it is, since a password may well begin with a dollar
//! sign. `^NAME` and `^{NAME}` name an entry of a password store (privileged access management), which this
//! program does not read.

use super::Environment;

/// What became of a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Interpolated {
    /// It names no secret, or none that is known (`unknown`): the text stays.
    Literal { text: String, unknown: bool },
    /// Secrets were put in. `unknown`: not all of those it names are known.
    Replaced { text: String, unknown: bool },
    /// It names an entry of a password store.
    PasswordStore,
}

/// Puts the secrets that `raw` names in their places.
pub(super) fn interpolate(raw: &str, environment: &Environment) -> Interpolated {
    if raw.starts_with('^') || braced(raw, "^{").is_some() {
        return Interpolated::PasswordStore;
    }
    if braced(raw, "${").is_none() {
        return match raw.strip_prefix('$').map(|name| environment.secret(name)) {
            None => Interpolated::Literal { text: raw.to_owned(), unknown: false },
            Some(None) => Interpolated::Literal { text: raw.to_owned(), unknown: true },
            Some(Some(text)) => Interpolated::Replaced { text: text.to_owned(), unknown: false },
        };
    }
    let (mut text, mut rest, mut unknown, mut replaced) = (String::new(), raw, false, false);
    while let Some((before, name, after)) = braced(rest, "${") {
        text.push_str(before);
        if let Some(secret) = environment.secret(name) {
            text.push_str(secret);
            replaced = true;
        } else {
            text.push_str(&rest[before.len()..rest.len() - after.len()]);
            unknown = true;
        }
        rest = after;
    }
    text.push_str(rest);
    if replaced { Interpolated::Replaced { text, unknown } } else { Interpolated::Literal { text, unknown } }
}

/// The first `open`NAME`}` of `text`: what is before it, the name, what is behind it.
fn braced<'a>(text: &'a str, open: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let (before, rest) = text.split_once(open)?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}
