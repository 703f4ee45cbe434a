//! `[resilient]`: SOAR's REST interface, its broker, the work on calls, and the log.

use super::{Choice, Number, Opt, OptionalNumber, RESILIENT, Section, Variable};
use crate::config::{LogFormat, LogLevel};

pub(in crate::config) static SECTION: Section = Section {
    name: RESILIENT,
    introduction: "SOAR server and credentials.\n\
        Lines that begin with # or ; are comments. A # within a line is part of the value.\n\
        A secret can stay in the environment: name=$VARIABLE, or ${VARIABLE} within a text. It can also stand in a file \
        of its own, which the option of the same name with _file at its end names.",
    groups: &[
        &[&HOST, &PORT, &ORG],
        &[&API_KEY_ID, &API_KEY_SECRET, &API_KEY_SECRET_FILE, &EMAIL, &PASSWORD, &PASSWORD_FILE],
        &[&PAM_TYPE],
        &[&CAFILE, &CLIENT_AUTH_CERT, &CLIENT_AUTH_KEY, &RESOURCE_PREFIX],
        &[&PROXY_HOST, &PROXY_PORT, &PROXY_USER, &PROXY_PASSWORD, &PROXY_PASSWORD_FILE],
        &[&MAX_CONNECTION_RETRIES, &REQUEST_MAX_RETRIES, &REQUEST_RETRY_DELAY, &REQUEST_RETRY_BACKOFF],
        &[
            &STOMP_HOST,
            &STOMP_PORT,
            &STOMP_CAFILE,
            &STOMP_PROXY,
            &STOMP_TIMEOUT,
            &STOMP_PREFETCH_LIMIT,
            &STOMP_REPLY_QUEUES,
        ],
        &[&NUM_WORKERS, &TRAP_EXCEPTION, &SELFTEST_TIMEOUT],
        &[&LOGDIR, &LOGFILE, &LOGLEVEL, &LOG_FORMAT, &LOG_MAX_BYTES, &LOG_BACKUP_COUNT],
    ],
    ignored: &[
        "actions_component",
        "cache_ttl",
        "componentsdir",
        "heartbeat_timeout_threshold",
        "ignore_message_failure",
        "log_http_responses",
        "low_code_queues_list",
        "multi_org_function_json",
        "multitenancy",
        "no_prompt_password",
        "noload",
        "proxy",
        "rc_use_persistent_sessions",
        "resilient_mock",
        "stomp",
        "stomp_max_connection_errors",
        "stomp_max_retries",
        "stomp_timer_interval",
        "test_actions",
        "test_host",
        "test_port",
    ],
};

const fn opt(key: &'static str, documentation: &'static str) -> Opt {
    Opt::new(RESILIENT, key, documentation)
}

pub(in crate::config) static HOST: Opt = opt("host", "Host name of SOAR, without https://.").set("resilient");

pub(in crate::config) static PORT: Number<u16> = Number {
    opt: opt("port", "Port of SOAR's REST interface.").set("443"),
    range: 1..=u16::MAX,
    default: 443,
};

pub(in crate::config) static ORG: Opt =
    opt("org", "SOAR organisation: its name, uuid or cloud account.").set("My Org");

pub(in crate::config) static API_KEY_ID: Opt =
    opt("api_key_id", "ID of the API key (SOAR: Administrator Settings, Users, API Keys).")
        .placeholder("ApiKeyId");

pub(in crate::config) static API_KEY_SECRET: Opt =
    opt("api_key_secret", "Secret of the API key.").placeholder("ApiKeySecret");

pub(in crate::config) static API_KEY_SECRET_FILE: Opt =
    opt("api_key_secret_file", "File that holds the secret of the API key, instead of `api_key_secret`.");

pub(in crate::config) static EMAIL: Opt =
    opt("email", "E-mail address of a SOAR account, instead of an API key. SOAR advises against accounts.")
        .suggested("soar_integration@example.com");

pub(in crate::config) static PASSWORD: Opt = opt("password", "Password of the account.");

pub(in crate::config) static PASSWORD_FILE: Opt =
    opt("password_file", "File that holds the password of the account, instead of `password`.");

pub(in crate::config) static PAM_TYPE: Opt = opt(
    "pam_type",
    "Password store that values such as ^secret.path.key name: HashiCorpVault. How it is reached and signed in to is in \
     the environment: PAM_ADDRESS and others.",
)
.suggested("HashiCorpVault")
.variable(Variable::Overrides("PAM_TYPE"));

pub(in crate::config) static CAFILE: Opt = opt(
    "cafile",
    "File (PEM) of certificate authorities to trust for SOAR in addition to the system's, or SOAR's own self-signed \
     certificate. false turns verification off.",
)
.suggested("~/.resilient/cert.cer");

pub(in crate::config) static CLIENT_AUTH_CERT: Opt = opt(
    "client_auth_cert",
    "Client certificate (PEM), where SOAR or a proxy in front of it asks for one. Takes `client_auth_key` as well.",
);

pub(in crate::config) static CLIENT_AUTH_KEY: Opt =
    opt("client_auth_key", "Private key (PEM) of `client_auth_cert`.");

pub(in crate::config) static RESOURCE_PREFIX: Opt =
    opt("resource_prefix", "Path of SOAR within Cloud Pak for Security.")
        .suggested("/api/respond")
        .variable(Variable::Overrides("RESOURCE_PREFIX"));

pub(in crate::config) static PROXY_HOST: Opt = opt(
    "proxy_host",
    "Proxy for SOAR's REST interface. The environment variables HTTPS_PROXY and HTTP_PROXY take precedence.",
);

pub(in crate::config) static PROXY_PORT: Number<u16> = Number {
    opt: opt("proxy_port", "Port of the proxy. 0: the port in `proxy_host`, or the default of its scheme."),
    range: 0..=u16::MAX,
    default: 0,
};

pub(in crate::config) static PROXY_USER: Opt = opt("proxy_user", "User name for the proxy.");

pub(in crate::config) static PROXY_PASSWORD: Opt = opt("proxy_password", "Password for the proxy.");

pub(in crate::config) static PROXY_PASSWORD_FILE: Opt =
    opt("proxy_password_file", "File that holds the password for the proxy, instead of `proxy_password`.");

pub(in crate::config) static MAX_CONNECTION_RETRIES: Number<i64> = Number {
    opt: opt(
        "max_connection_retries",
        "Attempts to sign in to SOAR at start. 0 and -1: without a limit, so that SOAR may start later. On App Host only \
         the environment variable RESILIENT_MAX_CONNECTION_RETRIES counts.",
    )
    .suggested("10"),
    range: -1..=u32::MAX as i64,
    default: -1,
};

pub(in crate::config) static REQUEST_MAX_RETRIES: Number<u32> = Number {
    opt: opt("request_max_retries", "Attempts of one request to SOAR, including the first.").suggested("5"),
    range: 1..=1000,
    default: 5,
};

pub(in crate::config) static REQUEST_RETRY_DELAY: Number<f64> = Number {
    opt: opt("request_retry_delay", "Seconds before the second attempt.").suggested("2"),
    range: 0.0..=3600.0,
    default: 2.0,
};

pub(in crate::config) static REQUEST_RETRY_BACKOFF: Number<f64> = Number {
    opt: opt("request_retry_backoff", "Factor by which each further delay is longer.").suggested("2"),
    range: 0.0..=100.0,
    default: 2.0,
};

pub(in crate::config) static STOMP_HOST: Opt =
    opt("stomp_host", "Host name of SOAR's message broker.").or("the value of `host`");

pub(in crate::config) static STOMP_PORT: Number<u16> = Number {
    opt: opt("stomp_port", "Port of the broker. It is 443 on Cloud Pak for Security.").suggested("65001"),
    range: 1..=u16::MAX,
    default: 65001,
};

pub(in crate::config) static STOMP_CAFILE: Opt =
    opt("stomp_cafile", "File (PEM) of certificate authorities to trust for the broker, as in `cafile`.")
        .or("the value of `cafile`");

pub(in crate::config) static STOMP_PROXY: Opt = opt(
    "stomp_proxy",
    "HTTP proxy for the broker, such as http://user:password@proxy.example.com:8080; or environment, which takes the \
     proxy of HTTPS_PROXY unless NO_PROXY lists the broker. If absent, the connection is direct, whatever the \
     environment says.",
);

pub(in crate::config) static STOMP_TIMEOUT: Number<u64> = Number {
    opt: opt("stomp_timeout", "Seconds to wait for a connection to the broker and for its answers.")
        .suggested("120")
        .variable(Variable::Overrides("RESILIENT_STOMP_TIMEOUT")),
    range: 1..=3600,
    default: 60,
};

pub(in crate::config) static STOMP_REPLY_QUEUES: Opt = opt(
    "stomp_reply_queues",
    "Further queues, separated by commas, that a message may name for its reply. SOAR's own is known: acks.ORG.DESTINATION \
     for a message from actions.ORG.DESTINATION. So are temporary queues of the sender.",
)
.suggested("acks.201.other");

pub(in crate::config) static STOMP_PREFETCH_LIMIT: OptionalNumber<u16> = OptionalNumber {
    opt: opt("stomp_prefetch_limit", "Messages that the broker delivers before they are answered.")
        .or("the value of `num_workers`")
        .suggested("50"),
    range: 1..=2000,
};

pub(in crate::config) static NUM_WORKERS: Number<u16> = Number {
    opt: opt("num_workers", "Calls that run at the same time.").set("50"),
    range: 1..=2000,
    default: 25,
};

pub(in crate::config) static TRAP_EXCEPTION: Opt = opt(
    "trap_exception",
    "true: a function that fails is reported to SOAR as completed, with success = false in its results.",
)
.or("false")
.set("False");

pub(in crate::config) static SELFTEST_TIMEOUT: Number<u64> = Number {
    opt: opt("selftest_timeout", "Seconds that each step of the self test may take.").set("10"),
    range: 1..=3600,
    default: 10,
};

pub(in crate::config) static LOGDIR: Opt = opt(
    "logdir",
    "Directory of the log file and of the audit trail. It has to exist, and only this program's user may write \
     there: not /tmp. systemd and App Host set APP_LOG_DIR, so leave `logdir` out there.",
)
.or("logs")
.suggested("/var/log/fn-exchange-online")
.variable(Variable::StandsIn("APP_LOG_DIR"));

pub(in crate::config) static LOGFILE: Opt = opt(
    "logfile",
    "Name of the log file. The log is always written to standard error as well; empty: only there.",
)
.or("app.log")
.set("app.log");

pub(in crate::config) static LOGLEVEL: Choice<LogLevel> = Choice {
    opt: opt("loglevel", "Lowest level that is logged.")
        .set("INFO")
        .variable(Variable::Overrides("LOGLEVEL")),
    choices: &[
        ("DEBUG", LogLevel::Debug),
        ("INFO", LogLevel::Info),
        ("WARNING", LogLevel::Warning),
        ("ERROR", LogLevel::Error),
        ("CRITICAL", LogLevel::Critical),
    ],
    default: LogLevel::Info,
    aliases: &[("WARN", LogLevel::Warning), ("FATAL", LogLevel::Critical)],
};

pub(in crate::config) static LOG_FORMAT: Choice<LogFormat> = Choice {
    opt: opt("log_format", "Format of the lines of the log. json: one JSON object per line.")
        .suggested("text"),
    choices: &[("text", LogFormat::Text), ("json", LogFormat::Json)],
    default: LogFormat::Text,
    aliases: &[],
};

/// A smaller file would be rotated all the time.
pub(in crate::config) const SMALLEST_LOG: u64 = 100_000;

pub(in crate::config) static LOG_MAX_BYTES: Number<u64> = Number {
    opt: opt("log_max_bytes", "Size in bytes at which the log file is rotated, at least 100000. 0: never.")
        .suggested("10000000"),
    range: 0..=u64::MAX,
    default: 10_000_000,
};

pub(in crate::config) static LOG_BACKUP_COUNT: Number<u32> = Number {
    opt: opt("log_backup_count", "Rotated log files to keep. 0: the file is not rotated.").suggested("10"),
    range: 0..=u32::MAX,
    default: 10,
};
