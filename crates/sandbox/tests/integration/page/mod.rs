//! The page shows the incidents in a browser (headless Chromium) as they change, at the width of a desktop and of a
//! telephone, and nothing in a note or a cell becomes active.

#[path = "../../../../../tests/support/browser.rs"]
mod browser;

use sandbox::Sandbox;
use sandbox::graph::TenantOptions;
use sandbox::page::{Page, document};
use sandbox::soar::engine::Engine;
use sandbox::soar::incidents::{Author, NewArtifact, NoteFormat, Owner};
use sandbox::soar::{INCIDENT, SoarOptions};
use serde_json::{Value, json};

use self::browser::Browser;
use crate::graph::setup::http_client;

const TABLE: &str = "found";
const WIDTHS: [u32; 2] = [1280, 480];

struct Setting {
    sandbox: Sandbox,
    engine: Engine,
    _directory: tempfile::TempDir,
}

/// A sandbox whose SOAR has a data table.
async fn setting() -> Setting {
    let directory = tempfile::tempdir().unwrap();
    let column = |name: &str, kind: &str, order: u32| json!({"name": name, "text": name, "input_type": kind, "order": order, "uuid": format!("uuid-{name}")});
    let table = json!({
        "type_name": TABLE, "display_name": "Messages found", "uuid": "uuid-table",
        "fields": {"subject": column("subject", "text", 0), "status": column("status", "textarea", 1)},
    });
    let soar = SoarOptions { customizations: json!({"types": [table]}), ..SoarOptions::default() };
    let tenant = TenantOptions { mailboxes: 1, ..TenantOptions::default() };
    let sandbox = Sandbox::start(directory.path(), tenant, soar).await.unwrap();
    let engine = sandbox.engine().await.unwrap();
    Setting { sandbox, engine, _directory: directory }
}

impl Setting {
    fn add_row(&self, subject: &str) {
        let Value::Object(cells) = json!({"subject": subject, "status": "<b>Active</b>"}) else {
            unreachable!()
        };
        self.sandbox.soar.rest.add_row(INCIDENT, TABLE, cells).unwrap();
    }

    fn add_note(&self, html: &str) {
        let to = Owner::Incident(INCIDENT);
        let analyst = Author::analyst();
        self.sandbox.soar.rest.incidents().add_note(to, None, NoteFormat::Html, html, &analyst).unwrap();
    }
}

/// An expression that opens a tab and gives the text of its part.
fn part(tab: &str) -> String {
    format!(
        "[...document.querySelectorAll('[role=tab]')].find((tab) => tab.textContent.startsWith('{tab}')).click(), \
         document.getElementById('part').innerText"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn page_shows_changes_without_a_reload() {
    let setting = setting().await;
    let page = Page::serve(setting.engine.clone()).await.unwrap();
    let mut browser = Browser::open(&format!("http://{}/", page.address()), WIDTHS[0]);
    let opened = "document.querySelector('[role=tab][aria-selected=true]').innerText";
    assert_eq!(browser.value(opened), "Notes (0)");
    assert_eq!(browser.value(&part("Data tables")), "The incident has no rows yet.");
    setting.add_row("Your password expires");
    setting.add_note("a note");
    let artifact = NewArtifact {
        kind: "Email Sender".to_owned(),
        value: "mallory@example.org".to_owned(),
        description: String::new(),
    };
    setting.sandbox.soar.rest.incidents().add_artifact(INCIDENT, artifact, &Author::analyst()).unwrap();
    let owner = Owner::Incident(INCIDENT);
    setting.sandbox.soar.rest.add_attachment(owner, "mail.eml", "message/rfc822", b"From: x").await.unwrap();

    let arrived = "new Promise((done) => { const look = () => \
                   ['Notes (1)', 'Data tables (1)', 'Attachments (1)', 'Artifacts (1)'].every((tab) => \
                   document.getElementById('tabs').innerText.includes(tab)) ? done(true) : setTimeout(look, 20); \
                   look(); })";
    assert_eq!(browser.value(arrived), true);
    for (tab, shown) in [
        ("Data tables", "Your password expires"),
        ("Notes", "a note"),
        ("Artifacts", "mallory@example.org"),
        ("Attachments", "mail.eml"),
    ] {
        let text = browser.value(&part(tab));
        assert!(text.as_str().unwrap().contains(shown), "{tab}: {text}");
    }
    let file = browser.value("fetch(document.querySelector('#part a').href).then((file) => file.text())");
    assert_eq!(file, "From: x");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn page_fits_desktop_and_telephone() {
    let setting = setting().await;
    setting.add_row(&"long".repeat(200));
    setting.add_note(&"x".repeat(2000));
    let file = tempfile::NamedTempFile::with_suffix(".html").unwrap();
    std::fs::write(file.path(), document(&setting.engine)).unwrap();
    for width in WIDTHS {
        let mut browser = Browser::open(&format!("file://{}", file.path().display()), width);
        for tab in ["Data tables", "Notes", "Attachments"] {
            browser.value(&part(tab));
            let fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth";
            assert_eq!(browser.value(fits), true, "{tab} is wider than {width}");
        }
        browser.value(&part("Data tables"));
        let shows_status = "[...document.querySelectorAll('#part td')].every((cell) => { \
                            const { left, right } = cell.getBoundingClientRect(); \
                            return left >= 0 && right <= innerWidth; })";
        assert_eq!(browser.value(shows_status), true, "a cell is not on the screen at {width}");
        let has_two_columns = browser.value(
            "document.querySelector('aside').getBoundingClientRect().left >= \
             document.getElementById('part').getBoundingClientRect().right",
        );
        assert_eq!(has_two_columns, width == WIDTHS[0], "the summary has its own column at {width}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn html_of_notes_and_cells_stays_inert() {
    let setting = setting().await;
    setting.add_note(
        "<b>bold</b><span style='color:red'>red</span><script>window.attacked = 1</script>\
         <img src=x onerror='window.attacked = 1'><a href='javascript:window.attacked = 1'>link</a>\
         <a href='https://example.com/'>good</a></script><!--",
    );
    setting.add_row("</script><script>window.attacked = 1</script>");
    let file = tempfile::NamedTempFile::with_suffix(".html").unwrap();
    std::fs::write(file.path(), document(&setting.engine)).unwrap();
    let mut browser = Browser::open(&format!("file://{}", file.path().display()), WIDTHS[0]);
    let row = browser.value(&part("Data tables"));
    assert!(row.as_str().unwrap().contains("</script><script>"), "{row}");
    browser.value(&part("Notes"));
    let html = browser.value("document.querySelector('#part .text').innerHTML");
    assert_eq!(
        html,
        "<b>bold</b><span style=\"color: red;\">red</span><a>link</a>\
         <a href=\"https://example.com/\" target=\"_blank\" rel=\"noopener noreferrer\">good</a>"
    );
    assert_eq!(
        browser.value("document.querySelectorAll('#part a')[0].click(), window.attacked ?? 'safe'"),
        "safe"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn page_answers_this_host_only() {
    let setting = setting().await;
    let page = Page::serve(setting.engine.clone()).await.unwrap();
    let client = http_client(&setting.sandbox.certificates);
    let url = format!("http://{}", page.address());
    let status = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status().as_u16();
    assert_eq!(status(client.get(&url)).await, 200);
    assert_eq!(status(client.get(&url).header("Host", "attacker.example")).await, 421);
    let call = json!({"playbook": false, "function": "f", "inputs": {}, "incident": INCIDENT});
    assert_eq!(status(client.post(format!("{url}/calls")).json(&call)).await, 401);
    assert_eq!(status(client.post(format!("{url}/calls")).bearer_auth("guess").json(&call)).await, 401);
}
