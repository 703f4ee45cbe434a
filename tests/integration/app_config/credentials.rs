//! Who we are to Microsoft Graph: exactly one credential; and the ways there.

use graph::{ApplicationCertificate, AssertionAlgorithm};
use net::Trust;

use super::*;

/// [`MINIMAL`] with these lines instead of the client secret.
fn with_credential(lines: &str) -> String {
    MINIMAL.replace("client_secret=S3CR3T", lines)
}

fn credential(lines: &str) -> Credential {
    loaded(&with_credential(lines)).graph.credential
}

fn application(proof: Proof) -> Credential {
    Credential::Application { client_id: "client".into(), proof }
}

fn certificate(certificate: &str, key: &str, algorithm: AssertionAlgorithm) -> Credential {
    application(Proof::Certificate(ApplicationCertificate {
        certificate: certificate.into(),
        key: key.into(),
        algorithm,
    }))
}

#[test]
fn certificate_signs_with_ps256_by_default() {
    let alone = "client_certificate_file=/app.pem";
    assert_eq!(credential(alone), certificate("/app.pem", "/app.pem", AssertionAlgorithm::Ps256));
    let all = "client_certificate_file=/app.pem\nclient_certificate_key_file=/app.key\n\
               client_assertion_algorithm=rs256";
    assert_eq!(credential(all), certificate("/app.pem", "/app.key", AssertionAlgorithm::Rs256));
    let problem = only_problem(with_credential(&format!("{alone}\nclient_assertion_algorithm=HS256")));
    assert!(problem.to_string().contains("give PS256 or RS256"), "{problem}");
}

#[test]
fn federated_token_file_accepts_path_or_azure_variable() {
    let file = application(Proof::FederatedTokenFile("/var/run/token".into()));
    assert_eq!(credential("federated_token_file=/var/run/token"), file);
    let text = with_credential("federated_token_file=$AZURE_FEDERATED_TOKEN_FILE");
    let environment = [("AZURE_FEDERATED_TOKEN_FILE", "/var/run/token")];
    assert_eq!(load_in(&text, &environment).unwrap().settings.graph.credential, file);
    let error = load_in(text, &[("AZURE_FEDERATED_TOKEN_FILE", "")]).unwrap_err();
    assert_eq!(error.problems().len(), 1, "{error}");
    assert!(error.to_string().contains("federated_token_file is empty"), "{error}");
    assert_eq!(
        load_in(MINIMAL, &environment).unwrap().settings.graph.credential,
        application(Proof::Secret(Secret::new("S3CR3T"))),
        "the variable alone decides nothing"
    );
}

#[test]
fn managed_identity_needs_no_ids_and_uses_azure_endpoint() {
    let text =
        MINIMAL.replace("tenant_id=tenant\nclient_id=client\nclient_secret=S3CR3T", "managed_identity=true");
    let graph = |text: &str, environment: &[(&str, &str)]| load_in(text, environment).unwrap().settings.graph;
    let machine = graph(&text, &[]);
    assert_eq!(machine.token_url.as_str(), "http://169.254.169.254/metadata/identity/oauth2/token");
    assert_eq!(machine.credential, Credential::ManagedIdentity { client_id: None, app_service_header: None });
    let named = graph(&with_credential("managed_identity=true"), &[]).credential;
    assert_eq!(
        named,
        Credential::ManagedIdentity { client_id: Some("client".into()), app_service_header: None }
    );
    let endpoint = ("IDENTITY_ENDPOINT", "http://127.0.0.1:41741/msi/token/");
    let app_service = graph(&text, &[endpoint, ("IDENTITY_HEADER", "h")]);
    assert_eq!(app_service.token_url.as_str(), endpoint.1);
    assert_eq!(
        app_service.credential,
        Credential::ManagedIdentity { client_id: None, app_service_header: Some(Secret::new("h")) }
    );
    for environment in [endpoint, ("AZURE_POD_IDENTITY_AUTHORITY_HOST", "nonsense")] {
        let error = load_in(&text, &[environment]).unwrap_err();
        assert_eq!(places(error.problems()), ["fn_exchange_online.managed_identity"]);
    }
}

#[test]
fn multiple_credentials_conflict_unless_placeholder() {
    let ways =
        ["client_secret=s", "client_certificate_file=/a", "federated_token_file=/a", "managed_identity=yes"];
    for (nth, first) in ways.iter().enumerate() {
        for second in &ways[nth + 1..] {
            let problem = only_problem(with_credential(&format!("{first}\n{second}"))).to_string();
            let name = |line: &str| line.split_once('=').unwrap().0.to_owned();
            let words = format!("{} conflicts with {}; set exactly one", name(second), name(first));
            assert!(problem.contains(&words), "{problem}");
        }
        credential(
            &format!("client_secret=xxx\n{first}")
                .replace("client_secret=xxx\nclient_secret", "client_secret"),
        );
    }
    assert_eq!(
        places(&problems(with_credential(""))),
        ["fn_exchange_online.client_secret"],
        "and one is needed"
    );
}

#[test]
fn certificate_options_without_certificate_give_warnings() {
    let text = with("", "client_certificate_key_file=/a\nclient_assertion_algorithm=RS256");
    let warnings = warnings(&text);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings.iter().all(|warning| warning.contains("client_certificate_file is not set")));
}

#[test]
fn token_endpoint_trust_is_configurable_separately() {
    assert_eq!(loaded(MINIMAL).graph.token_trust, None);
    let settings = app("verify=/graph.pem\ntoken_verify=/token.pem").graph;
    assert_eq!(settings.trust, Trust::SystemAnd("/graph.pem".into()));
    assert_eq!(settings.token_trust, Some(Trust::SystemAnd("/token.pem".into())));
    let off = with("", "token_verify=false");
    assert_eq!(loaded(&off).graph.token_trust, Some(Trust::Insecure));
    assert!(warnings(&off)[0].contains("not verified"));
}

#[test]
fn broker_proxy_is_used_only_when_configured() {
    let stomp = |lines: &str, environment: &[(&str, &str)]| {
        load_in(with(lines, ""), environment).unwrap().settings.stomp.proxy
    };
    let environment = [("HTTPS_PROXY", "http://u:p%40ss@proxy:8080"), ("NO_PROXY", "example.org,10.0.0.0/8")];
    assert_eq!(stomp("", &environment), None, "a proxy for HTTP is none for the broker");
    assert_eq!(
        stomp("stomp_proxy=http://v:w@other:3128", &environment),
        Some(proxy("http://other:3128", Some(("v", "w"))))
    );
    let asked = |host: &str, environment: &[(&str, &str)]| {
        stomp(&format!("stomp_proxy=environment\nstomp_host={host}"), environment)
    };
    let of_environment = Some(proxy("http://proxy:8080", Some(("u", "p@ss"))));
    assert_eq!(asked("soar.example.com", &environment), of_environment);
    assert_eq!(asked("notexample.org", &environment), of_environment);
    for straight in ["soar.example.org", "example.org", "10.1.2.3"] {
        assert_eq!(asked(straight, &environment), None, "{straight}");
    }
    assert_eq!(asked("soar.example.com", &[]), None);
    assert_eq!(asked("soar.example.com", &[environment[0], ("no_proxy", "*")]), None);
    for wrong in ["https://proxy:8080", "socks5://proxy", "http://"] {
        let problem = only_problem(with(&format!("stomp_proxy={wrong}"), ""));
        assert_eq!(places(&[problem]), ["resilient.stomp_proxy"]);
    }
}
