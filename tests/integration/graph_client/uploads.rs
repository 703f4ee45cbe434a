//! A file goes to the hosts that upload sessions of Graph lead to, and to no other.

use futures_util::stream;
use graph::{Client, UploadError, UploadSession};
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::permit::Permit;

use super::raw::{RawResponse, server};

/// What became of a file for an upload session at `address`: `None` where the address was refused.
async fn sent(client: &Client, address: &str) -> Option<String> {
    let session: UploadSession = serde_json::from_value(json!({"uploadUrl": address})).unwrap();
    let content = stream::iter([Ok::<_, std::io::Error>("CONFIDENTIAL".into())]);
    match session.send(client, &Permit::default(), content, 12).await {
        Err(UploadError::Address) => None,
        other => Some(format!("{other:?}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn file_goes_to_no_other_host() {
    let internal = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = internal.local_addr().unwrap().port();
    let mut settings = server(&[], |_| std::future::ready(RawResponse::new(200, "{}"))).await;
    let own = settings.base_url.host_str().unwrap().to_owned();
    settings.base_url = format!("https://{own}/v1.0").parse().unwrap();
    let client = Client::new(&settings).unwrap();
    for address in [
        format!("https://localhost:{port}/internal/admin?x=1"),
        format!("https://{own}:{port}/x"),
        format!("https://outlook.office.com:{port}/x"),
        "https://user:pw@outlook.office.com/x".to_owned(),
        "https://user@outlook.office365.com/x".to_owned(),
        "http://outlook.office.com/x".to_owned(),
        "https://outlook.office.com.evil.example/x".to_owned(),
        "https://evil.example/outlook.office.com".to_owned(),
        "https://outlook.office.com@evil.example/x".to_owned(),
        "https://169.254.169.254/metadata".to_owned(),
        "ftp://outlook.office.com/x".to_owned(),
        "file:///etc/passwd".to_owned(),
        "no address".to_owned(),
    ] {
        assert_eq!(sent(&client, &address).await, None, "{address}");
    }
    let connected = tokio::time::timeout(std::time::Duration::from_millis(200), internal.accept()).await;
    assert!(connected.is_err(), "it was connected to");
}

#[tokio::test(flavor = "multi_thread")]
async fn further_host_is_allowed_by_its_option() {
    let options = [("upload_hosts", "uploads.invalid, other.invalid"), ("max_retries_total", "0")];
    let settings = server(&options, |_| std::future::ready(RawResponse::new(200, "{}"))).await;
    let client = Client::new(&settings).unwrap();
    for host in ["uploads.invalid", "OTHER.invalid"] {
        let outcome = sent(&client, &format!("https://{host}/x?authtoken=1")).await.expect("it is allowed");
        assert!(outcome.contains("Unreachable"), "it is a name that does not exist: {outcome}");
    }
    assert_eq!(sent(&client, "https://more.uploads.invalid/x").await, None);
}

/// Graph without TLS is a stand-in: settings allow it on this machine only.
#[tokio::test(flavor = "multi_thread")]
async fn stand_in_may_name_this_machine_only() {
    let settings = server(&[("max_retries_total", "0")], |_| async { RawResponse::new(200, "{}") }).await;
    let client = Client::new(&settings).unwrap();
    for host in ["localhost:1", "127.0.0.1:1", "[::1]:1"] {
        let outcome = sent(&client, &format!("https://{host}/upload")).await.expect("it is allowed");
        assert!(outcome.contains("Unreachable"), "nothing listens there: {outcome}");
    }
    for address in [
        "https://169.254.169.254/metadata",
        "https://localhost.evil.example/x",
        "https://user:pw@localhost:1/x",
        "http://localhost:1/x",
        "https://10.0.0.1/x",
    ] {
        assert_eq!(sent(&client, address).await, None, "{address}");
    }
}
