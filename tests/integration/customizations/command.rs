//! The command.

use std::path::Path;
use std::process::{Command, Output};

use fn_exchange_online::customize::{Examples, ScriptLanguage, export_text};

fn customize(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fn-exchange-online"))
        .arg("customize")
        .args(arguments)
        .current_dir(directory)
        .env_remove("APP_CONFIG_FILE")
        .output()
        .unwrap()
}

#[test]
fn export_is_reproducible() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [["--export", "a.res"], ["--export", "b.res"], ["--export", "a.res"]] {
        let output = customize(directory.path(), &arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout.is_empty());
    }
    let first = std::fs::read_to_string(directory.path().join("a.res")).unwrap();
    assert_eq!(first, std::fs::read_to_string(directory.path().join("b.res")).unwrap());
    assert_eq!(first, String::from_utf8(customize(directory.path(), &["--export", "-"]).stdout).unwrap());
    assert_eq!(first, export_text(ScriptLanguage::Python3).unwrap());
}

#[test]
fn script_language_can_be_chosen() {
    let directory = tempfile::tempdir().unwrap();
    for (name, language) in [("python3", ScriptLanguage::Python3), ("python", ScriptLanguage::Python)] {
        let output = customize(directory.path(), &["--export", "-", "--script-language", name]);
        assert!(output.status.success());
        assert_eq!(String::from_utf8(output.stdout).unwrap(), export_text(language).unwrap());
    }
    assert_eq!(
        customize(directory.path(), &["--export", "-", "--script-language", "lua"]).status.code(),
        Some(2)
    );
}

/// Without a server there is no version, and every SOAR takes rules and workflows.
#[test]
fn playbooks_are_exported_when_chosen() {
    let directory = tempfile::tempdir().unwrap();
    let exported = |arguments: &[&str]| {
        let output = customize(directory.path(), &[&["--export", "-"], arguments].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(exported(&["--playbooks"]), export_text(Examples::Playbooks).unwrap());
    assert_eq!(exported(&["--playbooks"]), exported(&["--playbooks"]));
    for workflows in [&["--workflows"] as &[&str], &[]] {
        assert_eq!(exported(workflows), export_text(ScriptLanguage::Python3).unwrap());
    }
    let both = customize(directory.path(), &["--export", "-", "--playbooks", "--workflows"]);
    assert_eq!(both.status.code(), Some(2));
}

#[test]
fn unwritable_file_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let output = customize(directory.path(), &["--export", "no/such/place.res"]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("cannot write no/such/place.res: "), "{stderr}");
}
