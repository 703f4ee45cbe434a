//! Whatever a message holds, it is answered once, and the next call runs.

use std::time::Duration;

use bytes::Bytes;
use graph::Client;
use serde_json::json;
use stomp::ClientCommand;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::daemon_bounds::{reply, with_peer};
use crate::functions::common::{Fixture, GetMessage, empty};
use crate::functions::guard_rails::message;
use crate::support::deployment::{Deployment, SOON};
use crate::support::peer::Line;

const PROFILE: &str = "exchange_online_get_email_user_profile";

#[tokio::test(flavor = "multi_thread")]
async fn hostile_body_is_answered_with_an_error() {
    let deployment = Deployment::new().await;
    let daemon = deployment.daemon().await;
    let soar = deployment.caller().await;
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let call = |inputs: &str| format!(r#"{{"function":{{"name":"{PROFILE}"}},"inputs":{inputs}}}"#);
    let bodies: [(&str, Bytes); 12] = [
        ("nothing", Bytes::new()),
        ("blanks", " \n\t".into()),
        ("100,000 lists", nested(100_000).into()),
        ("half of a list", "[".repeat(100_000).into()),
        ("5,000 deep input", call(&format!(r#"{{"a":{}}}"#, nested(5_000))).into()),
        ("200,000 values", call(&format!(r#"{{"a":[0{}]}}"#, ",0".repeat(200_000))).into()),
        ("inputs in a list", call("[1]").into()),
        ("NUL in the name", r#"{"function":{"name":"exchange_online_delete_email\u0000"}}"#.into()),
        (
            "two functions",
            format!(r#"{{"function":{{"name":"{PROFILE}"}},"function":{{"name":"exchange_online_delete_email"}}}}"#)
                .into(),
        ),
        ("not UTF-8", Bytes::from_static(b"{\"function\":{\"name\":\"\xFF\xFE\"}}")),
        ("number beyond all", call(r#"{"incident_id":1e400}"#).into()),
        ("another app's function", r#"{"function":{"name":"fn_utilities"},"inputs":{}}"#.into()),
    ];
    for (nth, (name, body)) in bodies.into_iter().enumerate() {
        let correlation = format!("invid:{nth}");
        soar.send_raw(soar.usual_headers(&correlation), body).await.unwrap();
        let reply = soar.answers_to(&*correlation).reply(SOON).await.unwrap();
        assert_eq!(reply.message_type, 1, "{name}: {}", reply.message);
        assert!(!reply.message.is_empty() && reply.message.len() < 1024, "{name}: {}", reply.message);
    }
    let inputs = json!({"exo_email_address": deployment.mailbox(1)});
    let next = soar.call(PROFILE, inputs).await.unwrap();
    assert_eq!(next.reply(SOON).await.unwrap().message_type, 0);
    deployment.queue_is_empty().await;
    assert_eq!(deployment.sandbox.graph.counters().by_kind.get("delete message"), None);
    assert_eq!(daemon.count_in_log("subscribed to"), 1, "the connection lives on");
}

/// Confirms what the daemon sends up to the end of its transaction.
async fn confirm_commit(line: &mut Line) {
    loop {
        let frame = line.frame().await;
        if frame.header("receipt").is_some() {
            line.confirm(&frame).await;
        }
        if frame.command == ClientCommand::Commit {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn message_id_with_another_call_is_not_run() {
    let (deployment, mut daemon, _peer, mut line) = with_peer(&[]).await;
    let mailbox = deployment.mailbox(0);
    let id = deployment.add_message(&mailbox, "Kept", "Body");
    let call = |function: &str| {
        let inputs = json!({"exo_email_address": mailbox, "exo_messages_id": id});
        json!({"function": {"name": function}, "inputs": inputs}).to_string()
    };
    line.deliver("m1", "a1", &call(PROFILE)).await;
    assert_eq!(reply(&mut line).await["message_type"], 0);
    confirm_commit(&mut line).await;
    line.deliver("m1", "a2", &call("exchange_online_delete_email")).await;
    daemon.logged("delivered again after its reply was confirmed").await;
    line.deliver("m2", "a3", &call(PROFILE)).await;
    assert_eq!(reply(&mut line).await["message_type"], 0);
    assert!(deployment.sandbox.graph.deleted().is_empty());
    // The log comes by a way of its own, perhaps after the reply.
    daemon.logged_times("call completed", 2).await;
    assert_eq!(daemon.count_in_log("call started"), 2);
}

/// Answers with a token, and to all other requests with a byte now and then, as long as the client listens.
async fn drip(mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = vec![0; 64 * 1024];
    while let 1.. = stream.read(&mut request).await? {
        let is_token = request.starts_with(b"POST /token");
        request.fill(0);
        if is_token {
            let token = r#"{"token_type":"Bearer","expires_in":3599,"access_token":"T"}"#;
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{token}", token.len());
            stream.write_all(answer.as_bytes()).await?;
            continue;
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n").await?;
        let mut drops = tokio::time::interval(Duration::from_millis(20));
        loop {
            drops.tick().await;
            stream.write_all(b" ").await?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn dripping_answer_ends_with_the_time_of_the_call() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let root = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(drip(stream));
        }
    });
    let mut fixture = Fixture::configured(empty(1), &[("call_timeout", "1")]).await;
    fixture.settings.graph.base_url = format!("{root}/v1.0").parse().unwrap();
    fixture.settings.graph.token_url = format!("{root}/token").parse().unwrap();
    fixture.context.graph = Client::new(&fixture.settings.graph).unwrap();
    let error = fixture.failed(GetMessage, message("a@x.example", "id")).await;
    assert!(error.contains("longer than a call may (1 s, call_timeout)"), "{error}");
}
