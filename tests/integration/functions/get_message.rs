//! `exchange_online_get_message`

use serde_json::{Value, json};

use crate::functions::common::{Fixture, GetMessage, encoded};
use graph::{Path, Request};

#[tokio::test]
async fn content_is_graphs_message() {
    let fixture = Fixture::new().await;
    let phish = fixture.graph().planted().remove(0);
    let inputs = json!({"exo_email_address": phish.mailbox, "exo_messages_id": phish.id});
    let results = fixture.done(GetMessage, inputs).await;
    let [asked] = &fixture.asked()[..] else { panic!() };
    let path = format!("GET /users/{}/messages/{}", encoded(&phish.mailbox), encoded(&phish.id));
    let select = asked.strip_prefix(&path).and_then(|rest| rest.strip_prefix("?$select="));
    let selected: Vec<_> = select.unwrap().split(',').collect();
    let content = results["content"].as_object().unwrap();
    assert!(selected.iter().all(|name| content.contains_key(*name)), "{content:?}");
    let path = Path::message(&phish.mailbox, None, &phish.id).unwrap();
    let plain = fixture.context.graph.send(&Request::get(path)).await.unwrap().json().unwrap();
    let mut plain: Value = serde_json::from_str(plain.get()).unwrap();
    let mut same = results["content"].clone();
    plain.as_object_mut().unwrap().retain(|name, _| name != "@odata.context");
    same.as_object_mut()
        .unwrap()
        .retain(|name, _| name != "@odata.context" && name != "internetMessageHeaders");
    assert_eq!(same, plain, "nothing is missing");
    let headers = content["internetMessageHeaders"].as_array().unwrap();
    assert!(headers.iter().any(|header| header["name"] == "Received"));
    assert_eq!(results["content"]["id"], fixture.graph().immutable_id(&phish.mailbox, &phish.id).unwrap());
    assert_eq!(results["content"]["body"]["contentType"], "html");
    let pretty = results["pretty_string"].as_str().unwrap();
    assert!(pretty.starts_with("{\n    \"@odata."), "{pretty}");
    let shown: Value = serde_json::from_str(pretty).unwrap();
    assert_eq!(shown, results["content"]);
    assert!(shown.as_object().unwrap().keys().is_sorted());
    assert!(shown["body"].as_object().unwrap().keys().is_sorted(), "inner objects too");
}

#[tokio::test]
async fn unknown_message_or_mailbox_is_not_found() {
    let fixture = Fixture::new().await;
    let phish = fixture.graph().planted().remove(0);
    let user = fixture.mailbox(0);
    let other = fixture.graph().planted().remove(1).id;
    let not_there = format!("Message {other} of mailbox {}", phish.mailbox);
    let unknown = "unknown@contoso.example".to_owned();
    for (mailbox, id, code, what) in [
        (phish.mailbox.clone(), other, "ErrorItemNotFound", not_there),
        (unknown.clone(), phish.id.clone(), "ErrorInvalidUser", format!("The mailbox {unknown}")),
    ] {
        let inputs = json!({"exo_email_address": mailbox, "exo_messages_id": id});
        let results = fixture.run(GetMessage, inputs).await.unwrap();
        assert_eq!(results["success"], false);
        assert_eq!(results["content"]["error"]["code"], code);
        assert_eq!(results["reason"], format!("{what} was not found ({code})."));
        let pretty = results["pretty_string"].as_str().unwrap();
        assert!(pretty.starts_with("{\n    \"error\": {\n"), "stock scripts print it: {pretty}");
    }
    let unlicensed = fixture.graph().users().into_iter().find(|user| !user.has_mailbox).unwrap();
    let inputs = json!({"exo_email_address": unlicensed.user_principal_name, "exo_messages_id": phish.id});
    let results = fixture.run(GetMessage, inputs).await.unwrap();
    assert_eq!(results["content"]["error"]["code"], "MailboxNotEnabledForRESTAPI");
    drop(user);
}
