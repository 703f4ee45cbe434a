//! Options of a connection to an outside system: trust, client certificate, proxy.

use std::path::{Path, PathBuf};

use url::Url;

use crate::Secret;

/// Which server certificates are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// The system's certificate authorities.
    System,
    /// The system's, and those in this PEM file.
    SystemAnd(PathBuf),
    /// Every certificate: `false` in the file. Logged as a warning.
    Insecure,
}

impl Trust {
    /// The file of certificate authorities, if one is named.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::SystemAnd(file) => Some(file),
            Self::System | Self::Insecure => None,
        }
    }
}

/// A client certificate, for a server that asks for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// PEM file of the certificate chain.
    pub certificate: PathBuf,
    /// PEM file of the private key.
    pub key: PathBuf,
}

impl ClientCertificate {
    /// Its files.
    pub fn files(&self) -> [&Path; 2] {
        [&self.certificate, &self.key]
    }
}

/// Which proxy HTTP requests take.
#[allow(clippy::large_enum_variant)] // there are three of these in a process
#[derive(Debug, Clone, PartialEq)]
pub enum Proxy {
    /// `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` decide; no proxy where they are unset.
    Environment,
    /// The file decides. The URLs may carry a user name and password.
    Explicit {
        /// For `http://` requests.
        http: Option<ProxyUrl>,
        /// For `https://` requests.
        https: Option<ProxyUrl>,
    },
}

/// A proxy's address and, apart from it so that the address may be logged, its login.
#[derive(Debug, Clone, PartialEq)]
pub struct ProxyUrl {
    /// The address, without user name and password.
    pub url: Url,
    /// User name and password.
    pub login: Option<(String, Secret)>,
}
