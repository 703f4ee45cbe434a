//! An embedded SOAR and Microsoft Graph tenant for trials, demonstrations and tests, with faults on demand. Everything
//! uses real sockets on loopback, so that the client takes the same path as in production.

pub mod certificates;
pub mod graph;
mod observed;
pub mod page;
pub mod server;
pub mod soar;

use std::fmt::Write as _;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::certificates::Certificates;
use self::graph::{Tenant, TenantOptions};
use self::soar::caller::{Caller, CallerError};
use self::soar::engine::Engine;
use self::soar::{Soar, SoarOptions};

/// A SOAR, a tenant, and a directory with the files that a program needs to connect to them.
#[derive(Debug)]
pub struct Sandbox {
    /// The embedded SOAR.
    pub soar: Arc<Soar>,
    /// The embedded Graph tenant.
    pub graph: Tenant,
    /// The certificate authority that issued the certificates of both.
    pub certificates: Certificates,
    directory: PathBuf,
}

impl Sandbox {
    /// Starts both, and writes the certificate authority's certificate into `directory`.
    pub async fn start(directory: &Path, tenant: TenantOptions, soar: SoarOptions) -> io::Result<Self> {
        let certificates = Certificates::generate().map_err(io::Error::other)?;
        let soar = Arc::new(Soar::start(soar, &certificates).await?);
        // The program asks Graph for immutable ids, so the host and the program name messages alike.
        let tenant = TenantOptions { immutable_ids_in_methods: true, ..tenant };
        let graph = Tenant::start(tenant, &certificates).await?;
        let sandbox = Self { soar, graph, certificates, directory: directory.to_owned() };
        std::fs::write(sandbox.ca_file(), sandbox.certificates.ca_pem())?;
        Ok(sandbox)
    }

    /// The path of the certificate authority's certificate.
    pub fn ca_file(&self) -> PathBuf {
        ca_file(&self.directory)
    }

    /// The text of an `app.config` for this sandbox. `options` go to the section `[fn_exchange_online]`.
    pub fn app_config(&self, options: &[(&str, &str)]) -> String {
        let ca_file = self.ca_file();
        let mut text = format!(
            "{}\
             logdir={}\n\
             \n\
             [fn_exchange_online]\n\
             microsoft_graph_token_url={}\n\
             microsoft_graph_url={}\n\
             tenant_id={}\n\
             client_id={}\n\
             client_secret={}\n\
             verify={}\n",
            self.soar.app_config_section(&ca_file),
            self.directory.display(),
            self.graph.token_url(),
            self.graph.graph_url(),
            self.graph.tenant_id(),
            self.graph.client_id(),
            self.graph.client_secret(),
            ca_file.display(),
        );
        for (name, value) in options {
            let _ = writeln!(text, "{name}={value}");
        }
        text
    }

    /// Writes that `app.config`, readable by its owner only, and returns its path.
    pub fn write_app_config(&self, options: &[(&str, &str)]) -> io::Result<PathBuf> {
        let path = self.directory.join("app.config");
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        file.write_all(self.app_config(options).as_bytes())?;
        Ok(path)
    }

    /// SOAR's process engine, which calls functions and runs the scripts after them. It receives all replies, so there
    /// must be no other caller.
    pub async fn engine(&self) -> Result<Engine, CallerError> {
        Ok(Engine::new(self.soar.clone(), self.caller().await?))
    }

    /// SOAR's side of the queue.
    pub async fn caller(&self) -> Result<Caller, CallerError> {
        self.soar.caller(&self.ca_file()).await
    }
}

fn ca_file(directory: &Path) -> PathBuf {
    directory.join("ca.pem")
}
