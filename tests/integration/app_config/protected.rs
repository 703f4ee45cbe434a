//! App Host's protected secrets. The key and the tokens were written by jwcrypto, the library of IBM's framework.

use std::os::unix::fs::symlink;
use std::path::Path;

use fn_exchange_online::config::{Environment, Loaded, Settings};
use tempfile::TempDir;

use super::*;

const KEY: &str = r#"{"alg":"A256GCM","k":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8","kty":"oct"}"#;
/// `dir` and `A256GCM`: "pr0tected – ü$^{x}".
const DIRECT: &str = "eyJhbGciOiAiZGlyIiwgImVuYyI6ICJBMjU2R0NNIn0..Mpbi-SHl2LyJ14VP.\
                      ivB077ha90HVp_L9oHkR_NLPidIN.AtEwWDgqOoD4fLtUxZTGiQ";
/// `A256KW` and `A256GCM`: "wr4pped".
const WRAPPED: &str = "eyJhbGciOiAiQTI1NktXIiwgImVuYyI6ICJBMjU2R0NNIn0.\
                       d2k4TxAY8zBrXDiV0MYO8_5iaGa0_6eLMXTu-OltemNKwF0DUO9eDg.loAbDeby52jmnqZH.UZl1p6R59A.\
                       5r8gq4povnBSxHWyFlQYIw";
/// `A256KW` and `A256CBC-HS512`.
const OTHER_CIPHER: &str = "eyJhbGciOiAiQTI1NktXIiwgImVuYyI6ICJBMjU2Q0JDLUhTNTEyIn0.\
                            uyT2RQQ_VWpaHOkB7CWuu-7vqcl8JNaRQXVrTy-dz0xNcA-6jFJLkau52_cQmfNaX6uTuznnWJHsZb87QgJtO\
                            LxAzb-v9fl0.zXjFpcaW7liGDj6GAeG5ig.1uUNNN66DkT-6DBVYIrI1w.\
                            h7DbL3xRs7mSCGLnVAqxcH7pDsmpd-2jRrOxfka-HgE";
/// `dir` and `A256GCM` with `zip`.
const COMPRESSED: &str = "eyJhbGciOiAiZGlyIiwgImVuYyI6ICJBMjU2R0NNIiwgInppcCI6ICJERUYifQ..cJT7dux29Mu1gDp1.\
                          I-2sqVZ8.ryGkvbstPfdNwrENF-FtQQ";

/// A directory of secrets, and an environment with a variable for each of the names.
struct Mounted(TempDir);

impl Mounted {
    fn new(key: Option<&str>, tokens: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        if let Some(key) = key {
            fs::create_dir(directory.path().join(".jwk")).unwrap();
            fs::write(directory.path().join(".jwk/key.jwk"), key).unwrap();
        }
        for (name, token) in tokens {
            fs::write(directory.path().join(name), token).unwrap();
        }
        Self(directory)
    }

    fn environment(&self, app_host: &str) -> Environment {
        [("APP_HOST_CONTAINER", app_host), ("GRAPH", "from the environment")]
            .into_iter()
            .collect::<Environment>()
            .with_protected_secrets(self.0.path())
    }
}

fn load(environment: &Environment, client_secret: &str) -> Loaded {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("app.config");
    fs::write(&file, MINIMAL.replace("S3CR3T", client_secret)).unwrap();
    Settings::load(&file, environment).unwrap()
}

fn secret_of(environment: &Environment, written: &str) -> String {
    client_secret(&load(environment, written).settings).to_owned()
}

#[test]
fn protected_secret_overrides_environment_variable() {
    let mounted = Mounted::new(Some(KEY), &[("GRAPH", DIRECT), ("OTHER", &format!("{WRAPPED}\nnot read\n"))]);
    for yes in ["1", "true", "YES", "on"] {
        let environment = mounted.environment(yes);
        assert_eq!(secret_of(&environment, "$GRAPH"), "pr0tected – ü$^{x}", "{yes}");
        assert_eq!(secret_of(&environment, "a-${OTHER}-b"), "a-wr4pped-b");
        assert_eq!(load(&environment, "$GRAPH").warnings, []);
        assert!(!format!("{environment:?}").contains("wr4pped"));
    }
}

#[test]
fn protected_secrets_are_ignored_outside_of_app_host() {
    let mounted = Mounted::new(Some(KEY), &[("GRAPH", DIRECT)]);
    for no in ["0", "", "no", "false"] {
        let environment = mounted.environment(no);
        assert_eq!(secret_of(&environment, "$GRAPH"), "from the environment", "{no:?}");
        environment.remove_protected_secrets();
        assert!(mounted.0.path().join("GRAPH").exists());
    }
}

#[test]
fn unreadable_protected_secret_warns_and_uses_variable() {
    let changed = DIRECT.replace("ivB0", "ivB1");
    let other_header = DIRECT.replace("ImVuYyI6", "ImVuYyI7");
    let short_tag = DIRECT.strip_suffix("UxZTGiQ").unwrap();
    let other_key = KEY.replace("AAECAw", "BBECAw");
    let cases = [
        (None, DIRECT, "key.jwk"),
        (Some("{}"), DIRECT, "not a JSON Web Key"),
        (Some(r#"{"kty":"oct","k":"AAEC"}"#), DIRECT, "not a JSON Web Key"),
        (
            Some(r#"{"kty":"RSA","k":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}"#),
            DIRECT,
            "not a JSON Web Key",
        ),
        (Some(other_key.as_str()), DIRECT, "the key does not open it"),
        (Some(other_key.as_str()), WRAPPED, "the key does not open it"),
        (Some(KEY), changed.as_str(), "the key does not open it"),
        (Some(KEY), other_header.as_str(), "not a JWE"),
        (Some(KEY), short_tag, "not a JWE"),
        (Some(KEY), COMPRESSED, "not a JWE"),
        (Some(KEY), "plain text", "not a JWE"),
        (Some(KEY), "", "not a JWE"),
        (Some(KEY), OTHER_CIPHER, "A256KW and A256CBC-HS512"),
    ];
    for (key, token, words) in cases {
        let loaded = load(&Mounted::new(key, &[("GRAPH", token)]).environment("1"), "$GRAPH");
        assert_eq!(client_secret(&loaded.settings), "from the environment", "{words}");
        let [warning] = &loaded.warnings[..] else { panic!("{:?}", loaded.warnings) };
        let warning = warning.to_string();
        assert!(warning.contains(words) && warning.contains("environment variables are used"), "{warning}");
        assert!(token.is_empty() || !warning.contains(token), "{warning}");
    }
}

proptest::proptest! {
    #[test]
    fn whatever_is_in_a_file_it_is_a_warning_at_most(
        token in "[A-Za-z0-9_=-]{0,60}(\\.[A-Za-z0-9_-]{0,60}){0,6}|eyJhbGciOiAiZGlyIiwgImVuYyI6ICJBMjU2R0NNIn0(\\.[A-Za-z0-9_-]{0,24}){4}|\\PC{0,60}",
        key in "\\{\"kty\":\"oct\",\"k\":\"[A-Za-z0-9_-]{42,44}\"\\}|\\PC{0,60}",
    ) {
        let loaded = load(&Mounted::new(Some(&key), &[("GRAPH", &token)]).environment("1"), "$GRAPH");
        proptest::prop_assert_eq!(client_secret(&loaded.settings), "from the environment");
        proptest::prop_assert_eq!(loaded.warnings.len(), 1);
    }
}

#[test]
fn protected_secrets_stay_usable_after_file_removal() {
    let mounted = Mounted::new(Some(KEY), &[("..data", WRAPPED)]);
    symlink("..data", mounted.0.path().join("GRAPH")).unwrap();
    let environment = mounted.environment("1");
    environment.remove_protected_secrets();
    assert_eq!(fs::read_dir(mounted.0.path()).unwrap().count(), 0);
    assert_eq!(secret_of(&environment.clone(), "$GRAPH"), "wr4pped");
}

#[test]
fn files_without_a_key_stay() {
    let mounted = Mounted::new(None, &[("GRAPH", DIRECT)]);
    mounted.environment("1").remove_protected_secrets();
    assert!(mounted.0.path().join("GRAPH").exists());
}

#[test]
fn missing_or_empty_secrets_directory_gives_no_warning() {
    let app_host = || [("APP_HOST_CONTAINER", "1")].into_iter().collect::<Environment>();
    for directory in [Path::new("/nowhere/at/all"), tempfile::tempdir().unwrap().path()] {
        let environment = app_host().with_protected_secrets(directory);
        assert_eq!(load(&environment, "s").warnings, []);
        environment.remove_protected_secrets();
    }
}
