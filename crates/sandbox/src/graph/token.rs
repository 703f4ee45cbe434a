//! Entra's token endpoint for client credentials, and the check of the tokens that it issued.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use parking_lot::{Mutex, MutexGuard};
use serde_json::json;

use super::assertion::Proofs;
use super::denial::Denial;
use super::faults::{Faults, TokenRefusal};
use super::refusal::Refusal;
use super::response::GraphResponse;
use super::rng::{guid, mix};

/// The scope of Graph in the global cloud, which is accepted as well.
const GLOBAL_SCOPE: &str = "https://graph.microsoft.com/.default";

/// The application that Entra knows, and the tokens that it issued.
#[derive(Debug)]
pub(super) struct Entra {
    seed: u64,
    pub(super) tenant_id: String,
    pub(super) client_id: String,
    pub(super) client_secret: String,
    /// The scope that means this Graph: `https://127.0.0.1:PORT/.default`.
    scope: String,
    proofs: Mutex<Proofs>,
    issued: Mutex<Issued>,
}

#[derive(Debug, Default)]
struct Issued {
    count: u64,
    /// Each token with the end of its lifetime.
    valid: HashMap<String, Instant>,
}

impl Entra {
    pub(super) fn new(seed: u64, origin: &str) -> Self {
        Self {
            seed,
            tenant_id: guid(mix(seed, 1, 1), mix(seed, 1, 2)),
            client_id: guid(mix(seed, 2, 1), mix(seed, 2, 2)),
            // Secrets contain characters that must be form-encoded.
            client_secret: format!("7Qx8Q~{:016x}+/=%&._", mix(seed, 3, 1)),
            scope: format!("{origin}/.default"),
            proofs: Mutex::default(),
            issued: Mutex::default(),
        }
    }

    /// The credentials that the application may use instead of the secret.
    pub(super) fn proofs(&self) -> MutexGuard<'_, Proofs> {
        self.proofs.lock()
    }

    /// This Graph, as tokens name it: scheme, host and port.
    pub(super) fn resource(&self) -> &str {
        self.scope.trim_end_matches("/.default")
    }

    /// The header that App Service gives only to its own apps.
    pub(super) fn identity_header(&self) -> String {
        guid(mix(self.seed, 4, 1), mix(self.seed, 4, 2))
    }

    fn issued(&self) -> MutexGuard<'_, Issued> {
        self.issued.lock()
    }

    /// Invalidates every token that was issued.
    pub(super) fn revoke(&self) {
        self.issued().valid.clear();
    }

    /// Answers a `POST /{tenant}/oauth2/v2.0/token`.
    pub(super) fn answer(
        &self,
        faults: &Faults,
        tenant: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> GraphResponse {
        match self.check(faults, tenant, headers, body) {
            Ok(()) => {
                let lifetime = faults.token_lifetime();
                let token = self.issue(lifetime, &faults.roles());
                let body = json!({
                    "token_type": "Bearer",
                    "expires_in": lifetime.as_secs(),
                    "ext_expires_in": lifetime.as_secs(),
                    "access_token": token,
                });
                GraphResponse::json(200, body.to_string())
            }
            Err(denial) => self.deny(denial),
        }
    }

    fn check(&self, faults: &Faults, tenant: &str, headers: &HeaderMap, body: &[u8]) -> Result<(), Denial> {
        if let Some(refusal) = faults.token_refusal() {
            return Err(self.refused(refusal, tenant));
        }
        if tenant != self.tenant_id {
            return Err(self.refused(TokenRefusal::UnknownTenant, tenant));
        }
        let form = headers
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
        let mut fields: HashMap<String, String> = HashMap::new();
        if form {
            fields.extend(url::form_urlencoded::parse(body).into_owned());
        }
        let field = |name: &str| {
            fields.get(name).filter(|value| !value.is_empty()).ok_or_else(|| {
                let text = format!("The request body must contain the following parameter: '{name}'.");
                Denial(400, "invalid_request", 900_144, text)
            })
        };
        if field("grant_type")? != "client_credentials" {
            let text = "The app requested an unsupported grant type.".to_owned();
            return Err(Denial(400, "unsupported_grant_type", 70_003, text));
        }
        if field("client_id")? != &self.client_id {
            return Err(self.refused(TokenRefusal::UnknownApplication, tenant));
        }
        match (fields.get("client_secret"), fields.get("client_assertion")) {
            (Some(secret), None) if *secret == self.client_secret => {}
            (Some(_), None) => return Err(self.refused(TokenRefusal::InvalidSecret, tenant)),
            (None, Some(assertion)) => {
                let audience = format!("{}/{tenant}/oauth2/v2.0/token", self.resource());
                let kind = field("client_assertion_type")?;
                self.proofs().check(kind, assertion, &self.client_id, &audience)?;
            }
            _ => {
                let text =
                    "The request body must contain exactly one of 'client_secret' and 'client_assertion'.";
                return Err(Denial(401, "invalid_client", 7_000_216, text.to_owned()));
            }
        }
        let scope = field("scope")?;
        if scope != &self.scope && scope != GLOBAL_SCOPE {
            let text = format!(
                "The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid."
            );
            return Err(Denial(400, "invalid_scope", 70_011, text));
        }
        Ok(())
    }

    fn refused(&self, refusal: TokenRefusal, tenant: &str) -> Denial {
        let app = &self.client_id;
        match refusal {
            TokenRefusal::InvalidSecret => Denial(
                401,
                "invalid_client",
                7_000_215,
                format!(
                    "Invalid client secret provided. Ensure the secret being sent in the request is the client \
                     secret value, not the client secret ID, for a secret added to app '{app}'."
                ),
            ),
            TokenRefusal::ExpiredSecret => Denial(
                401,
                "invalid_client",
                7_000_222,
                format!("The provided client secret keys for app '{app}' are expired."),
            ),
            TokenRefusal::UnknownApplication => Denial(
                400,
                "unauthorized_client",
                700_016,
                format!("Application with identifier was not found in the directory '{tenant}'."),
            ),
            TokenRefusal::UnknownTenant => Denial(
                400,
                "invalid_request",
                90_002,
                format!("Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."),
            ),
            TokenRefusal::Unavailable(status) => Denial(
                status,
                "temporarily_unavailable",
                90_033,
                "A transient error has occurred. Please try again.".to_owned(),
            ),
            TokenRefusal::Blocked => Denial(
                400,
                "invalid_grant",
                53_003,
                "Access has been blocked by Conditional Access policies.".to_owned(),
            ),
        }
    }

    fn deny(&self, Denial(status, error, code, text): Denial) -> GraphResponse {
        let nth = {
            let mut issued = self.issued();
            issued.count += 1;
            issued.count
        };
        let trace = guid(mix(self.seed, 0x7ACE, nth), nth);
        let correlation = guid(mix(self.seed, 0xC0EE, nth), nth);
        let timestamp = Utc::now().format("%Y-%m-%d %H:%M:%SZ").to_string();
        let body = json!({
            "error": error,
            "error_description": format!(
                "AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}"
            ),
            "error_codes": [code],
            "timestamp": timestamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": format!("https://login.microsoftonline.com/error?code={code}"),
        });
        GraphResponse::json(status, body.to_string())
    }

    /// Issues a token in the form of a JWT. Clients must treat it as opaque.
    pub(super) fn issue(&self, lifetime: Duration, roles: &[String]) -> String {
        let mut issued = self.issued();
        issued.count += 1;
        let nth = issued.count;
        let now = Instant::now();
        let header = URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"RS256","kid":"sandbox"}"#);
        let claims = json!({
            "aud": self.resource(),
            "iss": format!("https://sts.windows.net/{}/", self.tenant_id),
            "appid": self.client_id,
            "tid": self.tenant_id,
            "roles": roles,
            "exp": Utc::now().timestamp() + i64::try_from(lifetime.as_secs()).unwrap_or(0),
            "uti": format!("{:016x}", mix(self.seed, 0x701E, nth)),
        });
        let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
        let signature: Vec<u8> = (0..32).flat_map(|part| mix(self.seed, nth, part).to_be_bytes()).collect();
        let token = format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(signature));
        issued.valid.retain(|_, end| *end > now);
        issued.valid.insert(token.clone(), now + lifetime);
        token
    }

    /// Checks that a request has a token that was issued and has not expired.
    pub(super) fn authorize(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(header) = headers.get("authorization").and_then(|value| value.to_str().ok()) else {
            return Err(Refusal::unauthorized("Access token is empty."));
        };
        let Some(token) = header.strip_prefix("Bearer ") else {
            return Err(Refusal::unauthorized("Access token is empty."));
        };
        match self.issued().valid.get(token) {
            Some(end) if *end > Instant::now() => Ok(()),
            Some(_) => Err(Refusal::unauthorized("Lifetime validation failed, the token is expired.")),
            None => Err(Refusal::unauthorized("Access token validation failure. Invalid audience.")),
        }
    }
}
