//! All problems and risks are reported, without secrets.

use std::path::Path;

use fn_exchange_online::config::{Environment, Loaded, LogLevel, Settings};

use super::*;

#[test]
fn password_store_reference_is_rejected() {
    for value in ["^client", "^{client}", "a^{client}"] {
        let problem = only_problem(MINIMAL.replace("S3CR3T", value));
        assert_eq!(places(std::slice::from_ref(&problem)), ["fn_exchange_online.client_secret"]);
        let words = problem.to_string();
        assert!(words.contains("names an entry of the password store Keyring (^NAME)"), "{words}");
        assert!(words.contains("LoadCredential=") && words.contains("client_secret_file"), "{words}");
        let text = MINIMAL.replace("S3CR3T", value).replace("[resilient]", "[resilient]\npam_type=Cyberark");
        assert!(only_problem(text).to_string().contains("the password store Cyberark"));
    }
    // On App Host there is no store where none is named, and a secret may begin with a circumflex.
    let literal = load_in(MINIMAL.replace("S3CR3T", "^client"), &[("APP_HOST_CONTAINER", "1")]).unwrap();
    assert_eq!((client_secret(&literal.settings), literal.warnings.len()), ("^client", 1));
}

#[test]
fn config_problems_are_all_reported_at_once() {
    let text = "\
stray
[resilient]
host=https://soar.example.com/
port=70000
org=
api_key_id=ApiKeyId
num_workers=0
stomp_prefetch_limit=2001
stomp_timeout=soon
log_format=xml
log_max_bytes=5
log_backup_count=-1
request_max_retries=0
max_connection_retries=-2
resource_prefix=https://elsewhere
client_auth_cert=/c.pem
proxy_port=http
port=443
bare words
[integrations]
timeout=0
https_proxy=socks5://proxy
[fn_exchange_online]
microsoft_graph_token_url=http://login.example.com/{tenant}
microsoft_graph_url=graph.microsoft.com
tenant_id=xxx
client_id=
max_batched_requests=21
max_concurrent_batches=33
max_messages=0
max_users=many
max_retries_total=-1
max_retries_backoff_factor=slow
timeout=4000
[resilient]
";
    let error = load_in(text, &[]).unwrap_err();
    let mut places = places(error.problems());
    places.sort();
    let mut expected = [
        "-.-",
        "resilient.port",
        "resilient.-",
        "resilient.-",
        "resilient.host",
        "resilient.port",
        "resilient.org",
        "resilient.api_key_id",
        "resilient.api_key_secret",
        "resilient.num_workers",
        "resilient.stomp_prefetch_limit",
        "resilient.stomp_timeout",
        "resilient.log_format",
        "resilient.log_max_bytes",
        "resilient.log_backup_count",
        "resilient.request_max_retries",
        "resilient.max_connection_retries",
        "resilient.resource_prefix",
        "resilient.client_auth_key",
        "resilient.proxy_port",
        "integrations.timeout",
        "integrations.https_proxy",
        "fn_exchange_online.microsoft_graph_token_url",
        "fn_exchange_online.microsoft_graph_url",
        "fn_exchange_online.tenant_id",
        "fn_exchange_online.client_id",
        "fn_exchange_online.client_secret",
        "fn_exchange_online.max_batched_requests",
        "fn_exchange_online.max_concurrent_batches",
        "fn_exchange_online.max_messages",
        "fn_exchange_online.max_users",
        "fn_exchange_online.max_retries_total",
        "fn_exchange_online.max_retries_backoff_factor",
        "fn_exchange_online.timeout",
    ];
    expected.sort_unstable();
    assert_eq!(places, expected);
    let words = error.to_string();
    for expected in [
        "has 34 problems:",
        "line 1: there is text before the first section; begin with a line [resilient]",
        "line 18, [resilient] port: the option is set a second time in this section; keep one of the lines",
        "[resilient] port is \"70000\"; give a number from 1 to 65535",
        "[resilient] org is empty; give the organisation's name",
        "[fn_exchange_online] tenant_id still has the template's placeholder; give the directory",
        "[fn_exchange_online] client_secret is missing; give a client secret's value",
        "[fn_exchange_online] max_batched_requests is \"21\"; give a number from 1 to 20",
        "[fn_exchange_online] max_concurrent_batches is \"33\"; give a number from 1 to 32",
        "[fn_exchange_online] microsoft_graph_token_url is http, which would send secrets",
    ] {
        assert!(words.contains(expected), "{expected:?} is not in {words}");
    }
}

#[test]
fn secrets_do_not_appear_in_messages_or_debug_output() {
    const SECRETS: &str = "hunter2";
    let sound = with(
        "proxy_host=http://u:hunter2-a@proxy\nproxy_user=u\nproxy_password=hunter2-b",
        "https_proxy=http://u:hunter2-c@proxy:1",
    )
    .replace("K3Y!", "hunter2-d")
    .replace("S3CR3T", "hunter2-e");
    let Loaded { settings, warnings, .. } = load_in(&sound, &[]).unwrap();
    assert_eq!(client_secret(&settings), "hunter2-e");
    let shown = format!("{settings:?} {settings:#?} {warnings:?}");
    assert!(!shown.contains(SECRETS), "{shown}");

    let broken = with(
        "email=x\npassword=^hunter2\nproxy_password=hunter2\n  hunter2\nproxy_host=hunter2 hunter2\nhunter2\n\
         port=$PORT",
        "client_secret=hunter2\nhttp_proxy=ftp://u:hunter2@proxy\nhttps_proxy=http://u:hunter2@\n\
         microsoft_graph_url=https://u:hunter2@graph.example.com/v1.0\n\
         microsoft_graph_token_url=hunter2://hunter2/{tenant}",
    )
    .replace("K3Y!", "$hunter2")
    .replace("S3CR3T", "hunter2\n  hunter2")
    .replace("api_key_id=key-id\n", "");
    let error = load_in(&broken, &[("PORT", "hunter2")]).unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(error.problems().len() > 8, "{error}");
    assert!(!shown.contains(SECRETS), "{shown}");

    let unknown = load_in(MINIMAL.replace("S3CR3T", "$hunter2"), &[]).unwrap().warnings;
    assert!(unknown.len() == 1 && !format!("{unknown:?}").contains(SECRETS), "{unknown:?}");
    let environment: Environment = [("FOO", "hunter2")].into_iter().collect();
    assert!(!format!("{environment:?}").contains(SECRETS));
}

#[test]
fn plain_http_is_allowed_for_loopback_only() {
    for host in ["login.example.com", "127.0.0.1.example.com", "10.0.0.1", "localhost.example.com", "[::2]"] {
        let problem = only_problem(with("", &format!("microsoft_graph_url=http://{host}/v1.0")));
        assert!(problem.wrong.contains("http"), "{problem}");
    }
    for host in ["localhost", "127.0.0.1:1", "127.8.8.8", "[::1]:9"] {
        app(&format!("microsoft_graph_url=http://{host}/v1.0"));
    }
}

#[test]
fn unknown_options_are_warned_of() {
    let text = with(
        "num_worker=5\ncache_ttl=240\ncomponentsdir=x\nstomp_max_retries=3\nno_prompt_password=1\npam_type=Keyring",
        "max_mails=5\n[integrations]\nverify=\nprxy=x\n[fn_other]\nanything=1\n[DEFAULT]\nshared=1",
    );
    assert_eq!(
        warnings(&text),
        [
            "[resilient] num_worker is not an option of this program; it is ignored (did you mean num_workers?)",
            "[integrations] prxy is not an option of this program; it is ignored",
            "[fn_exchange_online] max_mails is not an option of this program; it is ignored",
        ]
    );
}

#[test]
fn risky_or_ineffective_options_give_warnings() {
    assert!(warnings(&with("cafile=false", ""))[0].starts_with("[resilient] cafile is false"));
    assert!(warnings(&with("", "verify=false"))[0].starts_with("[fn_exchange_online] verify is false"));
    assert!(warnings(&with("stomp=0", ""))[0].starts_with("[resilient] stomp is 0"));
    let level = load_in(with("loglevel=verbose", ""), &[]).unwrap();
    assert_eq!(level.settings.log.level, LogLevel::Info);
    assert!(level.warnings[0].to_string().contains("INFO is used"));
}

#[test]
fn missing_section_or_login_is_reported_once() {
    let problems = problems("[resilient]\nhost=a\norg=b\n");
    assert_eq!(places(&problems), ["resilient.api_key_id", "fn_exchange_online.-"]);
}

#[test]
fn unreadable_config_file_is_reported_with_reason() {
    let missing = Settings::load(Path::new("/nowhere/app.config"), &Environment::default()).unwrap_err();
    assert!(missing.to_string().contains("/nowhere/app.config: No such file"), "{missing}");
    let latin = load_in(b"[resilient]\nhost=\xfc\n", &[]).unwrap_err();
    assert!(latin.to_string().contains("not UTF-8 from byte 17 on"), "{latin}");
}

#[test]
fn options_in_integrations_without_effect_are_warned_of() {
    let warned =
        warnings(&with("", "[integrations]\nverify=/ca.pem\nclient_auth_cert=/c.pem\nclient_auth_key="));
    assert_eq!(
        warned,
        ["verify", "client_auth_cert"].map(|key| format!(
            "[integrations] {key} has no effect, as in SOAR's own framework; set {key} in [fn_exchange_online]"
        ))
    );
}
