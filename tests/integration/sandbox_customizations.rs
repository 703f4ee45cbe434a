//! The sandbox's SOAR takes an import only when it is whole, and then as a SOAR does: by uuid and name, once each.

use fn_exchange_online::config::{Environment, load_soar};
use fn_exchange_online::customize::{Examples, Pack, ScriptLanguage, export_packs};
use net::Trust;
use net::tls::client_config;
use reqwest::Method;
use sandbox::certificates::Certificates;
use sandbox::soar::{Soar, SoarOptions};
use serde_json::{Value, json};
use soar::{Access, Client, Decision};

struct Fixture {
    soar: Soar,
    client: Client,
    http: reqwest::Client,
    _directory: tempfile::TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let certificates = Certificates::generate().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let ca = directory.path().join("ca.pem");
        std::fs::write(&ca, certificates.ca_pem()).unwrap();
        let options = SoarOptions { customizations: json!({}), ..SoarOptions::default() };
        let soar = Soar::start(options, &certificates).await.unwrap();
        let app_config = directory.path().join("app.config");
        std::fs::write(&app_config, soar.app_config_section(&ca)).unwrap();
        let nothing: [(&str, &str); 0] = [];
        let (settings, _) = load_soar(&app_config, &nothing.into_iter().collect::<Environment>()).unwrap();
        let client = Client::connect(&settings).await.unwrap();
        let tls = client_config(&Trust::SystemAnd(ca), None).unwrap();
        let http = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap();
        Self { soar, client, http, _directory: directory }
    }

    async fn import(&self, file: &Value) {
        let import = self.client.start_import(file).await.unwrap();
        assert_eq!(self.client.decide(import, Decision::Accept).await.unwrap(), "ACCEPTED");
    }
}

fn file() -> Value {
    export_packs(ScriptLanguage::Python3, &[Pack::Core]).unwrap()
}

/// Replaces text in a workflow's BPMN.
fn in_xml(file: &mut Value, from: &str, to: &str) {
    let xml = file["workflows"][0]["content"]["xml"].as_str().unwrap();
    assert!(xml.contains(from), "{from} is not in {xml}");
    file["workflows"][0]["content"]["xml"] = json!(xml.replacen(from, to, 1));
}

/// A change that breaks an import file, and what SOAR says of it.
type Breach = (fn(&mut Value), &'static str);

const UNKNOWN_UUID: &str = "00000000-0000-4000-8000-000000000000";

const BREACHES: &[Breach] = &[
    (|file| file["export_format_version"] = json!(1), "export_format_version is 1"),
    (|file| file["server_version"]["major"] = json!(99), "newer than this server"),
    (|file| file["phases"] = Value::Null, "phases is missing"),
    (|file| file["incident_types"] = json!([]), "no incident type"),
    (|file| drop(file["fields"].as_array_mut().unwrap().remove(0)), "no incident field"),
    (|file| drop(file["functions"][0].as_object_mut().unwrap().remove("uuid")), "has no uuid"),
    (|file| file["actions"][0]["uuid"] = file["actions"][1]["uuid"].clone(), "is there twice"),
    (|file| file["scripts"][0]["uuid"] = json!("x"), "x is not a uuid"),
    (
        |file| file["workflows"][1]["export_key"] = file["workflows"][0]["export_key"].clone(),
        "is there twice",
    ),
    (|file| file["fields"][1]["id"] = file["fields"][2]["id"].clone(), "is there twice"),
    (|file| file["fields"][1]["input_type"] = json!("colour"), "unknown type colour"),
    (|file| file["fields"][1]["type_id"] = json!(99), "unknown type 99"),
    (|file| file["fields"][1]["required"] = json!("sometimes"), "is required"),
    (|file| file["functions"][0]["destination_handle"] = json!("other"), "no message destination other"),
    (|file| file["functions"][0]["view_items"][0]["content"] = json!(UNKNOWN_UUID), "the form shows"),
    (|file| file["actions"][1]["view_items"][0]["content"] = json!(UNKNOWN_UUID), "the form shows"),
    (|file| file["actions"][1]["workflows"] = json!(["other"]), "no workflow other"),
    (|file| file["actions"][0]["automations"][0]["scripts_to_run"] = json!("other"), "no script other"),
    (|file| file["actions"][2]["conditions"][0]["method"] = json!("guess"), "the condition guess"),
    (
        |file| {
            file["actions"][2]["conditions"][0]["field_name"] = json!("exo_message_query_results_dt.other");
        },
        "which is not there",
    ),
    (|file| file["actions"][4]["conditions"][0]["value"] = json!("Shoe"), "which is not there"),
    (|file| file["scripts"][0]["language"] = json!("lua"), "unknown language lua"),
    (|file| file["scripts"][0]["object_type"] = json!("shoe"), "unknown type shoe"),
    (|file| file["types"][0]["type_id"] = json!(7), "is not a data table"),
    (|file| file["workflows"][0]["content"]["workflow_id"] = json!("other"), "of the workflow"),
    (|file| in_xml(file, "</process>", ""), "not well-formed"),
    (|file| in_xml(file, "<process id=\"", "<process id=\"x"), "its process is called x"),
    (|file| in_xml(file, "targetRef=\"", "targetRef=\"x"), "which is not there"),
    (|file| in_xml(file, "<outgoing>", "<outgoing>x"), "other flows than it says"),
    (
        |file| in_xml(file, "resilient:function uuid=\"", "resilient:function uuid=\"x"),
        "calls the function x",
    ),
    (|file| in_xml(file, "{", ""), "is not JSON"),
    (
        |file| {
            let xml = file["workflows"][2]["content"]["xml"].as_str().unwrap();
            let option = file["fields"].as_array().unwrap().iter();
            let mut option = option.filter(|field| field["name"] == "exo_query_output_format");
            let option = option.next().unwrap()["values"][0]["uuid"].as_str().unwrap();
            assert!(xml.contains(option));
            file["workflows"][2]["content"]["xml"] = json!(xml.replace(option, UNKNOWN_UUID));
        },
        "chooses",
    ),
];

/// The same for a file with playbooks.
const PLAYBOOK_BREACHES: &[Breach] = &[
    (|file| file["server_version"]["major"] = json!(42), "there are playbooks, which server_version"),
    (|file| file["playbooks"][1]["uuid"] = json!(UNKNOWN_UUID), "its field_type_handle is"),
    (|file| file["playbooks"][1]["deployment_id"] = json!("playbook_1"), "its deployment_id is"),
    (|file| file["playbooks"][1]["export_key"] = json!("other"), "its export_key is another name"),
    (|file| file["playbooks"][1]["uuid"] = file["playbooks"][2]["uuid"].clone(), "is there twice"),
    (|file| file["playbooks"][1]["object_type"] = json!("unicorn"), "unknown type unicorn"),
    (|file| file["playbooks"][1]["activation_type"] = json!("never"), "is activated"),
    (|file| file["playbooks"][1]["status"] = json!("tired"), "unknown status tired"),
    (|file| file["playbooks"][1]["fields_type"]["type_id"] = json!(8), "is not that of a form"),
    (|file| file["playbooks"][1]["fields_type"]["fields"] = json!({}), "the form shows"),
    (
        |file| {
            file["playbooks"][1]["manual_settings"]["view_items"][0]["field_type"] =
                json!("actioninvocation");
        },
        "the form shows",
    ),
    (
        |file| {
            file["playbooks"][2]["manual_settings"]["activation_conditions"]["conditions"][0]["field_name"] =
                json!("exo_message_query_results_dt.nothing");
        },
        "a condition on",
    ),
    (
        |file| file["playbooks"][1]["manual_settings"]["activation_conditions"]["logic_type"] = json!("most"),
        "combined by",
    ),
    (|file| file["playbooks"][1]["local_scripts"] = json!([]), "runs the script"),
    (
        |file| file["playbooks"][0]["local_scripts"] = file["playbooks"][1]["local_scripts"].clone(),
        "is there twice",
    ),
    (|file| file["playbooks"][1]["local_scripts"][0]["language"] = json!("python"), "or language"),
    (|file| file["playbooks"][1]["local_scripts"][0]["script_text"] = json!(""), "is incomplete"),
    (
        |file| file["playbooks"][1]["local_scripts"][0]["playbook_handle"] = json!("other"),
        "of another playbook",
    ),
    (|file| file["scripts"] = json!([]), "runs the script"),
    (
        |file| {
            let xml = file["playbooks"][1]["content"]["xml"].as_str().unwrap();
            file["playbooks"][1]["content"]["xml"] = json!(xml.replacen("ScriptTask_2", "ScriptTask_9", 1));
        },
        "which is not there",
    ),
    (
        |file| {
            let xml = file["playbooks"][1]["content"]["xml"].as_str().unwrap();
            let input = file["functions"][0]["view_items"][0]["content"].as_str().unwrap();
            assert!(xml.contains(input));
            file["playbooks"][1]["content"]["xml"] = json!(xml.replace(input, UNKNOWN_UUID));
        },
        "sets the input",
    ),
    (
        |file| file["functions"][0]["tags"][0]["tag_handle"] = json!("playbook_of_another_file"),
        "has the tag playbook_of_another_file",
    ),
];

#[tokio::test]
async fn incomplete_import_is_refused() {
    let fixture = Fixture::new().await;
    let with_playbooks = export_packs(Examples::Playbooks, &[Pack::Core]).unwrap();
    let breaches = BREACHES.iter().map(|breach| (file(), breach));
    let of_playbooks = PLAYBOOK_BREACHES.iter().map(|breach| (with_playbooks.clone(), breach));
    for (number, (good, (breach, words))) in breaches.chain(of_playbooks).enumerate() {
        let mut broken = good.clone();
        breach(&mut broken);
        assert_ne!(broken, good, "number {number} breaks nothing");
        let error = fixture.client.start_import(&broken).await.expect_err(words);
        assert_eq!(error.status(), Some(400), "{words}");
        assert!(error.to_string().contains(words), "number {number}: {words:?} is not in {error}");
    }
    for nonsense in [json!(null), json!([]), json!({}), json!({"fields": 7, "workflows": [1, "x"]})] {
        assert_eq!(fixture.client.start_import(&nonsense).await.unwrap_err().status(), Some(400));
    }
    assert_eq!(fixture.soar.rest.customizations(), json!({}));
}

/// Exports of older versions lack sections, and list the objects of apps by their uuids.
#[tokio::test]
async fn import_of_older_and_newer_exports_is_accepted() {
    let fixture = Fixture::new().await;
    let mut older = file();
    for section in ["apps", "tags", "groups", "industries"] {
        older.as_object_mut().unwrap().remove(section);
    }
    older["actions"][0]["conditions"] =
        json!([{"method": "object_added", "field_name": null, "value": null}]);
    fixture.import(&older).await;

    let mut newer = export_packs(Examples::Playbooks, &[Pack::Core]).unwrap();
    newer["server_version"] = json!({
        "v": 51, "r": 0, "m": 9, "f": 0, "build_number": 1, "major": 0, "minor": 0, "version": "51.0.9.0.1"
    });
    let uuid = newer["functions"][0]["uuid"].clone();
    newer["apps"] = json!([{"uuid": UNKNOWN_UUID, "current_installation": {"items": [{"uuid": uuid}]}}]);
    fixture.import(&newer).await;
    newer["server_version"]["v"] = json!(52);
    let refused = fixture.client.start_import(&newer).await.unwrap_err();
    assert!(refused.to_string().contains("newer than this server"), "{refused}");
}

#[tokio::test]
async fn import_takes_effect_once_when_accepted() {
    let fixture = Fixture::new().await;
    let rejected = fixture.client.start_import(&file()).await.unwrap();
    assert!(rejected.is_pending());
    assert_eq!(fixture.client.decide(rejected, Decision::Reject).await.unwrap(), "REJECTED");
    assert_eq!(fixture.soar.rest.customizations(), json!({}));

    fixture.import(&file()).await;
    let once = fixture.soar.rest.customizations();
    fixture.import(&file()).await;
    let mut twice = fixture.soar.rest.customizations();
    twice["message_destinations"][0]["version"] = once["message_destinations"][0]["version"].clone();
    assert_eq!(twice, once);
    assert_eq!(
        fixture.client.destination_of("exchange_online_get_message").await.unwrap().unwrap(),
        "fn_exchange_online"
    );
}

#[tokio::test]
async fn import_of_playbooks_deletes_nothing_and_adds_nothing_twice() {
    let fixture = Fixture::new().await;
    fixture.import(&file()).await;
    let rules = fixture.soar.rest.customizations()["actions"].clone();
    let mut with_playbooks = export_packs(Examples::Playbooks, &[Pack::Core]).unwrap();
    let form = &mut with_playbooks["playbooks"][1]["fields_type"]["fields"];
    let handle = "playbook_eefd2b32_40c0_4dfa_a9a7_6954d45a83be";
    form["theirs"] = json!({
        "name": "theirs", "export_key": format!("{handle}/theirs"), "uuid": UNKNOWN_UUID, "input_type": "text", "id": 900,
    });
    fixture.import(&with_playbooks).await;
    let once = fixture.soar.rest.customizations();
    assert_eq!(
        once["playbooks"].as_array().unwrap().len(),
        with_playbooks["playbooks"].as_array().unwrap().len()
    );
    assert_eq!(once["actions"], rules);

    fixture.import(&export_packs(Examples::Playbooks, &[Pack::Core]).unwrap()).await;
    let mut twice = fixture.soar.rest.customizations();
    twice["message_destinations"][0]["version"] = once["message_destinations"][0]["version"].clone();
    assert_eq!(twice, once, "a field of a form is gone");
}

#[tokio::test]
async fn ambiguous_object_is_refused() {
    let fixture = Fixture::new().await;
    fixture.import(&file()).await;
    let count = |kind: &str| fixture.soar.rest.customizations()[kind].as_array().unwrap().len();

    let mut renamed = file();
    renamed["scripts"][0]["name"] = json!("Another name");
    renamed["actions"][0]["automations"][0]["scripts_to_run"] = json!("Another name");
    fixture.import(&renamed).await;
    let mut other_uuid = renamed.clone();
    other_uuid["scripts"][0]["uuid"] = json!(UNKNOWN_UUID);
    fixture.import(&other_uuid).await;
    assert_eq!((count("scripts"), count("actions")), (1, file()["actions"].as_array().unwrap().len()));

    let mut torn = other_uuid;
    let (first, second) = (torn["actions"][0]["uuid"].clone(), torn["actions"][1]["uuid"].clone());
    (torn["actions"][0]["uuid"], torn["actions"][1]["uuid"]) = (second, first);
    let error = fixture.client.start_import(&torn).await.unwrap_err();
    assert!(error.to_string().contains("the name of one object and the uuid of another"), "{error}");
}

#[tokio::test]
async fn import_keeps_destination_permissions() {
    let fixture = Fixture::new().await;
    assert_eq!(fixture.client.access_to("fn_exchange_online").await.unwrap(), Access::NoDestination);
    fixture.import(&file()).await;
    assert_eq!(fixture.client.access_to("fn_exchange_online").await.unwrap(), Access::Missing);
    assert!(fixture.client.grant_access_to("fn_exchange_online").await.unwrap());
    fixture.import(&file()).await;
    assert_eq!(fixture.client.access_to("fn_exchange_online").await.unwrap(), Access::Granted);
    assert!(!fixture.client.grant_access_to("fn_exchange_online").await.unwrap());
    assert!(fixture.client.grant_access_to("other").await.is_err());
}

#[tokio::test]
async fn import_is_decided_once() {
    let fixture = Fixture::new().await;
    let path = "/rest/orgs/201/configurations/imports";
    let url = |path: &str| format!("https://localhost:{}{path}", fixture.soar.rest.address().port());
    let key = &fixture.soar.options().api_key;
    let answer = async |method: Method, path: &str, body: &Value| {
        let request = fixture.http.request(method, url(path)).basic_auth(&key.id, Some(&key.secret));
        let response = request.json(body).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let (status, mut import) = answer(Method::POST, path, &file()).await;
    assert_eq!((status, &import["status"]), (200, &json!("PENDING")));
    let own = format!("{path}/{}", import["id"]);
    let put = async |path: &str, body: &Value| answer(Method::PUT, path, body).await.0;

    import["status"] = json!("ACCEPTED");
    assert_eq!(put(&format!("{path}/99999"), &import).await, 404);
    assert_eq!(put(&own, &json!({"status": "ACCEPTED"})).await, 400);
    import["status"] = json!("PERHAPS");
    assert_eq!(put(&own, &import).await, 400);
    import["status"] = json!("ACCEPTED");
    assert_eq!(put(&own, &import).await, 200);
    assert_eq!(put(&own, &import).await, 400);
    let unsigned = fixture.http.post(url(path)).json(&json!({})).send().await.unwrap();
    assert_eq!(unsigned.status(), 401);
}
