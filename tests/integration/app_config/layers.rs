//! The file is found, and the environment has its say in it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fn_exchange_online::config::{Environment, Loaded, LogLevel};
use net::{Proxy, Trust};

use super::*;

#[test]
fn secrets_come_from_the_environment() {
    let load = |value: &str| {
        let text = MINIMAL.replace("S3CR3T", value);
        let loaded = load_in(text, &[("FOO", "f$o"), ("BAR", "b}r"), ("FOO/tail", "whole")]).unwrap();
        (client_secret(&loaded.settings).to_owned(), loaded.warnings.len())
    };
    assert_eq!(load("$FOO"), ("f$o".into(), 0));
    assert_eq!(load("${FOO}"), ("f$o".into(), 0));
    assert_eq!(load("a ${FOO}-${BAR}!"), ("a f$o-b}r!".into(), 0));
    assert_eq!(load("$FOO/tail"), ("whole".into(), 0));
    assert_eq!(load("a $FOO"), ("a $FOO".into(), 0));
    assert_eq!(load("${NONE}-${FOO}"), ("${NONE}-f$o".into(), 1));
    assert_eq!(load("$NONE"), ("$NONE".into(), 1));
    assert_eq!(load("$100%\\n\"#;"), ("$100%\\n\"#;".into(), 1));
}

#[test]
fn environment_variables_override_file() {
    let text = with("loglevel=ERROR\nstomp_timeout=10\nresource_prefix=/file\nmax_connection_retries=7", "");
    let settings = |environment: &[(&str, &str)]| load_in(&text, environment).unwrap().settings;
    let file = settings(&[("RESILIENT_MAX_CONNECTION_RETRIES", "3"), ("LOGLEVEL", "")]);
    assert_eq!((file.log.level, file.soar.login_tries), (LogLevel::Error, Some(7)));
    let env = settings(&[
        ("LOGLEVEL", "debug"),
        ("RESILIENT_STOMP_TIMEOUT", "99"),
        ("RESOURCE_PREFIX", "/env"),
        ("RESILIENT_MAX_CONNECTION_RETRIES", "3"),
        ("APP_HOST_CONTAINER", "1"),
    ]);
    assert_eq!((env.log.level, env.stomp.timeout), (LogLevel::Debug, Duration::from_secs(99)));
    assert_eq!((env.soar.resource_prefix.as_deref(), env.soar.login_tries), (Some("/env"), Some(3)));
    assert_eq!(settings(&[("APP_HOST_CONTAINER", "1")]).soar.login_tries, None);
}

#[test]
fn invalid_environment_value_names_its_variable() {
    let error = load_in(MINIMAL, &[("RESILIENT_STOMP_TIMEOUT", "soon")]).unwrap_err().to_string();
    assert!(
        error.contains(
            "[resilient] stomp_timeout (from the environment: RESILIENT_STOMP_TIMEOUT) is \"soon\""
        )
    );
}

#[test]
fn app_log_dir_variable_is_only_a_default() {
    let environment = [("APP_LOG_DIR", "/var/log/rescircuits")];
    let directory = |text: &str| load_in(text, &environment).unwrap().settings.log.directory;
    assert_eq!(directory(MINIMAL), Path::new("/var/log/rescircuits"));
    assert_eq!(directory(&with("logdir=/tmp", "")), Path::new("/tmp"));
}

#[test]
fn requests_ca_bundle_stands_in_for_verify() {
    let environment = [("REQUESTS_CA_BUNDLE", "/bundle.pem")];
    let trust = |text: &str| load_in(text, &environment).unwrap().settings.graph.trust;
    assert_eq!(trust(MINIMAL), Trust::SystemAnd("/bundle.pem".into()));
    assert_eq!(trust(&with("", "verify=false")), Trust::Insecure);
    assert_eq!(loaded(MINIMAL).graph.trust, Trust::System);
}

#[test]
fn proxy_precedence_is_environment_app_integrations() {
    let text = with(
        "proxy_host=soarproxy\nproxy_port=3128",
        "http_proxy=own:1\n[integrations]\nhttps_proxy=http://x",
    );
    for name in ["HTTPS_PROXY", "HTTP_PROXY"] {
        let settings = load_in(&text, &[(name, "http://env:1")]).unwrap().settings;
        assert_eq!((settings.graph.proxy, settings.soar.proxy), (Proxy::Environment, Proxy::Environment));
    }
    let settings = loaded(&text);
    let own = Proxy::Explicit { http: Some(proxy("http://own:1", None)), https: None };
    assert_eq!(settings.graph.proxy, own);
    let soar = proxy("https://soarproxy:3128", None);
    assert_eq!(settings.soar.proxy, Proxy::Explicit { http: Some(soar.clone()), https: Some(soar) });
    let common = app("[integrations]\nhttps_proxy=http://us%40er:p%3As@x:8080/path").graph.proxy;
    let https = Some(proxy("http://x:8080", Some(("us@er", "p:s"))));
    assert_eq!(common, Proxy::Explicit { http: None, https });
    let login = resilient("proxy_host=http://p.example.com\nproxy_user=me\nproxy_password=p@ss").soar.proxy;
    let login_expected = proxy("http://p.example.com", Some(("me", "p@ss")));
    assert_eq!(login, Proxy::Explicit { http: Some(login_expected.clone()), https: Some(login_expected) });
}

#[test]
fn values_below_default_are_every_sections() {
    let text = format!("[DEFAULT]\nnum_workers=9\nmax_users=8\n{MINIMAL}");
    let Loaded { settings, warnings, .. } = load_in(&text, &[]).unwrap();
    assert_eq!((settings.worker.num_workers, settings.limits.max_users), (9, 8));
    assert_eq!(warnings, []);
}

#[test]
fn config_file_lookup_order_is_argument_variable_cwd_home() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let environment = |variables: &[(&str, &str)]| variables.iter().copied().collect::<Environment>();
    let home = environment(&[("HOME", "/home/integration")]);
    let in_home = PathBuf::from("/home/integration/.resilient/app.config");
    assert_eq!(home.config_file(None, here).unwrap(), in_home);
    fs::create_dir(here.join("app.config")).unwrap();
    assert_eq!(home.config_file(None, here).unwrap(), in_home, "a directory is no file");
    fs::remove_dir(here.join("app.config")).unwrap();
    fs::write(here.join("app.config"), "").unwrap();
    assert_eq!(home.config_file(None, here).unwrap(), here.join("app.config"));
    let named = environment(&[("APP_CONFIG_FILE", "/no/such/file"), ("HOME", "/home/integration")]);
    assert_eq!(named.config_file(None, here).unwrap(), Path::new("/no/such/file"));
    assert_eq!(named.config_file(Some(Path::new("mine")), here).unwrap(), Path::new("mine"));
    // A shell leaves the ~ of --config-file=~/app.config as it is.
    let given = named.config_file(Some(Path::new("~/app.config")), here).unwrap();
    assert_eq!(given, Path::new("/home/integration/app.config"));
}

#[test]
fn tilde_config_path_without_home_is_rejected() {
    let nowhere = Path::new("/nowhere");
    let words =
        "begins with ~, and HOME is not set, so there is no home directory; write the full path, or set HOME";
    for (variables, command_line, path) in [
        (&[][..], None, "~/.resilient/app.config"),
        (&[("HOME", "")], None, "~/.resilient/app.config"),
        (&[("APP_CONFIG_FILE", "~/a.config")], None, "~/a.config"),
        (&[], Some("~/b.config"), "~/b.config"),
    ] {
        let environment: Environment = variables.iter().copied().collect();
        let refused = environment.config_file(command_line.map(Path::new), nowhere).unwrap_err();
        assert_eq!(refused.to_string(), format!("{path} {words}"));
    }
}

#[test]
fn paths_may_begin_with_the_home_directory() {
    let text = with("cafile=~/ca.pem\nlogdir=~", "verify=x~/y.pem");
    let settings = load_in(text, &[("HOME", "/home/me")]).unwrap().settings;
    assert_eq!(settings.soar.trust, Trust::SystemAnd("/home/me/ca.pem".into()));
    assert_eq!(settings.log.directory, Path::new("/home/me"));
    assert_eq!(settings.graph.trust, Trust::SystemAnd("x~/y.pem".into()));
}

#[test]
fn unknown_home_directory_is_a_problem_of_each_path() {
    let text = with(
        "cafile=~/ca.pem\nstomp_cafile=~\nlogdir=~/logs\nclient_auth_cert=~/c.pem\nclient_auth_key=/k.pem",
        "verify=~/x.pem\ntoken_verify=~/y.pem\naudit_file=~/acts.jsonl",
    )
    .replace("client_secret=S3CR3T", "client_secret_file=~/secret");
    let problems = problems(&text);
    let mut found = places(&problems);
    found.sort();
    assert_eq!(
        found,
        [
            "fn_exchange_online.audit_file",
            "fn_exchange_online.client_secret_file",
            "fn_exchange_online.token_verify",
            "fn_exchange_online.verify",
            "resilient.cafile",
            "resilient.client_auth_cert",
            "resilient.logdir",
            "resilient.stomp_cafile",
        ]
    );
    for problem in problems {
        let message = problem.to_string();
        assert!(
            message.contains("HOME is not set") && message.contains("write the full path, or set HOME"),
            "{message}"
        );
    }
}

#[test]
fn home_directory_of_another_user_is_not_looked_up() {
    let text = with("", "verify=~user/x.pem");
    let error = load_in(text, &[("HOME", "/home/me")]).unwrap_err();
    let message = error.problems()[0].to_string();
    assert_eq!(error.problems().len(), 1, "{error}");
    assert_eq!(
        message,
        "[fn_exchange_online] verify begins with ~ and a user name, and home directories of users are not looked up; \
         write the full path"
    );
}

#[test]
fn configuration_that_others_may_change_is_warned_of() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("app.config");
    let secret = directory.path().join("secret");
    fs::write(&secret, "s").unwrap();
    let text =
        with("", "").replace("client_secret=S3CR3T", &format!("client_secret_file={}", secret.display()));
    fs::write(&file, text).unwrap();
    for (path, mode, users) in [
        (&file, 0o640, None),
        (&file, 0o660, Some("every user of its group")),
        (&file, 0o646, Some("every user of this machine")),
        (&secret, 0o602, Some("every user of this machine")),
    ] {
        for path in [&file, &secret] {
            fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
        }
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        let warnings = Settings::load(&file, &Environment::default()).unwrap().warnings;
        let warnings: Vec<_> = warnings.iter().map(ToString::to_string).collect();
        let expected = users.map(|users| format!("{} can be changed by {users}", path.display()));
        assert_eq!(warnings.len(), usize::from(expected.is_some()), "{mode:o}: {warnings:?}");
        assert!(expected.is_none_or(|expected| warnings[0].contains(&expected)), "{mode:o}: {warnings:?}");
    }
}
