//! What counts as the result of a query, and what is refused before anything is deleted.

use serde_json::{Value, json};

use super::{deletion, found, list};
use crate::functions::common::{
    DeleteMessagesFromQueryResults, Fixture, MoveMessageToFolder, QueryEmails, empty, mail, query,
};

#[tokio::test]
async fn raw_query_output_is_accepted_as_input() {
    let fixture = Fixture::with(empty(2)).await;
    let names = fixture.graph().mailboxes();
    for name in &names {
        fixture.put(name, mail("é\u{1F98A} \"q\" \\ "));
    }
    let found = fixture.done(QueryEmails, query("all", json!({"exo_start_date": 0}))).await;
    let inputs = json!({"exo_query_messages_results": found["raw"]});
    fixture.done(DeleteMessagesFromQueryResults, inputs).await;
    assert_eq!(fixture.graph().deleted().len(), 2);
    let inputs = json!({"exo_query_messages_results": {"format": "text", "content": found["raw"]}});
    let results = fixture.run(DeleteMessagesFromQueryResults, inputs).await.unwrap();
    assert_eq!(results["content"]["failures"].as_array().unwrap().len(), 2, "they are gone already");
}

#[tokio::test]
async fn bare_list_from_older_workflow_needs_no_incident() {
    let (fixture, names, content) = found(&[], &[]).await;
    let results = fixture.done(DeleteMessagesFromQueryResults, deletion(&content["email_results"])).await;
    assert_eq!(results["content"]["incident_id"], Value::Null);
    assert_eq!(results["content"]["exo_query_output_format"], json!([]));
    assert_eq!(results["content"]["delete_results"][1]["email_address"], names[1]);
    assert_eq!(fixture.graph().deleted().len(), 6);
}

#[tokio::test]
async fn invalid_query_result_is_rejected_without_deletion() {
    let (fixture, names, content) = found(&[], &[]).await;
    let whole = content.to_string();
    let id = list(&content, 0)[0]["id"].clone();
    let good = json!({"email_address": names[0], "email_list": [{"id": id}]});
    let cases = [
        "geheim".to_owned(),
        "{}".to_owned(),
        "7".to_owned(),
        "null".to_owned(),
        "\"[]\"".to_owned(),
        whole[..whole.len() - 1].to_owned(),
        format!("{whole}}}"),
        json!({"email_results": {"a": 1}}).to_string(),
        json!([good, {"email_address": names[1]}]).to_string(),
        json!([good, {"email_list": []}]).to_string(),
        json!([good, {"email_address": " ", "email_list": [{"id": "AAMk"}]}]).to_string(),
        json!([good, {"email_address": names[1], "email_list": [{"subject": "geheim"}]}]).to_string(),
        json!([good, {"email_address": names[1], "email_list": [{"id": ""}]}]).to_string(),
        json!([good, {"email_address": names[1], "email_list": [{"id": 7}]}]).to_string(),
        json!([good, {"email_address": names[1], "email_list": ["AAMk"]}]).to_string(),
        json!([good, good["email_list"]]).to_string(),
    ];
    for text in cases {
        let error =
            fixture.failed(DeleteMessagesFromQueryResults, json!({"exo_query_messages_results": text})).await;
        let start = "The input \"exo_query_messages_results\" is not the result of a message query: ";
        assert!(error.starts_with(start) && error.ends_with("Nothing was deleted."), "{text}: {error}");
        assert!(!error.contains("geheim"), "mail is not quoted: {error}");
    }
    assert_eq!(fixture.asked(), Vec::<String>::new());
    assert!(fixture.graph().deleted().is_empty());
}

#[tokio::test]
async fn note_or_attachment_without_incident_deletes_nothing() {
    for format in ["Incident note", "Incident attachment"] {
        let (fixture, _, mut content) = found(&[], &[format]).await;
        content.as_object_mut().unwrap().remove("incident_id");
        let error = fixture.failed(DeleteMessagesFromQueryResults, deletion(&content)).await;
        assert!(error.contains("incident_id"), "{error}");
        assert!(fixture.graph().deleted().is_empty());
    }
}

#[tokio::test]
async fn empty_query_result_succeeds_without_requests() {
    let fixture = Fixture::new().await;
    for text in ["[]", r#"{"email_results": []}"#, r#"[{"email_address": "a@b.example", "email_list": []}]"#]
    {
        let results =
            fixture.done(DeleteMessagesFromQueryResults, json!({"exo_query_messages_results": text})).await;
        assert_eq!(results["content"]["failures"], json!([]));
    }
    assert_eq!(fixture.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn oversized_inputs_are_rejected_without_requests() {
    let fixture = Fixture::with(empty(1)).await;
    let mailbox = fixture.mailbox(0);
    let long = "a".repeat(5_000);
    let many: Vec<Value> = (0..150_000).map(|nth| json!({"id": nth.to_string()})).collect();
    for (address, list, words) in [
        (long.as_str(), json!([{"id": "1"}]), "longer than any address"),
        (mailbox.as_str(), json!([{"id": long}]), "an id that is longer than any"),
        (&long[..4_000], json!(many), "too large to be accounted for"),
    ] {
        let results = json!([{"email_address": address, "email_list": list}]);
        let inputs = json!({"exo_query_messages_results": results.to_string()});
        let error = fixture.failed(DeleteMessagesFromQueryResults, inputs).await;
        assert!(error.contains(words) && error.len() < 500, "{error}");
    }
    assert_eq!(fixture.asked(), [""; 0]);
    let inputs = json!({
        "exo_email_address": mailbox, "exo_messages_id": "x", "exo_destination_mailfolder_id": long,
    });
    let error = fixture.failed(MoveMessageToFolder, inputs).await;
    assert_eq!(error, "The input \"exo_destination_mailfolder_id\" must be no longer than 4096 bytes.");
}
