//! The demonstration works, and reports what really happened.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::support::browser::Browser;

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_fn-exchange-online"))
}

#[test]
fn investigation_runs_all_functions() {
    let directory = tempfile::tempdir().unwrap();
    let shown = program()
        .args(["sandbox", "--mailboxes", "150", "--latency", "1", "--directory"])
        .arg(directory.path())
        .output()
        .unwrap();
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.status.success(), "{text}\n{}", String::from_utf8_lossy(&shown.stderr));
    for function in fn_exchange_online::functions::Function::ALL {
        assert!(text.contains(function.name()), "{} is not shown:\n{text}", function.name());
    }
    assert!(text.contains("3 of 3 copies of the mail are gone"), "{text}");
    assert!(!text.contains('✘'), "{text}");
    // Python runs the scripts: a row for each message found, and another for each deleted.
    assert!(text.contains("its data table has 6 rows, 3 of them of deleted messages"), "{text}");
    assert_notes_are_short(&directory.path().join("incidents.html"));
}

/// Opens the page at the width of a narrow column, and compares the notes with a screen's height.
fn assert_notes_are_short(page: &std::path::Path) {
    let mut browser = Browser::open(&format!("file://{}", page.display()), 480);
    let notes = "[...document.querySelectorAll('[role=tab]')].find((tab) => tab.textContent.startsWith('Notes')).click(), \
                 [...document.querySelectorAll('#part .card')].map((note) => [note.innerText, \
                 note.getBoundingClientRect().height, note.scrollWidth <= note.clientWidth])";
    let notes = browser.value(notes);
    let notes = notes.as_array().unwrap();
    assert_eq!(notes.len(), 13, "{notes:?}");
    for note in notes {
        let (text, height) = (note[0].as_str().unwrap(), note[1].as_f64().unwrap());
        assert!(height < 900.0 && note[2] == true, "{height} pixels: {text}");
        assert!(!text.contains('{'), "JSON: {text}");
    }
    for outcome in ["message sent", "3 messages found, in 3 of ", "2 messages deleted, 1 already gone"] {
        assert!(notes.iter().any(|note| note[0].as_str().unwrap().contains(outcome)), "{outcome}: {notes:?}");
    }
}

#[test]
fn served_sandbox_writes_a_working_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let mut sandbox = program()
        .args(["sandbox", "--serve", "--mailboxes", "10", "--directory"])
        .arg(directory.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(sandbox.stdout.take().unwrap()).lines();
    let command = lines.find_map(|line| line.ok().filter(|line| line.contains("run --config-file")));
    let app_config = directory.path().join("app.config");
    assert!(command.unwrap().contains(app_config.to_str().unwrap()));
    assert_eq!(std::fs::metadata(&app_config).unwrap().permissions().mode() & 0o777, 0o600);

    let mut daemon =
        program().args(["run", "--config-file"]).arg(&app_config).stderr(Stdio::piped()).spawn().unwrap();
    let (sender, lines) = mpsc::channel();
    let log = BufReader::new(daemon.stderr.take().unwrap()).lines();
    std::thread::spawn(move || log.map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let deadline = Instant::now() + Duration::from_secs(30);
    let ready = std::iter::from_fn(|| lines.recv_timeout(deadline - Instant::now()).ok())
        .any(|line| line.contains("ready: listening for calls"));
    assert!(ready, "the daemon does not report that it is ready");
    for process in [&mut daemon, &mut sandbox] {
        process.kill().unwrap();
        process.wait().unwrap();
    }
}

#[test]
fn served_sandbox_prints_working_commands() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("it's a place");
    let on_path = parent.path().join("bin");
    std::fs::create_dir(&on_path).unwrap();
    let program_there = on_path.join("fn-exchange-online");
    for (link_to, name) in [
        (None, env!("CARGO_BIN_EXE_fn-exchange-online")),
        (Some("/bin/true"), env!("CARGO_BIN_EXE_fn-exchange-online")),
        (Some(env!("CARGO_BIN_EXE_fn-exchange-online")), "fn-exchange-online"),
    ] {
        if let Some(target) = link_to {
            let _ = std::fs::remove_file(&program_there);
            std::os::unix::fs::symlink(target, &program_there).unwrap();
        }
        let path = format!("{}:/usr/bin:/bin", on_path.display());
        let mut sandbox = program();
        sandbox.args(["sandbox", "--serve", "--mailboxes", "10", "--directory"]).arg(&directory);
        let mut sandbox = sandbox.env("PATH", &path).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(sandbox.stdout.take().unwrap()).lines();
        let _sandbox = Process(sandbox);
        let command = lines.find_map(|line| line.ok().filter(|line| line.contains(" customize "))).unwrap();
        assert!(command.trim_start().starts_with(&format!("{name} customize ")), "{command}");
        let output =
            Command::new("sh").args(["-c", &format!("{command} --dry-run")]).env("PATH", path).output();
        let output = output.unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && stderr.contains("Dry run: nothing was changed"),
            "{command}: {stderr}"
        );
    }
}

/// A process that does not outlive its test.
struct Process(std::process::Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A sandbox that serves from this directory, and says so.
fn served(directory: &std::path::Path, arguments: &[&str]) -> Process {
    let mut sandbox = program()
        .args(["sandbox", "--serve", "--mailboxes", "10"])
        .args(arguments)
        .arg("--directory")
        .arg(directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(sandbox.stdout.take().unwrap()).lines();
    let sandbox = Process(sandbox);
    assert!(lines.any(|line| line.unwrap().contains("run --config-file")));
    sandbox
}

#[test]
fn served_soar_has_the_older_app_or_nothing() {
    for (arguments, has) in
        [(&[][..], "  ~ exchange_online_query_emails"), (&["--fresh"], "  + exchange_online_query_emails")]
    {
        let directory = tempfile::tempdir().unwrap();
        let _sandbox = served(directory.path(), arguments);
        for expected in [has, "up to date"] {
            let app_config = directory.path().join("app.config");
            let output =
                program().args(["customize", "-y", "--config-file"]).arg(app_config).output().unwrap();
            let shown = [output.stdout, output.stderr].concat();
            let shown = String::from_utf8(shown).unwrap();
            assert!(output.status.success() && shown.contains(expected), "{shown}");
        }
    }
}

#[test]
fn served_sandbox_calls_the_daemon() {
    let directory = tempfile::tempdir().unwrap();
    let _sandbox = served(directory.path(), &[]);
    let door = directory.path().join("soar.json");
    assert_eq!(std::fs::metadata(door).unwrap().permissions().mode() & 0o777, 0o600);
    let app_config = directory.path().join("app.config");
    let call = |arguments: &[&str]| {
        let mut call = program();
        call.args(["sandbox", "--directory"]).arg(directory.path()).arg("--call").args(arguments);
        call.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let query = [
        "query_emails",
        "--input=exo_email_address=all",
        "--input=exo_message_subject=password expires today",
        "--input=exo_query_output_format=Exchange Online data table",
    ];
    // Both are in the queue, or wait for each other, before anybody is there to take them.
    let (first, second) =
        (call(&query), call(&["get_email_user_profile", "--input=exo_email_address=unknown@x"]));
    let daemon = program().args(["run", "--config-file"]).arg(&app_config).stderr(Stdio::null()).spawn();
    let _daemon = Process(daemon.unwrap());

    let found = first.wait_with_output().unwrap();
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
    let results: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(results["content"]["messages_found"], 1, "{results}");
    assert_eq!(results["inputs"]["incident_id"], 2095, "{results}");

    let unknown = second.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&unknown.stderr);
    assert!(unknown.status.code() == Some(1) && stderr.contains("unknown@x was not found"), "{stderr}");

    let failed = call(&["get_message"]).wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&failed.stderr);
    assert!(stderr.contains("exo_messages_id") && failed.stdout.is_empty(), "{stderr}");
}

#[test]
fn call_without_a_sandbox_says_how_to_start_one() {
    let parent = tempfile::tempdir().unwrap();
    for directory in [parent.path().to_owned(), parent.path().join("missing")] {
        let mut call = program();
        call.args(["sandbox", "--call", "query_emails", "--directory"]).arg(&directory);
        let output = call.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        let start = format!("sandbox --serve --directory {}", directory.display());
        assert!(
            stderr.contains("no sandbox is served in ") && stderr.trim_end().ends_with(&start),
            "{stderr}"
        );
        assert!(output.status.code() == Some(1) && !stderr.contains("config --create"), "{stderr}");
    }
}

/// What SOAR sends for choices and for inputs of a newer app, and the end of a call as a playbook sends it.
#[test]
fn call_sends_what_the_function_has_in_soar() {
    let directory = tempfile::tempdir().unwrap();
    let _sandbox = served(directory.path(), &[]);
    let app_config = directory.path().join("app.config");
    let call = |arguments: &[&str]| {
        let mut call = program();
        call.args(["sandbox", "--directory"]).arg(directory.path()).arg("--call").args(arguments);
        call.output().unwrap()
    };
    let refused = call(&["query_emails", "--input=exo_query_output_format=Shoe", "--input=exo_qqqqqqqq=1"]);
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("must be one of Exchange Online data table, Incident"), "{stderr}");
    assert!(stderr.contains("has no input exo_qqqqqqqq in the sandbox; it has"), "{stderr}");

    let daemon = program().args(["run", "--config-file"]).arg(&app_config).stderr(Stdio::null()).spawn();
    let _daemon = Process(daemon.unwrap());
    let moved = call(&[
        "move_message_to_folder",
        "--playbook",
        "--input=exo_email_address=unknown@x",
        "--input=exo_messages_id=AAMk",
        "--input=exo_destination_mailfolder_id=archive",
    ]);
    let results: serde_json::Value = serde_json::from_slice(&moved.stdout).unwrap();
    let folder = &results["inputs"]["exo_destination_mailfolder_id"];
    assert_eq!(folder["name"], "archive", "{results}");
    assert!(folder["id"].is_i64(), "{results}");

    let query = call(&[
        "query_emails",
        "--input=exo_email_address=all",
        "--input=exo_message_subject=nothing like it",
        "--input=exo_query_output_format=Incident note,Incident attachment",
    ]);
    let results: serde_json::Value = serde_json::from_slice(&query.stdout).unwrap();
    let outputs = results["inputs"]["exo_query_output_format"].as_array().unwrap();
    let names: Vec<_> = outputs.iter().map(|output| &output["name"]).collect();
    assert_eq!(names, ["Incident note", "Incident attachment"]);
}

/// What the page of the sandbox that is served in this directory shows.
fn shown_on_page(directory: &std::path::Path) -> serde_json::Value {
    let endpoint = std::fs::read(directory.join("soar.json")).unwrap();
    let endpoint: serde_json::Value = serde_json::from_slice(&endpoint).unwrap();
    let host = endpoint["url"].as_str().unwrap().split('/').nth(2).unwrap();
    let mut page = std::net::TcpStream::connect(host).unwrap();
    write!(page, "GET /state?after=0 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    page.read_to_string(&mut answer).unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[test]
fn call_ends_in_rows_notes_and_artifacts() {
    let directory = tempfile::tempdir().unwrap();
    let _sandbox = served(directory.path(), &[]);
    let app_config = directory.path().join("app.config");
    let import =
        program().args(["customize", "-y", "--playbooks", "--config-file"]).arg(&app_config).output();
    assert!(import.unwrap().status.success());
    let daemon = program().args(["run", "--config-file"]).arg(&app_config).stderr(Stdio::null()).spawn();
    let _daemon = Process(daemon.unwrap());
    let call = |arguments: &[&str]| {
        let mut call = program();
        call.args(["sandbox", "--directory"]).arg(directory.path()).arg("--call").args(arguments);
        let output = call.output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let message = |found: &str| {
        let found: serde_json::Value = serde_json::from_str(found).unwrap();
        let mailbox = &found["content"]["email_results"][0];
        [
            format!("--input=exo_email_address={}", mailbox["email_address"].as_str().unwrap()),
            format!("--input=exo_messages_id={}", mailbox["email_list"][0]["id"].as_str().unwrap()),
        ]
    };
    for playbook in [&[][..], &["--playbook"]] {
        let query = [
            "query_emails",
            "--input=exo_email_address=all",
            "--input=exo_message_subject=password expires today",
            "--input=exo_query_output_format=Exchange Online data table",
        ];
        let (found, stderr) = call(&[&query, playbook].concat());
        assert!(stderr.contains("1 row added"), "{stderr}");
        let [mailbox, id] = message(&found);
        let (_, stderr) = call(&[&["get_message", &mailbox, &id], playbook].concat());
        assert!(stderr.contains("1 note added"), "{stderr}");
        let folder = "--input=exo_destination_mailfolder_id=archive";
        let (_, stderr) = call(&[&["move_message_to_folder", &mailbox, &id, folder], playbook].concat());
        assert!(stderr.contains("1 row changed, 1 note added"), "{stderr}");
    }
    let state = shown_on_page(directory.path());
    let incident = &state["incidents"][0];
    assert_eq!(incident["tables"][0]["rows"].as_array().unwrap().len(), 2, "{incident}");
    assert_eq!(incident["notes"].as_array().unwrap().len(), 4, "{incident}");
    assert!(state["calls"].as_array().unwrap().iter().all(|call| call["state"] == "done"), "{state}");

    // What the function writes itself is no work of a script.
    let (_, stderr) = call(&[
        "query_emails",
        "--input=exo_email_address=all",
        "--input=exo_message_subject=password expires today",
        "--input=exo_query_output_format=Incident note",
    ]);
    assert!(stderr.contains("scripts after the function: no row, note or artifact added"), "{stderr}");

    // A script that did not run is named.
    let (_, stderr) =
        call(&["get_message", "--input=exo_email_address=unknown@x", "--input=exo_messages_id=AAA"]);
    assert!(stderr.contains("no row has this message"), "{stderr}");
}
