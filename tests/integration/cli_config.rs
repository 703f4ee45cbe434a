//! Promise: `config --create` and `config --update` write a configuration file to fill in, never over what
//! a user wrote without asking, and never more into it than it lacks.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use fn_exchange_online::config::template;

/// Runs `config` with these arguments in `directory`, which is its home as well, and answers its questions.
fn config(directory: &Path, arguments: &[&str], answers: &str) -> Output {
    config_in(directory, arguments, answers, &[])
}

fn config_in(directory: &Path, arguments: &[&str], answers: &str, environment: &[(&str, &str)]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_fn-exchange-online"))
        .arg("config")
        .args(arguments)
        .current_dir(directory)
        .env_remove("APP_CONFIG_FILE")
        .env("HOME", directory)
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Who asks nothing may have ended already.
    let _ = child.stdin.take().unwrap().write_all(answers.as_bytes());
    child.wait_with_output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The files in a directory.
fn files(directory: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<_> = fs::read_dir(directory).unwrap().map(name).collect();
    names.sort();
    names
}

/// The template's text of one section, up to the next.
fn section(name: &str) -> String {
    let from = template().find(&format!("[{name}]")).unwrap();
    let text = &template()[from..];
    text[1..].find("\n[").map_or(text, |end| &text[..=end]).to_owned()
}

#[test]
fn created_file_is_template_with_owner_only_access() {
    let directory = tempfile::tempdir().unwrap();
    for (arguments, file) in [
        (&["--create", "a.config"][..], "a.config"),
        (&["-c", "b.config"], "b.config"),
        (&["$WHERE/c.config", "-c"], "sub/c.config"),
        (&["-c"], ".resilient/app.config"),
    ] {
        fs::create_dir_all(directory.path().join("sub")).unwrap();
        let output = config_in(directory.path(), arguments, "", &[("WHERE", "~/sub")]);
        let file = directory.path().join(file);
        assert!(output.status.success(), "{}", stderr(&output));
        assert_eq!(fs::read_to_string(&file).unwrap(), template());
        assert_eq!(mode(&file), 0o600);
        assert_eq!(stdout(&output), "");
        assert!(stderr(&output).contains(file.file_name().unwrap().to_str().unwrap()), "{}", stderr(&output));
        assert!(stderr(&output).contains("Edit it before"), "{}", stderr(&output));
    }
}

#[test]
fn app_config_file_variable_overrides_file_argument() {
    let directory = tempfile::tempdir().unwrap();
    let environment = [("APP_CONFIG_FILE", "from-environment.config")];
    let output = config_in(directory.path(), &["-c", "named.config"], "", &environment);
    assert_eq!(files(directory.path()), ["from-environment.config"]);
    assert!(stderr(&output).contains("APP_CONFIG_FILE"), "{}", stderr(&output));
}

#[test]
fn existing_file_is_overwritten_only_after_confirmation() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("app.config");
    fs::write(&file, "mine").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    for (answers, questions) in [("n\n", 1), ("", 1), ("what?\n\nno\n", 3), ("perhaps\n", 2)] {
        let output = config(directory.path(), &["-c", "app.config"], answers);
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine", "{answers:?}");
        assert_eq!(stdout(&output).matches("(y/n)").count(), questions, "{answers:?}");
        assert_eq!(output.status.code(), Some(0));
        assert!(stderr(&output).contains("is unchanged"), "{}", stderr(&output));
    }
    let output = config(directory.path(), &["-c", "app.config"], "maybe\nY\n");
    assert!(output.status.success());
    assert_eq!(fs::read_to_string(&file).unwrap(), template());
    assert_eq!((mode(&file), files(directory.path())), (0o640, vec!["app.config".to_owned()]));
}

#[test]
fn update_appends_missing_sections_only() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("app.config");
    let mine = "; mine\n[integrations]\n[fn_other]\nsecret=a\\b\"c\" # no comment\n  and more\n\n[resilient]\nhost : x";
    fs::write(&file, mine).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let output = config(directory.path(), &["--update", "app.config"], "");
    assert!(output.status.success(), "{}", stderr(&output));
    let expected = format!("{mine}\n\n{}", section("fn_exchange_online"));
    assert_eq!(fs::read_to_string(&file).unwrap(), expected);
    assert_eq!(mode(&file), 0o644);
    assert!(stderr(&output).contains("[fn_exchange_online] of fn-exchange-online"), "{}", stderr(&output));
    assert!(!stderr(&output).contains("[resilient]"), "{}", stderr(&output));

    let again = config(directory.path(), &["-u", "app.config"], "");
    assert!(stderr(&again).contains("nothing to update"), "{}", stderr(&again));
    assert_eq!(fs::read_to_string(&file).unwrap(), expected);
}

#[test]
fn update_of_empty_file_writes_full_template() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("app.config");
    fs::write(&file, "").unwrap();
    assert!(config(directory.path(), &["-u", "app.config"], "").status.success());
    assert_eq!(fs::read_to_string(&file).unwrap().trim_start(), template());
}

#[test]
fn update_keeps_line_endings_bom_and_symlink() {
    let directory = tempfile::tempdir().unwrap();
    let (real, link) = (directory.path().join("real.config"), directory.path().join("app.config"));
    let mine = "\u{feff}[resilient]\r\nhost=x\r\n[integrations]\r\n";
    fs::write(&real, mine).unwrap();
    symlink("real.config", &link).unwrap();
    assert!(config(directory.path(), &["-u", "app.config"], "").status.success());
    let added = section("fn_exchange_online").replace('\n', "\r\n");
    assert_eq!(fs::read_to_string(&real).unwrap(), format!("{mine}\r\n{added}"));
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("real.config"));
    assert_eq!(files(directory.path()), ["app.config", "real.config"]);
}

#[test]
fn create_through_dangling_symlink_creates_target() {
    let directory = tempfile::tempdir().unwrap();
    symlink("real.config", directory.path().join("app.config")).unwrap();
    assert!(config(directory.path(), &["-c", "app.config"], "").status.success());
    assert_eq!(fs::read_to_string(directory.path().join("real.config")).unwrap(), template());
    assert!(directory.path().join("app.config").is_symlink());
}

#[test]
fn update_leaves_invalid_config_unchanged() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("app.config");
    for (text, why) in
        [(&b"[resilient]\nhost=x\n[resilient]\n"[..], "line 3"), (b"[resilient]\nhost=\xff\n", "UTF-8")]
    {
        fs::write(&file, text).unwrap();
        let output = config(directory.path(), &["-u", "app.config"], "");
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
        assert_eq!(fs::read(&file).unwrap(), text);
    }
}

#[test]
fn update_of_missing_file_creates_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let output = config(directory.path(), &["-u", "app.config"], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("There is no configuration file app.config"), "{}", stderr(&output));
    assert!(files(directory.path()).is_empty());
}

#[test]
fn unwritable_path_exits_with_1_and_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let output = config(directory.path(), &["-c", "nowhere/app.config"], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot write nowhere/app.config"), "{}", stderr(&output));
}

#[test]
fn packages_can_be_chosen_and_unknown_ones_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let output = config(directory.path(), &["-c", "app.config", "-l", "fn_other", "fn_more"], "");
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("Unknown package fn_other, fn_more"), "{}", stderr(&output));
    let text = fs::read_to_string(directory.path().join("app.config")).unwrap();
    assert!(text.contains("[integrations]") && !text.contains("[fn_exchange_online]"));
    let output = config(directory.path(), &["-u", "app.config", "--list", "fn-exchange-online"], "");
    assert!(stderr(&output).contains("[fn_exchange_online]"), "{}", stderr(&output));
}

#[test]
fn exactly_one_of_create_and_update_is_required() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [&["-c", "-u"][..], &["app.config"], &[]] {
        assert_eq!(config(directory.path(), arguments, "").status.code(), Some(2), "{arguments:?}");
    }
    assert!(files(directory.path()).is_empty());
}

#[test]
fn unset_home_does_not_write_to_tilde_directory() {
    for (arguments, environment) in [
        (&["-c"][..], None),
        (&["-c", "~/app.config"], None),
        (&["-c", "~ada/app.config"], None),
        (&["-c", "--config-file=~/app.config"], None),
        (&["-c"], Some(("APP_CONFIG_FILE", "~/app.config"))),
    ] {
        let directory = tempfile::tempdir().unwrap();
        // What writes into a directory named ~ would find one.
        fs::create_dir(directory.path().join("~")).unwrap();
        let mut variables = vec![("HOME", "")];
        variables.extend(environment);
        let output = config_in(directory.path(), arguments, "", &variables);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("HOME is not set") || stderr(&output).contains("the full path"));
        assert!(files(&directory.path().join("~")).is_empty(), "{arguments:?}");
    }
}

#[test]
fn commands_reject_default_config_path_without_home() {
    let directory = tempfile::tempdir().unwrap();
    for (command, code) in [
        (&["run"][..], 2),
        (&["customize", "--dry-run"], 2),
        (&["invoke", "get_email_user_profile", "--input", "exo_email_address=a@example.com"], 2),
        (&["selftest"], 2),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_fn-exchange-online"))
            .args(command)
            .current_dir(directory.path())
            .env_remove("APP_CONFIG_FILE")
            .env_remove("HOME")
            .output()
            .unwrap();
        let texts = stderr(&output) + &stdout(&output);
        assert_eq!(output.status.code(), Some(code), "{command:?}: {texts}");
        assert!(texts.contains("~/.resilient/app.config") && texts.contains("HOME is not set"), "{texts}");
    }
    assert!(files(directory.path()).is_empty());
}
