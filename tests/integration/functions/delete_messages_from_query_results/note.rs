//! The note, the file and the table of a deletion.

use serde_json::json;

use super::{deletion, found, list};
use crate::functions::common::{
    DeleteMessagesFromQueryResults, Fault, INCIDENT, Owner, RetryAfter, Target, encoded, lines,
};

#[tokio::test]
async fn note_and_file_tell_what_was_deleted_and_what_was_not() {
    let (fixture, names, mut content) = found(&[], &["Incident note", "Incident attachment"]).await;
    let id = list(&content, 1)[1]["id"].as_str().unwrap().to_owned();
    fixture.graph().faults().next(
        1,
        Target::containing(encoded(&id)),
        Fault::Status(404, RetryAfter::Absent),
    );
    content["email_results"][0]["email_list"][0]["subject"] = json!("<script>");
    let other = list(&content, 0)[1]["id"].as_str().unwrap().to_owned();
    let refused = Fault::Status(403, RetryAfter::Absent);
    fixture.graph().faults().next(9, Target::containing(encoded(&other)), refused);
    fixture.done(DeleteMessagesFromQueryResults, deletion(&content)).await;
    let (name, media_type, bytes) = fixture.attachment().await;
    let time = name.strip_prefix("exo-delete-results-").unwrap().strip_suffix(".txt").unwrap();
    assert!(chrono::NaiveDateTime::parse_from_str(time, "%Y-%m-%dT%H-%M-%S").is_ok(), "{name}");
    assert_eq!(media_type, "text/plain");
    let subject =
        |nth: usize, message: usize| list(&content, nth)[message]["subject"].as_str().unwrap().to_owned();
    let note = lines(&fixture.note());
    assert_eq!(note[0], "Incomplete: 4 messages deleted, 1 already gone, 1 not deleted");
    assert!(note[1].contains("needs the application permission Mail.ReadWrite"), "{note:?}");
    for pair in [
        [
            "Not deleted: access was denied (ErrorAccessDenied)".to_owned(),
            format!("{}: “{}”", names[0], subject(0, 1)),
        ],
        [
            "Already gone: not found, so not deleted by this call".to_owned(),
            format!("{}: “{}”", names[1], subject(1, 1)),
        ],
    ] {
        assert!(note.windows(2).any(|lines| lines == pair), "{pair:?}\n{note:?}");
    }
    assert!(note.iter().any(|line| line.starts_with("“&lt;script&gt;” – 1 message")), "{note:?}");
    assert!(!fixture.note().contains("<a "), "a message that is deleted cannot be opened");
    let text = String::from_utf8(bytes).unwrap();
    for line in [
        note[0].clone(),
        format!("  {}: 2 deleted", names[0]),
        format!("  {}: 2 deleted", names[1]),
        format!(
            "  Message {id} of {} was already gone: ErrorItemNotFound: The specified object was not found in the \
             store. (HTTP status 404)",
            names[1]
        ),
    ] {
        assert!(text.lines().any(|it| it == line), "{line}\n{text}");
    }
    let (_, rows) = fixture.table().await;
    let statuses = ["\"Deleted\"", "\"Gone\"", "\"Not deleted\",\"access was denied (ErrorAccessDenied)\""];
    let counts = statuses.map(|status| rows.iter().filter(|row| row.contains(status)).count());
    assert_eq!((counts, rows.len()), ([4, 1, 1], 7), "{rows:?}");
    assert_eq!(fixture.sandbox.soar.rest.attachments(Owner::Incident(INCIDENT)).len(), 2);
}

#[tokio::test]
async fn protected_mailboxes_are_one_reason_in_the_note() {
    let (fixture, names, mut content) = found(&[("mailboxes_denied", "*")], &["Incident note"]).await;
    content["email_results"][0]["email_list"] = json!([list(&content, 0)[0]]);
    let results = fixture.run(DeleteMessagesFromQueryResults, deletion(&content)).await.unwrap();
    assert_eq!(results["success"], false);
    let note = lines(&fixture.note());
    assert_eq!(note[0], "Incomplete: no message deleted, 4 not deleted");
    let protected =
        "Not deleted: the mailbox is protected (mailboxes_allowed, mailboxes_denied; ask your administrator)";
    assert_eq!(note.iter().filter(|line| line.starts_with("Not deleted: ")).collect::<Vec<_>>(), [protected]);
    assert!(note.iter().any(|line| line.starts_with(&format!("{}: “", names[1]))), "{note:?}");
}

#[tokio::test]
async fn note_says_first_why_a_deletion_stopped() {
    let (fixture, _, content) = found(&[("hold", "true")], &["Incident note"]).await;
    let results = fixture.run(DeleteMessagesFromQueryResults, deletion(&content)).await.unwrap();
    let reason = "An administrator has stopped all changes: they are on hold (hold).";
    assert_eq!(results["reason"], reason);
    let note = lines(&fixture.note());
    let sentence = "An administrator has stopped all changes (hold). Run this again when the hold has ended.";
    assert_eq!(note[..3], ["On hold: nothing deleted, 6 messages left", sentence, "Not deleted:"]);
    assert_eq!(fixture.note().matches("hold").count(), 3, "once in each sentence: {note:?}");
}

#[tokio::test]
async fn dry_run_is_named_where_all_messages_are_gone() {
    let (fixture, _, content) = found(&[("dry_run", "true")], &["Incident note"]).await;
    fixture.graph().faults().next(6, Target::containing("GET"), Fault::Status(404, RetryAfter::Absent));
    let results = fixture.run(DeleteMessagesFromQueryResults, deletion(&content)).await.unwrap();
    let first = "Dry run: none of 6 messages would have been deleted. Nothing was changed (dry_run). 6 of 6 messages were";
    assert!(results["reason"].as_str().unwrap().starts_with(first), "{results}");
    let note = lines(&fixture.note());
    let first = "Dry run: none of 6 messages would have been deleted, 6 already gone; nothing was changed";
    assert_eq!(note[0], first);
}
