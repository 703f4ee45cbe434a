//! Arguments of the command line, in place of options of `[resilient]`.

use std::path::Path;

use fn_exchange_online::config::definitions::ARGUMENTS;
use fn_exchange_online::config::{Environment, GivenArgument, Loaded, LogLevel};
use net::Trust;

use super::*;

fn load_with(text: &str, environment: &[(&str, &str)], arguments: &[(&str, &str)]) -> Result<Loaded, String> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("app.config");
    fs::write(&file, text).unwrap();
    let given = arguments.iter().map(|(name, value)| {
        let argument = ARGUMENTS.iter().find(|argument| argument.name == *name).unwrap();
        GivenArgument { argument, value: (*value).to_owned() }
    });
    let environment = environment.iter().copied().collect::<Environment>().with_arguments(given.collect());
    Settings::load(&file, &environment).map_err(|error| error.to_string())
}

#[test]
fn arguments_override_file_and_environment() {
    let text = with("loglevel=ERROR\nnum_workers=3\nlogfile=a.log\nmax_connection_retries=7", "");
    let environment = [
        ("LOGLEVEL", "WARNING"),
        ("APP_LOG_DIR", "/var/log/env"),
        ("APP_HOST_CONTAINER", "1"),
        ("RESILIENT_MAX_CONNECTION_RETRIES", "9"),
        ("KEY", "from the environment"),
    ];
    let arguments = [
        ("loglevel", "debug"),
        ("num-workers", "4"),
        ("logdir", "/var/log/arguments"),
        ("logfile", ""),
        ("max-connection-retries", "2"),
        ("host", "other.example.com"),
        ("cafile", "/ca.pem"),
        ("api_key_secret", "$KEY"),
    ];
    let Loaded { settings, warnings, .. } = load_with(&text, &environment, &arguments).unwrap();
    assert_eq!((settings.log.level, settings.log.file), (LogLevel::Debug, None));
    assert_eq!(settings.log.directory, Path::new("/var/log/arguments"));
    assert_eq!((settings.worker.num_workers, settings.stomp.prefetch), (4, 4));
    assert_eq!((settings.soar.login_tries, &*settings.stomp.host), (Some(2), "other.example.com"));
    assert_eq!(settings.soar.trust, Trust::SystemAnd("/ca.pem".into()));
    assert!(format!("{:?}", settings.soar.login).contains("key-id"));
    assert_eq!(warnings, []);
}

#[test]
fn wrong_argument_is_named() {
    let error = load_with(MINIMAL, &[], &[("num-workers", "many")]).unwrap_err();
    let expected =
        "[resilient] num_workers (from the command line: --num-workers) is \"many\"; give a number";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn secret_on_command_line_is_warned_of_and_not_shown() {
    let loaded = load_with(MINIMAL, &[], &[("api_key_secret", "hunter2")]).unwrap();
    let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "[resilient] api_key_secret (from the command line: --api_key_secret) can be read there by every user of this \
          machine; use api_key_secret_file, or api_key_secret=$VARIABLE"
        ]
    );
}
