//! Addresses and ids in URLs: encoded whole and once, whatever is in them. A guest's address cut at its `#` would
//! turn the deletion of a message into the deletion of a user.

use sandbox::graph::{IdAlphabet, TenantOptions};
use serde_json::{Value, json};

use crate::functions::common::{
    CreateMeeting, DeleteEmail, DeleteMessagesFromQueryResults, Fixture, GetEmailUserProfile, GetMessage,
    INCIDENT, MoveMessageToFolder, QueryEmails, SendMessage, WriteMessageAsAttachment, encoded, found, mail,
    query,
};

/// Mailboxes with `'`, `+`, `#EXT#`, `&`, `%` and `/` in their names.
async fn odd_names() -> (Fixture, Vec<String>) {
    let tenant = TenantOptions {
        mailboxes: 40,
        users_without_mailbox: 0,
        messages_per_mailbox: 0,
        ..TenantOptions::default()
    };
    let fixture = Fixture::with(tenant).await;
    let odd: Vec<String> = fixture
        .graph()
        .mailboxes()
        .into_iter()
        .filter(|name| name.contains(['\'', '+', '#', '&', '%', '/']))
        .collect();
    for mark in ["'", "+", "#EXT#", "&", "%", "/"] {
        assert!(odd.iter().any(|name| name.contains(mark)), "a name with {mark}: {odd:?}");
    }
    (fixture, odd)
}

#[tokio::test]
async fn every_function_reaches_mailboxes_with_special_characters() {
    let (fixture, odd) = odd_names().await;
    let start = chrono::Utc::now().timestamp_millis() + 86_400_000;
    for name in odd {
        let [a, b, c] = ["a", "b", "c"].map(|subject| fixture.put(&name, mail(subject)));
        let of =
            |id: &str| json!({"exo_email_address": name, "exo_messages_id": id, "incident_id": INCIDENT});
        let profile = fixture.done(GetEmailUserProfile, of(&a)).await;
        assert_eq!(profile["content"]["userPrincipalName"], name);
        assert_eq!(fixture.done(GetMessage, of(&a)).await["content"]["subject"], "a");
        fixture.done(WriteMessageAsAttachment, of(&a)).await;
        let mut to = of(&a);
        to["exo_destination_mailfolder_id"] = json!("archive");
        fixture.done(MoveMessageToFolder, to).await;
        fixture.done(DeleteEmail, of(&b)).await;
        let results = fixture.done(QueryEmails, query(&name, json!({"exo_message_subject": "c"}))).await;
        assert_eq!(found(&results), [(name.clone(), "c".to_owned())]);
        let deletion = json!({"exo_query_messages_results": results["raw"]});
        fixture.done(DeleteMessagesFromQueryResults, deletion).await;
        let deleted = fixture.graph().deleted();
        let last_two: Vec<_> =
            deleted[deleted.len() - 2..].iter().map(|d| (d.mailbox.clone(), d.id.clone())).collect();
        assert_eq!(last_two, [(name.clone(), b), (name.clone(), c)]);
        fixture.done(SendMessage, json!({"exo_email_address": name, "exo_recipients": "a@b.example"})).await;
        assert_eq!(fixture.graph().sent_mail().pop().unwrap().mailbox, name);
        let meeting = json!({
            "exo_meeting_email_address": name, "exo_meeting_start_time": start, "exo_meeting_end_time": start + 60_000,
            "exo_meeting_subject": "s", "exo_meeting_body": "b",
        });
        fixture.done(CreateMeeting, meeting).await;
        assert_eq!(fixture.graph().events(&name).len(), 1);
        for request in fixture.requests() {
            let whole = format!("/users/{}", encoded(&name));
            let rest = request.path_and_query.strip_prefix(&whole).expect("the whole name is in the path");
            assert!(rest.is_empty() || rest.starts_with('/'), "{}", request.path_and_query);
        }
    }
}

#[tokio::test]
async fn message_ids_are_encoded_exactly_once() {
    let fixture =
        Fixture::with(TenantOptions { id_alphabet: IdAlphabet::Mixed, ..TenantOptions::default() }).await;
    let ids = |mailbox: &String| {
        let messages = fixture.graph().messages(mailbox);
        messages.into_iter().map(|message| (mailbox.clone(), message.id)).collect::<Vec<_>>()
    };
    let all: Vec<(String, String)> = fixture.graph().mailboxes().iter().flat_map(ids).collect();
    for mark in ['/', '+'] {
        let (mailbox, id) = all.iter().find(|(_, id)| id.contains(mark)).expect("an id with every mark");
        let results =
            fixture.done(GetMessage, json!({"exo_email_address": mailbox, "exo_messages_id": id})).await;
        assert_eq!(results["content"]["id"], fixture.graph().immutable_id(mailbox, id).unwrap());
        assert_eq!(paths(&fixture), [format!("GET /users/{}/messages/{}", encoded(mailbox), encoded(id))]);
    }
}

#[tokio::test]
async fn name_starting_with_dollar_is_quoted_in_url() {
    let fixture = Fixture::new().await;
    let name = "$o'brien@contoso.example";
    let user = "/users('%24o%27%27brien@contoso.example')";
    let inputs = json!({"exo_email_address": name, "exo_messages_id": "AAMk="});
    let _ = fixture.run(GetEmailUserProfile, inputs.clone()).await;
    let _ = fixture.run(GetMessage, inputs.clone()).await;
    let _ = fixture.run(DeleteEmail, inputs).await;
    let expected = [
        format!("GET {user}"),
        format!("GET {user}/messages/AAMk%3D"),
        format!("DELETE {user}/messages/AAMk%3D"),
    ];
    assert_eq!(paths(&fixture), expected);
}

/// What was asked, without the queries.
fn paths(fixture: &Fixture) -> Vec<String> {
    let asked = fixture.asked().into_iter();
    asked.map(|line| line.split('?').next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn dot_segments_are_refused_and_nothing_is_asked() {
    let fixture = Fixture::new().await;
    let mailbox = fixture.mailbox(0);
    for dots in [".", ".."] {
        let cases: Vec<Value> = vec![
            json!({"exo_email_address": dots, "exo_messages_id": "AAMk"}),
            json!({"exo_email_address": mailbox, "exo_messages_id": dots}),
            json!({"exo_email_address": mailbox, "exo_messages_id": "AAMk", "exo_mailfolders_id": dots}),
        ];
        for inputs in cases {
            let error = fixture.failed(DeleteEmail, inputs).await;
            assert!(error.contains(&format!("\"{dots}\" cannot be a ")), "{error}");
        }
        let listed = json!([{"email_address": mailbox, "email_list": [{"id": dots}]}]).to_string();
        let inputs = json!({"exo_query_messages_results": listed});
        let results = fixture.run(DeleteMessagesFromQueryResults, inputs).await.unwrap();
        assert_eq!(results["success"], false);
        assert_eq!(results["content"]["failures"][0]["id"], dots);
        let error = fixture.failed(QueryEmails, query(dots, json!({"exo_has_attachments": true}))).await;
        assert!(error.contains("cannot be a mailbox address"), "{error}");
    }
    assert_eq!(fixture.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn path_like_names_are_encoded_or_refused() {
    let fixture = Fixture::new().await;
    for name in ["%2e%2e", "..%2f..", "a/messages@b.example", "a?$select=id@b.example"] {
        let inputs = json!({"exo_email_address": name, "exo_messages_id": name});
        let results = fixture.run(DeleteEmail, inputs).await;
        assert!(results.is_err() || results.unwrap()["success"] == false);
        let path = encoded(name);
        assert_eq!(fixture.asked(), [format!("DELETE /users/{path}/messages/{path}")]);
    }
    // A server that takes an encoded slash for a slash would climb; and no name holds a control character.
    for name in ["../../x", "x/.."] {
        let inputs = json!({"exo_email_address": name, "exo_messages_id": name});
        let error = fixture.failed(DeleteEmail, inputs).await;
        assert!(error.contains("cannot be a mailbox address in Microsoft Graph"), "{error}");
        assert_eq!(fixture.asked(), Vec::<String>::new());
    }
    for name in
        ["a@b.example/messages", "a@b.example?$select=id", "a b@c", "a\\b", "a b\u{7}@c", "users('x')"]
    {
        let inputs = json!({"exo_email_address": name, "exo_messages_id": name});
        let error = fixture.failed(DeleteEmail, inputs).await;
        assert!(error.contains("which is not an address"), "{error}");
        assert_eq!(fixture.asked(), Vec::<String>::new());
    }
}
