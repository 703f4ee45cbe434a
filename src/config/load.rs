//! Loads the file and the environment into checked [`Settings`].

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use ::config::{Config, ConfigError, File, Map, Source, Value};

use super::definitions::{
    APP, Effect, INTEGRATIONS, Opt, RESILIENT, SECTIONS, Variable, resilient as resilient_options,
};
use super::ini::{DEFAULT_ORIGIN, Fault, IniFormat, ROOT, Syntax};
use super::interpolation::Store;
use super::options::Options;
use super::secrets::stored::VERIFY;
use super::sections::{graph, guard, resilient};
use super::{Environment, LoadError, Location, Problem, Settings, Warning};
use crate::own_file::others_who_may_write;
use crate::similar::did_you_mean;
use soar::SoarSettings;

/// Settings, and what the operator should know about them.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The checked settings.
    pub settings: Settings,
    /// For the log: unknown options, verification turned off, deprecated ways.
    pub warnings: Vec<Warning>,
    /// The files that the settings were read from: the configuration file first, then those of secrets. When the
    /// content of one changes, the settings have to be loaded again.
    pub files: Vec<PathBuf>,
    /// How many values came from the password store.
    pub stored: usize,
}

impl Settings {
    /// Reads `file` and what `environment` overrides in it. Entries of a password store come from `environment`, too:
    /// [`PasswordStore::fetch`](super::PasswordStore::fetch) reads them before.
    ///
    /// # Errors
    /// The file cannot be read, or has problems. Reports all problems.
    pub fn load(file: &Path, environment: &Environment) -> Result<Loaded, LoadError> {
        let (settings, warnings, files) = read(file, environment, settings)?;
        Ok(Loaded { settings, warnings, files, stored: environment.stored().values.len() })
    }

    /// Loads settings from `text`, the content of `file`.
    ///
    /// # Errors
    /// The text has problems. Reports all problems.
    pub fn of_text(text: &str, file: &Path, environment: &Environment) -> Result<Loaded, LoadError> {
        let source = SourceText { file: file.to_owned(), text: text.to_owned() };
        let (settings, warnings, files) = evaluated(&source, environment, settings)?;
        Ok(Loaded { settings, warnings, files, stored: environment.stored().values.len() })
    }
}

/// Loads the settings of SOAR's REST interface only; the rest of the file may still have placeholders.
///
/// # Errors
/// The file cannot be read, or has problems in these settings.
pub fn load_soar(file: &Path, environment: &Environment) -> Result<(SoarSettings, Vec<Warning>), LoadError> {
    let (settings, warnings, _) = read(file, environment, resilient::soar)?;
    Ok((settings, warnings))
}

/// Returns what `take` makes of the options in `file`, the warnings, and the files that were read. `take` returns
/// `None` only where it noted a problem.
fn read<T>(
    file: &Path,
    environment: &Environment,
    take: impl FnOnce(&mut Options<'_>) -> Option<T>,
) -> Result<(T, Vec<Warning>, Vec<PathBuf>), LoadError> {
    evaluated(&SourceText::read(file)?, environment, take)
}

/// Returns what `take` makes of the options in `source`.
fn evaluated<T>(
    source: &SourceText,
    environment: &Environment,
    take: impl FnOnce(&mut Options<'_>) -> Option<T>,
) -> Result<(T, Vec<Warning>, Vec<PathBuf>), LoadError> {
    let SourceText { file, .. } = source;
    let Layered { sections, faults, store } = source.layered(environment)?;
    let stored = environment.stored();
    let unusable = environment.unusable_secrets().iter().map(unusable_secret);
    let mut options = Options {
        sections,
        environment,
        store,
        files: [file.to_owned()].into_iter().chain(stored.files.iter().cloned()).collect(),
        problems: faults.into_iter().map(Problem::from).collect(),
        warnings: unusable.chain(stored.is_unverified.then(unverified_store)).collect(),
    };
    let taken = take(&mut options);
    unknown_options(&mut options);
    secrets_on_command_line(&mut options);
    writable_files(&mut options);
    match taken {
        Some(taken) if options.problems.is_empty() => Ok((taken, options.warnings, options.files)),
        _ => {
            let Options { problems, warnings, .. } = options;
            Err(LoadError::Invalid { path: file.to_owned(), problems, warnings })
        }
    }
}

/// Notes files that other users may change: the configuration decides where mail and secrets go.
fn writable_files(options: &mut Options<'_>) {
    let written_by = options.files.iter().filter_map(|file| Some((file, others_who_may_write(file)?)));
    options.warnings.extend(written_by.map(|(file, users)| Warning {
        location: Location::File(file.clone()),
        text: format!("can be changed by {users}; make it writable for its owner only"),
    }));
}

/// The text of a configuration file.
pub(super) struct SourceText {
    file: PathBuf,
    text: String,
}

/// The options of a file and of what is laid over it, as they are written.
pub(super) struct Layered {
    sections: BTreeMap<String, Map<String, Value>>,
    faults: Vec<Fault>,
    /// What `^` in a value refers to.
    pub(super) store: Store,
}

impl SourceText {
    pub(super) fn read(file: &Path) -> Result<Self, LoadError> {
        let unreadable =
            |kind: ErrorKind, reason: String| LoadError::Unreadable { path: file.to_owned(), kind, reason };
        let bytes = std::fs::read(file).map_err(|e| unreadable(e.kind(), e.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|e| {
            let reason = format!("it is not UTF-8 from byte {} on", e.utf8_error().valid_up_to());
            unreadable(ErrorKind::InvalidData, reason)
        })?;
        Ok(Self { file: file.to_owned(), text })
    }

    pub(super) fn layered(&self, environment: &Environment) -> Result<Layered, LoadError> {
        let unreadable = |e: ConfigError| LoadError::Unreadable {
            path: self.file.clone(),
            kind: ErrorKind::Other,
            reason: e.to_string(),
        };
        let (sections, faults) = match layered(File::from_str(&self.text, IniFormat), environment) {
            Ok(sections) => (sections, Vec::new()),
            Err(error) => {
                let Syntax { faults, readable } = syntax(error).map_err(unreadable)?;
                let rest = layered(Layer(readable.into_map(None)), environment).map_err(unreadable)?;
                (rest, faults)
            }
        };
        let pam_type =
            sections.get(RESILIENT).and_then(|options| options.get(resilient_options::PAM_TYPE.key));
        let pam_type = pam_type.and_then(|value| value.clone().into_string().ok());
        let store = Store::of(pam_type.as_deref(), environment);
        Ok(Layered { sections, faults, store })
    }
}

impl Layered {
    /// The values of all options that this program reads.
    pub(super) fn values(&self) -> impl Iterator<Item = String> {
        SECTIONS.iter().flat_map(|section| {
            let options = self.sections.get(section.name);
            section
                .options()
                .filter_map(move |option| options?.get(option.opt().key)?.clone().into_string().ok())
        })
    }
}

fn unverified_store() -> Warning {
    Warning {
        location: Location::Variable(VERIFY),
        text: "is false: the certificate of Vault is not verified, so secrets can be intercepted".to_owned(),
    }
}

/// The warning about a protected secret that cannot be used.
fn unusable_secret((path, reason): &(PathBuf, String)) -> Warning {
    Warning {
        location: Location::File(path.clone()),
        text: format!(
            "cannot be used for protected secrets ({reason}); environment variables are used instead"
        ),
    }
}

/// `None` only where a problem was noted.
fn settings(options: &mut Options<'_>) -> Option<Settings> {
    let soar = resilient::soar(options);
    let worker = resilient::worker(options);
    let stomp = resilient::stomp(options, soar.as_ref(), worker.num_workers);
    let log = resilient::log(options);
    let selftest_timeout = resilient::selftest_timeout(options);
    if !options.has_section(APP) {
        return None;
    }
    let graph = graph::graph(options);
    let limits = graph::limits(options);
    let zip_password = graph::zip_password(options);
    let guard = guard::guard(options, graph.as_ref().map(|graph| &graph.base_url), limits.max_messages);
    let audit = guard::audit(options, &log);
    guard::misspelt(options);
    let health_listen = graph::health_listen(options);
    Some(Settings {
        soar: soar?,
        stomp: stomp?,
        worker,
        log,
        graph: graph?,
        limits,
        zip_password,
        guard,
        audit,
        selftest_timeout,
        health_listen,
    })
}

/// The sections as `config` lays them over each other: what the environment suggests, the file, what the
/// environment decides, what the command line decides.
fn layered(
    file: impl Source + Send + Sync + 'static,
    environment: &Environment,
) -> Result<BTreeMap<String, Map<String, Value>>, ConfigError> {
    let config = Config::builder()
        .add_source(Layer::of_variables(environment, |it| matches!(it, Variable::StandsIn(_))))
        .add_source(file)
        .add_source(Layer::of_variables(environment, |it| matches!(it, Variable::Overrides(_))))
        .add_source(Layer::of_app_host(environment))
        .add_source(Layer::of_arguments(environment))
        .build()?;
    config
        .get_table(ROOT)?
        .into_iter()
        .map(|(section, options)| Ok((section, options.into_table()?)))
        .collect()
}

/// Returns the errors of syntax in the file, if that is what `config` reports.
fn syntax(error: ConfigError) -> Result<Syntax, ConfigError> {
    match error {
        ConfigError::FileParse { uri, cause } => match cause.downcast::<Syntax>() {
            Ok(syntax) => Ok(*syntax),
            Err(cause) => Err(ConfigError::FileParse { uri, cause }),
        },
        error => Err(error),
    }
}

/// A layer of options that are already parsed.
#[derive(Debug, Clone)]
struct Layer(Map<String, Value>);

impl Layer {
    /// The options of `[resilient]` that the environment gives by variables of the wanted kind.
    fn of_variables(environment: &Environment, is_wanted: impl Fn(Variable) -> bool) -> Self {
        Self::of_options(resilient_options::SECTION.options().filter_map(|definition| {
            let opt = definition.opt();
            let variable = opt.variable.filter(|variable| is_wanted(*variable))?.name();
            let value = environment.get_filled(variable)?;
            Some((opt.key.to_owned(), Value::new(Some(&variable.to_owned()), value)))
        }))
    }

    /// On App Host, only the platform decides how often the program attempts to sign in.
    fn of_app_host(environment: &Environment) -> Self {
        const VARIABLE: &str = "RESILIENT_MAX_CONNECTION_RETRIES";
        Self::of_options(environment.get_filled("APP_HOST_CONTAINER").map(|_| {
            let tries = environment.get_filled(VARIABLE).unwrap_or("0");
            (
                resilient_options::MAX_CONNECTION_RETRIES.opt.key.to_owned(),
                Value::new(Some(&VARIABLE.to_owned()), tries),
            )
        }))
    }

    fn of_arguments(environment: &Environment) -> Self {
        Self::of_options(environment.arguments().iter().filter_map(|given| {
            let key = given.argument.option()?.opt().key;
            Some((key.to_owned(), Value::new(Some(&format!("--{}", given.argument.name)), &*given.value)))
        }))
    }

    fn of_options(options: impl IntoIterator<Item = (String, Value)>) -> Self {
        let options: Map<String, Value> = options.into_iter().collect();
        let sections: Map<String, Value> = Map::from_iter([(RESILIENT.to_owned(), options.into())]);
        Self(Map::from_iter([(ROOT.to_owned(), sections.into())]))
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

/// An ignored option of SOAR's framework. Its value 0 is worth a warning.
static STOMP: Opt = Opt::ignored(RESILIENT, "stomp");

/// Warns of unknown options in the sections of this program, which are most likely misspelt.
fn unknown_options(options: &mut Options<'_>) {
    for section in SECTIONS {
        let mut unknown: Vec<&String> = options
            .sections
            .get(section.name)
            .into_iter()
            .flatten()
            .filter(|(key, value)| value.origin() != Some(DEFAULT_ORIGIN) && !section.knows(key))
            .map(|(key, _)| key)
            .collect();
        unknown.sort();
        options.warnings.extend(unknown.into_iter().map(|key| Warning {
            location: Location::Option { section: section.name.to_owned(), key: key.clone(), source: None },
            text: format!(
                "is not an option of this program; it is ignored{}",
                did_you_mean(key, section.options().map(|option| option.opt().key))
            ),
        }));
    }
    ineffective_options(options);
}

/// Options that SOAR's framework reads in the section of an app only, once there is one.
static MISPLACED: [Opt; 3] = [
    Opt::ignored(INTEGRATIONS, "verify"),
    Opt::ignored(INTEGRATIONS, "client_auth_cert"),
    Opt::ignored(INTEGRATIONS, "client_auth_key"),
];

/// Warns of options without effect where an operator expects one.
fn ineffective_options(options: &mut Options<'_>) {
    if options.optional(&STOMP).is_some_and(|value| value.text == "0") {
        options.warning(&STOMP, "is 0, and is ignored: this program does nothing without the broker");
    }
    for opt in &MISPLACED {
        if options.is_set(opt) {
            let key = opt.key;
            options.warning(opt, format!("has no effect, as in SOAR's own framework; set {key} in [{APP}]"));
        }
    }
}

/// Warns of secrets that other users of the machine can read.
fn secrets_on_command_line(options: &mut Options<'_>) {
    for given in options.environment.arguments() {
        if let Effect::SetsSecret(opt, instead) = given.argument.effect
            && !given.value.starts_with(['$', '^'])
        {
            options.warning(opt, format!("can be read there by every user of this machine; use {instead}"));
        }
    }
}
