//! The typed settings: what the rest of the program works with. A value of these types has been checked.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use super::{Credential, Patterns, Secret};

/// Everything `app.config` says, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// SOAR's REST interface.
    pub soar: SoarSettings,
    /// SOAR's broker.
    pub stomp: StompSettings,
    /// How calls are worked on.
    pub worker: WorkerSettings,
    /// What is logged, and where.
    pub log: LogSettings,
    /// Microsoft Graph and its token endpoint.
    pub graph: GraphSettings,
    /// `health_listen`: where health and metrics are told, if anywhere.
    pub health_listen: Option<SocketAddr>,
    /// How far one call goes.
    pub limits: CallLimits,
    /// What may be changed.
    pub guard: GuardSettings,
    /// `audit_file`, in `logdir` where its path is relative: the record of all that was changed; `audit.log` when absent
    /// and the log is written to a file. `None` (empty) is the log only.
    pub audit_file: Option<PathBuf>,
    /// `selftest_timeout`: how long one step of the self test may take.
    pub selftest_timeout: Duration,
}

impl Settings {
    /// The files that the settings name and that are read when they are put to use.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.soar.files().chain(self.stomp.files()).chain(self.graph.files())
    }

    /// The audit trail, where its place does not last: below a directory that is emptied at a restart, or earlier.
    pub fn audit_that_does_not_last(&self) -> Option<&Path> {
        let file = self.audit_file.as_deref()?;
        let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
        ["/tmp", "/var/tmp"].iter().any(|emptied| directory.starts_with(emptied)).then_some(file)
    }
}

/// SOAR's REST interface: `[resilient]`.
#[derive(Debug, Clone, PartialEq)]
pub struct SoarSettings {
    /// `host`.
    pub host: String,
    /// `port`, 443 when absent.
    pub port: u16,
    /// `org`: the organisation's cloud account, uuid or name.
    pub org: String,
    /// `resource_prefix` (Cloud Pak for Security), for instance `/api/respond`.
    pub resource_prefix: Option<String>,
    /// How to sign in; the broker takes the same names and secrets.
    pub login: Login,
    /// `cafile`.
    pub trust: Trust,
    /// `client_auth_cert` and `client_auth_key`.
    pub client_certificate: Option<ClientCertificate>,
    /// The environment's proxy, or `proxy_host` and its companions.
    pub proxy: Proxy,
    /// `max_connection_retries`: tries to sign in at start; `None` is without end.
    pub login_tries: Option<u32>,
    /// `request_max_retries`: tries of one request, the first included.
    pub request_tries: u32,
    /// `request_retry_delay`: the first wait.
    pub retry_delay: Duration,
    /// `request_retry_backoff`: each wait is this many times the one before.
    pub retry_backoff: f64,
}

impl SoarSettings {
    /// The files it names.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.trust.file().into_iter().chain(self.client_certificate.iter().flat_map(ClientCertificate::files))
    }
}

/// Who we are to SOAR.
#[derive(Debug, Clone, PartialEq)]
pub enum Login {
    /// `api_key_id` and `api_key_secret`.
    ApiKey {
        /// The key's id.
        id: String,
        /// The key's secret.
        secret: Secret,
    },
    /// `email` and `password`; deprecated by SOAR.
    Password {
        /// The account's e-mail address.
        email: String,
        /// Its password.
        password: Secret,
    },
}

impl Login {
    /// What the broker takes as login and passcode: the same as SOAR's REST interface.
    pub fn credentials(&self) -> (String, Secret) {
        match self {
            Self::ApiKey { id, secret } => (id.clone(), secret.clone()),
            Self::Password { email, password } => (email.clone(), password.clone()),
        }
    }
}

/// Whose certificates are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// The system's certificate authorities.
    System,
    /// The system's, and those in this PEM file.
    SystemAnd(PathBuf),
    /// Anybody's: `false` in the file. Logged as a warning.
    Anyone,
}

impl Trust {
    /// The file of certificate authorities, where there is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::SystemAnd(file) => Some(file),
            Self::System | Self::Anyone => None,
        }
    }
}

/// A certificate of our own that a server may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// PEM file of the certificate chain.
    pub certificate: PathBuf,
    /// PEM file of the private key.
    pub key: PathBuf,
}

impl ClientCertificate {
    /// Its files.
    pub fn files(&self) -> [&Path; 2] {
        [&self.certificate, &self.key]
    }
}

/// Which proxy HTTP requests take.
#[allow(clippy::large_enum_variant)] // there are three of these in a process
#[derive(Debug, Clone, PartialEq)]
pub enum Proxy {
    /// `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` decide; no proxy where they are unset.
    Environment,
    /// The file decides. The URLs may carry a user name and password.
    Explicit {
        /// For `http://` requests.
        http: Option<ProxyUrl>,
        /// For `https://` requests.
        https: Option<ProxyUrl>,
    },
}

/// A proxy's address and, apart from it so that the address may be logged, its login.
#[derive(Debug, Clone, PartialEq)]
pub struct ProxyUrl {
    /// The address, without user name and password.
    pub url: Url,
    /// User name and password.
    pub login: Option<(String, Secret)>,
}

/// SOAR's broker: `stomp_*` of `[resilient]`. The login is [`SoarSettings::login`].
#[derive(Debug, Clone, PartialEq)]
pub struct StompSettings {
    /// `stomp_host`, else `host`.
    pub host: String,
    /// `stomp_port`, 65001 when absent.
    pub port: u16,
    /// `stomp_cafile`, else `cafile`.
    pub trust: Trust,
    /// `stomp_proxy`: an HTTP proxy that leads to the broker, by CONNECT; without one the way is straight.
    pub proxy: Option<ProxyUrl>,
    /// `stomp_timeout`: for connecting and for the broker's answers.
    pub timeout: Duration,
    /// `stomp_prefetch_limit`, `num_workers` when absent: how many unacknowledged messages the broker hands out.
    pub prefetch: u16,
}

impl StompSettings {
    /// The files it names.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.trust.file().into_iter()
    }
}

/// How calls are worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerSettings {
    /// `num_workers`: calls in flight, 1 to 2000.
    pub num_workers: u16,
    /// `trap_exception`: a failed call is answered as a completed one with `success: false`.
    pub trap_exception: bool,
}

/// What is logged, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// `loglevel`, or `LOGLEVEL`.
    pub level: LogLevel,
    /// `logdir`, or `APP_LOG_DIR`, or `logs`.
    pub directory: PathBuf,
    /// `logfile`, `app.log` when absent; `None` (empty) is no file, only stderr.
    pub file: Option<String>,
    /// `log_format`.
    pub format: LogFormat,
    /// `log_max_bytes`: a file of this size is rotated; `None` (0) never.
    pub max_bytes: Option<u64>,
    /// `log_backup_count`: rotated files kept.
    pub backup_count: u32,
}

impl LogSettings {
    /// The log file.
    pub fn path(&self) -> Option<PathBuf> {
        self.file.as_ref().map(|file| self.directory.join(file))
    }
}

/// The form of a line of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// `2026-11-23 08:47:52,260 INFO [module] text key=value`
    Text,
    /// A JSON object.
    Json,
}

/// The levels as SOAR's administrators write them (Python's names).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum LogLevel {
    Debug,
    Info,
    Warning,
    Error,
    Critical,
}

/// Microsoft Graph and its token endpoint: `[fn_exchange_online]`.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphSettings {
    /// Where tokens are asked for: `microsoft_graph_token_url` with `{tenant}` replaced, or the endpoint of the
    /// machine's managed identity.
    pub token_url: Url,
    /// `microsoft_graph_url`, with the version, without a slash at the end.
    pub base_url: Url,
    /// Who we are, and how we prove it.
    pub credential: Credential,
    /// `verify` of the section: `false`, or a PEM file.
    pub trust: Trust,
    /// `token_verify`: the same for the token endpoint; `None` is as for Graph.
    pub token_trust: Option<Trust>,
    /// `client_auth_cert` and `client_auth_key` of the section.
    pub client_certificate: Option<ClientCertificate>,
    /// The environment's proxy, else this section's pair, else that of `[integrations]`.
    pub proxy: Proxy,
    /// `timeout`: longest silence of Graph within one request.
    pub timeout: Duration,
    /// `max_batched_requests`: sub-requests in one `$batch`, 1 to 20.
    pub max_batched_requests: usize,
    /// `max_concurrent_batches`: `$batch` calls under way at once at most, 1 to 32.
    pub max_concurrent_batches: usize,
    /// `max_retries_total`: repeats of one request after the first try.
    pub max_retries: u32,
    /// `max_retries_backoff_factor`: the first wait where Graph names none; each further one is twice as long.
    pub retry_backoff: Duration,
}

impl GraphSettings {
    /// The files it names, but for those of the credential, which are read anew for every token.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let trusts = [Some(&self.trust), self.token_trust.as_ref()].into_iter().flatten();
        trusts
            .filter_map(Trust::file)
            .chain(self.client_certificate.iter().flat_map(ClientCertificate::files))
    }
}

/// How far one call goes: `[fn_exchange_online]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimits {
    /// `max_messages`: messages returned by one query, over all mailboxes.
    pub max_messages: usize,
    /// `max_users`: mailboxes looked into by one query.
    pub max_users: usize,
    /// `call_timeout`: how long one call may take.
    pub call_timeout: Duration,
    /// `max_attachment_mb`, in bytes: a file that is read from SOAR or written to it.
    pub max_attachment: u64,
    /// `max_reply_mb`, in bytes: the final reply of a call.
    pub max_reply: usize,
}

/// What may be changed: the guard rails of `[fn_exchange_online]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GuardSettings {
    /// `max_deletions`: messages that one call may delete; a call that is to delete more deletes none.
    pub max_deletions: Option<usize>,
    /// `mailboxes_allowed`: mailboxes that may be changed; `None` is every one.
    pub allowed: Option<Patterns>,
    /// `mailboxes_denied`: mailboxes that may not, whatever else is said.
    pub denied: Patterns,
    /// `deletion`: where a deleted message goes.
    pub deletion: Deletion,
    /// `dry_run`: no mailbox is changed; what would be is told.
    pub dry_run: bool,
}

impl GuardSettings {
    /// Whether some mailboxes may be changed and others not.
    pub fn name_mailboxes(&self) -> bool {
        self.allowed.is_some() || !self.denied.is_empty()
    }
}

/// Where a deleted message goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Deletion {
    /// To Recoverable Items, where its owner and administrators can still get at it for some days.
    #[default]
    Recoverable,
    /// To Deleted Items, in sight of its owner.
    DeletedItems,
    /// Out of everybody's reach but a hold's.
    Permanent,
}
