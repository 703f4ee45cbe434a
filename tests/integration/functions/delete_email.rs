//! `exchange_online_delete_email`

use graph::Client;
use net::{Proxy, ProxyUrl};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use crate::functions::common::{DeleteEmail, Fault, Fixture, RetryAfter, SOON, Target, encoded};

#[tokio::test]
async fn deletion_is_one_request() {
    let mut fixture = Fixture::new().await;
    let phish = fixture.graph().planted().remove(0);
    let inputs = json!({"exo_email_address": phish.mailbox, "exo_messages_id": phish.id});
    let results = fixture.done(DeleteEmail, inputs).await;
    assert_eq!(results["content"], json!({"value": true}));
    let path = format!("/users/{}/messages/{}", encoded(&phish.mailbox), encoded(&phish.id));
    assert_eq!(fixture.asked(), [format!("DELETE {path}")]);
    let deleted = fixture.graph().deleted();
    assert_eq!(deleted.len(), 1);
    assert_eq!((&deleted[0].mailbox, &deleted[0].id), (&phish.mailbox, &phish.id));
    assert_eq!(fixture.status_messages(), [format!("Deleting a message of {}", phish.mailbox)]);
}

#[tokio::test]
async fn given_folder_is_part_of_the_address() {
    let fixture = Fixture::new().await;
    let phish = fixture.graph().planted().remove(0);
    let folder = fixture.graph().message(&phish.mailbox, &phish.id).unwrap().folder;
    let inputs = json!({
        "exo_email_address": phish.mailbox, "exo_messages_id": phish.id, "exo_mailfolders_id": folder,
    });
    fixture.done(DeleteEmail, inputs).await;
    let mailbox = encoded(&phish.mailbox);
    let asked = format!("DELETE /users/{mailbox}/mailFolders/{folder}/messages/{}", encoded(&phish.id));
    assert_eq!(fixture.asked(), [asked]);
}

#[tokio::test]
async fn missing_message_is_not_found() {
    let fixture = Fixture::new().await;
    let phish = fixture.graph().planted().remove(0);
    let inputs = json!({"exo_email_address": phish.mailbox, "exo_messages_id": phish.id});
    fixture.done(DeleteEmail, inputs.clone()).await;
    let results = fixture.run(DeleteEmail, inputs).await.unwrap();
    assert_eq!(results["success"], false);
    assert_eq!(results["content"]["error"]["code"], "ErrorItemNotFound");
    assert!(results["reason"].as_str().unwrap().ends_with("was not found (ErrorItemNotFound)."));
    assert_eq!(fixture.graph().deleted().len(), 1);
}

#[tokio::test]
async fn deletion_carried_out_behind_a_failure_succeeds() {
    let fixture = Fixture::new().await;
    let faults =
        [Fault::DoneButStatus(429, SOON), Fault::DoneButStatus(504, RetryAfter::Absent), Fault::CutBody];
    for (phish, fault) in fixture.graph().planted().into_iter().zip(faults) {
        fixture.graph().faults().next(1, Target::containing("DELETE"), fault);
        let inputs = json!({"exo_email_address": phish.mailbox, "exo_messages_id": phish.id});
        let results = fixture.done(DeleteEmail, inputs).await;
        assert_eq!(results["content"], json!({"value": true}), "{fault:?}");
    }
    assert_eq!(fixture.graph().deleted().len(), 3);
}

#[tokio::test]
async fn attempt_that_never_reached_graph_does_not_count() {
    let mut fixture = Fixture::new().await;
    let phish = fixture.graph().planted().remove(0);
    let inputs = json!({"exo_email_address": phish.mailbox, "exo_messages_id": phish.id});
    fixture.done(DeleteEmail, inputs.clone()).await;
    // A proxy closes the second connection; the first one is for the token.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    fixture.settings.graph.proxy = Proxy::Explicit { http: None, https: Some(ProxyUrl { url, login: None }) };
    // Another host name, so that the token gets a connection of its own.
    fixture.settings.graph.token_url.set_host(Some("localhost")).unwrap();
    fixture.context.graph = Client::new(&fixture.settings.graph).unwrap();
    let tenant = ("127.0.0.1", fixture.settings.graph.base_url.port().unwrap());
    tokio::spawn(async move {
        for number in 1.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            if number == 2 {
                continue;
            }
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await.unwrap();
                let mut onward = TcpStream::connect(tenant).await.unwrap();
                copy_bidirectional(&mut stream, &mut onward).await
            });
        }
    });
    let results = fixture.run(DeleteEmail, inputs).await.unwrap();
    assert_eq!(results["content"]["error"]["code"], "ErrorItemNotFound", "its owner deleted it");
    assert!(!results["reason"].as_str().unwrap().contains("all the same"));
}
