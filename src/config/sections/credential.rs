//! The credential for Microsoft Graph, from `[fn_exchange_online]`. Exactly one may be set, so that it is clear which
//! one is used.

use url::Url;

use crate::config::definitions::Opt;
use crate::config::definitions::app as opt;
use crate::config::options::Options;
use crate::config::url_option::url;
use graph::{ApplicationCertificate, Credential, Proof};
use net::Secret;

/// The token endpoint of managed identities on Azure's virtual machines (Azure Instance Metadata Service).
const IDENTITY_HOST: &str = "http://169.254.169.254";
const IDENTITY_PATH: &str = "/metadata/identity/oauth2/token";

/// The kinds of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given {
    Secret,
    Certificate,
    FederatedToken,
    ManagedIdentity,
}

/// The token endpoint and the credential. `None` only where a problem was noted.
pub(in crate::config) fn credential(options: &mut Options<'_>) -> Option<(Url, Credential)> {
    match given(options) {
        Given::ManagedIdentity => managed_identity(options),
        given => application(options, given),
    }
}

/// The credential that the options give; a second one is a problem.
fn given(options: &mut Options<'_>) -> Given {
    let secret = [&opt::CLIENT_SECRET, &opt::CLIENT_SECRET_FILE];
    let mut given: Vec<(Given, &Opt)> = Vec::new();
    given.extend(secret.into_iter().find(|opt| options.is_filled_in(opt)).map(|opt| (Given::Secret, opt)));
    if options.is_set(&opt::CLIENT_CERTIFICATE_FILE) {
        given.push((Given::Certificate, &opt::CLIENT_CERTIFICATE_FILE));
    } else {
        for opt in [&opt::CLIENT_CERTIFICATE_KEY_FILE, &opt::CLIENT_ASSERTION_ALGORITHM.opt] {
            if options.is_set(opt) {
                options.warning(opt, "is ignored, because client_certificate_file is not set");
            }
        }
    }
    if options.is_set(&opt::FEDERATED_TOKEN_FILE) {
        given.push((Given::FederatedToken, &opt::FEDERATED_TOKEN_FILE));
    }
    if options.flag(&opt::MANAGED_IDENTITY) {
        given.push((Given::ManagedIdentity, &opt::MANAGED_IDENTITY));
    }
    if let [(_, first), (_, second), ..] = given[..] {
        let right = "set exactly one of client_secret (or client_secret_file), client_certificate_file, \
                     federated_token_file and managed_identity";
        options.problem(second, format!("conflicts with {}", first.key), right);
    }
    let is_managed = given.iter().any(|(given, _)| *given == Given::ManagedIdentity);
    match given.first() {
        _ if is_managed => Given::ManagedIdentity,
        Some((first, _)) => *first,
        None => Given::Secret,
    }
}

fn application(options: &mut Options<'_>, given: Given) -> Option<(Url, Credential)> {
    let tenant = options.mandatory(
        &opt::TENANT_ID,
        "give the directory (tenant) ID that the Entra application's overview shows",
    );
    let client_id = options.mandatory(
        &opt::CLIENT_ID,
        "give the application (client) ID that the Entra application's overview shows",
    );
    let proof = match given {
        Given::Certificate => certificate(options).map(Proof::Certificate),
        Given::FederatedToken => {
            options.credential_file(&opt::FEDERATED_TOKEN_FILE).map(Proof::FederatedTokenFile)
        }
        Given::Secret | Given::ManagedIdentity => {
            let right = "give a client secret's value (not its ID), or name one in the environment: $NAME";
            options.mandatory_secret(&opt::CLIENT_SECRET, &opt::CLIENT_SECRET_FILE, right).map(Proof::Secret)
        }
    };
    let token_url = url(options, &opt::MICROSOFT_GRAPH_TOKEN_URL, tenant.as_deref());
    Some((token_url?, Credential::Application { client_id: client_id?, proof: proof? }))
}

fn certificate(options: &mut Options<'_>) -> Option<ApplicationCertificate> {
    let certificate = options.credential_file(&opt::CLIENT_CERTIFICATE_FILE);
    let key = if options.is_set(&opt::CLIENT_CERTIFICATE_KEY_FILE) {
        options.credential_file(&opt::CLIENT_CERTIFICATE_KEY_FILE)
    } else {
        certificate.clone()
    };
    let algorithm = options.choice(&opt::CLIENT_ASSERTION_ALGORITHM);
    Some(ApplicationCertificate { certificate: certificate?, key: key?, algorithm: algorithm? })
}

/// The endpoint of a managed identity, from the environment variables of App Service and of Azure's client libraries.
fn managed_identity(options: &mut Options<'_>) -> Option<(Url, Credential)> {
    let client_id =
        if options.is_filled_in(&opt::CLIENT_ID) { options.optional(&opt::CLIENT_ID) } else { None };
    let client_id = client_id.map(|value| value.text);
    let variable = |name| options.environment.get_filled(name).map(str::to_owned);
    let (address, app_service_header) = match (variable("IDENTITY_ENDPOINT"), variable("IDENTITY_HEADER")) {
        (Some(address), Some(header)) => (address, Some(Secret::new(header))),
        (Some(_), None) => {
            options.problem(
                &opt::MANAGED_IDENTITY,
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
                &opt::MANAGED_IDENTITY,
                "is true, and the identity endpoint in the environment is not a URL",
                "correct IDENTITY_ENDPOINT or AZURE_POD_IDENTITY_AUTHORITY_HOST, or unset it",
            );
            None
        }
    }
}
