//! The typed and checked settings.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use graph::GraphSettings;
use net::{ProxyUrl, Secret, Trust};
use soar::SoarSettings;

use super::Patterns;
use super::definitions::app::{MAX_MESSAGES, MAX_PLAN_MESSAGES, PLAN_LIFETIME};

/// All settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// SOAR's REST interface.
    pub soar: SoarSettings,
    /// SOAR's broker.
    pub stomp: StompSettings,
    /// The work on calls.
    pub worker: WorkerSettings,
    /// The log.
    pub log: LogSettings,
    /// Microsoft Graph and its token endpoint.
    pub graph: GraphSettings,
    /// `health_listen`: the address that serves health and metrics.
    pub health_listen: Option<SocketAddr>,
    /// The limits of one call.
    pub limits: CallLimits,
    /// `attachments_zip_password`: files of attachments are stored in a ZIP file with this password.
    pub zip_password: Option<Secret>,
    /// The guard rails.
    pub guard: GuardSettings,
    /// The audit trail.
    pub audit: AuditSettings,
    /// `selftest_timeout`: how long one step of the self test may take.
    pub selftest_timeout: Duration,
}

impl Settings {
    /// The files that the settings name, and that are read when the settings are applied.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.soar.files().chain(self.stomp.files()).chain(self.graph.files())
    }

    /// The audit trail, if it is below a directory that is emptied at a restart or earlier.
    pub fn audit_that_does_not_last(&self) -> Option<&Path> {
        let file = self.audit.file.as_deref()?;
        let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
        ["/tmp", "/var/tmp"].iter().any(|emptied| directory.starts_with(emptied)).then_some(file)
    }
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
    /// `stomp_proxy`: an HTTP proxy for the broker (CONNECT); `None`: a direct connection.
    pub proxy: Option<ProxyUrl>,
    /// `stomp_timeout`: for connecting and for the broker's answers.
    pub timeout: Duration,
    /// `stomp_prefetch_limit`, `num_workers` when absent: how many unacknowledged messages the broker delivers.
    pub prefetch: u16,
}

impl StompSettings {
    /// The files that these settings name.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.trust.file().into_iter()
    }
}

/// Settings for the work on calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerSettings {
    /// `num_workers`: calls in flight, 1 to 2000.
    pub num_workers: u16,
    /// `trap_exception`: a failed call is reported as completed, with `success: false`.
    pub trap_exception: bool,
    /// `stomp_reply_queues`: queues that replies may go to, besides SOAR's own.
    pub reply_queues: Vec<String>,
}

/// Settings of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// `loglevel`, or `LOGLEVEL`.
    pub level: LogLevel,
    /// `logdir`, or `APP_LOG_DIR`, or `logs`.
    pub directory: PathBuf,
    /// `logfile`, `app.log` when absent; `None` (empty): stderr only.
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

/// The format of a line of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// `2026-11-23 08:47:52,260 INFO [module] text key=value`
    Text,
    /// A JSON object.
    Json,
}

/// The levels, by Python's names, which SOAR's administrators know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum LogLevel {
    Debug,
    Info,
    Warning,
    Error,
    Critical,
}

/// How a query finds messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SearchStrategy {
    /// By an index of mail where the criteria and the permissions allow it, and in the mailboxes otherwise.
    #[default]
    Auto,
    /// In the mailboxes.
    Mailboxes,
    /// By the message trace.
    Trace,
    /// By advanced hunting.
    Hunting,
}

impl SearchStrategy {
    /// The strategies by the names that settings and inputs have for them.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("auto", Self::Auto),
        ("mailboxes", Self::Mailboxes),
        ("trace", Self::Trace),
        ("hunting", Self::Hunting),
    ];
}

/// The limits of one call, and how it searches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimits {
    /// `search_strategy`: how a query finds messages, unless the call says it.
    pub search_strategy: SearchStrategy,
    /// `max_messages`: messages returned by one query, over all mailboxes.
    pub max_messages: usize,
    /// `max_users`: mailboxes searched by one query.
    pub max_users: usize,
    /// `call_timeout`: how long one call may take.
    pub call_timeout: Duration,
    /// `max_call_age`: how old a call that changes something may be when it begins.
    pub max_call_age: Duration,
    /// `max_attachment_mb`, in bytes: a file that is read from SOAR or written to it.
    pub max_attachment: u64,
    /// `max_reply_mb`, in bytes: the final reply of a call.
    pub max_reply: usize,
}

/// Settings of the audit trail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditSettings {
    /// `audit_file`, in `logdir` if its path is relative: the record of all changes; `audit.log` when absent and the
    /// log is written to a file. `None`: changes are recorded in the log only.
    pub file: Option<PathBuf>,
    /// `audit_fsync`: a change begins after its line is on the disk, not only with the operating system.
    pub fsync: bool,
}

/// The guard rails: what the program may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardSettings {
    /// `max_deletions`, `max_messages` when absent: messages that one call may delete; a call for more deletes none.
    pub max_deletions: usize,
    /// `max_deletions_per_hour`: messages that all calls may delete within an hour; `None`: any number.
    pub max_deletions_per_hour: Option<usize>,
    /// `max_plan_messages`: messages that one removal plan may hold.
    pub max_plan_messages: usize,
    /// `plan_lifetime`: for how long a removal plan can be applied.
    pub plan_lifetime: Duration,
    /// `four_eyes`: who made a plan cannot approve it.
    pub four_eyes: bool,
    /// `approval_required`: messages are deleted by a plan only.
    pub approval_required: bool,
    /// `mailboxes_allowed`: mailboxes that may be changed; `None`: all.
    pub allowed: Option<Patterns>,
    /// `mailboxes_denied`: mailboxes that may not be changed, even if allowed.
    pub denied: Patterns,
    /// `mailboxes_denied_reading`: mailboxes whose mail may not be read, searched or traced.
    pub denied_reading: Patterns,
    /// `deletion`: where a deleted message goes.
    pub deletion: Deletion,
    /// `dry_run`: no mailbox is changed; results say what would have been done.
    pub dry_run: bool,
    /// `hold`: no mailbox is changed; running calls end, and calls that change something fail.
    pub hold: bool,
}

impl GuardSettings {
    /// Whether the guard rails distinguish mailboxes.
    pub fn name_mailboxes(&self) -> bool {
        self.allowed.is_some() || !self.denied.is_empty()
    }

    /// The names of the guard rails that are stricter in these than in `former`.
    pub fn tightened_since(&self, former: &Self) -> Vec<String> {
        let name = |phrase: String| phrase.split(' ').next().unwrap_or_default().to_owned();
        former.removed_since(self).into_iter().map(name).collect()
    }

    /// The guard rails of `former` that are removed or wider in these, one phrase for each. It begins with the name.
    pub fn removed_since(&self, former: &Self) -> Vec<String> {
        let mut removed = Vec::new();
        let mut number = |name: &str, former: Option<usize>, now: Option<usize>| {
            if let Some(former) = former
                && now.is_none_or(|now| now > former)
            {
                let now = now.map_or("without a limit".to_owned(), |now| now.to_string());
                removed.push(format!("{name} is {now}, and was {former}"));
            }
        };
        number("max_deletions", Some(former.max_deletions), Some(self.max_deletions));
        number("max_deletions_per_hour", former.max_deletions_per_hour, self.max_deletions_per_hour);
        number("max_plan_messages", Some(former.max_plan_messages), Some(self.max_plan_messages));
        if self.plan_lifetime > former.plan_lifetime {
            let (now, former) = (self.plan_lifetime.as_secs(), former.plan_lifetime.as_secs());
            removed.push(format!("plan_lifetime is {now}, and was {former}"));
        }
        if let Some(before) = &former.allowed {
            match &self.allowed {
                None => removed.push("mailboxes_allowed is gone, so every mailbox is allowed".to_owned()),
                Some(now) if !now.not_in(before).is_empty() => {
                    removed.push(format!("mailboxes_allowed also has {}", now.not_in(before).join(", ")));
                }
                Some(_) => {}
            }
        }
        let lists = [
            ("mailboxes_denied", &former.denied, &self.denied),
            ("mailboxes_denied_reading", &former.denied_reading, &self.denied_reading),
        ];
        for (name, before, now) in lists {
            let gone = before.not_in(now);
            if !gone.is_empty() {
                removed.push(format!("{name} has no longer {}", gone.join(", ")));
            }
        }
        if self.deletion == Deletion::Permanent && former.deletion != Deletion::Permanent {
            removed.push("deletion is permanent".to_owned());
        }
        if former.four_eyes && !self.four_eyes {
            removed.push("four_eyes is off".to_owned());
        }
        if former.approval_required && !self.approval_required {
            removed.push("approval_required is off".to_owned());
        }
        if former.dry_run && !self.dry_run {
            removed.push("dry_run is off".to_owned());
        }
        if former.hold && !self.hold {
            removed.push("hold is off".to_owned());
        }
        removed
    }
}

impl Default for GuardSettings {
    /// The rails of a file without any.
    fn default() -> Self {
        Self {
            max_deletions: MAX_MESSAGES.default,
            max_deletions_per_hour: None,
            max_plan_messages: MAX_PLAN_MESSAGES.default,
            plan_lifetime: Duration::from_secs(PLAN_LIFETIME.default),
            four_eyes: false,
            approval_required: false,
            allowed: None,
            denied: Patterns::default(),
            denied_reading: Patterns::default(),
            deletion: Deletion::default(),
            dry_run: false,
            hold: false,
        }
    }
}

/// The destination of deleted messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Deletion {
    /// Recoverable Items, from which its owner and administrators can restore a message for some days.
    #[default]
    Recoverable,
    /// Deleted Items, which its owner sees.
    DeletedItems,
    /// Purged; only a hold still keeps the message.
    Permanent,
    /// A hidden folder, from which `exchange_online_restore_messages` moves a message back.
    Quarantine,
}
