//! `exchange_online_query_emails`: the note and the file it writes, and its progress.

use std::time::Duration;

use sandbox::graph::{Address, TenantOptions};
use sandbox::soar::rest::Failure;
use serde_json::{Value, json};

use crate::functions::common::{
    Fault, Fixture, INCIDENT, Owner, QueryEmails, RetryAfter, Target, at, empty, encoded, lines, mail, ms,
    query,
};
use crate::functions::query_troubles::fail;

fn written(who: &str, formats: &[&str], criteria: Value) -> Value {
    let mut inputs = query(who, criteria);
    inputs["exo_query_output_format"] = json!(formats);
    inputs
}

async fn two_mailboxes() -> (Fixture, Vec<String>) {
    let fixture = Fixture::configured(empty(3), &[("max_retries_total", "0")]).await;
    let names = fixture.graph().mailboxes();
    fixture.put(&names[0], mail("<b>Tom & \"Jerry\"</b>"));
    fixture.put(&names[1], mail("<b>Tom & \"Jerry\"</b> 2"));
    fixture.put(&names[1], mail("<b>Tom & \"Jerry\"</b> 3"));
    (fixture, names)
}

#[tokio::test]
async fn note_says_the_outcome_first_and_groups_messages() {
    let fixture = Fixture::with(empty(6)).await;
    let names = fixture.graph().mailboxes();
    for name in &names[..5] {
        fixture.put(name, mail("<b>Tom & \"Jerry\"</b>"));
    }
    let mut later = mail("Tom & \"Jerry\" again");
    later.received = at("2026-01-16T00:30:15Z");
    fixture.put(&names[5], later.clone());
    later.received = at("2026-01-15T23:59:59Z");
    fixture.put(&names[5], later);
    fixture
        .done(QueryEmails, written("all", &["Incident note"], json!({"exo_message_subject": "Jerry"})))
        .await;
    let note = lines(&fixture.note());
    assert_eq!(
        note[..note.len() - 2],
        [
            "Exchange Online: 7 messages found, in 6 of 6 mailboxes searched".to_owned(),
            "Looked for: all users · subject contains “Jerry”".to_owned(),
            "“&lt;b&gt;Tom &amp; &quot;Jerry&quot;&lt;/b&gt;” – 5 messages, from Eve &lt;eve@elsewhere.example&gt;, received \
             15 Jan 2026 12:00 UTC, no attachments"
                .to_owned(),
            format!("{} – 12:00:00 – open", names[0]),
            format!("{} – 12:00:00 – open", names[1]),
            format!("{} – 12:00:00 – open", names[2]),
            "… and 2 more".to_owned(),
            "“Tom &amp; &quot;Jerry&quot; again” – 2 messages, from Eve &lt;eve@elsewhere.example&gt;, received 15 Jan 2026 \
             23:59 – 16 Jan 2026 00:30 UTC, no attachments"
                .to_owned(),
            format!("{} – 16 Jan 2026 00:30:15 – open", names[5]),
            format!("{} – 15 Jan 2026 23:59:59 – open", names[5]),
            "For the rest, choose the data table or Incident attachment as output.".to_owned(),
        ]
    );
    assert_eq!(fixture.note().matches("<a href=\"https://").count(), 5);
    let last = note.last().unwrap();
    assert!(last.starts_with("Took less than 1 s · reference "), "{last}");
}

#[tokio::test]
async fn note_names_criteria_and_failures_by_reason() {
    let (fixture, names) = two_mailboxes().await;
    let path = format!("/users/{}/messages", encoded(&names[2]));
    fixture.graph().faults().next(1, Target::containing(path), Fault::Status(403, RetryAfter::Absent));
    let criteria = json!({
        "exo_email_address_sender": "eve@elsewhere.example", "exo_start_date": ms("2026-01-01T00:00:00Z"),
        "exo_end_date": ms("2026-02-01T00:00:00Z"), "exo_has_attachments": false, "exo_mail_folders": null,
        "exo_message_subject": "<b>Tom & \"Jerry\"</b>",
    });
    let who = format!("{}, unknown@contoso.example", names.join(", "));
    fixture.done(QueryEmails, written(&who, &["Incident note"], criteria)).await;
    let note = lines(&fixture.note());
    let first = "Incomplete: 3 messages found, in 2 of 2 mailboxes searched; 1 mailbox could not be searched; 1 mailbox \
                 not found";
    assert_eq!(note[0], first);
    assert!(fixture.note().starts_with("<div><b><span style=\"color:red\">Incomplete:</span></b><b> 3"));
    let looked_for = format!(
        "Looked for: {who} · sender eve@elsewhere.example · received from 2026-01-01T00:00:00Z · received to \
         2026-02-01T00:00:00Z · without attachments · subject contains “&lt;b&gt;Tom &amp; &quot;Jerry&quot;&lt;/b&gt;”"
    );
    assert_eq!(note[1], looked_for);
    for line in [
        format!("Not searched: access was denied (ErrorAccessDenied): {}", names[2]),
        "Not searched: there is no such mailbox (give the user principal name, as the directory lists it): \
         unknown@contoso.example"
            .to_owned(),
    ] {
        assert!(note.contains(&line), "{line}\n{note:?}");
    }
    assert!(!fixture.note().contains("request-id") && !fixture.note().contains("Tom & "), "{note:?}");
    assert!(fixture.sandbox.soar.rest.attachments(Owner::Incident(INCIDENT)).is_empty());
}

#[tokio::test]
async fn failure_of_many_mailboxes_is_one_line() {
    let tenant = TenantOptions { users_without_mailbox: 12, ..empty(15) };
    let fixture = Fixture::configured(tenant, &[("max_retries_total", "0")]).await;
    for name in &fixture.graph().mailboxes()[..14] {
        fail(&fixture, name, Fault::Status(403, RetryAfter::Absent));
    }
    fixture.put(&fixture.graph().mailboxes()[14], mail("x"));
    fixture.done(QueryEmails, written("all", &["Incident note"], json!({"exo_start_date": 0}))).await;
    let note = lines(&fixture.note());
    let not_searched: Vec<_> = note.iter().filter(|line| line.starts_with("Not searched: ")).collect();
    assert_eq!(not_searched.len(), 1, "{note:?}");
    assert!(
        not_searched[0].ends_with(", and 4 more") && not_searched[0].matches('@').count() == 10,
        "{note:?}"
    );
    let guests = "12 users have no mailbox in Exchange Online (guests, unlicensed, or on premises).";
    assert!(note.iter().any(|line| line == guests), "{note:?}");
    assert!(fixture.note().contains(&format!("<span style=\"color:gray\">{guests}")), "no reason to act");
}

#[tokio::test]
async fn note_is_short_whatever_was_found() {
    let fixture = Fixture::with(empty(2)).await;
    let name = fixture.mailbox(0);
    for nth in 0..30 {
        let mut mail = mail(&format!("{nth} {}", "long ".repeat(100)));
        mail.from = Address::new("", format!("{nth}@elsewhere.example"));
        fixture.put(&name, mail);
    }
    let outputs = ["Incident note", "Incident attachment", "Exchange Online data table"];
    fixture.done(QueryEmails, written(&name, &outputs, json!({"exo_start_date": 0}))).await;
    let note = fixture.note();
    assert_eq!((note.matches("<ul>").count(), note.len() < 6_000), (5, true), "{}", note.len());
    let (table, rows) = fixture.table().await;
    let rest =
        format!("… and 25 messages with other subjects or senders: see the data table, or the file {table}");
    assert!(lines(&note).contains(&rest), "{note}");
    assert_eq!(rows.len(), 31);
}

#[tokio::test]
async fn report_file_is_plain_text_named_by_time() {
    let (fixture, names) = two_mailboxes().await;
    let criteria = json!({"exo_message_subject": "Tom & \"Jerry\"", "exo_mail_folders": "inbox", "exo_message_body": "hello"});
    let before = chrono::Local::now().naive_local() - chrono::TimeDelta::seconds(1);
    fixture.done(QueryEmails, written("all", &["Incident attachment"], criteria)).await;
    let (name, media_type, bytes) = fixture.attachment().await;
    let time = name.strip_prefix("exo-query-results-").unwrap().strip_suffix(".txt").unwrap();
    let time = chrono::NaiveDateTime::parse_from_str(time, "%Y-%m-%dT%H-%M-%S").unwrap();
    assert!(time >= before && time <= chrono::Local::now().naive_local(), "{name}");
    assert_eq!((time.to_string().len(), media_type.as_str()), (19, "text/plain"));
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with("Exchange Online: 3 messages found, in 2 of 3 mailboxes searched\n"), "{text}");
    for line in [
        "  Email address: all".to_owned(),
        "  Mail folder: inbox".to_owned(),
        "  Message subject: Tom & \"Jerry\"".to_owned(),
        "  Message body: hello".to_owned(),
        format!("  {}: 1 found", names[0]),
        format!("  {}: 2 found", names[1]),
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    assert!(text.lines().last().unwrap().starts_with("Took less than 1 s · reference "), "{text}");
    assert!(fixture.sandbox.soar.rest.notes(INCIDENT).is_empty());
}

#[tokio::test]
async fn table_has_a_row_for_each_message_and_no_formula() {
    let fixture = Fixture::with(empty(1)).await;
    let mut hostile = mail("=HYPERLINK(\"x\")\r\nnext");
    hostile.from = Address::new("+1", "eve@elsewhere.example");
    let id = fixture.put(&fixture.mailbox(0), hostile);
    let inputs = written("all", &["Incident attachment"], json!({"exo_start_date": 0}));
    fixture.done(QueryEmails, inputs.clone()).await;
    let (name, rows) = fixture.table().await;
    let (text_file, ..) = fixture.attachment().await;
    assert_eq!(name.strip_suffix("csv"), text_file.strip_suffix("txt"));
    assert!(!name.contains([':', '/', '\\', '*', '?', '"', '<', '>', '|']), "{name}");
    assert_eq!(
        rows[0],
        "mailbox,received (UTC),sender name,sender address,subject,attachments,status,reason,link,internet message \
         id,message id,reference"
    );
    let [_, row] = rows.as_slice() else { panic!("{rows:?}") };
    let expected = format!(
        "\"{}\",\"2026-01-15 12:00:00\",\"'+1\",\"eve@elsewhere.example\",\"'=HYPERLINK(\"\"x\"\")  next\",\"no\",\
         \"Found\",,\"https://",
        fixture.mailbox(0)
    );
    assert!(row.starts_with(&expected) && row.contains(&id), "{row}\n{expected}");

    // Nothing found is no table.
    let fixture = Fixture::with(empty(1)).await;
    fixture.done(QueryEmails, inputs).await;
    assert_eq!(fixture.sandbox.soar.rest.attachments(Owner::Incident(INCIDENT)).len(), 1);
}

#[tokio::test]
async fn note_and_file_are_written_only_if_requested() {
    let (fixture, _) = two_mailboxes().await;
    fixture
        .done(QueryEmails, written("all", &["Exchange Online data table"], json!({"exo_start_date": 0})))
        .await;
    fixture.assert_incident_untouched();
    fixture
        .done(
            QueryEmails,
            written("all", &["Incident note", "Incident attachment"], json!({"exo_start_date": 0})),
        )
        .await;
    fixture.note();
    fixture.attachment().await;
    fixture.table().await;
}

#[tokio::test]
async fn note_names_the_reached_limit() {
    let fixture = Fixture::configured(empty(3), &[("max_messages", "2"), ("max_users", "2")]).await;
    let names = fixture.graph().mailboxes();
    for name in &names {
        fixture.put(name, mail("x"));
    }
    fixture
        .done(QueryEmails, written(&names[..1].join(","), &["Incident note"], json!({"exo_start_date": 0})))
        .await;
    assert!(!fixture.note().contains("Incomplete"), "{}", fixture.note());
    let fixture = Fixture::configured(empty(3), &[("max_messages", "1")]).await;
    let names = fixture.graph().mailboxes();
    for name in &names {
        fixture.put(name, mail("x"));
    }
    fixture.done(QueryEmails, written("all", &["Incident note"], json!({"exo_start_date": 0}))).await;
    let note = lines(&fixture.note());
    assert_eq!(note[0], "Incomplete: 1 message found in 1 mailbox; there may be more");
    let stopped = "The search stopped at 1 message, the most that one query returns here (max_messages). ";
    assert!(note[1].starts_with(stopped) && note[1].contains("all others were not looked at"), "{note:?}");
}

#[tokio::test]
async fn failed_note_does_not_fail_the_query() {
    let (fixture, _) = two_mailboxes().await;
    fixture.sandbox.soar.rest.fail_next("comments", usize::MAX, Failure::Status(403));
    let results =
        fixture.done(QueryEmails, written("all", &["Incident note"], json!({"exo_start_date": 0}))).await;
    assert_eq!(results["content"]["messages_found"], 3);
    let reason = results["reason"].as_str().unwrap();
    assert!(reason.starts_with("The note was not written: ") && reason.contains("403"), "{reason}");
}

#[tokio::test]
async fn progress_is_reported_every_few_seconds() {
    let mut fixture = Fixture::configured(empty(30), &[("max_batched_requests", "1")]).await;
    fixture.graph().faults().set_latency(Duration::from_millis(1200), Duration::ZERO);
    fixture.done(QueryEmails, query("all", json!({"exo_start_date": 0}))).await;
    let status_messages = fixture.status_messages();
    assert_eq!(status_messages[0], "Searching the mailboxes of all users");
    let progress = &status_messages[1..];
    assert!((1..=2).contains(&progress.len()), "{status_messages:?}");
    let numbers =
        progress[0].strip_prefix("Searched ").unwrap().strip_suffix(" of 30 users, 0 messages found");
    assert!(numbers.unwrap().parse::<usize>().unwrap() > 0, "{status_messages:?}");
}
