//! Inputs as SOAR encodes them, and inputs that are not as they should be.

use serde_json::{Value, json};

use crate::functions::common::{
    CreateMeeting, DeleteEmail, DeleteMessagesFromQueryResults, Fixture, GetEmailUserProfile, GetMessage,
    INCIDENT, MoveMessageToFolder, QueryEmails, SendMessage, WriteMessageAsAttachment, mail, ms, query,
    subjects,
};

#[tokio::test]
async fn text_area_accepts_object_or_plain_text() {
    let fixture = Fixture::new().await;
    let sender = fixture.mailbox(0);
    for body in [json!("<b>Hi</b>"), json!({"format": "html", "content": "<b>Hi</b>"})] {
        let inputs = json!({
            "exo_email_address": sender, "exo_recipients": "a@b.example", "exo_message_body": body,
        });
        fixture.done(SendMessage, inputs).await;
    }
    let bodies: Vec<_> = fixture.graph().sent_mail().into_iter().map(|mail| mail.body).collect();
    assert_eq!(bodies, ["<b>Hi</b>", "<b>Hi</b>"]);
}

#[tokio::test]
async fn select_accepts_option_or_plain_text() {
    let fixture = Fixture::new().await;
    for (nth, folder) in
        [json!({"id": 126, "name": "archive"}), json!("archive"), json!(" archive ")].into_iter().enumerate()
    {
        let phish = fixture.graph().planted().swap_remove(nth);
        let inputs = json!({
            "exo_email_address": phish.mailbox, "exo_messages_id": phish.id, "exo_destination_mailfolder_id": folder,
        });
        fixture.done(MoveMessageToFolder, inputs).await;
    }
    assert_eq!(fixture.graph().moved().iter().map(|moved| moved.folder).collect::<Vec<_>>(), ["archive"; 3]);
}

#[tokio::test]
async fn multi_select_accepts_options_or_texts_and_returns_labels() {
    let fixture = Fixture::new().await;
    let formats = [
        json!([{"id": 1, "name": "Exchange Online data table"}, {"id": 2, "name": "Incident note"}]),
        json!(["Exchange Online data table", "Incident note"]),
        json!([{"id": 1, "name": "Exchange Online data table"}, "Incident note"]),
    ];
    for format in formats {
        let mut inputs = query(&fixture.mailbox(0), json!({"exo_has_attachments": true}));
        inputs["exo_query_output_format"] = format;
        let results = fixture.done(QueryEmails, inputs).await;
        let expected = json!(["Exchange Online data table", "Incident note"]);
        assert_eq!(results["content"]["exo_query_output_format"], expected);
    }
    assert_eq!(fixture.sandbox.soar.rest.notes(INCIDENT).len(), 3);
    let mut inputs = query(&fixture.mailbox(0), json!({"exo_has_attachments": true}));
    inputs["exo_query_output_format"] = json!("Incident note");
    fixture.done(QueryEmails, inputs).await;
    assert_eq!(fixture.sandbox.soar.rest.notes(INCIDENT).len(), 4);
}

#[tokio::test]
async fn dates_and_numbers_accept_whole_floats() {
    let fixture = Fixture::with(crate::functions::common::empty(1)).await;
    let mailbox = fixture.graph().mailboxes().remove(0);
    fixture.put(&mailbox, mail("then"));
    let noon = ms("2026-01-15T12:00:00Z");
    for (from, to) in [(json!(noon), json!(noon)), (json!(1_768_478_400_000.0), json!(noon + 999))] {
        let mut inputs = query(&mailbox, json!({"exo_start_date": from, "exo_end_date": to}));
        inputs["incident_id"] = json!(2095.0);
        let results = fixture.done(QueryEmails, inputs).await;
        assert_eq!(subjects(&results), ["then"]);
        assert_eq!(results["content"]["incident_id"], INCIDENT);
    }
}

#[tokio::test]
async fn null_absent_and_blank_all_mean_not_given() {
    let fixture = Fixture::new().await;
    let user = fixture.mailbox(0);
    let blank = [json!(" \t\n"), json!({"format": "html", "content": "  "}), json!("\u{200b}\u{3000}")];
    let empty = [
        Value::Null,
        json!(""),
        json!({"format": "html", "content": null}),
        json!({"format": "html", "content": ""}),
    ];
    for nothing in blank.iter().chain(&empty) {
        let inputs = json!({"exo_email_address": nothing});
        let error = fixture.failed(GetEmailUserProfile, inputs).await;
        assert_eq!(error, "The input \"exo_email_address\" is required, and it is not set.");
    }
    for nothing in empty {
        let inputs = query(
            &user,
            json!({
                "exo_has_attachments": null, "exo_message_subject": nothing, "exo_message_body": nothing,
                "exo_email_address_sender": nothing, "exo_mail_folders": nothing, "exo_start_date": null, "exo_end_date": null,
            }),
        );
        let error = fixture.failed(QueryEmails, inputs).await;
        assert!(error.starts_with("At least one search criterion is required"), "{error}");
    }
    for nothing in [json!([]), Value::Null, json!([{"id": 1, "name": ""}])] {
        let mut inputs = query(&user, json!({"exo_has_attachments": true}));
        inputs["exo_query_output_format"] = nothing;
        let error = fixture.failed(QueryEmails, inputs).await;
        assert_eq!(error, "The input \"exo_query_output_format\" is required, and it is not set.");
    }
    let select = json!({"exo_email_address": user, "exo_messages_id": "x", "exo_destination_mailfolder_id": {"id": 1, "name": " "}});
    let error = fixture.failed(MoveMessageToFolder, select).await;
    let neither = "The input \"exo_destination_mailfolder_id\" or \"exo_custom_folder_name\" is required, and neither is set.";
    assert_eq!(error, neither);
    assert_eq!(fixture.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn missing_inputs_are_all_named_without_a_request() {
    let fixture = Fixture::new().await;
    let required: [(_, Value, &[&str]); 9] = [
        (GetEmailUserProfile, json!({}), &["exo_email_address"]),
        (GetMessage, json!({}), &["exo_email_address", "exo_messages_id"]),
        (
            WriteMessageAsAttachment,
            json!({"task_id": 3}),
            &["incident_id", "exo_email_address", "exo_messages_id"],
        ),
        (
            MoveMessageToFolder,
            json!({}),
            &[
                "exo_email_address",
                "exo_messages_id",
                "exo_destination_mailfolder_id",
                "exo_custom_folder_name",
            ],
        ),
        (
            SendMessage,
            json!({"exo_attachment_names": "a.txt"}),
            &["exo_email_address", "exo_recipients", "incident_id"],
        ),
        (
            CreateMeeting,
            json!({}),
            &[
                "exo_meeting_email_address",
                "exo_meeting_start_time",
                "exo_meeting_end_time",
                "exo_meeting_subject",
                "exo_meeting_body",
            ],
        ),
        (DeleteEmail, json!({}), &["exo_email_address", "exo_messages_id"]),
        (
            QueryEmails,
            json!({"exo_has_attachments": true}),
            &["exo_email_address", "exo_query_output_format", "incident_id"],
        ),
        (DeleteMessagesFromQueryResults, json!({}), &["exo_query_messages_results"]),
    ];
    for (function, inputs, names) in required {
        let error = fixture.failed(function, inputs).await;
        for name in names {
            assert!(error.contains(&format!("\"{name}\"")), "{}: {error}", function.name());
        }
        assert_eq!(error.matches('"').count(), names.len() * 2, "no other: {error}");
    }
    assert_eq!(fixture.graph().counters().token_requests, 0);
    fixture.assert_incident_untouched();
}

#[tokio::test]
async fn optional_inputs_can_be_omitted() {
    let fixture = Fixture::new().await;
    let inputs = json!({"exo_email_address": fixture.mailbox(0), "exo_recipients": "a@b.example"});
    fixture.done(SendMessage, inputs).await;
    let sent = fixture.graph().sent_mail().remove(0);
    assert_eq!((sent.subject.as_str(), sent.body.as_str(), sent.html), ("", "", true));
}

#[tokio::test]
async fn inputs_of_wrong_type_are_named_with_expected_type() {
    let fixture = Fixture::new().await;
    let inputs = json!({
        "incident_id": "soon", "exo_email_address": 7, "exo_query_output_format": [3],
        "exo_start_date": "tomorrow", "exo_has_attachments": "perhaps", "exo_message_subject": ["a"],
    });
    let error = fixture.failed(QueryEmails, inputs).await;
    for sentence in [
        "The input \"incident_id\" must be a whole number.",
        "The input \"exo_email_address\" must be a text.",
        "The input \"exo_query_output_format\" must be a list of choices.",
        "The input \"exo_start_date\" must be a date and time: milliseconds since 1970, or for instance",
        "The input \"exo_has_attachments\" must be true or false.",
        "The input \"exo_message_subject\" must be a text.",
    ] {
        assert!(error.contains(sentence), "{error}");
    }
    assert!(!error.contains("required"), "what is wrong is not missing: {error}");
    let fraction = json!({"incident_id": 1.5, "exo_email_address": "a@b.example", "exo_messages_id": "x"});
    let error = fixture.failed(WriteMessageAsAttachment, fraction).await;
    assert_eq!(error, "The input \"incident_id\" must be a whole number.");
    assert_eq!(fixture.graph().counters().token_requests, 0);
}

#[tokio::test]
async fn dates_beyond_every_calendar_are_no_dates() {
    let fixture = Fixture::new().await;
    // The last and the first that the clock library knows, and just beyond what is taken.
    for millis in [8_210_266_876_799_999_i64, -8_334_601_228_800_000, 253_370_764_800_000, i64::MAX] {
        let inputs = json!({
            "exo_meeting_email_address": fixture.mailbox(0), "exo_meeting_start_time": millis,
            "exo_meeting_end_time": millis, "exo_meeting_subject": "x", "exo_meeting_body": "y",
        });
        let error = fixture.failed(CreateMeeting, inputs).await;
        assert!(error.contains("\"exo_meeting_start_time\" must be a date and time"), "{millis}: {error}");
        let inputs = json!({
            "exo_email_address": fixture.mailbox(0), "exo_start_date": millis, "exo_end_date": millis,
        });
        let error = fixture.failed(QueryEmails, inputs).await;
        assert!(error.contains("\"exo_end_date\" must be a date and time"), "{millis}: {error}");
    }
}

#[tokio::test]
async fn blanks_around_addresses_and_ids_are_taken_off() {
    let fixture = Fixture::new().await;
    let phish = fixture.graph().planted().remove(0);
    let inputs = json!({
        "exo_email_address": format!("  {}\n", phish.mailbox), "exo_messages_id": format!("\t{} ", phish.id),
    });
    let results = fixture.done(GetMessage, inputs).await;
    assert_eq!(results["content"]["id"], fixture.graph().immutable_id(&phish.mailbox, &phish.id).unwrap());
}
