//! Promise: each of the four endpoints trusts only the authorities that are configured for it, refuses certificates of
//! other hosts and times, and speaks nothing older than TLS 1.2.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crate::support::rsa::Files;
use crate::support::tls::Authority;
use axum::Router;
use axum::routing::{get, post};
use fn_exchange_online::config::{Environment, Settings};
use graph::{self, Path as GraphPath, Request};
use net::tls;
use net::{ClientCertificate, Secret, Trust};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType,
    date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use sandbox::certificates::{Certificates, Shown};
use sandbox::server::{HTTP_ALPN, Server};
use stomp::{HeartBeatOffer, Session, SessionOptions, State};
use tempfile::TempDir;

/// Longer than any handshake.
const PATIENCE: Duration = Duration::from_secs(20);

/// Who is spoken to.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Endpoint {
    Graph,
    Token,
    Soar,
    Broker,
}

const ALL: [Endpoint; 4] = [Endpoint::Graph, Endpoint::Token, Endpoint::Soar, Endpoint::Broker];

/// An authority and its file, and servers that it vouches for.
struct Place {
    certificates: Certificates,
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        let place =
            Self { certificates: Certificates::generate().unwrap(), directory: tempfile::tempdir().unwrap() };
        std::fs::write(place.ca_file(), place.certificates.ca_pem()).unwrap();
        place
    }

    fn ca_file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    async fn serve(&self, shown: Shown) -> Server {
        Server::start(answers(), self.certificates.server_config_showing(shown, HTTP_ALPN)).await.unwrap()
    }
}

/// What Graph and its token endpoint answer, as far as it is needed here.
fn answers() -> Router {
    let token = || async { r#"{"token_type":"Bearer","expires_in":3599,"access_token":"T"}"# };
    let user = || async { ([("content-type", "application/json")], r#"{"id":"1"}"#) };
    Router::new().route("/token", post(token)).route("/v1.0/users/{user}", get(user))
}

/// Settings with everything at a port that answers nothing, and no patience.
fn settings() -> Settings {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("app.config");
    let text = "[resilient]\nhost=127.0.0.1\nport=9\norg=o\napi_key_id=k\napi_key_secret=s\n\
                max_connection_retries=1\n[fn_exchange_online]\ntenant_id=t\nclient_id=c\nclient_secret=s\n\
                max_retries_total=0\ntimeout=10\n";
    std::fs::write(&file, text).unwrap();
    Settings::load(&file, &Environment::default()).unwrap().settings
}

/// Speaks to `endpoint` at `port` with `trust` for it, and gives what goes wrong. Whatever else is needed on the
/// way (a token for Graph) comes from `other`, which has another authority.
async fn speak(endpoint: Endpoint, port: u16, trust: Trust, other: &Place) -> Result<(), String> {
    let mut settings = settings();
    let helper = other.serve(Shown::Valid).await;
    let url = |port: u16, path: &str| format!("https://127.0.0.1:{port}{path}").parse().unwrap();
    let elsewhere = (helper.address().port(), Trust::SystemAnd(other.ca_file()));
    match endpoint {
        Endpoint::Graph | Endpoint::Token => {
            let own = (port, trust);
            let (graph_at, token_at) =
                if endpoint == Endpoint::Graph { (own, elsewhere) } else { (elsewhere, own) };
            settings.graph.base_url = url(graph_at.0, "/v1.0");
            settings.graph.trust = graph_at.1;
            settings.graph.token_url = url(token_at.0, "/token");
            settings.graph.token_trust = Some(token_at.1);
            let request = Request::get(GraphPath::user("ada").unwrap());
            let client = graph::Client::new(&settings.graph).unwrap();
            client.send(&request).await.map(|_| ()).map_err(|error| error.to_string())
        }
        Endpoint::Soar => {
            settings.soar.port = port;
            settings.soar.trust = trust;
            match soar::Client::connect(&settings.soar).await {
                // The server is none; that it was understood shows the TLS to be in order.
                Ok(_) | Err(soar::Error::Refused { status: 404, .. }) => Ok(()),
                Err(error) => Err(error.to_string()),
            }
        }
        Endpoint::Broker => {
            let (session, _deliveries) = Session::start(SessionOptions {
                host: "127.0.0.1".to_owned(),
                port,
                proxy: None,
                tls: Arc::new(tls::client_config(&trust, None).unwrap()),
                login: "k".to_owned(),
                passcode: Secret::new("s"),
                destinations: vec!["q".to_owned()],
                prefetch: 1,
                timeout: Duration::from_secs(10),
                heart_beat: HeartBeatOffer::default(),
                reconnect: stomp::RECONNECT,
                metrics: Arc::default(),
            });
            let mut state = session.state();
            let failed = state.wait_for(|state| matches!(state, State::Connecting { last: Some(_), .. }));
            let words = match &*tokio::time::timeout(PATIENCE, failed).await.unwrap().unwrap() {
                State::Connecting { last: Some(failure), .. } => failure.to_string(),
                state => panic!("{state:?}"),
            };
            // The server is none; that it was heard shows the TLS to be in order.
            if words.contains("TLS") || words.contains("certificate") { Err(words) } else { Ok(()) }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_endpoint_trusts_its_own_authority() {
    let (place, other) = (Place::new(), Place::new());
    for endpoint in ALL {
        let server = place.serve(Shown::Valid).await;
        let trust = Trust::SystemAnd(place.ca_file());
        assert_eq!(speak(endpoint, server.address().port(), trust, &other).await, Ok(()), "{endpoint:?}");
    }
}

/// A server whose certificate is self-signed and marked as an authority's, as plain `openssl req -x509` makes it, and
/// the certificate.
async fn self_signed(name: &str, last_year: i32) -> (Server, String) {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(last_year, 12, 31);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let builder = ServerConfig::builder_with_provider(tls::provider()).with_safe_default_protocol_versions();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let chain = vec![certificate.der().clone()];
    let mut config = builder.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap();
    config.alpn_protocols = HTTP_ALPN.iter().map(|name| name.to_vec()).collect();
    (Server::start(answers(), Arc::new(config)).await.unwrap(), certificate.pem())
}

#[tokio::test(flavor = "multi_thread")]
async fn named_self_signed_certificate_is_trusted() {
    let (place, other) = (Place::new(), Place::new());
    let file = place.directory.path().join("itself.pem");
    for endpoint in ALL {
        for (name, last_year, named, words) in [
            ("127.0.0.1", 4000, true, None),
            ("127.0.0.1", 4000, false, Some("name the file of this very certificate")),
            ("elsewhere.example", 4000, true, Some("it was made for another host name")),
            ("127.0.0.1", 2001, true, Some("it has expired")),
        ] {
            let (server, certificate) = self_signed(name, last_year).await;
            std::fs::write(&file, if named { &certificate } else { place.certificates.ca_pem() }).unwrap();
            let outcome =
                speak(endpoint, server.address().port(), Trust::SystemAnd(file.clone()), &other).await;
            match words {
                None => assert_eq!(outcome, Ok(()), "{endpoint:?}"),
                Some(words) => {
                    assert!(outcome.clone().unwrap_err().contains(words), "{endpoint:?}: {outcome:?}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_and_expired_certificates_are_refused() {
    let (place, other) = (Place::new(), Place::new());
    for endpoint in ALL {
        for (shown, authority, words) in [
            (Shown::Valid, &other, "no trusted certificate authority signed it"),
            (Shown::OtherHost, &place, "it was made for another host name"),
            (Shown::Expired, &place, "it has expired"),
        ] {
            let server = place.serve(shown).await;
            let trust = Trust::SystemAnd(authority.ca_file());
            let outcome = speak(endpoint, server.address().port(), trust, &other).await.unwrap_err();
            assert!(outcome.contains(words), "{endpoint:?}: {outcome}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_certificate_is_refused() {
    type Change = fn(&mut CertificateParams);
    let oddities: [(&str, Change, bool); 5] = [
        ("usual", |_| {}, true),
        ("not valid yet", |params| params.not_before = date_time_ymd(3999, 1, 1), false),
        (
            "of a client",
            |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth],
            false,
        ),
        ("without a name", named_by_its_subject_only, false),
        (
            "for every name",
            |params| params.subject_alt_names = vec![SanType::DnsName("*".try_into().unwrap())],
            false,
        ),
    ];
    let (authority, other) = (Authority::new(), Place::new());
    for (oddity, change, is_trusted) in oddities {
        let identity = authority.sign_with(&["127.0.0.1"], change);
        for endpoint in ALL {
            let server = Server::start(answers(), identity.server()).await.unwrap();
            let trust = Trust::SystemAnd(authority.file());
            let outcome = speak(endpoint, server.address().port(), trust, &other).await;
            assert_eq!(outcome.is_ok(), is_trusted, "{endpoint:?}, {oddity}: {outcome:?}");
        }
    }
}

fn named_by_its_subject_only(params: &mut CertificateParams) {
    params.subject_alt_names.clear();
    params.distinguished_name.push(DnType::CommonName, "127.0.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn verification_is_disabled_for_one_endpoint_only() {
    let (place, other) = (Place::new(), Place::new());
    for endpoint in ALL {
        let server = place.serve(Shown::Expired).await;
        let outcome = speak(endpoint, server.address().port(), Trust::Insecure, &other).await;
        assert_eq!(outcome, Ok(()), "{endpoint:?}");
    }
}

/// A server's configuration that requires a client certificate of `authority`, which is the server's as well.
fn for_known_clients(authority: &Authority) -> Arc<ServerConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority.file()).unwrap()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), tls::provider());
    let own = authority.vouch_for(&["127.0.0.1"]);
    let chain = vec![CertificateDer::from_pem_slice(own.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
    let builder = ServerConfig::builder_with_provider(tls::provider()).with_safe_default_protocol_versions();
    let builder = builder.unwrap().with_client_cert_verifier(verifier.build().unwrap());
    Arc::new(builder.with_single_cert(chain, key).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn client_certificate_is_presented() {
    let (authority, directory) = (Authority::new(), tempfile::tempdir().unwrap());
    let own = authority.vouch_for(&["client.example"]);
    let (certificate, key) = (directory.path().join("client.pem"), directory.path().join("client.key"));
    std::fs::write(&certificate, own.certificate).unwrap();
    std::fs::write(&key, own.key).unwrap();
    let server = Server::start(answers(), for_known_clients(&authority)).await.unwrap();
    for client_certificate in [None, Some(ClientCertificate { certificate, key })] {
        let mut settings = settings();
        let root = format!("https://{}", server.address());
        settings.graph.base_url = format!("{root}/v1.0").parse().unwrap();
        settings.graph.token_url = format!("{root}/token").parse().unwrap();
        settings.soar.port = server.address().port();
        for trust in [&mut settings.graph.trust, &mut settings.soar.trust] {
            *trust = Trust::SystemAnd(authority.file());
        }
        settings.graph.client_certificate.clone_from(&client_certificate);
        settings.soar.client_certificate.clone_from(&client_certificate);
        let request = Request::get(GraphPath::user("ada").unwrap());
        let graph = graph::Client::new(&settings.graph).unwrap().send(&request).await;
        assert_eq!(graph.is_ok(), client_certificate.is_some(), "{graph:?}");
        let soar = soar::Client::connect(&settings.soar).await.err().unwrap();
        // The server is none; that it answered shows that it let us in.
        let let_in = matches!(soar, soar::Error::Refused { status: 404, .. });
        assert_eq!(let_in, client_certificate.is_some(), "{soar}");
    }
}

/// OpenSSL's server, which can be configured to speak an old TLS.
struct OldServer {
    process: Child,
    port: u16,
}

impl OldServer {
    fn start(directory: &Path, version: &str) -> Self {
        Self::with_ciphers(directory, version, "ALL:@SECLEVEL=0")
    }

    fn with_ciphers(directory: &Path, version: &str, ciphers: &str) -> Self {
        let files = Files::make(directory, "localhost", 10);
        let mut process = Command::new("openssl")
            .args(["s_server", version, "-cipher", ciphers, "-accept", "127.0.0.1:0"])
            .arg("-cert")
            .arg(&files.certificate)
            .arg("-key")
            .arg(&files.key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let ready = "ACCEPT 127.0.0.1:";
        let port = output
            .by_ref()
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix(ready).and_then(|port| port.parse().ok()));
        // Its later output is read, so that it never waits for a reader.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Self { process, port: port.expect("openssl s_server listens") }
    }

    /// Whether it speaks this version to who wants it.
    fn speaks(&self, version: &str) -> bool {
        let output = Command::new("openssl")
            .args(["s_client", version, "-cipher", "ALL:@SECLEVEL=0", "-connect"])
            .arg(format!("127.0.0.1:{}", self.port))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).contains("Cipher is ECDHE")
    }
}

impl Drop for OldServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_1_1_is_rejected_for_every_endpoint() {
    let (directory, other) = (tempfile::tempdir().unwrap(), Place::new());
    let server = OldServer::start(directory.path(), "-tls1_1");
    assert!(server.speaks("-tls1_1"), "this OpenSSL can");
    for endpoint in ALL {
        let outcome = speak(endpoint, server.port, Trust::Insecure, &other).await.unwrap_err();
        assert!(
            outcome.to_lowercase().contains("protocol version") || outcome.contains("ProtocolVersion"),
            "{endpoint:?}: {outcome}"
        );
    }
    let server = OldServer::start(directory.path(), "-tls1_2");
    let broker = speak(Endpoint::Broker, server.port, Trust::Insecure, &other);
    // It is no broker, and waits for what we have to say; the handshake is all that matters.
    let outcome = broker.await;
    assert_eq!(outcome, Ok(()), "TLS 1.2 is spoken");
}

/// Without forward secrecy, or with CBC.
#[tokio::test(flavor = "multi_thread")]
async fn old_cipher_is_refused() {
    let (directory, other) = (tempfile::tempdir().unwrap(), Place::new());
    let server = OldServer::with_ciphers(
        directory.path(),
        "-tls1_2",
        "AES128-GCM-SHA256:ECDHE-RSA-AES128-SHA:@SECLEVEL=0",
    );
    assert!(server.speaks("-tls1_2"), "this OpenSSL can");
    for endpoint in ALL {
        let outcome = speak(endpoint, server.port, Trust::Insecure, &other).await.unwrap_err();
        assert!(outcome.to_lowercase().replace(' ', "").contains("handshakefail"), "{endpoint:?}: {outcome}");
    }
}
