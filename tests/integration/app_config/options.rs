//! Every option arrives in the settings.

use std::time::Duration;

use fn_exchange_online::config::{GuardSettings, Loaded, LogFormat, LogLevel, Settings};
use net::{ClientCertificate, Proxy, Secret, Trust};
use soar::Login;

use super::*;

#[test]
fn minimal_file_uses_defaults() {
    let Loaded { settings, warnings, .. } = load_in(MINIMAL, &[]).unwrap();
    assert_eq!(warnings, []);
    let Settings {
        soar,
        stomp,
        worker,
        log,
        graph,
        limits,
        zip_password,
        guard,
        audit,
        selftest_timeout,
        health_listen,
    } = settings;
    assert_eq!(
        (guard, audit.file, audit.fsync),
        (GuardSettings::default(), Some("logs/audit.log".into()), false)
    );
    assert_eq!((health_listen, zip_password), (None, None), "no port is open");
    assert_eq!(selftest_timeout, Duration::from_secs(10));
    assert_eq!((soar.host.as_str(), soar.port, soar.org.as_str()), ("soar.example.com", 443, "Security"));
    assert_eq!(soar.login, Login::ApiKey { id: "key-id".into(), secret: Secret::new("K3Y!") });
    assert_eq!((soar.trust, soar.client_certificate, soar.resource_prefix), (Trust::System, None, None));
    assert_eq!((soar.proxy, soar.login_tries, soar.request_tries), (Proxy::Environment, None, 5));
    assert_eq!((soar.retry_delay, soar.retry_backoff.to_string()), (Duration::from_secs(2), "2".into()));
    assert_eq!((stomp.host.as_str(), stomp.port, stomp.trust), ("soar.example.com", 65001, Trust::System));
    assert_eq!((stomp.timeout, stomp.prefetch), (Duration::from_secs(60), 25));
    assert_eq!((worker.num_workers, worker.trap_exception), (25, false));
    assert_eq!((log.level, log.directory, log.file), (LogLevel::Info, "logs".into(), Some("app.log".into())));
    assert_eq!((log.max_bytes, log.backup_count), (Some(10_000_000), 10));
    let token_url = "https://login.microsoftonline.com/tenant/oauth2/v2.0/token";
    assert_eq!(
        (graph.token_url.as_str(), graph.base_url.as_str()),
        (token_url, "https://graph.microsoft.com/v1.0")
    );
    assert_eq!(
        graph.credential,
        Credential::Application { client_id: "client".into(), proof: Proof::Secret(Secret::new("S3CR3T")) }
    );
    assert_eq!(
        (graph.trust, graph.client_certificate, graph.proxy),
        (Trust::System, None, Proxy::Environment)
    );
    assert_eq!((graph.timeout, graph.max_batched_requests), (Duration::from_secs(30), 20));
    assert_eq!(graph.max_concurrent_batches, 8);
    assert_eq!((graph.max_retries, graph.retry_backoff), (10, Duration::from_secs(5)));
    assert_eq!((limits.max_messages, limits.max_users), (100, 2000));
    assert_eq!(limits.call_timeout, Duration::from_secs(24 * 3600));
    assert_eq!(limits.max_call_age, Duration::from_secs(24 * 3600));
    assert_eq!((limits.max_attachment, limits.max_reply), (1024 << 20, 96 << 20));
}

#[test]
fn all_resilient_section_options_are_applied() {
    assert_eq!(resilient("port=8443").soar.port, 8443);
    assert_eq!(resilient("cafile=/etc/ca.pem").soar.trust, Trust::SystemAnd("/etc/ca.pem".into()));
    assert_eq!(resilient("cafile=FALSE").stomp.trust, Trust::Insecure);
    let split = resilient("cafile=/a.pem\nstomp_cafile=/b.pem");
    assert_eq!(split.soar.trust, Trust::SystemAnd("/a.pem".into()));
    assert_eq!(split.stomp.trust, Trust::SystemAnd("/b.pem".into()));
    assert_eq!(
        resilient("client_auth_cert=/c.pem\nclient_auth_key=/k.pem").soar.client_certificate,
        Some(ClientCertificate { certificate: "/c.pem".into(), key: "/k.pem".into() })
    );
    assert_eq!(resilient("resource_prefix=/api/respond").soar.resource_prefix.unwrap(), "/api/respond");
    assert_eq!(resilient("max_connection_retries=10").soar.login_tries, Some(10));
    assert_eq!(resilient("max_connection_retries=0").soar.login_tries, None);
    assert_eq!(resilient("max_connection_retries=-1").soar.login_tries, None);
    let retry = resilient("request_max_retries=7\nrequest_retry_delay=0.5\nrequest_retry_backoff=3").soar;
    assert_eq!((retry.request_tries, retry.retry_delay), (7, Duration::from_millis(500)));
    assert_eq!(retry.retry_backoff.to_string(), "3");
    let stomp = resilient("stomp_host=broker.example.com\nstomp_port=443\nstomp_timeout=120").stomp;
    assert_eq!((stomp.host.as_str(), stomp.port), ("broker.example.com", 443));
    assert_eq!(stomp.timeout, Duration::from_secs(120));
    assert_eq!(resilient("num_workers=2000").stomp.prefetch, 2000);
    let both = resilient("num_workers=50\nstomp_prefetch_limit=7");
    assert_eq!((both.worker.num_workers, both.stomp.prefetch), (50, 7));
    for (text, value) in
        [("True", true), ("yes", true), ("1", true), ("no", false), ("0", false), ("", false)]
    {
        assert_eq!(resilient(&format!("trap_exception={text}")).worker.trap_exception, value, "{text}");
    }
    let log = resilient("logdir=/var/log\nlogfile=x.log\nlog_max_bytes=0\nlog_backup_count=3").log;
    assert_eq!((log.path(), log.max_bytes), (Some("/var/log/x.log".into()), None));
    assert_eq!(log.backup_count, 3);
    assert_eq!(resilient("logfile=\nlogdir=/var/log").log.path(), None);
    for (text, format) in [("text", LogFormat::Text), ("JSON", LogFormat::Json), ("", LogFormat::Text)] {
        assert_eq!(resilient(&format!("log_format={text}")).log.format, format);
    }
    for (text, level) in
        [("DEBUG", LogLevel::Debug), ("warning", LogLevel::Warning), ("Critical", LogLevel::Critical)]
    {
        assert_eq!(resilient(&format!("loglevel={text}")).log.level, level);
    }
}

#[test]
fn all_app_section_options_are_applied() {
    let numbers = app(
        "max_batched_requests=1\nmax_concurrent_batches=32\nmax_messages=5\nmax_users=6\nmax_retries_total=0\n\
                       max_retries_backoff_factor=0.25\ntimeout=90\ncall_timeout=600\nmax_call_age=3600\nmax_attachment_mb=25\nmax_reply_mb=8",
    );
    assert_eq!(numbers.limits.call_timeout, Duration::from_secs(600));
    assert_eq!(numbers.limits.max_call_age, Duration::from_secs(3600));
    assert_eq!((numbers.limits.max_attachment, numbers.limits.max_reply), (25 << 20, 8 << 20));
    assert_eq!((numbers.limits.max_messages, numbers.limits.max_users), (5, 6));
    assert_eq!((numbers.graph.max_batched_requests, numbers.graph.max_retries), (1, 0));
    assert_eq!(numbers.graph.max_concurrent_batches, 32);
    assert_eq!(numbers.graph.retry_backoff, Duration::from_millis(250));
    assert_eq!(numbers.graph.timeout, Duration::from_secs(90));
    let urls = app("microsoft_graph_token_url=http://127.0.0.1:8080/{tenant}/token\n\
                    microsoft_graph_url=https://graph.microsoft.us/v1.0/");
    assert_eq!(urls.graph.token_url.as_str(), "http://127.0.0.1:8080/tenant/token");
    assert_eq!(urls.graph.base_url.as_str(), "https://graph.microsoft.us/v1.0");
    assert_eq!(app("verify=false").graph.trust, Trust::Insecure);
    assert_eq!(app("verify=True").graph.trust, Trust::System);
    assert_eq!(app("verify=/g.pem").graph.trust, Trust::SystemAnd("/g.pem".into()));
    assert_eq!(
        app("client_auth_cert=/c.pem\nclient_auth_key=/k.pem").graph.client_certificate,
        Some(ClientCertificate { certificate: "/c.pem".into(), key: "/k.pem".into() })
    );
    assert_eq!(app("health_listen=[::1]:9108").health_listen, "[::1]:9108".parse().ok());
    assert_eq!(app("[integrations]\ntimeout=45").graph.timeout, Duration::from_secs(45));
    assert_eq!(app("timeout=15\n[integrations]\ntimeout=45").graph.timeout, Duration::from_secs(15));
}

#[test]
fn tenant_id_is_escaped_in_token_url() {
    let text = MINIMAL.replace("tenant_id=tenant", "tenant_id=a/../b?c#d e");
    assert_eq!(
        loaded(&text).graph.token_url.as_str(),
        "https://login.microsoftonline.com/a%2F..%2Fb%3Fc%23d%20e/oauth2/v2.0/token"
    );
}

#[test]
fn email_login_is_used_only_without_api_key() {
    let text =
        MINIMAL.replace("api_key_id=key-id\napi_key_secret=K3Y!", "email=a@example.com\npassword=PaSs");
    let Loaded { settings, warnings, .. } = load_in(&text, &[]).unwrap();
    let login = Login::Password { email: "a@example.com".into(), password: Secret::new("PaSs") };
    assert_eq!(settings.soar.login, login);
    assert!(warnings[0].to_string().contains("deprecated"), "{warnings:?}");

    let both = load_in(with("email=a@example.com\npassword=PaSs", ""), &[]).unwrap();
    assert!(matches!(both.settings.soar.login, Login::ApiKey { .. }));
    assert!(both.warnings[0].to_string().contains("ignored"), "{:?}", both.warnings);
}

#[test]
fn odd_names_of_sections_and_options_disturb_nothing() {
    let odd = "a.b[0]=1\n[resilient.host]\nx=1\n[resilient[0]]\ny=2\n[.]\nz=3\n[sections]\nq=4";
    assert_eq!(app(odd).soar, loaded(MINIMAL).soar);
}

#[test]
fn host_names_are_names_or_addresses_only() {
    let host = |text: &str| load_in(MINIMAL.replace("soar.example.com", text), &[]);
    for (text, kept) in [
        ("10.1.2.3", "10.1.2.3"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("soar", "soar"),
    ] {
        assert_eq!(host(text).unwrap().settings.soar.host, kept);
    }
    for text in ["https://soar", "soar:443", "soar/x", "so ar", "a@b"] {
        assert!(
            host(text).unwrap_err().to_string().contains("[resilient] host is not a host name"),
            "{text}"
        );
    }
}

#[test]
fn health_listener_needs_port_and_warns_on_public_address() {
    for (address, warned) in [
        ("127.0.0.1:9108", 0),
        ("[::1]:0", 0),
        ("[::ffff:127.0.0.1]:1", 0),
        ("0.0.0.0:9108", 1),
        ("10.1.2.3:80", 1),
    ] {
        let warnings = warnings(&with("", &format!("health_listen={address}")));
        assert_eq!(warnings.len(), warned, "{address}: {warnings:?}");
        assert!(warnings.iter().all(|warning| warning.contains("no login")), "{warnings:?}");
    }
    for wrong in
        ["9108", "localhost:9108", "127.0.0.1", "127.0.0.1:99999", "http://127.0.0.1:9108", "::1:9108"]
    {
        let problem = only_problem(with("", &format!("health_listen={wrong}")));
        assert_eq!(problem.location.key(), Some("health_listen"), "{wrong}");
        assert!(problem.right.contains("127.0.0.1:9108"), "{problem}");
    }
}
