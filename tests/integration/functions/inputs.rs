//! Inputs as analysts type them and as scripts copy them: understood where the meaning is certain, else refused by name
//! before anything is asked.

use fn_exchange_online::functions::Function;
use serde_json::{Value, json};

use crate::functions::common::{
    CreateMeeting, DeleteEmail, Fixture, GetEmailUserProfile, GetMessage, INCIDENT, MoveMessageToFolder,
    QueryEmails, SendMessage, WriteMessageAsAttachment, empty, found, mail, ms, query, subjects,
};

/// Texts that look empty.
const INVISIBLE: [&str; 4] = [" ", "\u{3000}", "\u{200b}", "\u{a0}\u{feff}"];

async fn refused(fixture: &Fixture, function: Function, inputs: Value, sentence: &str) {
    let error = fixture.failed(function, inputs.clone()).await;
    assert!(error.contains(sentence), "{inputs}: {error}");
    assert_eq!(fixture.graph().counters().token_requests, 0, "{inputs}");
}

#[tokio::test]
async fn criterion_or_folder_that_looks_empty_is_refused() {
    const REASON: &str = "holds only blanks or invisible characters";
    let fixture = Fixture::with(empty(1)).await;
    let user = fixture.mailbox(0);
    for blank in INVISIBLE {
        let shapes =
            [json!(blank), json!({"format": "text", "content": blank}), json!({"id": 1, "name": blank})];
        for name in
            ["exo_email_address_sender", "exo_message_subject", "exo_message_body", "exo_mail_folders"]
        {
            for shape in &shapes {
                let inputs = query(&user, json!({"exo_has_attachments": true, name: shape}));
                refused(&fixture, QueryEmails, inputs, &format!("\"{name}\" {REASON}")).await;
            }
        }
        for name in ["exo_start_date", "exo_end_date", "exo_has_attachments"] {
            let inputs = query(&user, json!({"exo_message_subject": "x", name: blank}));
            refused(&fixture, QueryEmails, inputs, &format!("\"{name}\" {REASON}")).await;
        }
        for (function, more) in [
            (DeleteEmail, json!({})),
            (MoveMessageToFolder, json!({"exo_destination_mailfolder_id": "archive"})),
        ] {
            let mut inputs =
                json!({"exo_email_address": user, "exo_messages_id": "x", "exo_mailfolders_id": blank});
            inputs.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            refused(&fixture, function, inputs, &format!("\"exo_mailfolders_id\" {REASON}")).await;
        }
    }
}

#[tokio::test]
async fn input_in_an_unknown_shape_is_refused() {
    let fixture = Fixture::with(empty(1)).await;
    let user = fixture.mailbox(0);
    let shapes =
        [json!({}), json!({"value": "x"}), json!({"format": "text"}), json!(["x"]), json!(7), json!(true)];
    for shape in shapes {
        for name in [
            "exo_email_address_sender",
            "exo_message_subject",
            "exo_message_body",
            "exo_mail_folders",
            "exo_email_address",
        ] {
            let inputs = query(&user, json!({"exo_has_attachments": true, name: shape}));
            refused(&fixture, QueryEmails, inputs, &format!("\"{name}\" must be a text")).await;
        }
        let inputs = json!({
            "exo_email_address": user, "exo_messages_id": shape, "exo_mailfolders_id": shape,
            "exo_destination_mailfolder_id": [shape],
        });
        for name in ["exo_messages_id", "exo_mailfolders_id"] {
            refused(&fixture, DeleteEmail, inputs.clone(), &format!("\"{name}\" must be a text")).await;
        }
        let reason = "\"exo_destination_mailfolder_id\" must be a choice";
        refused(&fixture, MoveMessageToFolder, inputs.clone(), reason).await;
        for name in ["exo_recipients", "exo_message_subject", "exo_message_body", "exo_attachment_names"] {
            let inputs = json!({
                "exo_email_address": user, "exo_recipients": "a@b.example", "incident_id": INCIDENT, name: shape,
            });
            refused(&fixture, SendMessage, inputs, &format!("\"{name}\" must be a text")).await;
        }
        for name in ["exo_meeting_location", "exo_meeting_body", "exo_meeting_optional_attendees"] {
            let start = chrono::Utc::now().timestamp_millis() + 86_400_000;
            let inputs = json!({
                "exo_meeting_email_address": user, "exo_meeting_start_time": start,
                "exo_meeting_end_time": start + 60_000, "exo_meeting_subject": "s", "exo_meeting_body": "b",
                name: shape,
            });
            refused(&fixture, CreateMeeting, inputs, &format!("\"{name}\" must be a text")).await;
        }
        let inputs = json!({
            "exo_email_address": user, "exo_messages_id": "x", "incident_id": INCIDENT, "exo_attachment_name": shape,
        });
        refused(&fixture, WriteMessageAsAttachment, inputs, "\"exo_attachment_name\" must be a text").await;
    }
    for (name, value, reason) in [
        ("exo_start_date", json!({"date": 1}), "must be a date and time"),
        ("exo_end_date", json!(true), "must be a date and time"),
        ("exo_has_attachments", json!(1), "must be true or false"),
        ("incident_id", json!({"id": 7}), "must be a whole number"),
    ] {
        let inputs = query(&user, json!({"exo_message_subject": "x", name: value}));
        refused(&fixture, QueryEmails, inputs, &format!("\"{name}\" {reason}")).await;
    }
}

#[tokio::test]
async fn choice_with_a_name_means_that_name_for_a_text() {
    let fixture = Fixture::with(empty(2)).await;
    let user = fixture.mailbox(0);
    fixture.put(&user, mail("in the inbox"));
    let elsewhere =
        fixture.put(&user, sandbox::graph::NewMessage { folder: "junkemail".to_owned(), ..mail("in junk") });
    for folder in [json!({"id": 12, "name": "junkemail"}), json!("Junk Email"), json!(" JunkEmail\u{200b}")] {
        let inputs = query(&user, json!({"exo_has_attachments": false, "exo_mail_folders": folder}));
        assert_eq!(subjects(&fixture.done(QueryEmails, inputs).await), ["in junk"], "{folder}");
    }
    let inputs = json!({
        "exo_email_address": {"id": 3, "name": user}, "exo_messages_id": elsewhere,
        "exo_mailfolders_id": {"id": 12, "name": "Junk Email"}, "exo_destination_mailfolder_id": "Deleted Items",
    });
    fixture.done(MoveMessageToFolder, inputs).await;
    assert_eq!(fixture.graph().moved().pop().unwrap().folder, "deleteditems");
}

#[tokio::test]
async fn recipients_and_attendees_accept_mail_client_formats() {
    let fixture = Fixture::with(empty(1)).await;
    let sender = fixture.mailbox(0);
    let typed = "Doe, Jane <jane@example.org>; \"Roe, Rick\" <rick@example.org>\nmailto:bo@example.org, <cy@example.org>, \
                 \u{200b}o'neil+x@example.org\u{a0};";
    let read = ["jane", "rick", "bo", "cy", "o'neil+x"].map(|name| format!("{name}@example.org"));
    let inputs = json!({"exo_email_address": format!("Ada <{sender}>"), "exo_recipients": typed});
    fixture.done(SendMessage, inputs).await;
    assert_eq!(
        fixture.graph().sent_mail().pop().unwrap().to.into_iter().map(|to| to.address).collect::<Vec<_>>(),
        read
    );
    let before = fixture.graph().counters().token_requests;
    let inputs = json!({"exo_email_address": sender, "exo_recipients": "bo@example.org; bo@"});
    let error = fixture.failed(SendMessage, inputs).await;
    assert_eq!(error, "The input \"exo_recipients\" holds “bo@”, which is not an address.");
    assert_eq!(fixture.graph().counters().token_requests, before);
    for (text, name) in [("bo@example.org; cy", "cy"), ("Jane", "Jane")] {
        let inputs = json!({"exo_email_address": sender, "exo_recipients": text});
        let error = fixture.failed(SendMessage, inputs).await;
        assert!(error.contains("ErrorInvalidRecipients"), "{error}");
        assert!(error.contains(&format!("Recipient '{name}' is not resolved")), "{error}");
    }
    let start = chrono::Utc::now().timestamp_millis() + 86_400_000;
    let meeting = |required: &str| {
        json!({
            "exo_meeting_email_address": sender,
            "exo_meeting_start_time": start,
            "exo_meeting_end_time": start + 60_000,
            "exo_meeting_subject": "s", "exo_meeting_body": "b", "exo_meeting_required_attendees": required,
        })
    };
    let event = fixture.done(CreateMeeting, meeting("Doe, Jane <jane@example.org>; bo@example.org")).await;
    let attendees = event["content"]["attendees"].as_array().unwrap();
    let addresses: Vec<_> = attendees.iter().map(|one| one["emailAddress"]["address"].clone()).collect();
    assert_eq!(addresses, ["jane@example.org", "bo@example.org"]);
    let error = fixture.failed(CreateMeeting, meeting("jane")).await;
    assert!(error.contains("\"exo_meeting_required_attendees\" holds “jane”"), "{error}");
}

#[tokio::test]
async fn mailboxes_are_read_in_all_forms_and_one_mailbox_is_one() {
    let fixture = Fixture::with(empty(3)).await;
    let [a, b, c] = [0, 1, 2].map(|nth| fixture.mailbox(nth));
    for user in [&a, &b, &c] {
        fixture.put(user, mail("s"));
    }
    let typed = format!("{a}; <{b}>\n\"Last, First\" <{c}>, mailto:{a}");
    let results = fixture.done(QueryEmails, query(&typed, json!({"exo_message_subject": "s"}))).await;
    let mailboxes: Vec<_> = found(&results).into_iter().map(|(mailbox, _)| mailbox).collect();
    assert_eq!(mailboxes, [a.clone(), b.clone(), c]);
    for form in
        [format!("<{a}>"), format!("Ada <{a}>"), format!("\u{feff}{a}\u{200b}"), format!("mailto:{a}")]
    {
        let results = fixture.done(GetEmailUserProfile, json!({"exo_email_address": form})).await;
        assert_eq!(results["content"]["userPrincipalName"], a);
    }
    let two = json!({"exo_email_address": format!("{a}, {b}"), "exo_messages_id": "x"});
    for function in [GetMessage, DeleteEmail, GetEmailUserProfile] {
        let error = fixture.failed(function, two.clone()).await;
        assert_eq!(error, "The input \"exo_email_address\" must be one address.");
    }
}

#[tokio::test]
async fn sender_and_subject_are_freed_of_what_copying_added() {
    let fixture = Fixture::with(empty(1)).await;
    let user = fixture.mailbox(0);
    fixture.put(&user, mail("Invoice"));
    for sender in ["eve@elsewhere.example", "Eve <eve@elsewhere.example>", "<EVE@elsewhere.example>\u{200b}"]
    {
        let inputs = query(
            &user,
            json!({"exo_email_address_sender": sender, "exo_message_subject": "\u{a0}Invoice "}),
        );
        assert_eq!(subjects(&fixture.done(QueryEmails, inputs).await), ["Invoice"], "{sender}");
    }
    for sender in ["Eve", "@", "@elsewhere .example", "a@b.example, c@d.example"] {
        let error =
            fixture.failed(QueryEmails, query(&user, json!({"exo_email_address_sender": sender}))).await;
        assert!(error.contains("\"exo_email_address_sender\""), "{sender}: {error}");
    }
}

#[tokio::test]
async fn plain_text_of_a_text_area_stays_plain() {
    let fixture = Fixture::with(empty(1)).await;
    let sender = fixture.mailbox(0);
    let body = json!({"format": "text", "content": "Dear <all>,\nplease do not click."});
    let inputs =
        json!({"exo_email_address": sender, "exo_recipients": "a@b.example", "exo_message_body": body});
    fixture.done(SendMessage, inputs).await;
    let sent = fixture.graph().sent_mail().pop().unwrap();
    assert_eq!((sent.html, sent.body.as_str()), (false, "Dear <all>,\nplease do not click."));
    let start = chrono::Utc::now().timestamp_millis() + 86_400_000;
    let meeting = json!({
        "exo_meeting_email_address": sender, "exo_meeting_start_time": start, "exo_meeting_end_time": start + 60_000,
        "exo_meeting_subject": "s", "exo_meeting_body": body,
    });
    let event = fixture.done(CreateMeeting, meeting).await;
    assert_eq!(event["content"]["body"]["contentType"].as_str().unwrap().to_lowercase(), "text");
}

#[tokio::test]
async fn dates_accept_several_formats_and_unix_seconds() {
    let fixture = Fixture::with(empty(1)).await;
    let user = fixture.mailbox(0);
    fixture.put(&user, mail("then"));
    let noon = ms("2026-01-15T12:00:00Z");
    for (from, to) in [
        (json!("2026-01-15"), json!("2026-01-15")),
        (json!("2026-01-15T12:00:00Z"), json!("2026-01-15 13:00")),
        (json!("2026-01-15T13:00:00+01:00"), json!(noon.to_string())),
        (json!(noon / 1000), json!((noon / 1000).to_string())),
    ] {
        let inputs = query(&user, json!({"exo_start_date": from, "exo_end_date": to}));
        assert_eq!(subjects(&fixture.done(QueryEmails, inputs).await), ["then"], "{from} to {to}");
    }
    for date in [json!("15.01.2026"), json!("soon"), json!(5), json!(20_260_115)] {
        let error = fixture.failed(QueryEmails, query(&user, json!({"exo_start_date": date}))).await;
        assert!(error.contains("\"exo_start_date\" must be a date and time"), "{date}: {error}");
    }
}

#[tokio::test]
async fn end_before_start_is_refused_before_anything_is_asked() {
    let fixture = Fixture::with(empty(1)).await;
    let inputs =
        query(&fixture.mailbox(0), json!({"exo_start_date": "2026-01-15", "exo_end_date": "2026-01-14"}));
    refused(&fixture, QueryEmails, inputs, "exo_end_date").await;
}

#[tokio::test]
async fn output_format_is_known_by_its_label_only() {
    let fixture = Fixture::with(empty(1)).await;
    let user = fixture.mailbox(0);
    let formats = [
        json!(["incident NOTE "]),
        json!("Incident note; Incident note"),
        json!([{"id": 1, "name": "Incident\u{a0}note"}]),
    ];
    for format in formats {
        let mut inputs = query(&user, json!({"exo_message_subject": "x"}));
        inputs["exo_query_output_format"] = format;
        let results = fixture.done(QueryEmails, inputs).await;
        assert_eq!(results["content"]["exo_query_output_format"][0], "Incident note");
    }
    let before = fixture.graph().counters().token_requests;
    for format in [json!(["Incident notes"]), json!(["Incident note", "Table"]), json!("note")] {
        let mut inputs = query(&user, json!({"exo_message_subject": "x"}));
        inputs["exo_query_output_format"] = format.clone();
        let error = fixture.failed(QueryEmails, inputs).await;
        assert!(error.contains("\"exo_query_output_format\""), "{format}: {error}");
    }
    assert_eq!(fixture.graph().counters().token_requests, before);
}
