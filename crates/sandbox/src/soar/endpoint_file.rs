//! The file from which other processes learn how to connect to SOAR's side of the queue. It is next to the sandbox's
//! `app.config`.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::caller::CallerOptions;
use net::Trust;

/// The file's name.
const FILE: &str = "soar.json";

/// How to connect to the broker as SOAR does.
#[derive(Serialize, Deserialize)]
pub struct EndpointFile {
    pub(super) port: u16,
    pub(super) login: String,
    pub(super) passcode: String,
    pub(super) org: i64,
    pub(super) destination: String,
}

impl EndpointFile {
    /// Writes the file into `directory`, readable by its owner only, because it contains a password.
    pub fn write(&self, directory: &Path) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(self)?;
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(directory.join(FILE))?;
        file.write_all(&text)
    }

    /// Reads the file in `directory`, and waits until it can lock it. The returned file keeps the lock: of two callers
    /// at a time, each would receive replies to the other.
    pub fn open(directory: &Path) -> io::Result<(Self, File)> {
        let file = File::open(directory.join(FILE))?;
        file.lock()?;
        Ok((serde_json::from_reader(&file)?, file))
    }

    /// The options of a caller. `ca_file` is the path of the certificate authority's certificate.
    pub fn caller_options(&self, ca_file: &Path) -> CallerOptions {
        CallerOptions {
            host: "localhost".to_owned(),
            port: self.port,
            login: self.login.clone(),
            passcode: self.passcode.clone(),
            trust: Trust::SystemAnd(ca_file.to_owned()),
            org: self.org,
            destination: self.destination.clone(),
        }
    }
}

impl std::fmt::Debug for EndpointFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EndpointFile")
            .field("port", &self.port)
            .field("login", &self.login)
            .finish_non_exhaustive()
    }
}
