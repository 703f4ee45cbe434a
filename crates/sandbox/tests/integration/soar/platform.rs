//! Functions, notes, message destinations and the address of SOAR's REST interface.

use reqwest::Method;
use sandbox::soar::incidents::NoteFormat;
use sandbox::soar::rest::FUNCTIONS;
use sandbox::soar::{INCIDENT, SoarOptions};
use serde_json::json;

use super::{TestSoar, answer};

#[tokio::test]
async fn all_functions_have_a_message_destination() {
    let setting = TestSoar::new().await;
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
async fn notes_are_kept_in_order() {
    let setting = TestSoar::new().await;
    for text in ["<b>first</b>", "second"] {
        let (status, note) = answer(setting.note(text)).await;
        assert_eq!(status, 200);
        assert_eq!(note["text"], format!("<div class=\"rte\">{text}</div>"));
    }
    let notes = setting.soar.rest.notes(INCIDENT);
    assert_eq!(notes.iter().map(|n| n.content.as_str()).collect::<Vec<_>>(), ["<b>first</b>", "second"]);
    assert_eq!(notes[0].format, NoteFormat::Html);
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
async fn missing_object_is_404() {
    let setting = TestSoar::new().await;
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
async fn stale_change_of_a_message_destination_is_refused() {
    let setting = TestSoar::new().await;
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
async fn resource_prefix_precedes_all_paths() {
    let setting =
        TestSoar::with(SoarOptions { resource_prefix: "/api/respond".to_owned(), ..SoarOptions::default() })
            .await;
    assert_eq!(answer(setting.get("/api/respond/rest/session")).await.0, 200);
    assert_eq!(answer(setting.get("/api/respond/rest/orgs/201/incidents/2095")).await.0, 200);
    assert_eq!(answer(setting.get("/api/respond/rest/orgs/7/incidents/2095")).await.0, 403);
    assert_eq!(answer(setting.get("/rest/orgs/201")).await.0, 404);
    assert!(setting.soar.app_config_section(&setting.ca).contains("\nresource_prefix=/api/respond\n"));
}

#[tokio::test]
async fn app_config_section_has_address_and_credentials() {
    let setting = TestSoar::new().await;
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

#[tokio::test]
async fn version_has_the_parts_of_its_time() {
    let setting = TestSoar::new().await;
    let (_, today) = answer(setting.get("/rest/const/")).await;
    assert_eq!(
        today["server_version"],
        json!({"v": 51, "r": 0, "m": 9, "f": 0, "build_number": 1, "major": 0, "minor": 0, "version": "51.0.9.0.1"})
    );
    setting.soar.rest.set_version("46.2.8131");
    let (_, older) = answer(setting.get("/rest/const")).await;
    assert_eq!(
        older["server_version"],
        json!({"major": 46, "minor": 2, "build_number": 8131, "version": "46.2.8131"})
    );
}

#[tokio::test]
async fn exports_are_kept_and_list_what_was_asked_for() {
    let setting = TestSoar::new().await;
    let path = "/rest/orgs/201/configurations/exports";
    let export = async |slash: &str, options| {
        answer(setting.request(Method::POST, &format!("{path}{slash}")).json(&options)).await.1
    };
    let all =
        export("/", json!({"layouts": true, "actions": true, "phases_and_tasks": true, "playbooks": true}))
            .await;
    assert_eq!(all["functions"].as_array().unwrap().len(), FUNCTIONS.len());
    assert_eq!(all["server_version"]["v"], 51);
    assert!(all["geos"].is_null() && all["phases"].is_array(), "{all}");
    assert_eq!(export("", json!({"layouts": true})).await["functions"], json!([]));
    let (_, history) = answer(setting.get(&format!("{path}/history"))).await;
    let histories = history["histories"].as_array().unwrap();
    assert_eq!((histories.len(), &histories[0]["options"]["actions"]), (2, &json!(true)));
    assert_eq!(answer(setting.get(&format!("{path}/{}", all["id"]))).await.1, all);
    setting.soar.rest.forbid_customizing(true);
    assert_eq!(answer(setting.get(&format!("{path}/history"))).await.0, 403);
}
