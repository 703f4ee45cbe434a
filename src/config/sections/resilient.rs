//! `[resilient]`: SOAR's REST interface, its broker, our work and our log.

use std::path::PathBuf;
use std::time::Duration;

use super::proxy;
use crate::config::options::{Name, Options, RESILIENT};
use crate::config::{LogFormat, LogLevel, LogSettings, StompSettings, WorkerSettings};
use net::Trust;
use soar::{Login, SoarSettings};

const fn option(key: &'static str) -> Name {
    (RESILIENT, key)
}

/// `None` only where a problem was noted.
pub(in crate::config) fn soar(options: &mut Options<'_>) -> Option<SoarSettings> {
    let host = options
        .mandatory(option("host"), "give the host name of SOAR")
        .and_then(|host| options.host(option("host"), &host));
    let org = options.mandatory(
        option("org"),
        "give the organisation's name, uuid or cloud account (SOAR shows them under Administrator Settings)",
    );
    let port = options.number(option("port"), 1..=u16::MAX, 443);
    let login = login(options);
    let trust = options.trust(option("cafile")).unwrap_or(Trust::System);
    let resource_prefix = resource_prefix(options);
    let client_certificate = options.client_certificate(RESILIENT);
    let proxy = proxy::for_soar(options);
    let login_tries = options.number(option("max_connection_retries"), -1..=i64::from(u32::MAX), -1);
    let request_tries = options.number(option("request_max_retries"), 1..=1000, 5);
    let retry_delay = options.number(option("request_retry_delay"), 0.0..=3600.0, 2.0);
    let retry_backoff = options.number(option("request_retry_backoff"), 0.0..=100.0, 2.0);
    Some(SoarSettings {
        host: host?,
        port,
        org: org?,
        resource_prefix,
        login: login?,
        trust,
        client_certificate,
        proxy,
        login_tries: u32::try_from(login_tries).ok().filter(|&tries| tries > 0),
        request_tries,
        retry_delay: Duration::from_secs_f64(retry_delay),
        retry_backoff,
    })
}

/// The API key where both its halves are set, else the e-mail address and password.
fn login(options: &mut Options<'_>) -> Option<Login> {
    const ID: Name = option("api_key_id");
    const SECRET: Name = option("api_key_secret");
    const EMAIL: Name = option("email");
    const PASSWORD: Name = option("password");
    const SECRET_FILE: Name = option("api_key_secret_file");
    const PASSWORD_FILE: Name = option("password_file");
    let (id, email) = (options.is_set(ID), options.is_set(EMAIL));
    let secret = options.is_set(SECRET) || options.is_set(SECRET_FILE);
    if email && !(id && secret) {
        let email = options.mandatory(EMAIL, "give the account's e-mail address");
        let password = options.mandatory_secret(PASSWORD, PASSWORD_FILE, "give the account's password");
        options.warning(
            EMAIL,
            "and password are deprecated by SOAR; create an API key, and use its id and secret",
        );
        return Some(Login::Password { email: email?, password: password? });
    }
    if email {
        options.warning(EMAIL, "is ignored, because the API key is set");
    }
    if !id && !secret {
        options.problem(
            ID,
            "is missing, and email as well",
            "give an API key: api_key_id and api_key_secret (SOAR: Administrator Settings, Users, API Keys)",
        );
        return None;
    }
    let id = options.mandatory(ID, "give the API key's id");
    let secret = options.mandatory_secret(SECRET, SECRET_FILE, "give the API key's secret");
    Some(Login::ApiKey { id: id?, secret: secret? })
}

fn resource_prefix(options: &mut Options<'_>) -> Option<String> {
    const PREFIX: Name = option("resource_prefix");
    let prefix = options.optional(PREFIX)?.text;
    if !prefix.starts_with('/') || prefix.starts_with("//") || prefix.contains(['?', '#', '\\', ' ']) {
        options.problem(PREFIX, "is no path", "give a path such as /api/respond");
        return None;
    }
    Some(prefix)
}

/// `None` only where a problem was noted.
pub(in crate::config) fn stomp(
    options: &mut Options<'_>,
    soar: Option<&SoarSettings>,
    num_workers: u16,
) -> Option<StompSettings> {
    let host = match options.optional(option("stomp_host")) {
        Some(host) => options.host(option("stomp_host"), &host.text),
        None => soar.map(|soar| soar.host.clone()),
    };
    let port = options.number(option("stomp_port"), 1..=u16::MAX, 65001);
    let trust = options.trust(option("stomp_cafile"));
    let timeout = options.number(option("stomp_timeout"), 1..=3600, 60);
    let prefetch = options.number(option("stomp_prefetch_limit"), 1..=2000, num_workers);
    let proxy = proxy::for_stomp(options, host.as_deref());
    Some(StompSettings {
        host: host?,
        port,
        trust: trust.or_else(|| soar.map(|soar| soar.trust.clone()))?,
        proxy,
        timeout: Duration::from_secs(timeout),
        prefetch,
    })
}

pub(in crate::config) fn worker(options: &mut Options<'_>) -> WorkerSettings {
    WorkerSettings {
        num_workers: options.number(option("num_workers"), 1..=2000, 25),
        trap_exception: options.flag(option("trap_exception")),
    }
}

pub(in crate::config) fn selftest_timeout(options: &mut Options<'_>) -> Duration {
    Duration::from_secs(options.number(option("selftest_timeout"), 1..=3600, 10))
}

pub(in crate::config) fn log(options: &mut Options<'_>) -> LogSettings {
    const MAX_BYTES: Name = option("log_max_bytes");
    const SMALLEST: u64 = 100_000;
    let max_bytes = options.number(MAX_BYTES, 0..=u64::MAX, 10_000_000);
    if (1..SMALLEST).contains(&max_bytes) {
        options.problem(
            MAX_BYTES,
            format!("is {max_bytes}"),
            format!("give 0 (the file is never rotated) or at least {SMALLEST}"),
        );
    }
    LogSettings {
        level: log_level(options),
        directory: options.path(option("logdir")).unwrap_or_else(|| PathBuf::from("logs")),
        file: log_file(options),
        format: log_format(options),
        max_bytes: (max_bytes > 0).then_some(max_bytes),
        backup_count: options.number(option("log_backup_count"), 0..=u32::MAX, 10),
    }
}

fn log_file(options: &mut Options<'_>) -> Option<String> {
    const FILE: Name = option("logfile");
    match options.optional(FILE) {
        Some(file) => Some(file.text),
        None if options.is_there(FILE) => None,
        None => Some("app.log".to_owned()),
    }
}

fn log_format(options: &mut Options<'_>) -> LogFormat {
    const FORMAT: Name = option("log_format");
    match options.optional(FORMAT).map(|format| format.text.to_ascii_lowercase()).as_deref() {
        None | Some("text") => LogFormat::Text,
        Some("json") => LogFormat::Json,
        Some(_) => {
            options.problem(FORMAT, "is no format of the log", "give text or json");
            LogFormat::Text
        }
    }
}

fn log_level(options: &mut Options<'_>) -> LogLevel {
    const LEVEL: Name = option("loglevel");
    let Some(level) = options.optional(LEVEL) else { return LogLevel::Info };
    match level.text.to_ascii_uppercase().as_str() {
        "DEBUG" => LogLevel::Debug,
        "INFO" => LogLevel::Info,
        "WARNING" | "WARN" => LogLevel::Warning,
        "ERROR" => LogLevel::Error,
        "CRITICAL" | "FATAL" => LogLevel::Critical,
        _ => {
            options.warning(LEVEL, "is none of DEBUG, INFO, WARNING, ERROR and CRITICAL; INFO is used");
            LogLevel::Info
        }
    }
}
