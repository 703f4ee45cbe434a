//! RSA certificates, which Entra wants and our TLS stack cannot make: openssl does.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The files of a certificate and its key.
pub(crate) struct Files {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Files {
    /// Makes `NAME.pem` and `NAME.key` in `directory`: a certificate for `CN=NAME` that lasts `days`.
    pub(crate) fn make(directory: &Path, name: &str, days: u32) -> Self {
        let certificate = directory.join(format!("{name}.pem"));
        let key = directory.join(format!("{name}.key"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", &format!("/CN={name}")])
            .args(["-days", &days.to_string(), "-out"])
            .arg(&certificate)
            .arg("-keyout")
            .arg(&key)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Self { certificate, key }
    }

    pub(crate) fn pem(&self) -> String {
        std::fs::read_to_string(&self.certificate).unwrap()
    }
}
