//! The options of `[fn_exchange_online]` that say who we are to Microsoft Graph. Exactly one credential may be
//! given: with two, nobody could say which of them is in use.

use url::Url;

use crate::config::options::{APP, Name, Options};
use crate::config::url_option::url_or;
use graph::{ApplicationCertificate, AssertionAlgorithm, Credential, Proof};
use net::Secret;

const TOKEN_URL: &str = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token";
/// Where Azure's virtual machines ask for their identity's tokens (Azure Instance Metadata Service).
const IDENTITY_HOST: &str = "http://169.254.169.254";
const IDENTITY_PATH: &str = "/metadata/identity/oauth2/token";

const CLIENT_ID: Name = (APP, "client_id");
const SECRET: Name = (APP, "client_secret");
const SECRET_FILE: Name = (APP, "client_secret_file");
const CERTIFICATE: Name = (APP, "client_certificate_file");
const KEY: Name = (APP, "client_certificate_key_file");
const ALGORITHM: Name = (APP, "client_assertion_algorithm");
const FEDERATED: Name = (APP, "federated_token_file");
const MANAGED: Name = (APP, "managed_identity");

/// Where tokens are asked for, and with what. `None` only where a problem was noted.
pub(in crate::config) fn credential(options: &mut Options<'_>) -> Option<(Url, Credential)> {
    let managed = options.flag(MANAGED);
    let secret = [SECRET, SECRET_FILE].into_iter().find(|&name| options.is_filled_in(name));
    let given = [
        secret,
        options.is_set(CERTIFICATE).then_some(CERTIFICATE),
        options.is_set(FEDERATED).then_some(FEDERATED),
        managed.then_some(MANAGED),
    ];
    let mut given = given.into_iter().flatten();
    let first = given.next().unwrap_or(SECRET);
    if let Some(second) = given.next() {
        let right = "set exactly one of client_secret (or client_secret_file), client_certificate_file, \
                     federated_token_file and managed_identity";
        options.problem(second, format!("is set beside {}", first.1), right);
    }
    if !options.is_set(CERTIFICATE) {
        for name in [KEY, ALGORITHM].into_iter().filter(|&name| options.is_set(name)).collect::<Vec<_>>() {
            options.warning(name, "is ignored, because client_certificate_file is not set");
        }
    }
    if managed { managed_identity(options) } else { application(options, first) }
}

fn application(options: &mut Options<'_>, given: Name) -> Option<(Url, Credential)> {
    let tenant = options.mandatory(
        (APP, "tenant_id"),
        "give the directory (tenant) ID that the Entra application's overview shows",
    );
    let client_id = options
        .mandatory(CLIENT_ID, "give the application (client) ID that the Entra application's overview shows");
    let proof = match given {
        CERTIFICATE => certificate(options).map(Proof::Certificate),
        FEDERATED => options.credential_file(FEDERATED).map(Proof::FederatedTokenFile),
        _ => {
            let right = "give a client secret's value (not its ID), or name one in the environment: $NAME";
            options.mandatory_secret(SECRET, SECRET_FILE, right).map(Proof::Secret)
        }
    };
    let token_url = url_or(options, (APP, "microsoft_graph_token_url"), TOKEN_URL, tenant.as_deref());
    Some((token_url?, Credential::Application { client_id: client_id?, proof: proof? }))
}

fn certificate(options: &mut Options<'_>) -> Option<ApplicationCertificate> {
    let certificate = options.credential_file(CERTIFICATE);
    let key = if options.is_set(KEY) { options.credential_file(KEY) } else { certificate.clone() };
    let algorithm = match options.optional(ALGORITHM).map(|value| value.text.to_ascii_uppercase()).as_deref()
    {
        None | Some("PS256") => AssertionAlgorithm::Ps256,
        Some("RS256") => AssertionAlgorithm::Rs256,
        Some(_) => {
            options.problem(ALGORITHM, "is no algorithm of assertions", "give PS256 or RS256");
            return None;
        }
    };
    Some(ApplicationCertificate { certificate: certificate?, key: key?, algorithm })
}

/// The endpoint is where Azure says: the variables are those of App Service, and of Azure's own libraries.
fn managed_identity(options: &mut Options<'_>) -> Option<(Url, Credential)> {
    let client_id = if options.is_filled_in(CLIENT_ID) { options.optional(CLIENT_ID) } else { None };
    let client_id = client_id.map(|value| value.text);
    let variable = |name| options.environment.get_filled(name).map(str::to_owned);
    let (address, app_service_header) = match (variable("IDENTITY_ENDPOINT"), variable("IDENTITY_HEADER")) {
        (Some(address), Some(header)) => (address, Some(Secret::new(header))),
        (Some(_), None) => {
            options.problem(
                MANAGED,
                "is true, and the machine has an identity endpoint that is neither a virtual machine's nor App \
                 Service's (IDENTITY_ENDPOINT without IDENTITY_HEADER)",
                "use another credential, such as client_certificate_file",
            );
            return None;
        }
        (None, _) => {
            let host = variable("AZURE_POD_IDENTITY_AUTHORITY_HOST");
            let host = host.as_deref().unwrap_or(IDENTITY_HOST).trim_end_matches('/');
            (format!("{host}{IDENTITY_PATH}"), None)
        }
    };
    match Url::parse(&address) {
        Ok(url) if url.has_host() && matches!(url.scheme(), "http" | "https") => {
            Some((url, Credential::ManagedIdentity { client_id, app_service_header }))
        }
        _ => {
            options.problem(
                MANAGED,
                "is true, and the identity endpoint that the environment names is no URL",
                "mend IDENTITY_ENDPOINT or AZURE_POD_IDENTITY_AUTHORITY_HOST, or unset it",
            );
            None
        }
    }
}
