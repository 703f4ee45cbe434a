//! Credentials that an application uses instead of a secret, checked as Entra does: assertions signed with a registered
//! certificate (RFC 7523), and tokens of another issuer that a federated credential trusts.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use ring::digest::{SHA256, digest};
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaParameters, UnparsedPublicKey,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use x509_cert::Certificate;
use x509_cert::der::Decode;

use super::denial::Denial;

/// RFC 7523, 2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The tolerated clock difference, in seconds.
const SKEW: i64 = 300;
/// The longest lifetime of an assertion, in seconds.
const LONGEST_LIFE: i64 = 24 * 3600;

/// The application's registered credentials besides its secret.
#[derive(Debug, Default)]
pub(super) struct Proofs {
    certificates: Vec<Registered>,
    federated: HashSet<String>,
    /// The `jti` of the assertions seen.
    seen: HashSet<String>,
    /// Every assertion received, valid or not.
    shown: Vec<String>,
}

#[derive(Debug)]
struct Registered {
    thumbprint: String,
    public_key: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(rename = "x5t#S256")]
    thumbprint: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    aud: String,
    iss: String,
    sub: String,
    jti: String,
    nbf: i64,
    exp: i64,
}

impl Proofs {
    /// Registers a certificate. Returns `false` if `pem` is not a certificate.
    pub(super) fn trust_certificate(&mut self, pem: &str) -> bool {
        let Ok(der) = CertificateDer::from_pem_slice(pem.as_bytes()) else { return false };
        let Ok(x509) = Certificate::from_der(&der) else { return false };
        let public_key = x509.tbs_certificate().subject_public_key_info().subject_public_key.as_bytes();
        let thumbprint = URL_SAFE_NO_PAD.encode(digest(&SHA256, &der));
        self.certificates
            .extend(public_key.map(|public_key| Registered { thumbprint, public_key: public_key.to_vec() }));
        public_key.is_some()
    }

    /// Accepts another issuer's token for the application, instead of the earlier ones.
    pub(super) fn trust_federated_token(&mut self, token: &str) {
        self.federated = HashSet::from([token.to_owned()]);
    }

    /// Every assertion received so far, valid or not.
    pub(super) fn shown(&self) -> Vec<String> {
        self.shown.clone()
    }

    /// Checks a `client_assertion` of `client_id`, meant for the endpoint `audience`.
    pub(super) fn check(
        &mut self,
        kind: &str,
        assertion: &str,
        client_id: &str,
        audience: &str,
    ) -> Result<(), Denial> {
        self.shown.push(assertion.to_owned());
        if kind != ASSERTION_TYPE {
            let text = format!("The client assertion type '{kind}' is not supported.");
            return Err(Denial(400, "invalid_request", 50_027, text));
        }
        if self.federated.contains(assertion) {
            return Ok(());
        }
        let malformed =
            || Denial(401, "invalid_client", 50_027, "JWT token is invalid or malformed.".to_owned());
        let parts: Vec<&str> = assertion.split('.').collect();
        let [header, claims, signature] = parts[..] else { return Err(malformed()) };
        let signed = &assertion[..header.len() + 1 + claims.len()];
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed());
        let (header, claims, signature) = (decoded(header)?, decoded(claims)?, decoded(signature)?);
        let header: Header = serde_json::from_slice(&header).map_err(|_| malformed())?;
        let claims: Claims = serde_json::from_slice(&claims).map_err(|_| malformed())?;
        let Some(thumbprint) = header.thumbprint else {
            let text = "No matching federated identity record found for presented assertion.".to_owned();
            return Err(Denial(401, "invalid_client", 70_021, text));
        };
        let algorithm: &'static RsaParameters = match header.alg.as_str() {
            "PS256" => &RSA_PSS_2048_8192_SHA256,
            "RS256" => &RSA_PKCS1_2048_8192_SHA256,
            _ => return Err(malformed()),
        };
        let known = self.certificates.iter().find(|registered| registered.thumbprint == thumbprint);
        let verified = known.is_some_and(|registered| {
            UnparsedPublicKey::new(algorithm, &registered.public_key)
                .verify(signed.as_bytes(), &signature)
                .is_ok()
        });
        if !verified {
            let text = "The certificate with identifier used to sign the client assertion is not registered \
                        on application.";
            return Err(Denial(401, "invalid_client", 700_027, text.to_owned()));
        }
        if claims.aud != audience || claims.iss != client_id || claims.sub != client_id {
            let text = "Assertion audience, issuer or subject claim does not match the expected value.";
            return Err(Denial(401, "invalid_client", 700_023, text.to_owned()));
        }
        let now = Utc::now().timestamp();
        if claims.nbf > now + SKEW || claims.exp < now - SKEW || claims.exp - claims.nbf > LONGEST_LIFE {
            let text = "Client assertion is not within its valid time range.";
            return Err(Denial(401, "invalid_client", 700_024, text.to_owned()));
        }
        if !self.seen.insert(claims.jti) {
            let text = "The client assertion was used before.";
            return Err(Denial(401, "invalid_client", 50_027, text.to_owned()));
        }
        Ok(())
    }
}
