//! The sandbox's SOAR answers REST requests as SOAR does, and calls functions as SOAR does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use net::Trust;
use net::tls::client_config;
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder, StatusCode};
use sandbox::certificates::Certificates;
use sandbox::soar::caller::{Caller, CallerError, CallerOptions, Origin};
use sandbox::soar::rest::{FUNCTIONS, Failure, Owner};
use sandbox::soar::{INCIDENT, Soar, SoarOptions, TASK};
use serde_json::{Value, json};
use stomp::{ClientCommand, Frame, FrameCodec, Received, ServerCommand};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::codec::Framed;

const SOON: Duration = Duration::from_secs(10);

struct Setting {
    soar: Soar,
    ca: PathBuf,
    http: reqwest::Client,
    _directory: tempfile::TempDir,
}

impl Setting {
    async fn new() -> Self {
        Self::with(SoarOptions::default()).await
    }

    async fn with(options: SoarOptions) -> Self {
        let certificates = Certificates::generate().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let ca = directory.path().join("ca.pem");
        std::fs::write(&ca, certificates.ca_pem()).unwrap();
        let tls = client_config(&Trust::SystemAnd(ca.clone()), None).unwrap();
        let http = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap();
        let soar = Soar::start(options, &certificates).await.unwrap();
        Self { soar, ca, http, _directory: directory }
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.soar.rest.address().port())
    }

    /// A request signed with the API key.
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let key = &self.soar.options().api_key;
        self.http.request(method, self.url(path)).basic_auth(&key.id, Some(&key.secret))
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    fn note(&self, text: &str) -> RequestBuilder {
        self.request(Method::POST, &format!("/rest/orgs/201/incidents/{INCIDENT}/comments"))
            .json(&json!({"text": {"format": "html", "content": text}}))
    }

    /// The app's side of the queue.
    async fn app(&self) -> App {
        let key = &self.soar.options().api_key;
        App::connect(self.soar.broker.address().port(), &key.id, &key.secret, &self.ca).await
    }
}

async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

fn file_form(name: &str, part: Part) -> Form {
    Form::new().part("file", part.file_name(name.to_owned())).text("description", "what it is")
}

#[tokio::test]
async fn an_api_key_signs_in_with_every_request() {
    let setting = Setting::new().await;
    let (status, session) = answer(setting.get("/rest/session?include_permissions=false")).await;
    assert_eq!(status, 200);
    assert_eq!(session["orgs"][0]["id"], 201);
    assert_eq!(session["orgs"][0]["enabled"], true);
    assert_eq!(session["api_key_handle"], 17);
    assert_eq!(session.get("csrf_token"), None);
    let (_, org) = answer(setting.get("/rest/orgs/201")).await;
    assert_eq!(org["actions_framework_enabled"], true);
    let (_, constants) = answer(setting.get("/rest/const")).await;
    assert!(constants["server_version"]["version"].is_string());
}

#[tokio::test]
async fn wrong_credentials_and_none_are_refused_with_401_in_soars_form() {
    let setting = Setting::new().await;
    let key = setting.soar.options().api_key.id.clone();
    let wrong = setting.http.get(setting.url("/rest/session")).basic_auth(key, Some("wrong"));
    let none = setting.http.get(setting.url("/rest/orgs/201"));
    let password = setting
        .http
        .post(setting.url("/rest/session"))
        .json(&json!({"email": "integration@sandbox.example", "password": "wrong"}));
    for request in [wrong, none, password] {
        let (status, body) = answer(request).await;
        assert_eq!(status, 401);
        assert_eq!(
            body,
            json!({"success": false, "title": null, "message": "Invalid user name or password.",
                   "hints": [], "error_code": "generic"})
        );
    }
}

#[tokio::test]
async fn an_account_signs_in_once_and_shows_its_cookie_and_token_after_that() {
    let setting = Setting::new().await;
    let account = setting.soar.options().account.clone();
    let response = setting
        .http
        .post(setting.url("/rest/session?include_permissions=false"))
        .json(&json!({"email": account.email, "password": account.password}))
        .send()
        .await
        .unwrap();
    let cookie = response.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let session: Value = response.json().await.unwrap();
    assert_eq!(session["user_id"], 1);
    let token = session["csrf_token"].as_str().unwrap();

    let org = setting.url("/rest/orgs/201");
    let request = |cookie: &str, token: &str| {
        setting.http.get(&org).header("Cookie", cookie).header("X-sess-id", token).send()
    };
    assert_eq!(request(&cookie, token).await.unwrap().status(), 200);
    assert_eq!(request(&cookie, "another").await.unwrap().status(), 401);
    assert_eq!(request("JSESSIONID=another", token).await.unwrap().status(), 401);
    setting.soar.rest.end_sessions();
    assert_eq!(request(&cookie, token).await.unwrap().status(), 401);
}

#[tokio::test]
async fn another_organisation_and_a_disabled_one_are_forbidden() {
    let setting = Setting::new().await;
    assert_eq!(answer(setting.get("/rest/orgs/202/incidents/1")).await.0, 403);
    setting.soar.rest.change_organisation(201, |org| org.enabled = false);
    assert_eq!(answer(setting.get("/rest/session")).await.1["orgs"][0]["enabled"], false);
    assert_eq!(answer(setting.get("/rest/orgs/201")).await.0, 403);
}

#[tokio::test]
async fn all_nine_functions_name_their_destination_until_they_are_taken_away() {
    let setting = Setting::new().await;
    for name in FUNCTIONS {
        let path = format!("/rest/orgs/201/functions/{name}");
        let (_, function) = answer(setting.get(&format!("{path}?handle_format=names"))).await;
        assert_eq!(function["name"], name);
        assert_eq!(function["destination_handle"], "fn_exchange_online");
        assert!(answer(setting.get(&path)).await.1["destination_handle"].is_i64());
        setting.soar.rest.remove_function(name);
        assert_eq!(answer(setting.get(&path)).await.0, 404);
    }
}

#[tokio::test]
async fn notes_are_kept_in_order_and_empty_ones_refused() {
    let setting = Setting::new().await;
    for text in ["<b>first</b>", "second"] {
        let (status, note) = answer(setting.note(text)).await;
        assert_eq!(status, 200);
        assert_eq!(note["text"], text);
    }
    let notes = setting.soar.rest.notes(INCIDENT);
    assert_eq!(notes.iter().map(|n| n.content.as_str()).collect::<Vec<_>>(), ["<b>first</b>", "second"]);
    assert_eq!(notes[0].format, "html");
    let path = format!("/rest/orgs/201/incidents/{INCIDENT}/comments");
    assert_eq!(answer(setting.get(&path)).await.1.as_array().unwrap().len(), 2);

    assert_eq!(answer(setting.note(" \n")).await.0, 400);
    for body in [json!({}), json!({"text": {"format": "rtf", "content": "x"}}), json!({"text": 7})] {
        let (status, refusal) = answer(setting.request(Method::POST, &path).json(&body)).await;
        assert_eq!((status.as_u16(), &refusal["success"]), (400, &json!(false)), "{body}");
    }
    assert_eq!(setting.soar.rest.notes(INCIDENT).len(), 2);
}

#[tokio::test]
async fn what_does_not_exist_is_404_in_soars_form() {
    let setting = Setting::new().await;
    for path in [
        "incidents/9",
        "incidents/9/comments",
        "incidents/9/attachments",
        "tasks/9",
        "tasks/9/attachments",
        "incidents/2095/attachments/9",
        "incidents/2095/attachments/9/contents",
        "message_destinations/99",
        "nothing/like/it",
    ] {
        let (status, body) = answer(setting.get(&format!("/rest/orgs/201/{path}"))).await;
        assert_eq!(status, 404, "{path}");
        assert_eq!((&body["success"], &body["error_code"]), (&json!(false), &json!("generic")), "{path}");
    }
}

#[tokio::test]
async fn attachments_of_incidents_and_tasks_come_back_as_they_went_in() {
    let setting = Setting::new().await;
    for (owner, path) in [
        (Owner::Incident(INCIDENT), format!("/rest/orgs/201/incidents/{INCIDENT}/attachments")),
        (Owner::Task(TASK), format!("/rest/orgs/201/tasks/{TASK}/attachments")),
    ] {
        let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        let part = Part::bytes(bytes.clone()).mime_str("message/rfc822").unwrap();
        let form = file_form("message-ä@x-AAQk=.eml", part);
        let (status, uploaded) = answer(setting.request(Method::POST, &path).multipart(form)).await;
        assert_eq!(status, 200);
        let id = uploaded["id"].as_i64().unwrap();
        let (_, metadata) = answer(setting.get(&format!("{path}/{id}"))).await;
        assert_eq!(metadata, uploaded);
        assert_eq!(metadata["name"], "message-ä@x-AAQk=.eml");
        assert_eq!(metadata["content_type"], "message/rfc822");
        assert_eq!(metadata["size"], 100_000);
        assert_eq!(answer(setting.get(&path)).await.1, json!([metadata]));

        let contents = setting.get(&format!("{path}/{id}/contents")).send().await.unwrap();
        assert_eq!(contents.headers()["content-type"], "message/rfc822");
        assert_eq!(contents.bytes().await.unwrap(), bytes);
        let kept = setting.soar.rest.attachments(owner);
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].description, "what it is");
        assert_eq!(kept[0].bytes().await.unwrap(), bytes);

        let gone = setting.request(Method::DELETE, &format!("{path}/{id}")).send().await.unwrap();
        assert_eq!(gone.status(), 204);
        assert!(setting.soar.rest.attachments(owner).is_empty());
    }
}

#[tokio::test]
async fn an_attachment_that_was_there_before_can_be_found_and_read() {
    let setting = Setting::new().await;
    let owner = Owner::Incident(INCIDENT);
    let added = setting.soar.rest.add_attachment(owner, "a.txt", "text/plain", b"hello").await.unwrap();
    let path = format!("/rest/orgs/201/incidents/{INCIDENT}/attachments");
    let (_, list) = answer(setting.get(&path)).await;
    assert_eq!((&list[0]["name"], &list[0]["id"]), (&json!("a.txt"), &json!(added.id)));
    let contents = setting.get(&format!("{path}/{}/contents", added.id)).send().await.unwrap();
    assert_eq!(contents.bytes().await.unwrap(), Bytes::from_static(b"hello"));
}

#[tokio::test]
async fn an_upload_can_be_answered_with_a_list_of_one() {
    let setting = Setting::new().await;
    setting.soar.rest.list_uploads(true);
    let path = format!("/rest/orgs/201/incidents/{INCIDENT}/attachments");
    let form = file_form("a.txt", Part::text("x"));
    let (_, uploaded) = answer(setting.request(Method::POST, &path).multipart(form)).await;
    assert_eq!(uploaded[0]["name"], "a.txt");
}

#[tokio::test]
async fn uploads_without_a_file_or_with_a_bad_name_are_refused() {
    let setting = Setting::new().await;
    let path = format!("/rest/orgs/201/incidents/{INCIDENT}/attachments");
    let forms = [
        Form::new().text("description", "no file"),
        file_form(" ", Part::text("x")),
        file_form(&"x".repeat(256), Part::text("x")),
        file_form("a.txt", Part::text("x")).text("surprise", "x"),
    ];
    for form in forms {
        let (status, body) = answer(setting.request(Method::POST, &path).multipart(form)).await;
        assert_eq!((status.as_u16(), &body["success"]), (400, &json!(false)));
    }
    assert!(setting.soar.rest.attachments(Owner::Incident(INCIDENT)).is_empty());
}

/// The most memory this process has ever had resident, in bytes.
#[cfg(target_os = "linux")]
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_large_attachment_is_never_in_memory_as_a_whole() {
    const CHUNK: usize = 64 * 1024;
    const CHUNKS: u64 = 4000;
    let setting = Setting::new().await;
    let path = format!("/rest/orgs/201/incidents/{INCIDENT}/attachments");
    let before = peak_memory();
    let chunk = Bytes::from(vec![7; CHUNK]);
    let body = futures_util::stream::iter((0..CHUNKS).map(move |_| Ok::<_, std::io::Error>(chunk.clone())));
    let part = Part::stream(reqwest::Body::wrap_stream(body));
    let request = setting.request(Method::POST, &path).multipart(file_form("large.eml", part));
    let (status, uploaded) = answer(request).await;
    assert_eq!(status, 200);
    let size = CHUNKS * CHUNK as u64;
    assert_eq!(uploaded["size"], size);

    let mut download =
        setting.get(&format!("{path}/{}/contents", uploaded["id"])).send().await.unwrap().bytes_stream();
    let mut received = 0;
    while let Some(chunk) = download.next().await {
        received += chunk.unwrap().len() as u64;
    }
    assert_eq!(received, size);
    let grown = peak_memory() - before;
    assert!(grown < size / 2, "{grown} bytes more for an attachment of {size}");
}

#[tokio::test]
async fn the_attachments_are_removed_with_the_platform() {
    let setting = Setting::new().await;
    let owner = Owner::Incident(INCIDENT);
    let added = setting.soar.rest.add_attachment(owner, "a.txt", "text/plain", b"hello").await.unwrap();
    assert!(added.path.exists());
    drop(setting);
    let deadline = Instant::now() + SOON;
    // The server's task lets go of its share when the runtime comes round to it.
    while added.path.exists() {
        assert!(Instant::now() < deadline, "{} is still there", added.path.display());
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_message_destination_is_changed_only_by_one_who_saw_its_last_version() {
    let setting = Setting::new().await;
    let (_, list) = answer(setting.get("/rest/orgs/201/message_destinations")).await;
    let mut mine = list["entities"][0].clone();
    assert_eq!(mine["programmatic_name"], "fn_exchange_online");
    let path = format!("/rest/orgs/201/message_destinations/{}", mine["id"]);
    mine["api_keys"].as_array_mut().unwrap().push(json!(99));
    setting.soar.rest.conflict_next(1);
    assert_eq!(answer(setting.request(Method::PUT, &path).json(&mine)).await.0, 409);
    mine["version"] = answer(setting.get(&path)).await.1["version"].clone();
    assert_eq!(answer(setting.request(Method::PUT, &path).json(&mine)).await.0, 200);
    assert_eq!(answer(setting.request(Method::PUT, &path).json(&mine)).await.0, 409);
    let kept = setting.soar.rest.destination("fn_exchange_online").unwrap();
    assert_eq!(kept["api_keys"], json!([17, 99]));
}

#[tokio::test]
async fn everything_can_stand_behind_a_prefix() {
    let setting =
        Setting::with(SoarOptions { resource_prefix: "/api/respond".to_owned(), ..SoarOptions::default() })
            .await;
    assert_eq!(answer(setting.get("/api/respond/rest/session")).await.0, 200);
    assert_eq!(answer(setting.get("/api/respond/rest/orgs/201/incidents/2095")).await.0, 200);
    assert_eq!(answer(setting.get("/api/respond/rest/orgs/7/incidents/2095")).await.0, 403);
    assert_eq!(answer(setting.get("/rest/orgs/201")).await.0, 404);
    assert!(setting.soar.app_config_section(&setting.ca).contains("\nresource_prefix=/api/respond\n"));
}

#[tokio::test]
async fn requests_fail_as_asked_and_only_as_often() {
    let setting = Setting::new().await;
    setting.soar.rest.fail_next("/comments", 2, Failure::Status(503));
    assert_eq!(answer(setting.get("/rest/orgs/201")).await.0, 200);
    assert_eq!(answer(setting.note("x")).await.0, 503);
    assert_eq!(answer(setting.note("x")).await.0, 503);
    assert_eq!(answer(setting.note("x")).await.0, 200);
    assert_eq!(setting.soar.rest.notes(INCIDENT).len(), 1);
    setting.soar.rest.fail_next("", usize::MAX, Failure::Status(500));
    assert_eq!(answer(setting.note("x")).await.0, 500);
    setting.soar.rest.heal();
    assert_eq!(answer(setting.note("x")).await.0, 200);
}

#[tokio::test]
async fn a_connection_can_break_before_or_after_a_request_is_carried_out() {
    let setting = Setting::new().await;
    setting.soar.rest.fail_next("POST ", 1, Failure::CutBefore);
    assert!(setting.note("lost").send().await.is_err());
    assert!(setting.soar.rest.notes(INCIDENT).is_empty());
    setting.soar.rest.fail_next("POST ", 1, Failure::CutAfter);
    assert!(setting.note("kept").send().await.is_err());
    assert_eq!(setting.soar.rest.notes(INCIDENT).len(), 1);
    let requests = setting.soar.rest.requests();
    assert_eq!(requests.iter().map(|r| r.status).collect::<Vec<_>>(), [None, None]);
}

#[tokio::test]
async fn answers_can_be_late() {
    let setting = Setting::new().await;
    setting.soar.rest.set_latency(Duration::from_millis(100));
    let since = Instant::now();
    answer(setting.get("/rest/const")).await;
    assert!(since.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn requests_are_recorded_without_what_signs_them() {
    let setting = Setting::new().await;
    let request = setting.get("/rest/orgs/201/functions/x?handle_format=names").header("X-Mark", "y");
    assert_eq!(answer(request).await.0, 404);
    let requests = setting.soar.rest.requests();
    assert_eq!(requests.len(), 1);
    let request = &requests[0];
    assert_eq!((request.method.as_str(), request.status), ("GET", Some(404)));
    assert_eq!(request.path, "/rest/orgs/201/functions/x");
    assert_eq!(request.query, "handle_format=names");
    assert_eq!(request.headers["x-mark"], "y");
    assert!(!request.headers.contains_key("authorization"));
    assert!(setting.soar.rest.until(SOON, |rest| rest.requests().len() == 1).await);
}

#[tokio::test]
async fn its_section_of_app_config_names_where_it_is_and_who_may_come_in() {
    let setting = Setting::new().await;
    let soar = &setting.soar;
    let section = soar.app_config_section(&setting.ca);
    let (rest, broker) = (soar.rest.address().port(), soar.broker.address().port());
    let key = &soar.options().api_key;
    assert_eq!(
        section,
        format!(
            "[resilient]\nhost=localhost\nport={rest}\nstomp_port={broker}\norg=Sandbox\ncafile={}\n\
             api_key_id={}\napi_key_secret={}\n",
            setting.ca.display(),
            key.id,
            key.secret
        )
    );
    let account = soar.app_config_section_of_account(&setting.ca);
    assert!(account.contains("\nemail=integration@sandbox.example\npassword="), "{account}");
}

/// A consumer of calls, as simple as can be.
struct App(Framed<TlsStream<TcpStream>, FrameCodec<ServerCommand>>);

impl App {
    async fn connect(port: u16, login: &str, passcode: &str, ca: &std::path::Path) -> Self {
        let tls = client_config(&Trust::SystemAnd(ca.to_owned()), None).unwrap();
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let stream = TlsConnector::from(std::sync::Arc::new(tls))
            .connect("localhost".try_into().unwrap(), stream)
            .await
            .unwrap();
        let mut app = Self(Framed::new(stream, FrameCodec::new()));
        app.send(
            Frame::new(ClientCommand::Connect)
                .with_header("accept-version", "1.2")
                .with_header("login", login)
                .with_header("passcode", passcode),
        )
        .await;
        assert_eq!(app.next().await.command, ServerCommand::Connected);
        app.send(
            Frame::new(ClientCommand::Subscribe)
                .with_header("id", "1")
                .with_header("destination", "actions.201.fn_exchange_online")
                .with_header("ack", "client-individual"),
        )
        .await;
        app
    }

    async fn send(&mut self, frame: Frame<ClientCommand>) {
        self.0.send(frame).await.unwrap();
    }

    async fn next(&mut self) -> Frame<ServerCommand> {
        match timeout(SOON, self.0.next()).await.expect("nothing comes").expect("closed").unwrap() {
            Received::Frame(frame) => frame,
            Received::HeartBeat => panic!("no heart-beats were asked for"),
        }
    }

    /// Answers a call.
    async fn answer(&mut self, call: &Frame<ServerCommand>, body: &str) {
        self.send(
            Frame::new(ClientCommand::Send)
                .with_header("destination", call.header("reply-to").unwrap())
                .with_header("correlation-id", call.header("correlation-id").unwrap())
                .with_header("persistent", "true")
                .with_body(body.to_owned()),
        )
        .await;
    }

    async fn ack(&mut self, call: &Frame<ServerCommand>) {
        let id = call.header("ack").unwrap();
        self.send(Frame::new(ClientCommand::Ack).with_header("id", id)).await;
    }
}

const DONE: &str = r#"{"message_type":0,"message":"Completed","complete":true,"results":{"version":"1.0"}}"#;

#[tokio::test]
async fn a_call_looks_as_soars_do() {
    let setting = Setting::new().await;
    let mut app = setting.app().await;
    let caller = setting.soar.caller(&setting.ca).await.unwrap();
    let inputs = json!({"exo_email_address": "a@b.example"});
    let call = caller.call("exchange_online_get_message", inputs.clone()).await.unwrap();
    let message = app.next().await;
    assert_eq!(message.header("correlation-id"), Some(call.correlation()));
    assert!(call.correlation().starts_with("invid:"));
    assert_eq!(message.header("reply-to"), Some("/queue/acks.201.fn_exchange_online"));
    assert_eq!(message.header("destination"), Some("/queue/actions.201.fn_exchange_online"));
    for (name, value) in [
        ("persistent", "true"),
        ("Co3ContentType", "application/json"),
        ("Co3MessagePayload", "FunctionDataDTO"),
        ("expires", "0"),
        ("priority", "4"),
    ] {
        assert_eq!(message.header(name), Some(value));
    }
    for name in ["Co3ContextToken", "JMSXUserID", "timestamp", "message-id", "ack"] {
        assert!(message.header(name).is_some(), "{name}");
    }
    let body: Value = serde_json::from_slice(&message.body).unwrap();
    assert_eq!(body["function"]["name"], "exchange_online_get_message");
    assert_eq!(body["inputs"], inputs);
    assert!(body["workflow"].is_object() && body["workflow_instance"].is_object());
    assert!(
        body["playbook_instance"].is_null() && body["groups"].is_array() && body["principal"].is_object()
    );

    caller.call_from(Origin::Playbook, "exchange_online_get_message", inputs).await.unwrap();
    let body: Value = serde_json::from_slice(&app.next().await.body).unwrap();
    assert!(body["workflow"].is_null() && body["workflow_instance"].is_null());
    assert!(body["playbook_instance"].is_object());
}

#[tokio::test]
async fn status_messages_and_the_final_reply_reach_their_call() {
    let setting = Setting::new().await;
    let mut app = setting.app().await;
    let caller = setting.soar.caller(&setting.ca).await.unwrap();
    let first = caller.call("f", json!({})).await.unwrap();
    let second = caller.call("f", json!({})).await.unwrap();
    let (one, two) = (app.next().await, app.next().await);
    app.answer(&two, r#"{"message_type":1,"message":"It failed","complete":true}"#).await;
    app.answer(&one, r#"{"message_type":0,"message":"Starting","complete":false}"#).await;
    app.answer(&one, r#"{"message_type":0,"message":"Half way","complete":false}"#).await;
    app.answer(&one, DONE).await;
    let reply = first.reply(SOON).await.unwrap();
    assert_eq!((reply.message_type, reply.message.as_str(), reply.complete), (0, "Completed", true));
    assert_eq!(reply.results, json!({"version": "1.0"}));
    assert_eq!(reply.raw_body, DONE);
    assert_eq!(reply.headers.get("persistent"), Some("true"));
    assert_eq!(first.statuses(), ["Starting", "Half way"]);
    let reply = second.reply(SOON).await.unwrap();
    assert_eq!((reply.message_type, reply.message.as_str()), (1, "It failed"));
    assert_eq!(reply.results, Value::Null);
    assert!(second.statuses().is_empty());
    // All of it is acknowledged.
    assert!(setting.soar.broker.until(SOON, |b| b.queue_depth(&setting.soar.acks_queue()) == 0).await);
}

#[tokio::test]
async fn every_final_reply_is_counted_and_a_missing_one_described() {
    let setting = Setting::new().await;
    let mut app = setting.app().await;
    let caller = setting.soar.caller(&setting.ca).await.unwrap();
    let call = caller.call("f", json!({})).await.unwrap();
    let message = app.next().await;
    app.answer(&message, r#"{"message_type":0,"message":"Starting","complete":false}"#).await;
    assert_eq!(call.statuses_up_to(1, SOON).await, ["Starting"]);
    let missing = call.reply(Duration::from_millis(20)).await.unwrap_err().to_string();
    assert!(missing.contains("Starting") && missing.contains(call.correlation()), "{missing}");
    app.answer(&message, "no JSON").await;
    app.answer(&message, DONE).await;
    app.answer(&message, DONE).await;
    assert!(setting.soar.broker.until(SOON, |b| b.frames(ClientCommand::Ack) == 4).await);
    assert_eq!(caller.replies(call.correlation()), 2);
    assert_eq!(caller.unreadable().len(), 1);
    assert_eq!(caller.unreadable()[0].body, "no JSON");
}

#[tokio::test]
async fn anything_can_be_sent() {
    let setting = Setting::new().await;
    let mut app = setting.app().await;
    let caller = setting.soar.caller(&setting.ca).await.unwrap();
    let mut headers = caller.usual_headers("invid:7");
    headers.remove("reply-to");
    caller.send_raw(headers, &b"\xff\0{"[..]).await.unwrap();
    let message = app.next().await;
    assert_eq!(&message.body[..], b"\xff\0{");
    assert_eq!(message.header("reply-to"), None);
    assert_eq!(message.header("correlation-id"), Some("invid:7"));
}

#[tokio::test]
async fn no_reply_is_lost_and_none_counted_twice_when_the_broker_restarts() {
    let setting = Setting::new().await;
    let caller = setting.soar.caller(&setting.ca).await.unwrap();
    let mut app = setting.app().await;
    let call = caller.call("f", json!({})).await.unwrap();
    let message = app.next().await;
    setting.soar.broker.stop().await;
    let waiting = tokio::spawn(async move {
        // The caller may not have noticed yet, and send into a connection that is gone. Nobody has that message.
        loop {
            match caller.call("g", json!({})).await {
                Err(CallerError::Unconfirmed) => {}
                call => return (caller, call),
            }
        }
    });
    setting.soar.broker.restart().unwrap();
    let mut app = setting.app().await;
    let again = app.next().await;
    assert_eq!(again.header("message-id"), message.header("message-id"));
    app.answer(&again, DONE).await;
    app.ack(&again).await;
    assert_eq!(call.reply(SOON).await.unwrap().message, "Completed");
    // A call made while there was no broker gets there.
    let (caller, later) = waiting.await.unwrap();
    let later = later.unwrap();
    assert_eq!(app.next().await.header("correlation-id"), Some(later.correlation()));
    setting.soar.broker.cut_connections();
    assert!(setting.soar.broker.until(SOON, |b| b.consumers(&setting.soar.acks_queue()) == 1).await);
    assert_eq!(caller.replies(call.correlation()), 1);
}

#[tokio::test]
async fn a_caller_is_told_when_it_may_not_come_in() {
    let setting = Setting::new().await;
    let options = CallerOptions {
        host: "localhost".to_owned(),
        port: setting.soar.broker.address().port(),
        login: "soar".to_owned(),
        passcode: "wrong".to_owned(),
        trust: Trust::SystemAnd(setting.ca.clone()),
        org: 201,
        destination: "fn_exchange_online".to_owned(),
    };
    match Caller::connect(options).await.unwrap_err() {
        CallerError::Refused(words) => assert_eq!(words, "User name [soar] or password is invalid."),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_broker_that_loses_the_first_connect_is_asked_again() {
    let setting = Setting::new().await;
    setting.soar.broker.lose_connects(1);
    setting.soar.caller(&setting.ca).await.unwrap();
    assert_eq!(setting.soar.broker.connects().len(), 2);
}

#[tokio::test]
async fn an_import_is_decided_on_by_its_own_object_and_once() {
    let setting = Setting::new().await;
    let path = "/rest/orgs/201/configurations/imports";
    let file = fn_exchange_online::customize::export(fn_exchange_online::customize::ScriptLanguage::Python3);
    let (status, mut import) = answer(setting.request(Method::POST, path).json(&file.unwrap())).await;
    assert_eq!((status.as_u16(), &import["status"]), (200, &json!("PENDING")));
    let own = format!("{path}/{}", import["id"]);
    let put = async |path: &str, body: &Value| answer(setting.request(Method::PUT, path).json(body)).await.0;

    import["status"] = json!("ACCEPTED");
    assert_eq!(put(&format!("{path}/99999"), &import).await, 404);
    assert_eq!(put(&own, &json!({"status": "ACCEPTED"})).await, 400);
    import["status"] = json!("PERHAPS");
    assert_eq!(put(&own, &import).await, 400);
    import["status"] = json!("ACCEPTED");
    assert_eq!(put(&own, &import).await, 200);
    assert_eq!(put(&own, &import).await, 400);
    let unsigned = setting.http.post(setting.url(path)).json(&json!({})).send().await.unwrap();
    assert_eq!(unsigned.status(), 401);
}
