//! A file goes to the hosts that upload sessions of Graph lead to, and to no other.

use std::io;

use bytes::Bytes;
use futures_util::stream;
use graph::{Client, Path, Request, UploadError, UploadSession};
use sandbox::graph::TenantOptions;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::graph_tenant::TestTenant;
use crate::support::permit::Permit;

use super::raw::{RawResponse, server};

/// What became of a file for an upload session at `address`: `None` where the address was refused.
async fn sent(client: &Client, address: &str) -> Option<String> {
    let session: UploadSession = serde_json::from_value(json!({"uploadUrl": address})).unwrap();
    let content = stream::iter([Ok::<_, io::Error>("CONFIDENTIAL".into())]);
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

/// A file that ends with a whole range.
const SIZE: usize = 2 * 12 * 320 * 1024;

/// What becomes of a file that comes in these `pieces`, and how many files its draft has then.
async fn uploaded(pieces: Vec<io::Result<Bytes>>) -> (Result<(), UploadError<io::Error>>, usize) {
    let fixture = TestTenant::new(TenantOptions { mailboxes: 1, ..TenantOptions::default() }).await;
    let client = fixture.client(&[]);
    let mailbox = &fixture.sandbox.graph.mailboxes()[0];
    let post = async |path: Path, body: Value| {
        let request = Request::post(path, body.to_string().into(), &Permit::default()).in_mailbox(mailbox);
        client.send(&request).await.unwrap()
    };
    let draft = post(Path::messages(mailbox, None).unwrap(), json!({"subject": "Warning"})).await;
    let draft: Value = draft.parse().unwrap();
    let draft = Path::message(mailbox, None, draft["id"].as_str().unwrap()).unwrap();
    let item = json!({"AttachmentItem": {"attachmentType": "file", "name": "report.pdf", "size": SIZE}});
    let session = post(draft.clone().then("attachments/createUploadSession"), item).await;
    let session: UploadSession = session.parse().unwrap();
    let outcome = session.send(&client, &Permit::default(), stream::iter(pieces), SIZE as u64).await;
    let files = client.send(&Request::get(draft.then("attachments"))).await.unwrap();
    let files: Value = files.parse().unwrap();
    (outcome, files["value"].as_array().unwrap().len())
}

#[tokio::test(flavor = "multi_thread")]
async fn file_with_empty_pieces_is_sent() {
    let half = || Ok(vec![7; SIZE / 2].into());
    let (outcome, files) =
        uploaded(vec![Ok(Bytes::new()), half(), Ok(Bytes::new()), half(), Ok(Bytes::new())]).await;
    assert!(outcome.is_ok(), "{outcome:?}");
    assert_eq!(files, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn file_that_breaks_off_after_its_last_byte_is_not_attached() {
    let pieces = vec![Ok(vec![7; SIZE].into()), Err(io::ErrorKind::ConnectionReset.into())];
    let (outcome, files) = uploaded(pieces).await;
    assert!(matches!(outcome, Err(UploadError::Source(_))), "{outcome:?}");
    assert_eq!(files, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn file_of_another_size_is_not_attached() {
    for size in [SIZE - 1, SIZE + 1, SIZE * 2] {
        let (outcome, files) = uploaded(vec![Ok(vec![7; size].into())]).await;
        assert!(matches!(outcome, Err(UploadError::Size)), "{size}: {outcome:?}");
        assert_eq!(files, 0);
    }
}
