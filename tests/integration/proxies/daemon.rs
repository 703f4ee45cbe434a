//! The whole daemon behind a proxy.

use std::fs;

use fn_exchange_online::config::{Environment, Settings};
use serde_json::json;

use crate::support::deployment::{Daemon, Deployment, SOON};
use crate::support::rsa::Files;
use crate::support::tinyproxy::TinyProxy;

/// Hosts and ports of the broker, SOAR and Graph.
fn endpoints(deployment: &Deployment) -> [String; 3] {
    let file = deployment.write("endpoints.config", &deployment.app_config(&[], &[]));
    let settings = Settings::load(&file, &Environment::default()).unwrap().settings;
    [
        format!("{}:{}", settings.stomp.host, settings.stomp.port),
        format!("{}:{}", settings.soar.host, settings.soar.port),
        settings.graph.base_url.authority().to_owned(),
    ]
}

async fn works(deployment: &Deployment, daemon: &mut Daemon) {
    daemon.subscribed().await;
    let inputs = json!({"exo_email_address": deployment.mailbox(0)});
    let soar = deployment.caller().await;
    let call = soar.call("exchange_online_get_email_user_profile", inputs).await.unwrap();
    assert_eq!(call.reply(SOON).await.unwrap().message_type, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn configured_proxies_carry_every_connection() {
    let deployment = Deployment::new().await;
    let proxy = TinyProxy::start(Some(("soar", "hunter2")));
    let files = Files::make(deployment.directory(), "app", 365);
    assert!(deployment.sandbox.graph.trust_certificate(&files.pem()));
    let api_key = deployment.sandbox.soar.options().api_key.secret.clone();
    fs::write(deployment.directory().join("api-key"), format!("{api_key}\n")).unwrap();
    fs::write(deployment.directory().join("proxy"), "hunter2\n").unwrap();

    let (host, port) = ("http://127.0.0.1", proxy.port().to_string());
    let with_password = format!("http://soar:${{PROXY_PASSWORD}}@127.0.0.1:{port}");
    let resilient = [
        ("api_key_secret", ""),
        ("api_key_secret_file", "api-key"),
        ("stomp_proxy", &with_password),
        ("proxy_host", host),
        ("proxy_port", &port),
        ("proxy_user", "soar"),
        ("proxy_password_file", "proxy"),
    ];
    let app = [
        ("client_secret", ""),
        ("client_certificate_file", "app.pem"),
        ("client_certificate_key_file", "${CREDENTIALS_DIRECTORY}/app.key"),
        ("https_proxy", &with_password),
    ];
    let file = deployment.write("proxied.config", &deployment.app_config(&resilient, &app));
    let credentials = deployment.directory().display().to_string();
    let environment = [("CREDENTIALS_DIRECTORY", credentials.as_str()), ("PROXY_PASSWORD", "hunter2")];
    let mut daemon = Daemon::spawn_in(&environment, &["run", "--config-file", &file.display().to_string()]);
    works(&deployment, &mut daemon).await;
    for endpoint in endpoints(&deployment) {
        assert!(proxy.led_to(&endpoint), "{endpoint}");
    }
    daemon.stop().await;
    let log = daemon.log();
    assert!(log.contains("with a certificate"), "{log}");
    assert!(!log.contains("hunter2") && !log.contains(&api_key), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn environment_proxy_does_not_apply_to_the_broker() {
    let deployment = Deployment::new().await;
    let proxy = TinyProxy::start(None);
    let file = deployment.write("plain.config", &deployment.app_config(&[], &[]));
    let address = format!("http://127.0.0.1:{}", proxy.port());
    let arguments = ["run", "--config-file", &file.display().to_string()];
    let mut daemon = Daemon::spawn_in(&[("HTTPS_PROXY", &address)], &arguments);
    works(&deployment, &mut daemon).await;
    let [broker, soar, graph] = endpoints(&deployment);
    assert!(proxy.led_to(&soar) && proxy.led_to(&graph));
    assert!(!proxy.led_to(&broker));
    daemon.stop().await;
}
