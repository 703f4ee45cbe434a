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
    let Some(what) = what(function, inputs) else { return Ok(()) };
    if !stdin().is_terminal() || !stderr().is_terminal() {
        return Ok(());
    }
    let place = match deletion {
        Deletion::Recoverable => "Deleted messages can be recovered for a time.",
        Deletion::DeletedItems => "Deleted messages go to the folder Deleted Items.",
        Deletion::Permanent => "Deleted messages cannot be recovered.",
    };
    if confirm_on(&mut stderr(), &format!("Delete {what}? {place} (y/n): ")) == Some(true) {
        return Ok(());
    }
    Err(Failure::new(ExitCode::Failed, &"nothing was deleted"))
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
    if function == Function::DeleteMessagesFromQueryResults {
        let of =
            total.map_or_else(|| counted(done, "message"), |total| format!("{done} of {total} messages"));
        let were = if done == 1 { "was" } else { "were" };
        let more = if unknown > 0 { format!(", and {unknown} more may have been") } else { String::new() };
        return format!("interrupted. {of} {were} deleted{more}; {see}.");
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
            message(Function::SendMessage, 0, 1, None),
            "interrupted. The change may have been made; see the audit trail /x/audit.log."
        );
    }
}
