//! `exchange_online_move_message_to_folder`

use serde_json::{Value, json};

use crate::functions::common::{
    Fault, Fixture, MoveMessageToFolder, RetryAfter, SOON, Target, empty, encoded, mail,
};
use crate::functions::front::Front;

#[tokio::test]
async fn move_is_one_request_and_returns_the_new_id_and_link() {
    let mut fixture = Fixture::new().await;
    let front = Front::before(&mut fixture).await;
    let phish = fixture.graph().planted().remove(0);
    let inputs = json!({
        "exo_email_address": phish.mailbox, "exo_messages_id": phish.id,
        "exo_destination_mailfolder_id": {"id": 346, "name": "junkemail"},
    });
    let results = fixture.done(MoveMessageToFolder, inputs).await;
    let moved = fixture.graph().moved();
    assert_eq!((moved.len(), moved[0].folder), (1, "junkemail"));
    let content = &results["content"];
    assert_eq!(content.as_object().unwrap().len(), 2);
    let immutable = fixture.graph().immutable_id(&phish.mailbox, &moved[0].new_id).unwrap();
    assert_eq!(content["new_message_id"], immutable);
    let link = content["new_web_link"].as_str().unwrap();
    assert!(link.contains(&immutable.replace('=', "%3D")) || link.contains("ItemID="), "{link}");
    assert_eq!(results["inputs"]["exo_destination_mailfolder_id"]["name"], "junkemail", "scripts read it");

    let asked = front.the("/move");
    let path = format!("/users/{}/messages/{}/move", encoded(&phish.mailbox), encoded(&phish.id));
    assert_eq!(asked.line(), format!("POST {path}"));
    assert_eq!(asked.json(), json!({"destinationId": "junkemail"}));
    assert_eq!(asked.headers["content-type"], "application/json");
    assert_eq!(front.lines().len(), 1, "the message itself is not changed");
}

#[tokio::test]
async fn given_folder_is_part_of_the_address() {
    let fixture = Fixture::new().await;
    let phish = fixture.graph().planted().remove(0);
    let folder = fixture.graph().message(&phish.mailbox, &phish.id).unwrap().folder;
    let inputs = json!({
        "exo_email_address": phish.mailbox, "exo_messages_id": phish.id, "exo_mailfolders_id": folder,
        "exo_destination_mailfolder_id": "deleteditems",
    });
    fixture.done(MoveMessageToFolder, inputs).await;
    let (mailbox, id) = (encoded(&phish.mailbox), encoded(&phish.id));
    let path = format!("/users/{mailbox}/mailFolders/{folder}/messages/{id}");
    assert_eq!(fixture.asked(), [format!("POST {path}/move")]);
}

#[tokio::test]
async fn missing_message_is_not_found() {
    let fixture = Fixture::new().await;
    let phish = fixture.graph().planted().remove(0);
    let inputs = json!({
        "exo_email_address": phish.mailbox, "exo_messages_id": fixture.graph().planted().remove(1).id,
        "exo_destination_mailfolder_id": "archive",
    });
    let results = fixture.run(MoveMessageToFolder, inputs).await.unwrap();
    assert_eq!(results["success"], false);
    assert_eq!(results["content"]["error"]["code"], "ErrorItemNotFound");
    assert!(results["reason"].as_str().unwrap().contains("was not found"));
    assert!(fixture.graph().moved().is_empty());
}

#[tokio::test]
async fn throttled_move_is_made_once() {
    let fixture = Fixture::new().await;
    let phish = fixture.graph().planted().remove(0);
    fixture.graph().faults().next(2, Target::containing("/move"), Fault::Status(429, SOON));
    let inputs = json!({
        "exo_email_address": phish.mailbox, "exo_messages_id": phish.id, "exo_destination_mailfolder_id": "archive",
    });
    fixture.done(MoveMessageToFolder, inputs).await;
    assert_eq!(fixture.graph().moved().len(), 1);
}

/// The inputs that move a message to a folder by name or path.
fn to_custom(fixture: &Fixture, name: &str) -> Value {
    let mailbox = fixture.mailbox(0);
    let id = fixture.put(&mailbox, mail("x"));
    json!({"exo_email_address": mailbox, "exo_messages_id": id, "exo_custom_folder_name": name})
}

#[tokio::test]
async fn custom_folder_is_found_by_name_and_path() {
    let fixture = Fixture::with(empty(1)).await;
    for (name, folder) in [
        ("Phishing", "Phishing"),
        ("phishing", "Phishing"),
        ("Inbox/Phishing", "Phishing"),
        ("/INBOX/phishing/", "Phishing"),
        ("inbox\\Phishing\\Confirmed", "Confirmed"),
        ("confirmed", "Confirmed"),
        ("projects / invoices", "Invoices"),
        ("Projects", "Projects"),
        ("Junk Email", "junkemail"),
        ("deleteditems", "deleteditems"),
    ] {
        let inputs = to_custom(&fixture, name);
        let id = inputs["exo_messages_id"].clone();
        let results = fixture.done(MoveMessageToFolder, inputs).await;
        assert_eq!(results["content"]["new_message_id"], id, "its immutable id");
        assert_eq!(fixture.graph().moved().last().unwrap().folder, folder, "{name}");
        assert_eq!(fixture.trail().last().unwrap()["outcome"], "moved");
    }
}

#[tokio::test]
async fn custom_folder_that_is_missing_or_ambiguous_is_an_answer() {
    let fixture = Fixture::with(empty(1)).await;
    for (name, words) in [
        ("Quarantine", "Folder 'Quarantine' was not found in mailbox"),
        ("Inbox/Confirmed", "Folder 'Inbox/Confirmed' was not found in mailbox"),
        ("Invoices", "several folders 'Invoices': Inbox/Invoices, Projects/Invoices"),
    ] {
        let results = fixture.run(MoveMessageToFolder, to_custom(&fixture, name)).await.unwrap();
        assert_eq!((&results["success"], &results["content"]), (&json!(false), &json!({})), "{name}");
        let reason = results["reason"].as_str().unwrap();
        assert!(reason.contains(words) && reason.contains(&fixture.mailbox(0)), "{reason}");
    }
    assert!(fixture.graph().moved().is_empty());
}

#[tokio::test]
async fn exactly_one_destination_is_required() {
    let fixture = Fixture::with(empty(1)).await;
    let mut inputs = to_custom(&fixture, "Phishing");
    inputs["exo_destination_mailfolder_id"] = json!({"id": 1, "name": "archive"});
    let error = fixture.failed(MoveMessageToFolder, inputs.clone()).await;
    assert!(error.contains("must not be set together with \"exo_destination_mailfolder_id\""), "{error}");
    inputs["exo_destination_mailfolder_id"] = Value::Null;
    inputs["exo_custom_folder_name"] = json!("");
    let error = fixture.failed(MoveMessageToFolder, inputs).await;
    let words =
        "\"exo_destination_mailfolder_id\" or \"exo_custom_folder_name\" is required, and neither is set";
    assert!(error.contains(words), "{error}");
    assert!(fixture.asked().is_empty());
}

#[tokio::test]
async fn refusal_is_an_answer_with_the_reason() {
    let fixture = Fixture::with(empty(1)).await;
    let denied = Fault::Status(403, RetryAfter::Absent);
    fixture.graph().faults().next(1, Target::containing("/childFolders"), denied);
    let results = fixture.run(MoveMessageToFolder, to_custom(&fixture, "Phishing")).await.unwrap();
    fixture.graph().faults().next(1, Target::containing("/move"), denied);
    let moved = fixture.run(MoveMessageToFolder, to_custom(&fixture, "Phishing")).await.unwrap();
    for results in [results, moved] {
        assert_eq!(results["success"], false);
        assert_eq!(results["content"]["error"]["code"], "ErrorAccessDenied");
        let reason = results["reason"].as_str().unwrap();
        assert!(reason.contains("HTTP status 403") && reason.contains("Mail.ReadWrite"), "{reason}");
    }
}
