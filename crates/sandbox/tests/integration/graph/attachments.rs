//! Attachments, internet headers, and what a test can plant.

use reqwest::Method;
use sandbox::graph::{Address, Attachment, MessageId, NewMessage};
use serde_json::{Value, json};

use super::setup::{TestTenant, code, encode};

/// A message that is attached, with a file and a message of its own.
fn forwarded() -> NewMessage {
    let inner = NewMessage {
        subject: "inner".to_owned(),
        message_id: MessageId::Own("<inner@evil.example>".to_owned()),
        attachments: vec![Attachment::file("payload.iso", "application/octet-stream", &b"deep"[..])],
        ..NewMessage::default()
    };
    NewMessage {
        subject: "Fwd: überfällig".to_owned(),
        cc: vec![Address::new("Carol", "carol@contoso.example")],
        attachments: vec![Attachment::file("a.txt", "text/plain", &b"alpha"[..]), Attachment::message(inner)],
        ..NewMessage::default()
    }
}

async fn planted(attachments: Vec<Attachment>) -> (TestTenant, String, String) {
    let s = TestTenant::small().await;
    let mailbox = s.tenant.mailboxes()[0].clone();
    let message = NewMessage { subject: "planted".to_owned(), attachments, ..NewMessage::default() };
    let id = s.tenant.add_message(&mailbox, message).unwrap();
    let url = format!("/users/{}/messages/{}", encode(&mailbox), encode(&id));
    (s, url, mailbox)
}

async fn bytes(s: &TestTenant, url: &str) -> (u16, String, Vec<u8>) {
    let answer = s.request(Method::GET, url, None).await;
    let kind = answer.headers().get("content-type").map_or("", |kind| kind.to_str().unwrap()).to_owned();
    (answer.status().as_u16(), kind, answer.bytes().await.unwrap().to_vec())
}

#[tokio::test]
async fn attachments_have_the_type_of_their_kind() {
    let large: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let (s, url, _) = planted(vec![
        Attachment::file("page.html", "text/html", large.clone()),
        Attachment::message(forwarded()),
        Attachment::link("Budget.xlsx"),
    ])
    .await;
    let all = s.all(&format!("{url}/attachments?$select=id,name,contentType,size,isInline")).await;
    let kinds: Vec<_> = all.iter().map(|one| one["@odata.type"].as_str().unwrap()).collect();
    let kind = |name: &str| format!("#microsoft.graph.{name}Attachment");
    assert_eq!(kinds, [kind("file"), kind("item"), kind("reference")]);
    assert!(all.iter().all(|one| one.get("contentBytes").is_none() && one["isInline"] == false));
    assert!(all[0]["size"].as_u64().unwrap() > 300_000, "it counts more than the content");
    assert_eq!((&all[1]["name"], &all[1]["contentType"]), (&json!("Fwd: überfällig"), &Value::Null));

    let content =
        |nth: usize| format!("{url}/attachments/{}/$value", encode(all[nth]["id"].as_str().unwrap()));
    assert_eq!(bytes(&s, &content(0)).await, (200, "text/html".to_owned(), large));
    let (status, kind, mime) = bytes(&s, &content(1)).await;
    let mime = String::from_utf8(mime).unwrap();
    assert_eq!((status, kind.as_str()), (200, "text/plain"));
    assert!(
        mime.contains("Content-Type: message/rfc822\r\n")
            && mime.contains("Message-ID: <inner@evil.example>")
    );
    assert!(mime.contains("Cc: Carol <carol@contoso.example>\r\n") && mime.contains("YWxwaGE="));
    let (_, _, whole) = bytes(&s, &format!("{url}/$value")).await;
    assert!(String::from_utf8(whole).unwrap().contains("payload.iso"), "MIME has what is nested");
    assert_eq!(bytes(&s, &content(2)).await.0, 405);
}

#[tokio::test]
async fn attachments_are_listed_in_pages() {
    let names = ["same.txt", "same.txt", "third.txt"];
    let files = names.iter().zip(["one", "two", "three"]);
    let (s, url, mailbox) =
        planted(files.map(|(name, text)| Attachment::file(*name, "text/plain", text)).collect()).await;
    let (_, page) = s.get(&format!("{url}/attachments?$top=2&$filter=name%20eq%20'x'")).await;
    assert_eq!(page["value"].as_array().unwrap().len(), 2, "$filter has no effect");
    assert!(page["@odata.nextLink"].as_str().unwrap().contains("%24skip=2"));
    let all = s.all(&format!("{url}/attachments?$top=1")).await;
    let found: Vec<_> = all.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(found, names);
    assert_eq!(all[1]["contentBytes"], "dHdv");

    let (_, one) = s.get(&format!("{url}/attachments/{}", encode(all[1]["id"].as_str().unwrap()))).await;
    assert_eq!((&one["contentBytes"], &one["contentId"]), (&json!("dHdv"), &Value::Null));
    assert!(one["@odata.context"].as_str().unwrap().ends_with("/attachments/$entity"));

    let expand = "$expand=attachments($select=name,size)";
    let (_, message) = s.get(&format!("{url}?$select=subject&{expand}")).await;
    assert_eq!(message["attachments"].as_array().unwrap().len(), 3);
    assert!(message["attachments"][0].get("contentBytes").is_none());
    let list = format!("/users/{}/messages?$select=subject&$top=7&{expand}", encode(&mailbox));
    let listed = s.all(&list).await;
    let planted = listed.iter().find(|one| one["subject"] == "planted").unwrap();
    assert_eq!(planted["attachments"][2]["name"], "third.txt");
    assert!(listed.len() > 7, "the next link keeps $expand");
    assert!(listed.iter().all(|one| one["attachments"].is_array()));
}

#[tokio::test]
async fn attachment_requests_that_graph_refuses_are_refused() {
    let (s, url, mailbox) = planted(vec![Attachment::file("a", "text/plain", "x")]).await;
    let base_type = "Could not find a property named 'contentBytes' on type 'microsoft.graph.attachment'.";
    let (status, answer) = s.get(&format!("{url}/attachments?$select=id,contentBytes")).await;
    assert_eq!((status, answer["error"]["message"].as_str().unwrap().ends_with(base_type)), (400, true));
    assert_eq!(s.get(&format!("{url}?$expand=attachments($select=contentId)")).await.0, 400);
    assert_eq!(s.get(&format!("{url}?$expand=attachment")).await.0, 400);
    assert_eq!(s.get(&format!("{url}/attachments?$top=0")).await.0, 400);
    assert_eq!(s.get(&format!("{url}/attachments?$expand=attachments")).await.0, 400);
    let users = format!("/users/{}?$expand=attachments", encode(&mailbox));
    assert_eq!(s.get(&users).await.0, 400);
    let cast = s.all(&format!("{url}/attachments?$select=microsoft.graph.fileAttachment/contentBytes")).await;
    assert_eq!(cast[0]["contentBytes"], "eA==");

    let id = cast[0]["id"].as_str().unwrap();
    let (status, answer) =
        s.get(&format!("{url}/attachments/{}", encode(&id.replace("ABEgAQ", "ABEgAQA")))).await;
    assert_eq!((status, code(&answer)), (404, "ErrorItemNotFound"));
    let (status, answer) = s.get(&format!("{url}/attachments/nonsense/$value")).await;
    assert_eq!((status, code(&answer)), (400, "ErrorInvalidIdMalformed"));
    for role in ["Mail.Read", "Mail.ReadWrite"] {
        s.tenant.faults().take_role(role);
    }
    assert_eq!(s.get(&format!("{url}/attachments")).await.0, 403);
}

#[tokio::test]
async fn message_with_inline_attachments_only_has_none() {
    let logo = || Attachment::file("logo.png", "image/png", "png").inline("logo@evil.example");
    let (s, url, _) = planted(vec![logo()]).await;
    assert_eq!(s.get(&url).await.1["hasAttachments"], false);
    let all = s.all(&format!("{url}/attachments")).await;
    assert_eq!((&all[0]["isInline"], &all[0]["contentId"]), (&json!(true), &json!("logo@evil.example")));
    let (s, url, _) = planted(vec![logo(), Attachment::link("cloud")]).await;
    assert_eq!(s.get(&url).await.1["hasAttachments"], true);
}

#[tokio::test]
async fn internet_headers_are_shown_only_where_selected() {
    let s = TestTenant::small().await;
    let mailbox = s.tenant.mailboxes()[0].clone();
    let message = NewMessage {
        subject: "with headers".to_owned(),
        message_id: MessageId::Own("<x'y%z@evil.example>".to_owned()),
        headers: vec![
            ("X-Mailer".to_owned(), "PhishKit 3".to_owned()),
            ("X-MS-Exchange-Organization-Network-Message-Id".to_owned(), "net-1".to_owned()),
        ],
        ..NewMessage::default()
    };
    let id = s.tenant.add_message(&mailbox, message.clone()).unwrap();
    let without = s
        .tenant
        .add_message(&mailbox, NewMessage { message_id: MessageId::Absent, ..message.clone() })
        .unwrap();
    let sent =
        s.tenant.add_message(&mailbox, NewMessage { folder: "sentitems".to_owned(), ..message }).unwrap();
    let user = encode(&mailbox);
    let list = format!("/users/{user}/messages?$select=internetMessageHeaders,internetMessageId&$top=100");
    let all = s.all(&list).await;
    let found = |id: &str| all.iter().find(|one| one["id"] == id).unwrap();
    let header = |id: &str, name: &str| -> Vec<Value> {
        let headers = found(id)["internetMessageHeaders"].as_array().unwrap().iter();
        headers.filter(|header| header["name"] == name).map(|header| header["value"].clone()).collect()
    };
    assert_eq!(header(&id, "X-Mailer"), ["PhishKit 3"]);
    assert_eq!(header(&id, "Message-ID"), ["<x'y%z@evil.example>"]);
    assert_eq!(header(&id, "X-MS-Exchange-Organization-Network-Message-Id"), ["net-1"]);
    assert_eq!(header(&id, "Received").len(), 2);
    assert_eq!(s.tenant.message(&mailbox, &id).unwrap().network_message_id, "net-1");
    assert!(header(&without, "Message-ID").is_empty() && found(&without)["internetMessageId"].is_null());
    assert!(found(&sent).get("internetMessageHeaders").is_none(), "sent mail has none");
    let mime = String::from_utf8(s.tenant.mime(&mailbox, &id).unwrap()).unwrap();
    assert!(
        mime.contains("X-Mailer: PhishKit 3\r\n") && mime.contains("Message-ID: <x'y%z@evil.example>\r\n")
    );
    let (_, plain) = s.get(&format!("/users/{user}/messages/{}", encode(&id))).await;
    assert!(plain.get("internetMessageHeaders").is_none());
}
