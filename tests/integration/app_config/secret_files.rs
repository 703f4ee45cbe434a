//! Secrets in files of their own.

use std::path::PathBuf;

use net::Proxy;
use soar::Login;
use tempfile::TempDir;

use super::*;

fn directory_with(name: &str, content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    fs::write(&path, content).unwrap();
    (directory, path)
}

/// [`MINIMAL`] with the client secret in a file.
fn from_file(file: impl std::fmt::Display) -> String {
    MINIMAL.replace("client_secret=S3CR3T", &format!("client_secret_file={file}"))
}

#[test]
fn secret_file_content_is_used_without_line_ending() {
    for (content, secret) in [
        ("hunter2", "hunter2"),
        ("hunter2\n", "hunter2"),
        ("hunter2\r\n", "hunter2"),
        (" $HOME ^{x} # ü \n", " $HOME ^{x} # ü "),
        ("^hunter2", "^hunter2"),
    ] {
        let (_directory, path) = directory_with("secret", content);
        let loaded = load_in(from_file(path.display()), &[("HOME", "/root")]).unwrap();
        assert_eq!(client_secret(&loaded.settings), secret);
        assert_eq!(loaded.warnings, []);
    }
}

#[test]
fn every_secret_can_be_read_from_file() {
    let (_directory, path) = directory_with("secret", "hunter2\n");
    let path = path.display();
    let key = MINIMAL.replace("api_key_secret=K3Y!", &format!("api_key_secret_file={path}"));
    assert_eq!(
        loaded(&key).soar.login,
        Login::ApiKey { id: "key-id".into(), secret: Secret::new("hunter2") }
    );
    let password = MINIMAL
        .replace("api_key_id=key-id", "email=a@b.c")
        .replace("api_key_secret=K3Y!", &format!("password_file={path}"));
    assert_eq!(
        loaded(&password).soar.login,
        Login::Password { email: "a@b.c".into(), password: Secret::new("hunter2") }
    );
    let Proxy::Explicit { https, .. } =
        resilient(&format!("proxy_host=proxy\nproxy_user=u\nproxy_password_file={path}")).soar.proxy
    else {
        panic!("there is a proxy");
    };
    assert_eq!(https, Some(proxy("https://proxy", Some(("u", "hunter2")))));
}

#[test]
fn relative_secret_file_uses_credentials_directory() {
    let (directory, _) = directory_with("graph", "hunter2");
    let environment = [("CREDENTIALS_DIRECTORY", directory.path().to_str().unwrap())];
    for file in ["graph", "${CREDENTIALS_DIRECTORY}/graph"] {
        let loaded = load_in(from_file(file), &environment).unwrap();
        assert_eq!(client_secret(&loaded.settings), "hunter2", "{file}");
        assert_eq!(loaded.files[1], directory.path().join("graph"));
    }
}

#[test]
fn secret_with_secret_file_conflicts_unless_placeholder() {
    let (_directory, path) = directory_with("secret", "hunter2");
    let line = |secret: &str| format!("client_secret={secret}\nclient_secret_file={}", path.display());
    let problem = only_problem(MINIMAL.replace("client_secret=S3CR3T", &line("x")));
    assert_eq!(
        problem.to_string(),
        "[fn_exchange_online] client_secret_file conflicts with client_secret; set one of the two"
    );
    let placeholder = loaded(&MINIMAL.replace("client_secret=S3CR3T", &line("xxx")));
    assert_eq!(client_secret(&placeholder), "hunter2");
}

#[test]
fn secret_file_from_empty_variable_is_a_problem() {
    let error = load_in(from_file("$EMPTY"), &[("EMPTY", "")]).unwrap_err();
    assert_eq!(error.problems().len(), 1, "{error}");
    assert!(error.to_string().contains("client_secret_file is empty"), "{error}");
}

#[test]
fn invalid_secret_file_is_named_without_its_content() {
    let large = vec![b'h'; 70_000];
    let cases: [(&[u8], &str); 5] = [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"hunter2\nhunter3\n", "more than one line"),
        (b"hunter2\xff", "not UTF-8"),
        (&large, "larger than 64 KiB"),
    ];
    for (content, words) in cases {
        let (_directory, path) = directory_with("secret", content);
        let problem = only_problem(from_file(path.display())).to_string();
        assert!(problem.contains(words) && problem.contains(path.to_str().unwrap()), "{problem}");
        assert!(!problem.contains("hunter2"), "{problem}");
    }
    for (file, words) in
        [("/nowhere/at/all", "No such file"), ("/", "not a regular file"), ("/dev/zero", "not a regular")]
    {
        let problem = only_problem(from_file(file)).to_string();
        assert!(problem.contains(words), "{problem}");
    }
}

#[test]
fn loaded_settings_list_their_source_files() {
    let (_secrets, graph) = directory_with("graph", "hunter2");
    let (_more_secrets, key) = directory_with("key", "hunter2");
    let text = from_file(graph.display())
        .replace("api_key_secret=K3Y!", &format!("api_key_secret_file={}\ncafile=/ca.pem", key.display()));
    let loaded = load_in(text, &[]).unwrap();
    assert_eq!(loaded.files[0].file_name().unwrap(), "app.config");
    assert_eq!(loaded.files[1..], [key, graph]);
}
