//! What the analyst reads when Graph does not do it, and what is tried again before.

use fn_exchange_online::functions::Function;
use sandbox::graph::{TenantOptions, TokenRefusal};
use serde_json::{Value, json};

use crate::functions::common::{
    CreateMeeting, DeleteEmail, Fault, Fixture, GetEmailUserProfile, GetMessage, INCIDENT,
    MoveMessageToFolder, QueryEmails, RetryAfter, SOON, SendMessage, Target, WriteMessageAsAttachment, query,
};
use crate::functions::front::Front;

/// Each function with inputs that would do, the permission it needs, and the roles to take so that it has none.
fn each(fixture: &Fixture) -> Vec<(Function, Value, &'static str, &'static [&'static str])> {
    const MAIL: &[&str] = &["Mail.ReadWrite", "Mail.Read"];
    let phish = fixture.graph().planted().remove(0);
    let message = json!({
        "incident_id": INCIDENT, "exo_email_address": phish.mailbox, "exo_messages_id": phish.id,
        "exo_destination_mailfolder_id": "archive", "exo_recipients": "a@b.example",
    });
    let start = chrono::Utc::now().timestamp_millis() + 86_400_000;
    let meeting = json!({
        "exo_meeting_email_address": phish.mailbox, "exo_meeting_start_time": start,
        "exo_meeting_end_time": start + 1, "exo_meeting_subject": "s", "exo_meeting_body": "b",
    });
    let criteria = json!({"exo_has_attachments": true});
    vec![
        (GetEmailUserProfile, message.clone(), "User.Read.All", &["User.Read.All"]),
        (GetMessage, message.clone(), "Mail.Read (or Mail.ReadWrite)", MAIL),
        (WriteMessageAsAttachment, message.clone(), "Mail.Read (or Mail.ReadWrite)", MAIL),
        (MoveMessageToFolder, message.clone(), "Mail.ReadWrite", MAIL),
        (SendMessage, message.clone(), "Mail.Send", &["Mail.Send"]),
        (CreateMeeting, meeting.clone(), "Calendars.ReadWrite", &["Calendars.ReadWrite"]),
        (CreateMeeting, meeting, "MailboxSettings.Read", &["MailboxSettings.Read"]),
        (DeleteEmail, message, "Mail.ReadWrite", MAIL),
        (QueryEmails, query(&phish.mailbox, criteria.clone()), "Mail.Read (or Mail.ReadWrite)", MAIL),
        (
            QueryEmails,
            query("all", criteria.clone()),
            "Mail.Read (or Mail.ReadWrite) and User.Read.All",
            MAIL,
        ),
        (
            QueryEmails,
            query("all", criteria),
            "Mail.Read (or Mail.ReadWrite) and User.Read.All",
            &["User.Read.All"],
        ),
    ]
}

#[tokio::test]
async fn missing_permission_is_named_with_mailbox_and_request_id() {
    let fixture = Fixture::new().await;
    for (function, inputs, permission, roles) in each(&fixture) {
        for role in roles {
            fixture.graph().faults().take_role(role);
        }
        let error = match fixture.run(function, inputs.clone()).await {
            // A refused move is an answer, as with the older app.
            Ok(results) if function == MoveMessageToFolder => results["reason"].as_str().unwrap().to_owned(),
            failed => failed.unwrap_err(),
        };
        fixture.graph().faults().clear();
        let mailbox =
            ["exo_email_address", "exo_meeting_email_address"].iter().find_map(|name| inputs[*name].as_str());
        let start = error.split(": ").next().unwrap();
        assert!(start.starts_with("Could not ") && start.contains(mailbox.unwrap()), "{error}");
        assert!(
            error.contains("HTTP status 403, ErrorAccessDenied: Access is denied.")
                || error.contains("HTTP status 403, Authorization_RequestDenied: Insufficient privileges"),
            "{error}"
        );
        assert!(error.contains(" (request-id "), "{error}");
        assert!(error.contains(&format!("needs the application permission {permission}, ")), "{error}");
    }
    assert!(fixture.graph().sent_mail().is_empty() && fixture.graph().deleted().is_empty());
    fixture.assert_incident_untouched();
}

#[tokio::test]
async fn mail_read_suffices_except_for_move_and_delete() {
    let fixture = Fixture::new().await;
    fixture.graph().faults().take_role("Mail.ReadWrite");
    fixture.graph().faults().give_role("Mail.Read");
    for (function, inputs, _, _) in each(&fixture) {
        let results = fixture.run(function, inputs).await;
        let writes = [MoveMessageToFolder, DeleteEmail].contains(&function);
        let is_done = results.as_ref().is_ok_and(|results| results["success"] == true);
        assert_eq!(!is_done, writes, "{}: {results:?}", function.name());
    }
}

#[tokio::test]
async fn refused_token_is_renewed_once_and_request_retried() {
    let fixture = Fixture::new().await;
    for (function, inputs, ..) in each(&fixture).into_iter().take(9).filter(|(f, ..)| *f != DeleteEmail) {
        if function == MoveMessageToFolder || function == WriteMessageAsAttachment {
            continue;
        }
        fixture.graph().revoke_tokens();
        fixture.graph().forget_requests();
        fixture.done(function, inputs).await;
        assert!(fixture.graph().counters().token_requests == 1, "{}", function.name());
    }
}

#[tokio::test]
async fn token_refused_twice_fails_and_names_permission() {
    let fixture = Fixture::new().await;
    fixture.graph().faults().next(9, Target::HttpRequest, Fault::Status(401, RetryAfter::Absent));
    let error = fixture.failed(GetEmailUserProfile, json!({"exo_email_address": fixture.mailbox(0)})).await;
    assert!(error.contains("HTTP status 401, InvalidAuthenticationToken"), "{error}");
    assert!(error.contains("User.Read.All"), "{error}");
    assert_eq!(fixture.asked().len(), 2, "once more, not for ever");
}

#[tokio::test]
async fn refused_sign_in_reports_entra_code_without_retry() {
    let fixture = Fixture::new().await;
    fixture.graph().faults().refuse_tokens(Some(TokenRefusal::InvalidSecret));
    for (function, inputs, ..) in each(&fixture) {
        fixture.graph().forget_requests();
        let error = fixture.failed(function, inputs).await;
        assert!(error.contains("AADSTS7000215") && error.contains("Could not "), "{error}");
        assert_eq!(fixture.graph().counters().token_requests, 1, "{}", function.name());
        assert_eq!(fixture.asked(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn other_refusals_fail_the_call_at_once_in_one_sentence() {
    let fixture = Fixture::new().await;
    let inputs = json!({"exo_email_address": fixture.mailbox(0), "exo_messages_id": "AAMk="});
    for (status, code) in [(400, "BadRequest"), (413, "BadRequest")] {
        fixture.graph().faults().next(1, Target::HttpRequest, Fault::Status(status, RetryAfter::Absent));
        let error = fixture.failed(GetMessage, inputs.clone()).await;
        let start = format!(
            "Could not read message AAMk= of mailbox {}: Microsoft Graph answered HTTP status {status}, {code}: ",
            fixture.mailbox(0)
        );
        assert!(error.starts_with(&start) && error.ends_with(")."), "{error}");
        assert!(!error.contains("permission"), "{error}");
        assert_eq!(fixture.asked().len(), 1);
    }
}

#[tokio::test]
async fn outages_are_outlasted_and_end_the_call_when_they_last() {
    for status in [429, 500, 502, 503, 504] {
        let fixture = Fixture::configured(TenantOptions::default(), &[("max_retries_total", "2")]).await;
        let inputs = json!({"exo_email_address": fixture.mailbox(0)});
        let fault = Fault::Status(status, RetryAfter::Absent);
        fixture.graph().faults().next(2, Target::HttpRequest, fault);
        fixture.done(GetEmailUserProfile, inputs.clone()).await;
        assert_eq!(fixture.asked().len(), 3);
        fixture.graph().faults().next(9, Target::HttpRequest, fault);
        let error = fixture.failed(GetEmailUserProfile, inputs).await;
        assert!(error.contains(&format!("HTTP status {status}")) && error.contains("request-id"), "{error}");
        assert_eq!(fixture.asked().len(), 3);
    }
}

#[tokio::test]
async fn unreadable_answer_to_a_read_is_retried() {
    for fault in [Fault::Html, Fault::BrokenJson, Fault::CutBody, Fault::Close] {
        let fixture = Fixture::new().await;
        let phish = fixture.graph().planted().remove(0);
        let inputs = json!({"exo_email_address": phish.mailbox, "exo_messages_id": phish.id});
        for function in [GetEmailUserProfile, GetMessage] {
            fixture.graph().faults().next(1, Target::HttpRequest, fault);
            fixture.done(function, inputs.clone()).await;
            assert_eq!(fixture.asked().len(), 2, "{fault:?}");
        }
        fixture.graph().faults().next(1, Target::HttpRequest, fault);
        let results = fixture
            .done(QueryEmails, query(&phish.mailbox, json!({"exo_message_subject": "password"})))
            .await;
        assert!(results["content"]["messages_found"].as_u64().unwrap() > 0);
    }
}

#[tokio::test]
async fn repeated_unreadable_answer_is_reported_without_its_text() {
    let fixture = Fixture::configured(TenantOptions::default(), &[("max_retries_total", "1")]).await;
    for fault in [Fault::Html, Fault::BrokenJson] {
        fixture.graph().faults().next(2, Target::HttpRequest, fault);
        let error =
            fixture.failed(GetEmailUserProfile, json!({"exo_email_address": fixture.mailbox(0)})).await;
        assert!(
            error.contains("what came back with HTTP status 200 is not an answer of Microsoft Graph"),
            "{error}"
        );
        assert!(!error.contains('<') && !error.contains('{'), "nothing of it is quoted: {error}");
    }
}

#[tokio::test]
async fn unreachable_graph_is_reported_without_its_query() {
    let mut fixture = Fixture::configured(TenantOptions::default(), &[("max_retries_total", "1")]).await;
    let front = Front::before(&mut fixture).await;
    drop(front);
    let error = fixture.failed(QueryEmails, query("all", json!({"exo_message_subject": "geheim"}))).await;
    assert!(error.starts_with("Could not search the messages of all: "), "{error}");
    assert!(error.contains("could not be reached") || error.contains("no access token"), "{error}");
    assert!(!error.contains("geheim"), "{error}");
}

#[tokio::test]
async fn html_404_names_the_graph_url_setting() {
    let mut fixture = Fixture::configured(TenantOptions::default(), &[("max_retries_total", "0")]).await;
    let front = Front::before(&mut fixture).await;
    front.answer_as("text/html", 1, "/users/", 404, "<h1>Not Found</h1>");
    let error = fixture.failed(GetEmailUserProfile, json!({"exo_email_address": fixture.mailbox(0)})).await;
    assert!(error.contains("404") && error.contains("microsoft_graph_url"), "{error}");
}

#[tokio::test]
async fn throttled_request_waits_for_retry_after() {
    let fixture = Fixture::new().await;
    fixture.graph().faults().next(1, Target::HttpRequest, Fault::Status(429, RetryAfter::Seconds(1)));
    fixture.graph().faults().next(1, Target::HttpRequest, Fault::Status(429, SOON));
    fixture.done(GetEmailUserProfile, json!({"exo_email_address": fixture.mailbox(0)})).await;
    let requests = fixture.requests();
    assert_eq!(requests.len(), 3);
    assert!(requests[1].at - requests[0].at >= std::time::Duration::from_secs(1));
}
