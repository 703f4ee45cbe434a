//! What a person hears before messages are deleted, and after Ctrl-C.

use std::io::{IsTerminal, stderr, stdin};
use std::path::Path;

use serde_json::{Map, Value};

use crate::audit::Changes;
use crate::cli::terminal::confirm_on;
use crate::cli::{ExitCode, Failure};
use crate::config::Deletion;
use crate::functions::Function;

/// Asks before a function that deletes. Without a terminal there is no one to ask, and the function runs.
///
/// # Errors
/// The answer is no.
pub(super) fn ask(
    function: Function,
    inputs: &Map<String, Value>,
    deletion: Deletion,
) -> Result<(), Failure> {
    let question = match (function, what(function, inputs)) {
        (Function::ApplyPlan, _) => application(inputs),
        (Function::RestoreMessages, _) => restoration(inputs),
        (Function::RemoveMeetings, _) => meetings(inputs),
        (_, Some(what)) => {
            let place = match deletion {
                Deletion::Recoverable => "Deleted messages can be recovered for a time.",
                Deletion::DeletedItems => "Deleted messages go to the folder Deleted Items.",
                Deletion::Permanent => "Deleted messages cannot be recovered.",
                Deletion::Quarantine => "Deleted messages go into quarantine and can be restored.",
            };
            format!("Delete {what}? {place}")
        }
        (_, None) => return Ok(()),
    };
    if !stdin().is_terminal() || !stderr().is_terminal() {
        return Ok(());
    }
    if confirm_on(&mut stderr(), &format!("{question} (y/n): ")) == Some(true) {
        return Ok(());
    }
    let nothing = match function {
        Function::RestoreMessages => "nothing was restored",
        Function::RemoveMeetings => "nothing was removed",
        _ => "nothing was deleted",
    };
    Err(Failure::new(ExitCode::Failed, &nothing))
}

/// The question before messages are restored.
fn restoration(inputs: &Map<String, Value>) -> String {
    let text = |name: &str| inputs.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let what = match (text("exo_plan_digest"), text("exo_messages_id")) {
        (Some(job), _) => format!("the messages that were removed for {job}"),
        (None, Some(_)) => format!("a message of {}", text("exo_email_address").unwrap_or_default()),
        (None, None) => "the messages that the result lists".to_owned(),
    };
    format!("Restore {what}? Each goes back to the folder that it was in.")
}

/// The question before meetings are removed.
fn meetings(inputs: &Map<String, Value>) -> String {
    let text = |name: &str| inputs.get(name).and_then(Value::as_str).unwrap_or_default();
    let uids = text("exo_ical_uid").lines().filter(|line| !line.trim().is_empty()).count();
    let (meetings, who) = (counted(uids, "meeting"), text("exo_email_address"));
    format!(
        "Remove {meetings} from the calendars of {who}? Nothing is sent. They come back as appointments only."
    )
}

/// The question before a plan is applied.
fn application(inputs: &Map<String, Value>) -> String {
    let messages = inputs.get("exo_expected_messages").and_then(Value::as_u64).unwrap_or_default();
    let messages = counted(usize::try_from(messages).unwrap_or(usize::MAX), "message");
    let with_meetings = match inputs.get("exo_include_meetings") {
        Some(Value::String(text)) => matches!(text.to_lowercase().as_str(), "true" | "yes"),
        other => other.and_then(Value::as_bool).unwrap_or(false),
    };
    let meetings = if with_meetings { ", and remove their calendar entries" } else { "" };
    let action = inputs.get("exo_removal_action").and_then(Value::as_str).unwrap_or_default();
    match action.to_lowercase().as_str() {
        "purge" => format!("Purge {messages} of the plan{meetings}? Purged messages cannot be restored."),
        "delete" => {
            format!("Delete {messages} of the plan{meetings}? Deleted messages can be recovered for a time.")
        }
        _ => format!("Move {messages} of the plan to quarantine{meetings}? They can be restored."),
    }
}

/// What the function deletes; `None` for other functions.
fn what(function: Function, inputs: &Map<String, Value>) -> Option<String> {
    let text = |name: &str| inputs.get(name).and_then(Value::as_str).unwrap_or_default();
    match function {
        Function::DeleteEmail => Some(format!("a message of {}", text("exo_email_address"))),
        Function::DeleteMessagesFromQueryResults => {
            let results: Value = serde_json::from_str(text("exo_query_messages_results")).unwrap_or_default();
            let mailboxes = results["email_results"].as_array().map_or(&[][..], Vec::as_slice);
            let count = |mailbox: &Value| mailbox["email_list"].as_array().map_or(0, Vec::len);
            let messages: usize = mailboxes.iter().map(count).sum();
            let mailboxes = mailboxes.iter().filter(|mailbox| count(mailbox) > 0).count();
            Some(format!("{} in {}", counted(messages, "message"), counted(mailboxes, "mailbox")))
        }
        _ => None,
    }
}

/// The message after Ctrl-C: what was done until then. `total`: of how many messages, where it is known.
pub(super) fn interrupted(
    function: Function,
    Changes { done, unknown, .. }: Changes,
    total: Option<usize>,
    trail: Option<&Path>,
) -> String {
    let see = trail.map_or_else(
        || "see the lines above".to_owned(),
        |trail| format!("see the audit trail {}", trail.display()),
    );
    if (done, unknown) == (0, 0) {
        return "interrupted. Nothing was changed.".to_owned();
    }
    let many = match function {
        Function::DeleteMessagesFromQueryResults => Some("deleted"),
        Function::ApplyPlan => Some("removed"),
        Function::RestoreMessages => Some("restored"),
        _ => None,
    };
    if let Some(removed) = many {
        let of =
            total.map_or_else(|| counted(done, "message"), |total| format!("{done} of {total} messages"));
        let were = if done == 1 { "was" } else { "were" };
        let more = if unknown > 0 { format!(", and {unknown} more may have been") } else { String::new() };
        return format!("interrupted. {of} {were} {removed}{more}; {see}.");
    }
    let made = if unknown > 0 { "may have been made" } else { "was made" };
    format!("interrupted. The change {made}; {see}.")
}

fn counted(count: usize, what: &str) -> String {
    match (count, what) {
        (1, _) => format!("1 {what}"),
        (_, "mailbox") => format!("{count} mailboxes"),
        _ => format!("{count} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn question_before_a_plan_says_what_becomes_of_its_messages() {
        let ask = |action: &str| {
            let inputs = serde_json::json!({"exo_expected_messages": 12, "exo_removal_action": action});
            application(inputs.as_object().unwrap())
        };
        assert!(ask("Quarantine").starts_with("Move 12 messages of the plan to quarantine?"));
        assert!(ask("Delete").ends_with("can be recovered for a time."));
        assert!(ask("Purge").ends_with("cannot be restored."));
        let inputs = serde_json::json!({
            "exo_expected_messages": 12, "exo_removal_action": "Delete", "exo_include_meetings": "yes",
        });
        let question = application(inputs.as_object().unwrap());
        assert!(question.starts_with("Delete 12 messages of the plan, and remove their calendar entries?"));
    }

    #[test]
    fn question_before_a_removal_of_meetings_counts_them() {
        let inputs = serde_json::json!({"exo_ical_uid": "a\n\nb", "exo_email_address": "all"});
        let question = meetings(inputs.as_object().unwrap());
        assert!(question.starts_with("Remove 2 meetings from the calendars of all?"), "{question}");
    }

    #[test]
    fn interruption_message_counts_what_was_done() {
        let trail = Path::new("/x/audit.log");
        let message = |function, done, unknown, total| {
            interrupted(function, Changes { done, unknown, rehearsed: 0 }, total, Some(trail))
        };
        let delete = Function::DeleteMessagesFromQueryResults;
        assert_eq!(message(Function::QueryEmails, 0, 0, Some(9)), "interrupted. Nothing was changed.");
        assert_eq!(
            message(delete, 12, 0, Some(37)),
            "interrupted. 12 of 37 messages were deleted; see the audit trail /x/audit.log."
        );
        assert_eq!(
            message(delete, 1, 4, None),
            "interrupted. 1 message was deleted, and 4 more may have been; see the audit trail /x/audit.log."
        );
        assert_eq!(
            message(Function::ApplyPlan, 2, 0, Some(9)),
            "interrupted. 2 of 9 messages were removed; see the audit trail /x/audit.log."
        );
        assert_eq!(
            message(Function::SendMessage, 0, 1, None),
            "interrupted. The change may have been made; see the audit trail /x/audit.log."
        );
    }
}
