//! The settings of SOAR's REST client.

use std::path::Path;
use std::time::Duration;

use net::{ClientCertificate, Proxy, Secret, Trust};

/// SOAR's REST interface: `[resilient]`.
#[derive(Debug, Clone, PartialEq)]
pub struct SoarSettings {
    /// `host`.
    pub host: String,
    /// `port`, 443 when absent.
    pub port: u16,
    /// `org`: the organisation's cloud account, uuid or name.
    pub org: String,
    /// `resource_prefix` (Cloud Pak for Security), for instance `/api/respond`.
    pub resource_prefix: Option<String>,
    /// How to sign in; the broker takes the same names and secrets.
    pub login: Login,
    /// `cafile`.
    pub trust: Trust,
    /// `client_auth_cert` and `client_auth_key`.
    pub client_certificate: Option<ClientCertificate>,
    /// The environment's proxy, or `proxy_host` and its companions.
    pub proxy: Proxy,
    /// `max_connection_retries`: tries to sign in at start; `None` is without end.
    pub login_tries: Option<u32>,
    /// `request_max_retries`: tries of one request, the first included.
    pub request_tries: u32,
    /// `request_retry_delay`: the first wait.
    pub retry_delay: Duration,
    /// `request_retry_backoff`: each wait is this many times the one before.
    pub retry_backoff: f64,
}

impl SoarSettings {
    /// The files it names.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.trust.file().into_iter().chain(self.client_certificate.iter().flat_map(ClientCertificate::files))
    }
}

/// Who we are to SOAR.
#[derive(Debug, Clone, PartialEq)]
pub enum Login {
    /// `api_key_id` and `api_key_secret`.
    ApiKey {
        /// The key's id.
        id: String,
        /// The key's secret.
        secret: Secret,
    },
    /// `email` and `password`; deprecated by SOAR.
    Password {
        /// The account's e-mail address.
        email: String,
        /// Its password.
        password: Secret,
    },
}

impl Login {
    /// What the broker takes as login and passcode: the same as SOAR's REST interface.
    pub fn credentials(&self) -> (String, Secret) {
        match self {
            Self::ApiKey { id, secret } => (id.clone(), secret.clone()),
            Self::Password { email, password } => (email.clone(), password.clone()),
        }
    }
}
