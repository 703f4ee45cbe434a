//! A certificate authority for one test, and servers it vouches for.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use net::Trust;
use net::tls::{client_config, provider};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ServerConfig};
use tempfile::TempDir;

/// An authority whose own certificate lies in a file, as `cafile` has it.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    directory: TempDir,
}

/// A server's certificate and key, as PEM.
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "Authority of a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages.push(KeyUsagePurpose::KeyCertSign);
        let key = KeyPair::generate().unwrap();
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), directory }
    }

    /// The file to trust.
    pub(crate) fn file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// A certificate for a server with these names or addresses.
    pub(crate) fn vouch_for(&self, names: &[&str]) -> Identity {
        self.sign(names, 4000)
    }

    /// A certificate that was valid in the year 2000 only.
    pub(crate) fn vouched_for_long_ago(&self, names: &[&str]) -> Identity {
        self.sign(names, 2000)
    }

    fn sign(&self, names: &[&str], last_year: i32) -> Identity {
        self.sign_with(names, |params| params.not_after = date_time_ymd(last_year, 12, 31))
    }

    /// A certificate as `change` makes it; without a change it is valid for 2,000 years.
    pub(crate) fn sign_with(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, "Server of a test");
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(4000, 12, 31);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// How a client that has our file as `cafile` connects.
    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        trusting(&self.file())
    }
}

/// How a client that has `file` as `cafile` connects.
pub(crate) fn trusting(file: &Path) -> Arc<ClientConfig> {
    Arc::new(client_config(&Trust::SystemAnd(file.to_owned()), None).unwrap())
}

impl Identity {
    /// How a server with this certificate is set up.
    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        let chain = vec![CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        Arc::new(builder.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap())
    }
}
