//! Token requests, one for each kind of credential.

use reqwest::RequestBuilder;
use url::Url;

use crate::auth::assertion::Certificate;
use crate::{Credential, Proof};
use net::{Secret, read_small};

/// RFC 7523, 2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The versions of the identity endpoints of a virtual machine and of App Service.
const MACHINE_VERSION: &str = "2018-02-01";
const APP_SERVICE_VERSION: &str = "2019-08-01";

/// Builds the request to the endpoint at `url` for a token for the service `resource` (scheme and host). Also returns
/// the secret that it contains, if there is one.
///
/// # Errors
/// Says why the credential cannot be used.
pub(crate) async fn request(
    http: &reqwest::Client,
    url: &Url,
    credential: &Credential,
    resource: &str,
) -> Result<(RequestBuilder, Option<Secret>), String> {
    let (client_id, proof) = match credential {
        Credential::Application { client_id, proof } => (client_id, proof),
        Credential::ManagedIdentity { client_id, app_service_header } => {
            let mut url = url.clone();
            let version = if app_service_header.is_some() { APP_SERVICE_VERSION } else { MACHINE_VERSION };
            url.query_pairs_mut()
                .append_pair("api-version", version)
                .append_pair("resource", resource)
                .extend_pairs(client_id.as_deref().map(|id| ("client_id", id)));
            let request = http.get(url);
            let request = match app_service_header {
                Some(header) => request.header("X-IDENTITY-HEADER", header.expose()),
                // A web page that is tricked into sending the request cannot set this header.
                None => request.header("Metadata", "true"),
            };
            return Ok((request, app_service_header.clone()));
        }
    };
    let (key, proof) = match proof {
        Proof::Secret(secret) => ("client_secret", secret.expose().to_owned()),
        proof => ("client_assertion", assertion(proof.clone(), client_id.clone(), url.clone()).await?),
    };
    let scope = format!("{resource}/.default");
    let mut form = vec![
        ("client_id", client_id.as_str()),
        (key, proof.as_str()),
        ("scope", scope.as_str()),
        ("grant_type", "client_credentials"),
    ];
    if key == "client_assertion" {
        form.push(("client_assertion_type", ASSERTION_TYPE));
    }
    Ok((http.post(url.clone()).form(&form), Some(Secret::new(proof))))
}

/// Reads files and signs, on a thread that may block. The files may have been renewed since the last time.
async fn assertion(proof: Proof, client_id: String, audience: Url) -> Result<String, String> {
    let made = tokio::task::spawn_blocking(move || match proof {
        Proof::Secret(secret) => Ok(secret.expose().to_owned()),
        Proof::Certificate(settings) => {
            let certificate = Certificate::read(&settings).map_err(|error| error.to_string())?;
            certificate.warn_of_its_end();
            let assertion = certificate.assertion(&client_id, &audience);
            assertion.ok_or_else(|| "the system has no random numbers".to_owned())
        }
        Proof::FederatedTokenFile(path) => {
            let cannot = |reason: &str| format!("cannot use the token in {}: {reason}", path.display());
            let text = read_small(&path).map_err(|reason| cannot(&reason.to_string()))?;
            let token = text.trim();
            if token.is_empty() { Err(cannot("the file is empty")) } else { Ok(token.to_owned()) }
        }
    });
    made.await.unwrap_or_else(|error| Err(error.to_string()))
}
