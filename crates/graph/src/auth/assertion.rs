//! An application's certificate, and the assertions signed with its key: JSON Web Tokens that stand in for a
//! client secret (RFC 7523; Microsoft identity platform, "Application authentication with certificates").

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use tracing::warn;
use url::Url;
use uuid::Uuid;
use x509_cert::Certificate as X509;
use x509_cert::der::Decode;

use crate::{ApplicationCertificate, AssertionAlgorithm};
use net::tls::{PemFile, TlsError};

/// An assertion is used immediately.
const LIFETIME: Duration = Duration::from_secs(300);
/// The log warns of a certificate that ends within this time.
const WARN_BEFORE: Duration = Duration::from_secs(30 * 24 * 3600);

/// An application's certificate with its key, read from their files.
pub struct Certificate {
    subject: String,
    not_after: DateTime<Utc>,
    /// `x5t#S256`: the SHA-256 of the certificate, by which Entra ID finds it.
    thumbprint: String,
    key: RsaKeyPair,
    algorithm: AssertionAlgorithm,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Certificate({}, until {})", self.subject, self.not_after)
    }
}

impl Certificate {
    /// Reads the files that `settings` names.
    ///
    /// # Errors
    /// One of them cannot be read or holds something else, or the two do not belong together.
    pub fn read(settings: &ApplicationCertificate) -> Result<Self, TlsError> {
        let wrong = |file, path: &Path, reason: &str| TlsError::File {
            file,
            path: path.to_owned(),
            reason: reason.to_owned(),
        };
        let of_certificate =
            |reason: &str| wrong(PemFile::ApplicationCertificate, &settings.certificate, reason);
        let of_key = |reason: &str| wrong(PemFile::ApplicationKey, &settings.key, reason);

        let der = CertificateDer::from_pem_file(&settings.certificate)
            .map_err(|error| of_certificate(&pem_words(&error, "no PEM certificate is in it")))?;
        let x509 = X509::from_der(&der).map_err(|_| of_certificate("it cannot be read as X.509"))?;
        let tbs = x509.tbs_certificate();
        let not_after = tbs.validity().not_after.to_unix_duration().as_secs();
        let not_after = i64::try_from(not_after).ok().and_then(|at| DateTime::from_timestamp(at, 0));

        let key = PrivateKeyDer::from_pem_file(&settings.key)
            .map_err(|error| of_key(&pem_words(&error, "no PEM key without a password is in it")))?;
        let key = match &key {
            PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            _ => return Err(of_key("it is no RSA key")),
        };
        let key = key.map_err(|_| of_key("it is no RSA key of 2048 to 4096 bits"))?;
        let public = tbs.subject_public_key_info().subject_public_key.as_bytes();
        if public != Some(key.public().as_ref()) {
            return Err(of_key("it is not the key of the certificate"));
        }
        Ok(Self {
            subject: tbs.subject().to_string(),
            not_after: not_after.ok_or_else(|| of_certificate("its end is no date"))?,
            thumbprint: URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, &der)),
            key,
            algorithm: settings.algorithm,
        })
    }

    /// Its subject, such as `CN=soar-exchange`.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// When it ends.
    pub fn not_after(&self) -> DateTime<Utc> {
        self.not_after
    }

    /// Warns in the log if it ends soon or has ended.
    pub(crate) fn warn_of_its_end(&self) {
        let left = self.not_after - Utc::now();
        let (subject, not_after) = (&self.subject, self.not_after.to_rfc3339());
        if left < chrono::TimeDelta::zero() {
            warn!(subject, not_after, "the application's certificate has expired; Entra ID will refuse it");
        } else if left.to_std().is_ok_and(|left| left < WARN_BEFORE) {
            let days = left.num_days();
            warn!(subject, not_after, days, "the application's certificate expires soon; renew it");
        }
    }

    /// Signs a new assertion of `client_id` for the token endpoint `audience`; `None` where the system has no random
    /// numbers.
    pub(crate) fn assertion(&self, client_id: &str, audience: &Url) -> Option<String> {
        let (name, padding): (_, &dyn RsaEncoding) = match self.algorithm {
            AssertionAlgorithm::Ps256 => ("PS256", &RSA_PSS_SHA256),
            AssertionAlgorithm::Rs256 => ("RS256", &RSA_PKCS1_SHA256),
        };
        let now = Utc::now().timestamp();
        let header = json!({ "alg": name, "typ": "JWT", "x5t#S256": self.thumbprint });
        let claims = json!({
            "aud": audience.as_str(),
            "iss": client_id,
            "sub": client_id,
            "jti": Uuid::new_v4().to_string(),
            "nbf": now,
            "iat": now,
            "exp": now.saturating_add_unsigned(LIFETIME.as_secs()),
        });
        let encoded = |json: serde_json::Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", encoded(header), encoded(claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(padding, &SystemRandom::new(), signed.as_bytes(), &mut signature).ok()?;
        Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// Says what is wrong with a PEM file; returns `none` where it does not hold the expected item.
fn pem_words(error: &rustls::pki_types::pem::Error, none: &str) -> String {
    match error {
        rustls::pki_types::pem::Error::NoItemsFound => none.to_owned(),
        other => other.to_string(),
    }
}
