//! The password store: reads the entries that `app.config` names, before the settings are loaded.
//!
//! How the store is reached and signed in to is in the environment, under the names that SOAR's own framework uses.
//! That framework signs in by AppRole only; a token comes under Vault's own name.

use std::collections::BTreeSet;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tracing::warn;
use vault::{Client, Login, Reference, Values, VaultSettings};

use super::interpolation::{Interpolated, interpolate};
use super::load::SourceText;
use super::secrets::stored::{Stored, VERIFY};
use super::url_option::checked;
use super::{Environment, LoadError, Location, Problem};
use net::{Secret, Trust, read_small};

/// How often the entries are read again: a secret that was changed in the store has to be in use soon.
const EVERY: Duration = Duration::from_secs(60);

const ADDRESS: &str = "PAM_ADDRESS";
const ROLE_ID: &str = "PAM_APP_ID";
const SECRET_ID: &str = "PAM_SECRET_ID";
const SECRET_ID_FILE: &str = "PAM_SECRET_ID_FILE";
const TOKEN: &str = "VAULT_TOKEN";
const TOKEN_FILE: &str = "VAULT_TOKEN_FILE";
const NAMESPACE: &str = "VAULT_NAMESPACE";

/// The password store, with the session that is signed in to it.
#[derive(Debug)]
pub struct PasswordStore {
    client: Option<Client>,
    /// The entries of the file that was read last, and their values; `None` if they could not be read.
    known: Option<(BTreeSet<Reference>, Option<Values>)>,
    every: Duration,
    due: Instant,
}

impl Default for PasswordStore {
    fn default() -> Self {
        Self::looking_every(EVERY)
    }
}

impl PasswordStore {
    /// A store whose entries are read again after `every` such time, by [`Self::changed`].
    pub fn looking_every(every: Duration) -> Self {
        Self { client: None, known: None, every, due: Instant::now() }
    }

    /// Returns `environment` with the entries of the store that `file` names.
    ///
    /// # Errors
    /// The file cannot be read, or the store cannot be used. An entry that cannot be read is a problem only for the
    /// setting that names it.
    pub async fn fetch(&mut self, file: &Path, environment: &Environment) -> Result<Environment, LoadError> {
        self.known = None;
        let entries = entries(file, environment)?;
        if entries.is_empty() {
            return Ok(environment.clone());
        }
        let VaultAccess { settings, files } = VaultAccess::of(environment).map_err(|problems| {
            LoadError::Invalid { path: file.to_owned(), problems, warnings: Vec::new() }
        })?;
        let is_unverified = settings.trust == Trust::Insecure;
        let mut client = match self.client.take() {
            Some(client) if *client.settings() == settings => client,
            _ => Client::new(settings)?,
        };
        let read = client.read(&entries).await;
        self.client = Some(client);
        self.due = Instant::now() + self.every;
        self.known = Some((entries, read.as_ref().ok().cloned()));
        Ok(environment.clone().with_stored(Stored { values: read?, files, is_unverified }))
    }

    /// Waits until an entry has another value, or until the store can be read where it could not. May be dropped and
    /// called again.
    pub async fn changed(&mut self) {
        loop {
            let (Some(client), Some((entries, known))) = (&mut self.client, &mut self.known) else {
                return pending().await;
            };
            sleep_until(self.due).await;
            let read = client.read(entries).await;
            self.due = Instant::now() + self.every;
            match read {
                Ok(values) if known.as_ref() == Some(&values) => {}
                Ok(_) => return,
                Err(error) => warn!(%error, "the password store cannot be read; secrets stay as they were"),
            }
        }
    }
}

/// The entries that the options of `file` name.
fn entries(file: &Path, environment: &Environment) -> Result<BTreeSet<Reference>, LoadError> {
    let source = SourceText::read(file)?.layered(environment)?;
    let mut entries = BTreeSet::new();
    for raw in source.values() {
        let mut lookup = |entry: &Reference| {
            entries.insert(entry.clone());
            Ok(String::new())
        };
        let _: Result<Interpolated, _> = interpolate(&raw, environment, &source.store, &mut lookup);
    }
    Ok(entries)
}

/// How Vault is reached and signed in to.
struct VaultAccess {
    settings: VaultSettings,
    /// Files that it was read from.
    files: Vec<PathBuf>,
}

impl VaultAccess {
    fn of(environment: &Environment) -> Result<Self, Vec<Problem>> {
        let mut read = VariableReader { environment, files: vec![], problems: vec![] };
        let address = read.address();
        let login = read.login();
        let trust = read.trust();
        let namespace = read.get(NAMESPACE);
        let VariableReader { files, problems, .. } = read;
        match (address, login, trust) {
            (Some(address), Some(login), Some(trust)) if problems.is_empty() => {
                Ok(Self { settings: VaultSettings { address, login, namespace, trust }, files })
            }
            _ => Err(problems),
        }
    }
}

/// Reads variables of the environment, or protected secrets of App Host, and notes what is wrong with them.
struct VariableReader<'a> {
    environment: &'a Environment,
    files: Vec<PathBuf>,
    problems: Vec<Problem>,
}

/// Each returns `None` only where a problem was noted.
impl VariableReader<'_> {
    fn get(&self, name: &str) -> Option<String> {
        self.environment.secret(name).filter(|value| !value.is_empty()).map(str::to_owned)
    }

    fn problem(&mut self, name: &'static str, wrong: impl Into<String>, right: impl Into<String>) {
        let location = Location::Variable(name);
        self.problems.push(Problem { location, wrong: wrong.into(), right: right.into() });
    }

    fn address(&mut self) -> Option<url::Url> {
        const RIGHT: &str = "set the address of Vault, such as https://vault.example.com:8200";
        let checked = match self.get(ADDRESS) {
            Some(text) => checked(&text),
            None => Err("is missing".to_owned()),
        };
        checked.map_err(|wrong| self.problem(ADDRESS, wrong, RIGHT)).ok()
    }

    fn login(&mut self) -> Option<Login> {
        if let Some(role_id) = self.get(ROLE_ID) {
            let secret_id = self.secret(SECRET_ID, SECRET_ID_FILE, "set the secret id of the AppRole");
            return Some(Login::AppRole { role_id: Secret::new(role_id), secret_id: secret_id? });
        }
        if self.get(TOKEN).is_none() && self.get(TOKEN_FILE).is_none() {
            let right = "set PAM_APP_ID and PAM_SECRET_ID for an AppRole, or VAULT_TOKEN for a token";
            self.problem(ROLE_ID, "is missing", right);
            return None;
        }
        self.secret(TOKEN, TOKEN_FILE, "set a token").map(Login::Token)
    }

    /// The secret in the variable `name`, or in the file that the variable `file` names.
    fn secret(&mut self, name: &'static str, file: &'static str, right: &str) -> Option<Secret> {
        let Some(path) = self.get(file) else {
            let secret = self.get(name).map(Secret::new);
            if secret.is_none() {
                self.problem(name, "is missing", format!("{right}, or name a file that holds it in {file}"));
            }
            return secret;
        };
        let path = self.path(file, &path)?;
        let path = self.environment.in_credentials(path);
        self.files.push(path.clone());
        let text = read_small(&path)
            .map_err(|error| error.to_string())
            .map(|text| text.trim_end_matches(['\r', '\n']).to_owned());
        match text {
            Ok(text) if !text.is_empty() && !text.chars().any(char::is_control) => Some(Secret::new(text)),
            read => {
                let reason = read.err().unwrap_or_else(|| "it does not hold one line of text".to_owned());
                let wrong = format!("names {}, which cannot be used: {reason}", path.display());
                self.problem(file, wrong, "name a file that holds the secret and nothing else");
                None
            }
        }
    }

    fn trust(&mut self) -> Option<Trust> {
        let Some(text) = self.get(VERIFY) else { return Some(Trust::System) };
        if text.eq_ignore_ascii_case("true") {
            return Some(Trust::System);
        }
        if text.eq_ignore_ascii_case("false") {
            return Some(Trust::Insecure);
        }
        let file = self.path(VERIFY, &text)?;
        self.files.push(file.clone());
        Some(Trust::SystemAnd(file))
    }

    fn path(&mut self, name: &'static str, text: &str) -> Option<PathBuf> {
        let expanded = self.environment.expand_home(text);
        expanded.map_err(|no_home| self.problem(name, no_home.wrong(), no_home.right())).ok()
    }
}
