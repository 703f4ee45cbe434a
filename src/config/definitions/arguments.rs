//! The arguments that SOAR's own framework takes on the command line of `run` (`resilient-circuits run`, version 51),
//! and what each does here.

use super::resilient as opt;
use super::{Definition, Opt};

/// An argument, such as `--num-workers`.
pub struct Argument {
    /// Its name without the dashes, spelt as SOAR's framework spells it.
    pub name: &'static str,
    /// What it does in this program.
    pub effect: Effect,
}

/// What an argument does.
#[derive(Clone, Copy)]
pub enum Effect {
    /// It sets an option of `[resilient]`, and takes precedence over the file and the environment.
    Sets(&'static dyn Definition),
    /// The same for a secret, which other users of the machine can read on a command line. Names a better place.
    SetsSecret(&'static Opt, &'static str),
    /// It is refused; a setting does the same.
    Replaced(&'static str),
    /// It is refused: it has no effect in this program, and the text says why.
    Pointless(&'static str),
}

impl Argument {
    /// The option that it sets.
    pub fn option(&self) -> Option<&'static dyn Definition> {
        match self.effect {
            Effect::Sets(option) => Some(option),
            Effect::SetsSecret(option, _) => Some(option),
            Effect::Replaced(_) | Effect::Pointless(_) => None,
        }
    }

    /// Why it is refused.
    pub fn refusal(&self) -> Option<String> {
        match self.effect {
            Effect::Sets(_) | Effect::SetsSecret(..) => None,
            Effect::Replaced(setting) => Some(format!("set {setting} instead")),
            Effect::Pointless(why) => Some(format!("it has no effect in this program: {why}")),
        }
    }
}

const fn sets(name: &'static str, option: &'static dyn Definition) -> Argument {
    Argument { name, effect: Effect::Sets(option) }
}

const fn secret(name: &'static str, option: &'static Opt, instead: &'static str) -> Argument {
    Argument { name, effect: Effect::SetsSecret(option, instead) }
}

const fn pointless(name: &'static str, why: &'static str) -> Argument {
    Argument { name, effect: Effect::Pointless(why) }
}

const ONE_APP: &str = "it is one app, and loads no components";
const RECONNECTS: &str = "a lost connection to the broker is opened again indefinitely";
const NO_TEST_SERVER: &str = "it has no test server; sandbox --call and invoke try a function";

/// All arguments of `run`, except `--config-file` and `--auto-restart`.
pub static ARGUMENTS: &[Argument] = &[
    sets("host", &opt::HOST),
    sets("port", &opt::PORT),
    sets("org", &opt::ORG),
    sets("api_key_id", &opt::API_KEY_ID),
    secret("api_key_secret", &opt::API_KEY_SECRET, "api_key_secret_file, or api_key_secret=$VARIABLE"),
    sets("email", &opt::EMAIL),
    secret("password", &opt::PASSWORD, "password_file, or password=$VARIABLE"),
    sets("cafile", &opt::CAFILE),
    sets("resource-prefix", &opt::RESOURCE_PREFIX),
    sets("proxy_host", &opt::PROXY_HOST),
    sets("proxy_port", &opt::PROXY_PORT),
    sets("proxy_user", &opt::PROXY_USER),
    secret("proxy_password", &opt::PROXY_PASSWORD, "proxy_password_file, or proxy_password=$VARIABLE"),
    sets("max-connection-retries", &opt::MAX_CONNECTION_RETRIES),
    sets("request_max_retries", &opt::REQUEST_MAX_RETRIES),
    sets("request_retry_delay", &opt::REQUEST_RETRY_DELAY),
    sets("request_retry_backoff", &opt::REQUEST_RETRY_BACKOFF),
    sets("stomp-host", &opt::STOMP_HOST),
    sets("stomp-port", &opt::STOMP_PORT),
    sets("stomp-cafile", &opt::STOMP_CAFILE),
    sets("stomp-timeout", &opt::STOMP_TIMEOUT),
    sets("stomp-prefetch-limit", &opt::STOMP_PREFETCH_LIMIT),
    sets("num-workers", &opt::NUM_WORKERS),
    sets("trap-exception", &opt::TRAP_EXCEPTION),
    sets("selftest_timeout", &opt::SELFTEST_TIMEOUT),
    sets("logdir", &opt::LOGDIR),
    sets("logfile", &opt::LOGFILE),
    sets("loglevel", &opt::LOGLEVEL),
    sets("log_max_bytes", &opt::LOG_MAX_BYTES),
    sets("log_backup_count", &opt::LOG_BACKUP_COUNT),
    sets("pam_type", &opt::PAM_TYPE),
    Argument { name: "proxy", effect: Effect::Replaced("proxy_host and proxy_port in [resilient]") },
    pointless("cache-ttl", "it keeps no answers of SOAR"),
    pointless("componentsdir", ONE_APP),
    pointless("noload", ONE_APP),
    pointless("no-prompt-password", "it never asks for a password"),
    pointless("stomp-max-retries", RECONNECTS),
    pointless("heartbeat_timeout_threshold", RECONNECTS),
    pointless("rc_use_persistent_sessions", "connections to Microsoft Graph are always kept"),
    pointless("low_code_queues_list", "it serves the functions of Exchange Online only"),
    pointless("log-http-responses", "loglevel=DEBUG logs each request; contents are never logged"),
    pointless("resilient-mock", "the command sandbox runs against an embedded SOAR"),
    pointless("test-actions", NO_TEST_SERVER),
    pointless("test-host", NO_TEST_SERVER),
    pointless("test-port", NO_TEST_SERVER),
];
