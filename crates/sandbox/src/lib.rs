//! An embedded SOAR and Microsoft Graph tenant for trials, demonstrations and tests, with faults on demand. Everything
//! uses real sockets on loopback, so that the client takes the same path as in production.

pub mod certificates;
pub mod graph;
mod observed;
pub mod server;
pub mod soar;

use std::fmt::Write as _;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use self::certificates::Certificates;
use self::graph::{Tenant, TenantOptions};
use self::soar::caller::{Call, Caller, CallerError, Origin};
use self::soar::{EndpointFile, Soar, SoarOptions};
use serde_json::Value;

/// A SOAR, a tenant, and a directory with the files that a program needs to connect to them.
#[derive(Debug)]
pub struct Sandbox {
    /// The embedded SOAR.
    pub soar: Soar,
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
        let soar = Soar::start(soar, &certificates).await?;
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

    /// Writes the file by which other processes find SOAR's side of the queue, for [`call_in`].
    pub fn write_endpoint_file(&self) -> io::Result<()> {
        self.soar.endpoint_file().write(&self.directory)
    }

    /// SOAR's side of the queue.
    pub async fn caller(&self) -> Result<Caller, CallerError> {
        self.soar.caller(&self.ca_file()).await
    }
}

fn ca_file(directory: &Path) -> PathBuf {
    directory.join("ca.pem")
}

/// Calls `function` as `origin` does, in the sandbox that another process serves in `directory`. Waits until no other
/// process calls in it. `listen` receives the call with its replies.
pub async fn call_in<T>(
    directory: &Path,
    origin: Origin,
    function: &str,
    inputs: Value,
    listen: impl AsyncFnOnce(Call) -> T,
) -> Result<T, NotCalled> {
    let (endpoint_file, _lock) = EndpointFile::open(directory).map_err(NotCalled::NoEndpointFile)?;
    let caller = Caller::connect(endpoint_file.caller_options(&ca_file(directory))).await?;
    let call = caller.call_from(origin, function, inputs).await?;
    Ok(listen(call).await)
}

/// Why [`call_in`] could not call.
#[derive(Debug, thiserror::Error)]
pub enum NotCalled {
    /// No sandbox has ever been served there.
    #[error("no sandbox is served in that directory: {0}")]
    NoEndpointFile(io::Error),
    /// The sandbox is no longer served, or its broker fails.
    #[error("the sandbox cannot be called: {0}")]
    Caller(#[from] CallerError),
}
