//! What protects from a deletion by mistake, and what an interrupted call reports.

use std::io::{BufRead, BufReader};

use super::*;
use crate::support::terminal::on_terminal;

/// The inputs that delete the planted messages, in a file of the working directory.
fn found(desk: &Desk) -> String {
    let subject = format!("exo_message_subject={}", Phish::default().subject);
    let given =
        inputs(["exo_email_address=all", &subject, "exo_query_output_format=Exchange Online data table"]);
    let raw = desk.invoke(&[&["query_emails"][..], &given].concat()).payload()["raw"].clone();
    let file = desk.directory.path().join("found.json");
    fs::write(&file, json!({ "exo_query_messages_results": raw }).to_string()).unwrap();
    file.display().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletion_on_terminal_needs_a_yes() {
    let desk = Desk::new().await;
    let (config, file) = (desk.config.display().to_string(), found(&desk));
    let delete =
        ["invoke", "delete_messages_from_query_results", "--config-file", &config, "--inputs", &file, "-q"];
    let (code, shown) = on_terminal(100, &[], &delete, "n\n");
    assert!(shown.contains("Delete 7 messages in 7 mailboxes? Deleted messages can be recovered"), "{shown}");
    assert!(code == 1 && shown.contains("nothing was deleted"), "{shown}");
    assert_eq!(desk.sandbox.graph.deleted().len(), 0);

    let (code, shown) = on_terminal(100, &[], &delete, "y\n");
    assert_eq!(code, 0, "{shown}");
    assert_eq!(desk.sandbox.graph.deleted().len(), 7);
    let (_, shown) = on_terminal(100, &[], &[&delete[..], &["--yes"]].concat(), "");
    assert!(!shown.contains("Delete 7 messages"), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dry_run_deletes_nothing_and_succeeds() {
    let desk = Desk::new().await;
    let file = found(&desk);
    let function = "delete_messages_from_query_results";
    let ended = desk.invoke(&[function, "--inputs", &file, "--dry-run", "--output", "content"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(desk.sandbox.graph.deleted().len(), 0);
    // Only the content is there, without the keys of SOAR's results.
    let content = ended.payload();
    assert_eq!(content["messages_not_deleted"], 7, "{content}");
    assert_eq!(content["success"], Value::Null);

    let refused = desk.invoke(&["get_message", "--dry-run"]);
    assert!(refused.code == 2 && refused.stderr.contains("changes no mailbox"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interrupted_query_reports_that_nothing_changed() {
    let desk = Desk::new().await;
    desk.sandbox.graph.faults().set_latency(std::time::Duration::from_secs(60), std::time::Duration::ZERO);
    let mut query = Command::new(env!("CARGO_BIN_EXE_fn-exchange-online"))
        .args(["invoke", "query_emails", "--input=exo_email_address=all", "--input=exo_message_subject=x"])
        .args(["--input=exo_query_output_format=Incident note", "--config-file"])
        .arg(&desk.config)
        .current_dir(desk.directory.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(query.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("Searching ")));
    let kill = Command::new("sh").args(["-c", &format!("kill -INT {}", query.id())]).status().unwrap();
    assert!(kill.success());
    let rest: Vec<String> = lines.collect();
    assert_eq!(rest.last().unwrap(), "fn-exchange-online: interrupted. Nothing was changed.");
    assert_eq!(query.wait().unwrap().code(), Some(130));
}
