//! The sandbox's own certificate authority, and the certificates of its servers.
//!
//! Clients connect to the sandbox as they do in production: over TLS, with a chain that they verify. The certificates
//! that a client must refuse (of another host, or expired) come from the same authority, so that a refusal proves
//! exactly that check.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use net::tls;

/// Why certificates could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A key or certificate could not be generated.
    #[error("cannot make the sandbox's certificates: {0}")]
    Generate(#[from] rcgen::Error),
    /// rustls does not accept the certificates.
    #[error("cannot use the sandbox's certificates: {0}")]
    Use(#[from] rustls::Error),
}

/// Which certificate a sandbox server shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shown {
    /// One for `localhost`, `127.0.0.1` and `::1`, valid now.
    #[default]
    Valid,
    /// One that is valid now, but for the host `elsewhere.example` only.
    OtherHost,
    /// One for the right hosts that expired in 2001.
    Expired,
}

/// A certificate authority made for one sandbox, and its servers' certificates.
#[derive(Debug, Clone)]
pub struct Certificates {
    ca_pem: String,
    valid: ServerConfig,
    other_host: ServerConfig,
    expired: ServerConfig,
}

impl Certificates {
    /// Makes a new authority and everything it signs. Two authorities never trust each other's servers.
    pub fn generate() -> Result<Self, CertificateError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "fn-exchange-online sandbox CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let ca_pem = params.self_signed(&key)?.pem();
        let ca = Issuer::new(params, key);
        Ok(Self {
            ca_pem,
            valid: server(&ca, Shown::Valid)?,
            other_host: server(&ca, Shown::OtherHost)?,
            expired: server(&ca, Shown::Expired)?,
        })
    }

    /// The authority's certificate, for a client's `cafile`.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The configuration of a server with a valid certificate that offers the protocols `alpn`, best first (`b"h2"`,
    /// `b"http/1.1"`; empty for STOMP).
    pub fn server_config(&self, alpn: &[&[u8]]) -> Arc<ServerConfig> {
        self.server_config_showing(Shown::Valid, alpn)
    }

    /// Like [`Certificates::server_config`], with the certificate of choice.
    pub fn server_config_showing(&self, shown: Shown, alpn: &[&[u8]]) -> Arc<ServerConfig> {
        let mut config = match shown {
            Shown::Valid => self.valid.clone(),
            Shown::OtherHost => self.other_host.clone(),
            Shown::Expired => self.expired.clone(),
        };
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        Arc::new(config)
    }
}

fn server(ca: &Issuer<'_, KeyPair>, shown: Shown) -> Result<ServerConfig, CertificateError> {
    let names: &[&str] = match shown {
        Shown::OtherHost => &["elsewhere.example"],
        Shown::Valid | Shown::Expired => &["localhost", "127.0.0.1", "::1"],
    };
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
    params.distinguished_name.push(DnType::CommonName, names[0]);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    // Python's and Java's verifiers connect to the sandbox as well, so the dates stay in the range that all of them
    // read.
    (params.not_before, params.not_after) = match shown {
        Shown::Expired => (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 1, 1)),
        Shown::Valid | Shown::OtherHost => (date_time_ymd(2020, 1, 1), date_time_ymd(2049, 12, 31)),
    };
    let key = KeyPair::generate()?;
    let certificate: CertificateDer<'static> = params.signed_by(&key, ca)?.der().clone();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Ok(ServerConfig::builder_with_provider(tls::provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?)
}
