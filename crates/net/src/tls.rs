//! TLS for STOMP, SOAR's REST interface and Graph: rustls with one crypto provider.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::{ClientCertificate, Trust};

/// Why a TLS configuration could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A PEM file cannot be read, or does not hold what it should.
    #[error("cannot use {file} file {path}: {reason}")]
    File {
        /// What the file is for.
        file: PemFile,
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// rustls refused the configuration.
    #[error("cannot set up TLS: {0}")]
    Setup(#[from] rustls::Error),
    /// The HTTP library refused the configuration.
    #[error("cannot set up the HTTP client: {0}")]
    Client(#[from] reqwest::Error),
    /// No certificate authority is trusted.
    #[error("no trusted certificate authority was found on this system; name one (cafile = FILE)")]
    NoRoots,
}

/// The PEM files that a TLS configuration reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PemFile {
    /// The certificates of authorities to trust.
    CertificateAuthorities,
    /// The certificate that is shown to a server.
    ClientCertificate,
    /// The private key of that certificate.
    ClientKey,
    /// The certificate by which the Entra application signs in.
    ApplicationCertificate,
    /// The private key of that certificate.
    ApplicationKey,
}

impl fmt::Display for PemFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CertificateAuthorities => "CA certificate",
            Self::ClientCertificate => "client certificate",
            Self::ClientKey => "client key",
            Self::ApplicationCertificate => "application certificate",
            Self::ApplicationKey => "application key",
        })
    }
}

/// The crypto provider of the whole program.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A client configuration for TLS 1.2 and 1.3 that trusts `trust` and presents `certificate` if asked.
pub fn client_config(
    trust: &Trust,
    certificate: Option<&ClientCertificate>,
) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let accepting = |verification| Arc::new(Verifier { provider: provider(), verification });
    let builder = match trust {
        Trust::Insecure => builder.dangerous().with_custom_certificate_verifier(accepting(Verification::Any)),
        Trust::System => builder.with_root_certificates(system_roots(None)?),
        Trust::SystemAnd(file) => {
            let signed = WebPkiServerVerifier::builder_with_provider(system_roots(Some(file))?, provider());
            let signed =
                signed.build().map_err(|error| file_error(PemFile::CertificateAuthorities, file, &error))?;
            let named = certificates(PemFile::CertificateAuthorities, file)?;
            let verification = Verification::SignedOr { signed, named };
            builder.dangerous().with_custom_certificate_verifier(accepting(verification))
        }
    };
    Ok(match certificate {
        None => builder.with_no_client_auth(),
        Some(own) => builder.with_client_auth_cert(
            certificates(PemFile::ClientCertificate, &own.certificate)?,
            PrivateKeyDer::from_pem_file(&own.key)
                .map_err(|e| file_error(PemFile::ClientKey, &own.key, &e))?,
        )?,
    })
}

/// Why a certificate was refused, if `error` or one of its sources says so.
pub fn refused_certificate<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a CertificateError> {
    match rustls_error(error)? {
        rustls::Error::InvalidCertificate(reason) => Some(reason),
        _ => None,
    }
}

/// The rustls error among `error` and its sources.
pub fn rustls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    std::iter::successors(Some(error), |&error| next_cause(error)).find_map(|error| error.downcast_ref())
}

/// The cause of `error`. The `source` of an I/O error skips the error that it wraps.
fn next_cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

/// Why a certificate was refused, as a text that an operator can act on.
pub fn refusal_words(reason: &CertificateError) -> String {
    match reason {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "no trusted certificate authority signed it; name the file of its authority".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it was made for another host name, and only its alternative names count, not its common name".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet; is the clock right?".to_owned()
        }
        other if is_an_authoritys_own(other) => {
            "it is a certificate authority's own, not one that was made for a server; to trust it all the same, name \
             the file of this very certificate"
                .to_owned()
        }
        other => other.to_string(),
    }
}

/// Whether the certificate is marked as an authority's (`CA:TRUE`), as self-signed certificates often are. rustls has
/// checked its dates before.
fn is_an_authoritys_own(reason: &CertificateError) -> bool {
    matches!(reason, CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity"))
}

/// The system's certificate authorities, read once per process, since there are more than a hundred.
static SYSTEM_ROOTS: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    // An unreadable certificate of the system must not exclude the others.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    Arc::new(roots)
});

fn system_roots(extra: Option<&Path>) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = Arc::clone(&SYSTEM_ROOTS);
    if let Some(path) = extra {
        let roots = Arc::make_mut(&mut roots);
        for certificate in certificates(PemFile::CertificateAuthorities, path)? {
            roots.add(certificate).map_err(|e| file_error(PemFile::CertificateAuthorities, path, &e))?;
        }
    }
    if roots.is_empty() { Err(TlsError::NoRoots) } else { Ok(roots) }
}

fn certificates(file: PemFile, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|e| file_error(file, path, &e))?;
    if found.is_empty() {
        return Err(file_error(file, path, &"no PEM certificate in it"));
    }
    Ok(found)
}

fn file_error(file: PemFile, path: &Path, reason: &dyn fmt::Display) -> TlsError {
    TlsError::File { file, path: path.to_owned(), reason: reason.to_string() }
}

/// Verifies a server's certificate. The signatures of the handshake are always checked.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    verification: Verification,
}

/// Which certificates are accepted.
#[derive(Debug)]
enum Verification {
    /// Every certificate, for `cafile = false`.
    Any,
    /// A certificate that an authority signed, and one that is itself in the operator's file although it is marked as
    /// an authority's: SOAR's own self-signed certificate is, and other TLS stacks accept it.
    SignedOr { signed: Arc<WebPkiServerVerifier>, named: Vec<CertificateDer<'static>> },
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Verification::SignedOr { signed, named } = &self.verification else {
            return Ok(ServerCertVerified::assertion());
        };
        match signed.verify_server_cert(shown, intermediates, host, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(reason))
                if is_an_authoritys_own(&reason) && named.iter().any(|named| named == shown) =>
            {
                verify_server_name(&ParsedCertificate::try_from(shown)?, host)?;
                Ok(ServerCertVerified::assertion())
            }
            usual => usual,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
