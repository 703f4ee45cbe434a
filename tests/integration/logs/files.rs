//! Where the log goes, and that trouble with it stops no call.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_file_is_rotated() {
    let options = [("log_max_bytes", "100000"), ("log_backup_count", "2")];
    let mut running = Running::start_with(&options, |logs| {
        fs::write(logs.join("app.log"), "a\n".repeat(49_999)).unwrap();
        fs::write(logs.join("app.log.1"), "one").unwrap();
        fs::write(logs.join("app.log.2"), "two").unwrap();
    })
    .await;
    assert!(running.stop().success());
    let logs = running.directory.path().join("logs");
    assert!(running.text().contains("starting") && !running.text().contains("a\na\n"));
    assert_eq!(fs::read_to_string(logs.join("app.log.1")).unwrap(), "a\n".repeat(49_999));
    assert_eq!(fs::read_to_string(logs.join("app.log.2")).unwrap(), "one");
    assert!(!logs.join("app.log.3").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotation_can_be_disabled() {
    for option in [("log_max_bytes", "0"), ("log_backup_count", "0")] {
        let mut running = Running::start_with(&[option], |logs| {
            fs::write(logs.join("app.log"), "a\n".repeat(6_000_000)).unwrap();
        })
        .await;
        assert!(running.stop().success());
        assert!(running.text().starts_with("a\na\n") && running.text().contains("starting"), "{option:?}");
        assert!(!running.directory.path().join("logs/app.log.1").exists(), "{option:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moved_log_file_is_created_again() {
    let running = Running::start(&[]).await;
    running.until("signed in").await;
    let moved = running.directory.path().join("logs/moved.log");
    fs::rename(running.log(), &moved).unwrap();
    running.profile().await;
    running.until("call completed").await;
    assert!(!fs::read_to_string(&moved).unwrap().contains("call started"));
    fs::remove_file(running.log()).unwrap();
    running.profile().await;
    running.until("call completed").await;
    assert!(!running.text().contains("signed in"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_directory_costs_only_lines() {
    let running = Running::start(&[]).await;
    running.until("signed in").await;
    let (logs, away) = (running.directory.path().join("logs"), running.directory.path().join("away"));
    fs::rename(&logs, &away).unwrap();
    assert_eq!(running.profile().await.message_type, 0);
    let stderr = running.directory.path().join("stderr");
    running.until_in(&stderr, "the log file cannot be written").await;
    running.until_in(&stderr, "call completed").await;
    fs::create_dir(&logs).unwrap();
    assert_eq!(running.profile().await.message_type, 0);
    running.until("call completed").await;
    let text = running.text();
    assert!(
        parts(text.lines().next().unwrap()).2.contains("lines of the log could not be written here"),
        "{text}"
    );
    assert_eq!(running.stderr().matches("the log file cannot be written").count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_disk_does_not_stop_calls() {
    let mut running = Running::start(&[("logdir", "/dev"), ("logfile", "full")]).await;
    for _ in 0..3 {
        assert_eq!(running.profile().await.message_type, 0);
    }
    assert!(running.stop().success());
    let stderr = running.stderr();
    assert_eq!(stderr.matches("call completed").count(), 3, "{stderr}");
    assert_eq!(stderr.matches("the log file cannot be written: No space left").count(), 1, "{stderr}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocked_stderr_does_not_stop_calls() {
    let mut running = Running::start_on(&[], |_| (), |_| Stdio::piped()).await;
    // Each call's lines hold this; a pipe holds 64 KiB.
    let long = "x".repeat(4000);
    for _ in 0..25 {
        running.call(&long, json!({})).await;
    }
    running.profile().await;
    running.until("call completed").await;
    assert_eq!(running.text().matches("unknown function").count(), 25);
    assert!(running.stop().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_without_file_goes_to_stderr() {
    let mut running = Running::start(&[("logfile", ""), ("logdir", "/no/such/directory")]).await;
    assert_eq!(running.profile().await.message_type, 0);
    assert!(running.stop().success());
    assert!(running.stderr().contains("call completed"));
    assert_eq!(fs::read_dir(running.directory.path().join("logs")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unwritable_log_ends_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(directory.path(), TenantOptions::default(), SoarOptions::default());
    let sandbox = sandbox.await.unwrap();
    let config = directory.path().join("app.config");
    let missing = directory.path().join("missing");
    // A directory that is not there, one that is a file, and a file that is a directory.
    for (logs, logfile) in
        [(missing.as_path(), "app.log"), (config.as_path(), "app.log"), (directory.path(), ".")]
    {
        fs::write(&config, with_log(&sandbox, logs, &[("logfile", logfile)])).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_fn-exchange-online"))
            .args(["run", "--config-file"])
            .arg(&config)
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(logs.to_str().unwrap()) && stderr.contains("logdir"), "{stderr}");
    }
    assert_eq!(sandbox.soar.rest.connections(), 0, "it went on without its log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_start_is_in_the_log_file() {
    let directory = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(directory.path(), TenantOptions::default(), SoarOptions::default());
    let sandbox = sandbox.await.unwrap();
    let secret = &sandbox.soar.options().api_key.secret;
    let config = directory.path().join("app.config");
    fs::write(&config, with_log(&sandbox, directory.path(), &[]).replace(secret.as_str(), "wrong")).unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_fn-exchange-online"))
        .args(["run", "--config-file"])
        .arg(&config)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(21));
    let text = fs::read_to_string(directory.path().join("app.log")).unwrap();
    let (level, module, line) = parts(text.lines().last().unwrap());
    assert_eq!((level, module), ("ERROR", "daemon"));
    assert!(line.starts_with("not started: ") && line.contains("code=21"), "{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_that_leads_elsewhere_ends_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let tenant = TenantOptions { mailboxes: 1, ..TenantOptions::default() };
    let sandbox = Sandbox::start(directory.path(), tenant, SoarOptions::default()).await.unwrap();
    let victim = directory.path().join("victim");
    fs::write(&victim, "mine\n").unwrap();
    for (kind, why) in [("link", "it is a symbolic link"), ("pipe", "it is a pipe that no process reads")] {
        let logs = directory.path().join(kind);
        fs::create_dir(&logs).unwrap();
        let file = logs.join("app.log");
        match kind {
            "link" => symlink(&victim, &file).unwrap(),
            _ => assert!(Command::new("mkfifo").arg(&file).status().unwrap().success()),
        }
        let config = directory.path().join("app.config");
        fs::write(&config, with_log(&sandbox, &logs, &[])).unwrap();
        let ended = Command::new(env!("CARGO_BIN_EXE_fn-exchange-online"))
            .args(["run", "--config-file"])
            .arg(&config)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&ended.stderr);
        assert!(!ended.status.success() && stderr.contains(why), "{stderr}");
    }
    assert_eq!(fs::read_to_string(&victim).unwrap(), "mine\n");
}
