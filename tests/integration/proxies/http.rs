//! The way to Graph and to SOAR's REST interface.

use std::process::Command;

use graph::{Client, Error, Path, Request};
use net::{Proxy, ProxyUrl};
use sandbox::graph::TenantOptions;

use crate::support::graph_tenant::TestTenant;
use crate::support::ports::ClosedPort;
use crate::support::tinyproxy::{TinyProxy, proxy_url};

const LOGIN: (&str, &str) = ("soar", "hunter2");

async fn fixture() -> TestTenant {
    TestTenant::new(TenantOptions { mailboxes: 2, ..TenantOptions::default() }).await
}

fn through(proxy: ProxyUrl) -> Proxy {
    Proxy::Explicit { http: None, https: Some(proxy) }
}

/// Asks Graph for a user by way of `proxy`.
async fn graph(fixture: &TestTenant, proxy: ProxyUrl) -> Result<(), Error> {
    let mut settings = fixture.settings(&[("max_retries_total", "0"), ("timeout", "30")]).graph;
    settings.proxy = through(proxy);
    let mailbox = fixture.sandbox.graph.mailboxes().swap_remove(0);
    let request = Request::get(Path::user(&mailbox).unwrap());
    Client::new(&settings).unwrap().send(&request).await.map(|_| ())
}

/// Signs in to SOAR by way of `proxy`, and gives what goes wrong.
async fn through_soar(fixture: &TestTenant, proxy: ProxyUrl) -> Option<String> {
    let mut settings = fixture.settings(&[]).soar;
    settings.proxy = through(proxy);
    settings.login_tries = Some(1);
    soar::Client::connect(&settings).await.err().map(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn graph_and_soar_are_reached_through_the_proxy() {
    let fixture = fixture().await;
    for login in [None, Some(LOGIN)] {
        let proxy = TinyProxy::start(login);
        graph(&fixture, proxy.url(login)).await.unwrap();
        let authority = fixture.settings(&[]).graph.base_url.authority().to_owned();
        assert!(proxy.led_to(&authority));
        assert_eq!(through_soar(&fixture, proxy.url(login)).await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_proxy_is_blamed() {
    let fixture = fixture().await;
    let closed = ClosedPort::new();
    let port = closed.number();
    let dead = || proxy_url(port, Some(LOGIN));
    let soar = through_soar(&fixture, dead()).await.unwrap();
    let graph = graph(&fixture, dead()).await.unwrap_err().to_string();
    for words in [soar, graph] {
        let expected = format!("the proxy http://127.0.0.1:{port} on the way cannot be reached");
        assert!(words.contains(&expected), "{words}");
        assert!(words.contains("Connection refused") && !words.contains("hunter2"), "{words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_proxy_is_blamed() {
    let fixture = fixture().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = || proxy_url(silent.local_addr().unwrap().port(), Some(LOGIN));
    let (soar, graph) = tokio::join!(through_soar(&fixture, silent()), graph(&fixture, silent()));
    for words in [soar.unwrap(), graph.unwrap_err().to_string()] {
        assert!(words.contains("on the way gave no connection in time"), "{words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusing_proxy_is_blamed() {
    let fixture = fixture().await;
    let strict = TinyProxy::start(Some(LOGIN));
    for (login, output) in
        [(None, "HTTP status 407"), (Some(("soar", "hunter2-wrong")), "refuses its user name")]
    {
        let graph = graph(&fixture, strict.url(login)).await.unwrap_err().to_string();
        for words in [through_soar(&fixture, strict.url(login)).await.unwrap(), graph] {
            assert!(words.contains("the proxy http://127.0.0.1:") && words.contains(output), "{words}");
            assert!(!words.contains("hunter2"), "{words}");
        }
    }
    let proxy = TinyProxy::start(None);
    let mut settings = fixture.settings(&[]).soar;
    settings.proxy = through(proxy.url(None));
    settings.login_tries = Some(1);
    let closed = ClosedPort::new();
    settings.port = closed.number();
    let words = soar::Client::connect(&settings).await.err().unwrap().to_string();
    assert!(words.contains("on the way refuses") && words.contains("or cannot reach it"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_in_no_proxy_bypass_the_proxy() {
    let fixture = fixture().await;
    fixture.settings(&[("max_retries_total", "0")]);
    let mailbox = fixture.sandbox.graph.mailboxes().swap_remove(0);
    let config = fixture.sandbox.ca_file().with_file_name("app.config");
    let proxy = TinyProxy::start(None);
    let authority = fixture.settings(&[("max_retries_total", "0")]).graph.base_url.authority().to_owned();
    let invoke = |no_proxy: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_fn-exchange-online"))
            .args(["invoke", "--config-file"])
            .arg(&config)
            .args([
                "exchange_online_get_email_user_profile",
                "--input",
                &format!("exo_email_address={mailbox}"),
            ])
            .env("HTTPS_PROXY", format!("http://127.0.0.1:{}", proxy.port()))
            .env("NO_PROXY", no_proxy)
            .env("no_proxy", no_proxy)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    tokio::task::block_in_place(|| invoke("example.com,127.0.0.0/8"));
    assert!(!proxy.led_to(&authority));
    tokio::task::block_in_place(|| invoke("example.com"));
    assert!(proxy.led_to(&authority));
}

#[tokio::test(flavor = "multi_thread")]
async fn unencoded_proxy_password_is_never_shown() {
    let fixture = fixture().await;
    fixture.settings(&[("max_retries_total", "0")]);
    let config = fixture.sandbox.ca_file().with_file_name("app.config");
    let proxy = TinyProxy::start(Some(("soar", "another")));
    // What stands before the first @ is taken for the login, and what stands before the last one for a host.
    let output = tokio::task::block_in_place(|| {
        Command::new(env!("CARGO_BIN_EXE_fn-exchange-online"))
            .args(["invoke", "get_email_user_profile", "--input", "exo_email_address=a@contoso.example"])
            .arg("--config-file")
            .arg(&config)
            .env("HTTPS_PROXY", format!("http://soar:p@SSW0RD@127.0.0.1:{}", proxy.port()))
            .env("LOGLEVEL", "DEBUG")
            .env_remove("NO_PROXY")
            .env_remove("no_proxy")
            .output()
            .unwrap()
    });
    let output = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.contains(&format!("the proxy http://127.0.0.1:{} on the way", proxy.port())), "{output}");
    assert!(!output.contains("SSW0RD"), "{output}");
}
