//! References to secrets: `$NAME` and `${NAME}` name a protected secret of App Host or an environment variable.
//!
//! In a value with `${NAME}`, every such reference is replaced. Otherwise, if the value starts with `$`, the rest is
//! the name. An unknown name leaves the text as it is, since a password may begin with a dollar sign. `^NAME` and
//! `^{NAME}` name an entry of a password store (privileged access management), which this program does not support.

use super::Environment;

/// The result of an interpolation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Interpolated {
    /// The value does not name a secret, or names one that is not known (`unknown`). The text is unchanged.
    Literal { text: String, unknown: bool },
    /// Secrets were inserted. `unknown`: at least one name is not known.
    Replaced { text: String, unknown: bool },
    /// The value names an entry of a password store.
    PasswordStore,
}

/// Replaces the names of secrets in `raw` by the secrets.
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

/// Splits `text` at the first `open`NAME`}` into the text before it, the name, and the text after it.
fn braced<'a>(text: &'a str, open: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let (before, rest) = text.split_once(open)?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}
