//! References to secrets: `$NAME` and `${NAME}` name a protected secret of App Host or an environment variable, `^NAME`
//! and `^{NAME}` an entry of a password store.
//!
//! In a value with `${NAME}`, every such reference is replaced. Otherwise, if the value starts with `$`, the rest is
//! the name. What this results in is searched for `^{NAME}` and `^NAME` in the same way, as SOAR's own framework does
//! it. An unknown name leaves the text as it is, since a password may begin with a dollar sign or a circumflex.

use super::Environment;
use vault::Reference;

/// The password store that values with `^` name an entry of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Store {
    /// None: on App Host without a type, `^` has no meaning.
    None,
    /// One that this program does not read.
    Unsupported(String),
    /// HashiCorp Vault.
    Vault,
}

impl Store {
    /// The store of the type that the option `pam_type` names, unless the environment names one. Off App Host, SOAR's own
    /// framework takes its keyring where none is named.
    pub(super) fn of(pam_type: Option<&str>, environment: &Environment) -> Self {
        let of_option = pam_type.map(|raw| of_environment(raw, environment).text);
        let of_environment = environment.secret("PAM_TYPE").map(str::to_owned);
        let named = [of_environment, of_option].into_iter().flatten().find(|name| !name.is_empty());
        match named {
            Some(name) if name.eq_ignore_ascii_case("HashiCorpVault") => Self::Vault,
            Some(name) => Self::Unsupported(name),
            None if environment.is_app_host() => Self::None,
            None => Self::Unsupported("Keyring".to_owned()),
        }
    }
}

/// A value with its secrets.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Interpolated {
    pub(super) text: String,
    /// The text is the value as written: no secret was inserted.
    pub(super) is_literal: bool,
    /// At least one name of a variable is not known.
    pub(super) has_unknown_variable: bool,
    /// At least one name is not one of an entry of the password store.
    pub(super) has_unknown_entry: bool,
}

/// Why a secret cannot be inserted. The message follows the option's name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) wrong: String,
    pub(super) right: &'static str,
}

/// What reads an entry of the password store.
pub(super) type Lookup<'a> = dyn FnMut(&Reference) -> Result<String, Refusal> + 'a;

/// Replaces the names of secrets in `raw` by the secrets.
pub(super) fn interpolate(
    raw: &str,
    environment: &Environment,
    store: &Store,
    lookup: &mut Lookup<'_>,
) -> Result<Interpolated, Refusal> {
    let mut value = of_environment(raw, environment);
    match store {
        Store::None => value.has_unknown_entry = names_an_entry(raw),
        Store::Unsupported(_) if !names_an_entry(raw) => {}
        Store::Unsupported(name) => {
            return Err(Refusal {
                wrong: format!(
                    "names an entry of the password store {name} (^NAME), which this program does not read"
                ),
                right: "give the value by an environment variable ($NAME or ${NAME}), a secret by a file as well \
                        (client_secret_file and the like, also from systemd's LoadCredential=); in both a value may \
                        begin with ^. Or use pam_type=HashiCorpVault",
            });
        }
        Store::Vault => {
            let replaced = replace(&value.text, '^', &mut |name| {
                Reference::parse(name.trim_start_matches('^')).map(|entry| lookup(&entry)).transpose()
            })?;
            if let Some(Replaced { text, unknown, any }) = replaced {
                value.text = text;
                value.is_literal &= !any;
                value.has_unknown_entry = unknown;
            }
        }
    }
    Ok(value)
}

fn of_environment(raw: &str, environment: &Environment) -> Interpolated {
    let replaced = replace::<std::convert::Infallible>(raw, '$', &mut |name| {
        Ok(environment.secret(name).map(str::to_owned))
    });
    let Replaced { text, unknown, any } = match replaced {
        Ok(Some(replaced)) => replaced,
        Ok(None) => Replaced { text: raw.to_owned(), unknown: false, any: false },
    };
    Interpolated { text, is_literal: !any, has_unknown_variable: unknown, has_unknown_entry: false }
}

fn names_an_entry(raw: &str) -> bool {
    raw.starts_with('^') || braced(raw, "^{").is_some()
}

/// A text whose references were replaced.
struct Replaced {
    text: String,
    /// At least one name is not known.
    unknown: bool,
    /// At least one name is known.
    any: bool,
}

/// Replaces the references in `raw` that begin with `sign`; `None` if there are none.
fn replace<E>(
    raw: &str,
    sign: char,
    known: &mut dyn FnMut(&str) -> Result<Option<String>, E>,
) -> Result<Option<Replaced>, E> {
    let open = format!("{sign}{{");
    if braced(raw, &open).is_none() {
        let Some(name) = raw.strip_prefix(sign) else { return Ok(None) };
        let found = known(name)?;
        let any = found.is_some();
        let text = found.unwrap_or_else(|| raw.to_owned());
        return Ok(Some(Replaced { text, unknown: !any, any }));
    }
    let (mut text, mut rest, mut unknown, mut any) = (String::new(), raw, false, false);
    while let Some((before, name, after)) = braced(rest, &open) {
        text.push_str(before);
        if let Some(secret) = known(name)? {
            text.push_str(&secret);
            any = true;
        } else {
            text.push_str(&rest[before.len()..rest.len() - after.len()]);
            unknown = true;
        }
        rest = after;
    }
    text.push_str(rest);
    Ok(Some(Replaced { text, unknown, any }))
}

/// Splits `text` at the first `open`NAME`}` into the text before it, the name, and the text after it.
fn braced<'a>(text: &'a str, open: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let (before, rest) = text.split_once(open)?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}
