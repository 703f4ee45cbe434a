//! Calls from the command line (`invoke`).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::audit::{DELETE, Fault, Target, acts, app_config, graph_is_asked};
use crate::support::deployment::{Daemon, Deployment};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invoked_call_is_recorded_as_such() {
    let deployment = Deployment::new().await;
    let trail = deployment.directory().join("acts.jsonl");
    let config = deployment.write("app.config", &app_config(&deployment, &trail, &[]));
    let mailbox = deployment.mailbox(0);
    let id = deployment.add_message(&mailbox, "x", "y");
    let (mailbox, id) = (format!("exo_email_address={mailbox}"), format!("exo_messages_id={id}"));
    let config = config.display().to_string();
    let invoke = |function: &str| {
        Daemon::spawn_in(
            &[("USER", "mary")],
            &["invoke", function, "--input", &mailbox, "--input", &id, "--config-file", &config],
        )
    };
    assert_eq!(invoke("get_message").outcome().await.0, 0);
    let (code, _, log) = invoke("delete_email").outcome().await;
    assert_eq!(code, 0, "{log}");
    let acts = acts(&trail);
    assert_eq!((&acts[0]["act"], &acts[0]["outcome"]), (&json!("read message"), &json!("read")));
    // What the environment says of the user, anybody can set.
    let uid = fs::metadata("/proc/self").unwrap().uid();
    let by = json!(format!("mary (by hand, uid {uid})"));
    assert_eq!((acts.len(), &acts[0]["principal"], &acts[1]["principal"]), (2, &by, &by));
    assert_eq!((&acts[1]["function"], &acts[1]["outcome"]), (&json!(DELETE), &json!("deleted")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invoked_call_without_file_is_recorded_on_screen() {
    let deployment = Deployment::new().await;
    let mailbox = deployment.mailbox(0);
    let id = deployment.add_message(&mailbox, "x", "y");
    let config = deployment.write("app.config", &app_config(&deployment, Path::new(""), &[]));
    let (mailbox, id) = (format!("exo_email_address={mailbox}"), format!("exo_messages_id={id}"));
    let config = config.display().to_string();
    let arguments = ["invoke", "delete_email", "--input", &mailbox, "--input", &id, "--config-file", &config];
    let (code, _, log) = Daemon::spawn(&arguments).outcome().await;
    let lines: Vec<_> = log.lines().filter(|line| line.contains("[audit] delete message")).collect();
    assert!(code == 0 && lines.len() == 2, "{log}");
    assert!(lines[0].contains("outcome=begun") && lines[1].contains("outcome=deleted"), "{log}");
}

/// What is called by hand to delete a message, and where its trail is to be.
struct ByHand {
    deployment: Deployment,
    directory: PathBuf,
    arguments: Vec<String>,
}

impl ByHand {
    async fn new() -> Self {
        let deployment = Deployment::new().await;
        let directory = deployment.directory().join("trail");
        let config = app_config(&deployment, &directory.join("acts"), &[]);
        let config = deployment.write("app.config", &config).display().to_string();
        let mailbox = deployment.mailbox(0);
        let id = deployment.add_message(&mailbox, "x", "y");
        let inputs = [format!("exo_email_address={mailbox}"), format!("exo_messages_id={id}")];
        let mut arguments = vec!["invoke".to_owned(), "delete_email".to_owned()];
        for (option, value) in [("--input", &inputs[0]), ("--input", &inputs[1]), ("--config-file", &config)]
        {
            arguments.extend([option.to_owned(), value.clone()]);
        }
        Self { deployment, directory, arguments }
    }

    fn call(&self) -> Daemon {
        Daemon::spawn(&self.arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unrecordable_invoked_call_does_not_run() {
    let by_hand = ByHand::new().await;
    let (code, out, log) = by_hand.call().outcome().await;
    assert_eq!((code, out.as_str()), (1, ""), "{log}");
    assert!(log.contains("Nothing was changed") && log.contains("audit_file"), "{log}");
    assert!(by_hand.deployment.sandbox.graph.deleted().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unrecorded_invoked_call_exits_with_1_and_its_result() {
    let by_hand = ByHand::new().await;
    fs::create_dir(&by_hand.directory).unwrap();
    let graph = &by_hand.deployment.sandbox.graph;
    graph.faults().next(1, Target::containing("DELETE"), Fault::Delay(Duration::from_secs(1)));
    let call = by_hand.call();
    graph_is_asked(&by_hand.deployment).await;
    fs::rename(&by_hand.directory, by_hand.directory.with_extension("away")).unwrap();
    let (code, out, log) = call.outcome().await;
    assert_eq!((code, graph.deleted().len()), (1, 1), "{log}");
    let results: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(results["success"], true);
    assert!(log.contains("the lines above are the only record"), "{log}");
    assert!(log.contains("[audit] delete message") && log.contains("outcome=deleted"), "{log}");
}
