//! The environment as a value, so that tests do not have to change that of the process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::definitions::Argument;
use super::secrets::protected::{self, ProtectedSecrets};
use super::secrets::stored::Stored;

/// What decides on settings next to the file: environment variables; the protected secrets of App Host, which take
/// precedence over variables of the same name; and arguments of the command line.
///
/// Leaves out names and values that are not Unicode.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    protected: ProtectedSecrets,
    arguments: Vec<GivenArgument>,
    stored: Stored,
}

/// An argument of the command line that sets an option.
#[derive(Clone)]
pub struct GivenArgument {
    /// The argument.
    pub argument: &'static Argument,
    /// Its value.
    pub value: String,
}

impl std::fmt::Debug for GivenArgument {
    // The value may be a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "--{}", self.argument.name)
    }
}

impl Environment {
    /// The environment of this process. To be called once, since `run` removes the files of protected secrets.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect::<Self>()
            .with_protected_secrets(Path::new(protected::DIRECTORY))
    }

    /// Reads App Host's protected secrets from `directory`, if this is an App Host's container
    /// (`APP_HOST_CONTAINER` is 1, true, yes or on). [`Settings::load`](super::Settings::load) warns of files
    /// that cannot be read; environment variables are used instead.
    #[must_use]
    pub fn with_protected_secrets(mut self, directory: &Path) -> Self {
        if self.is_app_host() {
            self.protected = ProtectedSecrets::read(directory);
        }
        self
    }

    /// Whether this is an App Host's container.
    pub(super) fn is_app_host(&self) -> bool {
        let app_host = self.get("APP_HOST_CONTAINER").unwrap_or_default();
        ["1", "true", "yes", "on"].iter().any(|yes| yes.eq_ignore_ascii_case(app_host))
    }

    /// Adds what was read from the password store.
    #[must_use]
    pub(super) fn with_stored(mut self, stored: Stored) -> Self {
        self.stored = stored;
        self
    }

    /// What was read from the password store.
    pub(super) fn stored(&self) -> &Stored {
        &self.stored
    }

    /// The path of a file that holds a credential. A relative one is within the directory of systemd's
    /// `LoadCredential=` where the service has one.
    pub(super) fn in_credentials(&self, path: PathBuf) -> PathBuf {
        match self.get_filled("CREDENTIALS_DIRECTORY") {
            Some(directory) => PathBuf::from(directory).join(path),
            None => path,
        }
    }

    /// Adds arguments of the command line, which take precedence over the file and the environment, also when the file is
    /// read again.
    #[must_use]
    pub fn with_arguments(mut self, arguments: Vec<GivenArgument>) -> Self {
        self.arguments = arguments;
        self
    }

    /// The arguments of the command line.
    pub(super) fn arguments(&self) -> &[GivenArgument] {
        &self.arguments
    }

    /// Removes the files of the protected secrets, as App Host's apps do. This value keeps the secrets.
    pub fn remove_protected_secrets(&self) {
        self.protected.remove_files();
    }

    /// The files of protected secrets that could not be used, and why.
    pub(super) fn unusable_secrets(&self) -> &[(PathBuf, String)] {
        &self.protected.troubles
    }

    /// The secret called `name`: a protected secret, or else an environment variable.
    pub(super) fn secret(&self, name: &str) -> Option<&str> {
        self.protected.get(name).or_else(|| self.get(name))
    }

    /// The variable's value; `None` where it is unset.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// The variable's value; `None` where it is unset or empty.
    pub fn get_filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// `path` with a leading `~` replaced by the home directory.
    ///
    /// # Errors
    /// The home directory is not known. The path is not used literally: that would create a directory named `~`.
    pub fn expand_home(&self, path: &str) -> Result<PathBuf, NoHome> {
        let Some(rest) = path.strip_prefix('~') else { return Ok(path.into()) };
        let is_of_named_user = !rest.is_empty() && !rest.starts_with('/');
        match self.get_filled("HOME") {
            Some(home) if rest.is_empty() => Ok(home.into()),
            Some(home) if !is_of_named_user => Ok(Path::new(home).join(rest.trim_start_matches('/'))),
            _ => Err(NoHome { path: path.into(), is_of_named_user }),
        }
    }

    /// `path` with a leading `~` and every `$NAME` and `${NAME}` replaced; unknown variables stay as they are.
    ///
    /// # Errors
    /// See [`Self::expand_home`].
    pub fn expand(&self, path: &str) -> Result<PathBuf, NoHome> {
        let mut expanded = String::with_capacity(path.len());
        let mut rest = path;
        while let Some((before, after)) = rest.split_once('$') {
            expanded.push_str(before);
            let braced = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
            let (name, behind) = braced.unwrap_or_else(|| {
                let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                after.split_at(end.unwrap_or(after.len()))
            });
            if let Some(value) = self.get(name) {
                expanded.push_str(value);
            } else {
                expanded.push('$');
                expanded.push_str(&after[..after.len() - behind.len()]);
            }
            rest = behind;
        }
        expanded.push_str(rest);
        self.expand_home(&expanded)
    }

    /// Where `app.config` is: the command line's file, else `APP_CONFIG_FILE` (whether it exists or not), else
    /// `app.config` in `directory` (the current one; `""` will do) where it exists, else
    /// `~/.resilient/app.config`.
    ///
    /// # Errors
    /// The path begins with `~`, and the home directory is not known.
    pub fn config_file(&self, command_line: Option<&Path>, directory: &Path) -> Result<PathBuf, NoHome> {
        if let Some(path) = command_line {
            return self.named(path);
        }
        if let Some(path) = self.get_filled("APP_CONFIG_FILE") {
            return self.expand_home(path);
        }
        let here = directory.join("app.config");
        if here.is_file() { Ok(here) } else { self.expand_home("~/.resilient/app.config") }
    }

    /// The file of the command line, with a leading `~` replaced, which a shell does not always do
    /// (`--config-file=~/app.config`).
    ///
    /// # Errors
    /// See [`Self::expand_home`].
    pub fn named(&self, path: &Path) -> Result<PathBuf, NoHome> {
        path.to_str().map_or_else(|| Ok(path.to_owned()), |path| self.expand_home(path))
    }
}

/// A path begins with `~`, and the home directory is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} {}; {}", path.display(), self.wrong(), self.right())]
pub struct NoHome {
    /// The path.
    pub path: PathBuf,
    /// The path is `~name`, in the home directory of a named user.
    is_of_named_user: bool,
}

impl NoHome {
    /// What is wrong. The message follows the path.
    pub(super) fn wrong(&self) -> &'static str {
        if self.is_of_named_user {
            "begins with ~ and a user name, and home directories of users are not looked up"
        } else {
            "begins with ~, and HOME is not set, so there is no home directory"
        }
    }

    /// What would be right.
    pub(super) fn right(&self) -> &'static str {
        if self.is_of_named_user { "write the full path" } else { "write the full path, or set HOME" }
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { variables, ..Self::default() }
    }
}

impl std::fmt::Debug for Environment {
    // Values may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Environment({} variables, {:?})", self.variables.len(), self.protected)
    }
}
