//! Attachments of incidents and tasks.

use std::time::Instant;

use bytes::Bytes;
use futures_util::StreamExt;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use sandbox::soar::rest::Owner;
use sandbox::soar::{INCIDENT, TASK};
use serde_json::json;

use super::{TestSoar, answer};
use crate::stomp_client::SOON;

fn file_form(name: &str, part: Part) -> Form {
    Form::new().part("file", part.file_name(name.to_owned())).text("description", "what it is")
}

#[tokio::test]
async fn attachments_of_incidents_and_tasks_are_returned_unchanged() {
    let setting = TestSoar::new().await;
    for (owner, path) in [
        (Owner::Incident(INCIDENT), format!("/rest/orgs/201/incidents/{INCIDENT}/attachments")),
        (Owner::Task(TASK), format!("/rest/orgs/201/tasks/{TASK}/attachments")),
    ] {
        let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        let part = Part::bytes(bytes.clone()).mime_str("message/rfc822").unwrap();
        let form = file_form("message-ä@x-AAQk=.eml", part);
        let (status, uploaded) = answer(setting.request(Method::POST, &path).multipart(form)).await;
        assert_eq!(status, 200);
        let id = uploaded["id"].as_i64().unwrap();
        let (_, metadata) = answer(setting.get(&format!("{path}/{id}"))).await;
        assert_eq!(metadata, uploaded);
        assert_eq!(metadata["name"], "message-ä@x-AAQk=.eml");
        assert_eq!(metadata["content_type"], "message/rfc822");
        assert_eq!(metadata["size"], 100_000);
        assert_eq!(answer(setting.get(&path)).await.1, json!([metadata]));

        let contents = setting.get(&format!("{path}/{id}/contents")).send().await.unwrap();
        assert_eq!(contents.headers()["content-type"], "message/rfc822");
        assert_eq!(contents.bytes().await.unwrap(), bytes);
        let kept = setting.soar.rest.attachments(owner);
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].description, "what it is");
        assert_eq!(kept[0].bytes().await.unwrap(), bytes);

        let gone = setting.request(Method::DELETE, &format!("{path}/{id}")).send().await.unwrap();
        assert_eq!(gone.status(), 204);
        assert!(setting.soar.rest.attachments(owner).is_empty());
    }
}

#[tokio::test]
async fn existing_attachment_can_be_listed_and_read() {
    let setting = TestSoar::new().await;
    let owner = Owner::Incident(INCIDENT);
    let added = setting.soar.rest.add_attachment(owner, "a.txt", "text/plain", b"hello").await.unwrap();
    let path = format!("/rest/orgs/201/incidents/{INCIDENT}/attachments");
    let (_, list) = answer(setting.get(&path)).await;
    assert_eq!((&list[0]["name"], &list[0]["id"]), (&json!("a.txt"), &json!(added.id)));
    let contents = setting.get(&format!("{path}/{}/contents", added.id)).send().await.unwrap();
    assert_eq!(contents.bytes().await.unwrap(), Bytes::from_static(b"hello"));
}

#[tokio::test]
async fn upload_can_be_answered_with_a_list() {
    let setting = TestSoar::new().await;
    setting.soar.rest.list_uploads(true);
    let path = format!("/rest/orgs/201/incidents/{INCIDENT}/attachments");
    let form = file_form("a.txt", Part::text("x"));
    let (_, uploaded) = answer(setting.request(Method::POST, &path).multipart(form)).await;
    assert_eq!(uploaded[0]["name"], "a.txt");
}

#[tokio::test]
async fn invalid_uploads_are_refused() {
    let setting = TestSoar::new().await;
    let path = format!("/rest/orgs/201/incidents/{INCIDENT}/attachments");
    let forms = [
        Form::new().text("description", "no file"),
        file_form(" ", Part::text("x")),
        file_form(&"x".repeat(256), Part::text("x")),
        file_form("a.txt", Part::text("x")).text("surprise", "x"),
    ];
    for form in forms {
        let (status, body) = answer(setting.request(Method::POST, &path).multipart(form)).await;
        assert_eq!((status.as_u16(), &body["success"]), (400, &json!(false)));
    }
    assert!(setting.soar.rest.attachments(Owner::Incident(INCIDENT)).is_empty());
}

/// The peak of the resident memory of this process, in bytes.
#[cfg(target_os = "linux")]
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn large_attachment_is_streamed() {
    const CHUNK: usize = 64 * 1024;
    const CHUNKS: u64 = 4000;
    let setting = TestSoar::new().await;
    let path = format!("/rest/orgs/201/incidents/{INCIDENT}/attachments");
    let before = peak_memory();
    let chunk = Bytes::from(vec![7; CHUNK]);
    let body = futures_util::stream::iter((0..CHUNKS).map(move |_| Ok::<_, std::io::Error>(chunk.clone())));
    let part = Part::stream(reqwest::Body::wrap_stream(body));
    let request = setting.request(Method::POST, &path).multipart(file_form("large.eml", part));
    let (status, uploaded) = answer(request).await;
    assert_eq!(status, 200);
    let size = CHUNKS * CHUNK as u64;
    assert_eq!(uploaded["size"], size);

    let mut download =
        setting.get(&format!("{path}/{}/contents", uploaded["id"])).send().await.unwrap().bytes_stream();
    let mut received = 0;
    while let Some(chunk) = download.next().await {
        received += chunk.unwrap().len() as u64;
    }
    assert_eq!(received, size);
    let grown = peak_memory() - before;
    assert!(grown < size / 2, "{grown} bytes more for an attachment of {size}");
}

#[tokio::test]
async fn attachments_are_removed_with_the_platform() {
    let setting = TestSoar::new().await;
    let owner = Owner::Incident(INCIDENT);
    let added = setting.soar.rest.add_attachment(owner, "a.txt", "text/plain", b"hello").await.unwrap();
    assert!(added.path.exists());
    drop(setting);
    let deadline = Instant::now() + SOON;
    // The server's task drops its reference when the runtime schedules it.
    while added.path.exists() {
        assert!(Instant::now() < deadline, "{} is still there", added.path.display());
        tokio::task::yield_now().await;
    }
}
