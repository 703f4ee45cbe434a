//! What the program signs in to Microsoft Graph with, as settings.

use std::fmt;
use std::path::PathBuf;

use net::Secret;

/// The identity that the program signs in with. Exactly one is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// An Entra application with a proof of its identity.
    Application {
        /// `client_id`: the application's id.
        client_id: String,
        /// The proof.
        proof: Proof,
    },
    /// The managed identity of the Azure machine that the program runs on.
    ManagedIdentity {
        /// `client_id`, where the identity is one of several; `None` is the machine's own.
        client_id: Option<String>,
        /// The header that App Service's endpoint requires; `None` for a virtual machine's endpoint.
        app_service_header: Option<Secret>,
    },
}

/// How an application proves its identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// `client_secret`, or what is in `client_secret_file`.
    Secret(Secret),
    /// A certificate: every assertion is signed with its key.
    Certificate(ApplicationCertificate),
    /// `federated_token_file`: another issuer's token. The file is read each time.
    FederatedTokenFile(PathBuf),
}

/// The certificate of an Entra application. Its files are read each time that a token is requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationCertificate {
    /// `client_certificate_file`: PEM file of the certificate.
    pub certificate: PathBuf,
    /// `client_certificate_key_file`: PEM file of its RSA key; the certificate's file where it is absent.
    pub key: PathBuf,
    /// `client_assertion_algorithm`.
    pub algorithm: AssertionAlgorithm,
}

/// How assertions are signed (RFC 7518, 3.3 and 3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AssertionAlgorithm {
    /// RSASSA-PSS with SHA-256.
    #[default]
    Ps256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

impl Credential {
    /// The option that configures it.
    pub fn option(&self) -> &'static str {
        match self {
            Self::Application { proof: Proof::Secret(_), .. } => "client_secret",
            Self::Application { proof: Proof::Certificate(_), .. } => "client_certificate_file",
            Self::Application { proof: Proof::FederatedTokenFile(_), .. } => "federated_token_file",
            Self::ManagedIdentity { .. } => "managed_identity",
        }
    }

    /// The certificate, if that is the proof.
    pub fn certificate(&self) -> Option<&ApplicationCertificate> {
        match self {
            Self::Application { proof: Proof::Certificate(certificate), .. } => Some(certificate),
            _ => None,
        }
    }
}

/// Names the application and the kind of credential for a person, without anything secret.
impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (client_id, kind) = match self {
            Self::Application { client_id, proof } => match proof {
                Proof::Secret(_) => (client_id, "a client secret"),
                Proof::Certificate(_) => (client_id, "a certificate"),
                Proof::FederatedTokenFile(_) => (client_id, "a federated token"),
            },
            Self::ManagedIdentity { client_id: Some(client_id), .. } => {
                return write!(f, "the managed identity {client_id}");
            }
            Self::ManagedIdentity { client_id: None, .. } => {
                return f.write_str("the machine's managed identity");
            }
        };
        write!(f, "application {client_id} with {kind}")
    }
}
