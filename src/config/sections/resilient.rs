//! SOAR's REST interface, its broker, the work on calls, and the log, from `[resilient]`.

use std::path::PathBuf;
use std::time::Duration;

use super::proxy;
use crate::config::definitions::resilient as opt;
use crate::config::options::Options;
use crate::config::{LogFormat, LogLevel, LogSettings, StompSettings, WorkerSettings};
use net::Trust;
use soar::{Login, SoarSettings};

/// `None` only where a problem was noted.
pub(in crate::config) fn soar(options: &mut Options<'_>) -> Option<SoarSettings> {
    if !options.has_section(opt::SECTION.name) {
        return None;
    }
    let host = options
        .mandatory(&opt::HOST, "give the host name of SOAR")
        .and_then(|host| options.host(&opt::HOST, &host));
    let org = options.mandatory(
        &opt::ORG,
        "give the organisation's name, uuid or cloud account (SOAR shows them under Administrator Settings)",
    );
    for (option, value) in [(&opt::HOST, &host), (&opt::ORG, &org)] {
        if let Some(value) = value {
            options.note_example(option, value);
        }
    }
    let port = options.number(&opt::PORT);
    let login = login(options);
    let trust = options.trust(&opt::CAFILE).unwrap_or(Trust::System);
    let resource_prefix = resource_prefix(options);
    let client_certificate = options.client_certificate(&opt::CLIENT_AUTH_CERT, &opt::CLIENT_AUTH_KEY);
    let proxy = proxy::for_soar(options);
    let login_tries = options.number(&opt::MAX_CONNECTION_RETRIES);
    let request_tries = options.number(&opt::REQUEST_MAX_RETRIES);
    let retry_delay = options.number(&opt::REQUEST_RETRY_DELAY);
    let retry_backoff = options.number(&opt::REQUEST_RETRY_BACKOFF);
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

/// The API key if both of its halves are set, otherwise the e-mail address and password.
fn login(options: &mut Options<'_>) -> Option<Login> {
    let (id, email) = (options.is_set(&opt::API_KEY_ID), options.is_set(&opt::EMAIL));
    let secret = options.is_set(&opt::API_KEY_SECRET) || options.is_set(&opt::API_KEY_SECRET_FILE);
    if email && !(id && secret) {
        let email = options.mandatory(&opt::EMAIL, "give the account's e-mail address");
        if let Some(email) = &email {
            options.note_example(&opt::EMAIL, email);
        }
        let password =
            options.mandatory_secret(&opt::PASSWORD, &opt::PASSWORD_FILE, "give the account's password");
        options.warning(
            &opt::EMAIL,
            "and password are deprecated by SOAR; create an API key, and use its id and secret",
        );
        return Some(Login::Password { email: email?, password: password? });
    }
    if email {
        options.warning(&opt::EMAIL, "is ignored, because the API key is set");
    }
    if !id && !secret {
        options.problem(
            &opt::API_KEY_ID,
            "is missing, and email as well",
            "give an API key: api_key_id and api_key_secret (SOAR: Administrator Settings, Users, API Keys)",
        );
        return None;
    }
    let id = options.mandatory(&opt::API_KEY_ID, "give the API key's id");
    let secret = options.mandatory_secret(
        &opt::API_KEY_SECRET,
        &opt::API_KEY_SECRET_FILE,
        "give the API key's secret",
    );
    Some(Login::ApiKey { id: id?, secret: secret? })
}

fn resource_prefix(options: &mut Options<'_>) -> Option<String> {
    let prefix = options.optional(&opt::RESOURCE_PREFIX)?.text;
    if !prefix.starts_with('/') || prefix.starts_with("//") || prefix.contains(['?', '#', '\\', ' ']) {
        options.problem(&opt::RESOURCE_PREFIX, "is not a path", "give a path such as /api/respond");
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
    let host = match options.optional(&opt::STOMP_HOST) {
        Some(host) => options.host(&opt::STOMP_HOST, &host.text),
        None => soar.map(|soar| soar.host.clone()),
    };
    let port = options.number(&opt::STOMP_PORT);
    let trust = options.trust(&opt::STOMP_CAFILE);
    let timeout = options.number(&opt::STOMP_TIMEOUT);
    let prefetch = options.number_if_set(&opt::STOMP_PREFETCH_LIMIT).unwrap_or(num_workers);
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
        num_workers: options.number(&opt::NUM_WORKERS),
        trap_exception: options.flag(&opt::TRAP_EXCEPTION),
        reply_queues: options.list(&opt::STOMP_REPLY_QUEUES),
    }
}

pub(in crate::config) fn selftest_timeout(options: &mut Options<'_>) -> Duration {
    Duration::from_secs(options.number(&opt::SELFTEST_TIMEOUT))
}

pub(in crate::config) fn log(options: &mut Options<'_>) -> LogSettings {
    let max_bytes = options.number(&opt::LOG_MAX_BYTES);
    if (1..opt::SMALLEST_LOG).contains(&max_bytes) {
        options.problem(
            &opt::LOG_MAX_BYTES.opt,
            format!("is {max_bytes}"),
            format!("give 0 (the file is never rotated) or at least {}", opt::SMALLEST_LOG),
        );
    }
    let directory = options.path(&opt::LOGDIR);
    LogSettings {
        level: log_level(options),
        directory: directory.unwrap_or_else(|| PathBuf::from(opt::LOGDIR.default_text())),
        file: log_file(options),
        format: options.choice(&opt::LOG_FORMAT).unwrap_or(LogFormat::Text),
        max_bytes: (max_bytes > 0).then_some(max_bytes),
        backup_count: options.number(&opt::LOG_BACKUP_COUNT),
    }
}

fn log_file(options: &mut Options<'_>) -> Option<String> {
    match options.optional(&opt::LOGFILE) {
        Some(file) => Some(file.text),
        None if options.is_there(&opt::LOGFILE) => None,
        None => Some(opt::LOGFILE.default_text().to_owned()),
    }
}

/// An unknown level is only a warning, since SOAR's framework starts with one as well.
fn log_level(options: &mut Options<'_>) -> LogLevel {
    let level = &opt::LOGLEVEL;
    let Some(text) = options.optional(&level.opt) else { return level.default };
    level.value_of(&text.text).unwrap_or_else(|| {
        let warning = format!("is not a level ({}); INFO is used", level.names());
        options.warning(&level.opt, warning);
        level.default
    })
}
