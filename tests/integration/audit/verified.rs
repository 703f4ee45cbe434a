//! The command `audit`: chains are verified, trails of several daemons are one list, acts without an outcome are shown.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fn_exchange_online::audit::{Act, ActOutcome, AuditRecord, Initiator, Trail};
use serde_json::Value;
use tempfile::TempDir;

use crate::audit::at;
use crate::support::deployment::{Daemon, SOON};

fn initiator(principal: &str) -> Arc<Initiator> {
    Arc::new(Initiator { principal: Some(principal.to_owned()), ..Initiator::default() })
}

fn message(nth: usize) -> AuditRecord {
    AuditRecord {
        mailbox: Some("a@example.com".to_owned()),
        message_id: Some(format!("M{nth}")),
        ..AuditRecord::new(Act::DeleteMessage)
    }
}

/// A trail with `count` deletions that ended, and the last of `count + 1` that did not: its process was killed.
async fn trail(file: &Path, count: usize) {
    let trail = Trail::at(at(file));
    let asker = initiator("=cmd|'/c calc'!A1");
    for nth in 0..count {
        trail.begin(&asker, message(nth)).await.unwrap().end(ActOutcome::Done, None);
    }
    trail.flush(SOON).await.unwrap();
    std::mem::forget(trail.begin(&asker, message(count)).await.unwrap());
}

/// Runs `audit` with these arguments; the exit code, standard output and standard error.
async fn audit(arguments: &[&str]) -> (i32, String, String) {
    Daemon::spawn(&[&["audit"], arguments].concat()).outcome().await
}

async fn verified(file: &Path) -> (i32, String) {
    let (code, _, report) = audit(&[file.to_str().unwrap()]).await;
    (code, report)
}

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("acts");
    (directory, file)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_line_breaks_the_chain() {
    let (_directory, file) = place();
    trail(&file, 5).await;
    let (code, report) = verified(&file).await;
    assert!(code == 0 && report.contains("11 lines") && report.contains("chain is whole"), "{report}");
    let whole = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let without_third = [&lines[..2], &lines[3..]].concat().concat();
    let changed = whole.replacen("M1", "M9", 1);
    let added = format!("{}{}{}", lines[..4].concat(), "{\"act\":\"forged\"}\n", lines[4..].concat());
    let swapped = [lines[0], lines[2], lines[1]].concat() + &lines[3..].concat();
    let cut = whole.replacen('\n', "", 1);
    for forged in [without_third, changed, added, swapped, cut] {
        fs::write(&file, &forged).unwrap();
        let (code, report) = verified(&file).await;
        assert!(code == 1 && report.contains("is broken") && report.contains("line "), "{report}\n{forged}");
    }
    // Lines that are missing at the end are no break, but the hash of the last line is another one.
    fs::write(&file, lines[..6].concat()).unwrap();
    let (code, shorter) = verified(&file).await;
    assert!(code == 0 && shorter != report && shorter.contains("hash of the last line"), "{shorter}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn act_without_outcome_is_listed() {
    let (_directory, file) = place();
    trail(&file, 3).await;
    let file = file.to_str().unwrap();
    let (_, out, report) = audit(&["--open", file]).await;
    assert!(report.contains("1 acts began") || report.contains("1 act began"), "{report}");
    let lines: Vec<_> = out.lines().collect();
    assert!(lines.len() == 2 && lines[1].contains("no outcome") && lines[1].contains("M3"), "{out}");
    let (_, out, _) = audit(&["--format", "json", file]).await;
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((json["lines"].as_array().unwrap().len(), &json["open"][0]["message_id"]), (3, &"M3".into()));
    assert_eq!(json["files"][0]["start"], "here");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trails_of_several_daemons_are_one_list() {
    let (directory, first) = place();
    let second = directory.path().join("second");
    // Two processes write to one file, in turns, and a third has its own.
    let trails = [Trail::at(at(&first)), Trail::at(at(&first)), Trail::at(at(&second))];
    for nth in 0..30 {
        let trail = &trails[nth % 3];
        let asker = initiator(&format!("analyst{}", nth % 3));
        trail.begin(&asker, message(nth)).await.unwrap().end(ActOutcome::Done, None);
    }
    for trail in &trails {
        trail.flush(SOON).await.unwrap();
    }
    let (code, out, report) = audit(&[first.to_str().unwrap(), second.to_str().unwrap()]).await;
    assert!(code == 0 && report.matches("chain is whole").count() == 2, "{report}");
    let order: Vec<_> = out.lines().skip(1).map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(order.len(), 30);
    for analyst in ["analyst0", "analyst1", "analyst2"] {
        assert_eq!(out.matches(analyst).count(), 10, "{out}");
    }
    let (code, _, report) = audit(&["/no/such/file"]).await;
    assert!(code == 1 && report.contains("cannot read"), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotated_file_continues_the_chain() {
    let (directory, file) = place();
    let trail = Trail::at(at(&file));
    let asker = initiator("mary");
    trail.begin(&asker, message(0)).await.unwrap().end(ActOutcome::Done, None);
    trail.flush(SOON).await.unwrap();
    let rotated = directory.path().join("acts.1");
    fs::rename(&file, &rotated).unwrap();
    trail.begin(&asker, message(1)).await.unwrap().end(ActOutcome::Done, None);
    trail.flush(SOON).await.unwrap();
    let (code, _, report) = audit(&[rotated.to_str().unwrap(), file.to_str().unwrap()]).await;
    assert!(code == 0 && report.contains("continues") && report.contains("acts.1"), "{report}");
    let (code, report) = verified(&file).await;
    assert!(code == 0 && report.contains("a file that was not read"), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn csv_has_no_formula() {
    let (_directory, file) = place();
    trail(&file, 2).await;
    let (_, out, _) = audit(&["--format", "csv", file.to_str().unwrap()]).await;
    assert_eq!(out.lines().count(), 4);
    assert!(out.contains("\"'=cmd|'/c calc'!A1\"") && !out.contains("\"=cmd"), "{out}");
    assert!(out.contains("no outcome"), "{out}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_of_older_version_are_covered() {
    let (_directory, file) = place();
    fs::write(&file, "{\"act\":\"delete message\",\"outcome\":\"deleted\"}\n").unwrap();
    trail(&file, 1).await;
    let (code, report) = verified(&file).await;
    assert!(code == 0 && report.contains("the first 1 without hashes"), "{report}");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("\"deleted\"", "\"gone\"", 1)).unwrap();
    assert_eq!(verified(&file).await.0, 1);
    // A line that is being written, or was cut off, is no break, also once other lines follow.
    fs::write(&file, format!("{text}{{\"act\":\"delete mes")).unwrap();
    for _ in 0..2 {
        let (code, report) = verified(&file).await;
        assert!(code == 0 && report.contains("1 cut off"), "{report}");
        trail(&file, 1).await;
    }
}
