//! Incidents and what they have, as SOAR's clients read and write them.

use reqwest::Method;
use sandbox::soar::INCIDENT;
use sandbox::soar::incidents::{AuthorKind, Owner};
use serde_json::{Value, json};

use super::{TestSoar, answer};

const ORG: &str = "/rest/orgs/201";

impl TestSoar {
    /// Sends JSON, and expects success.
    async fn send(&self, method: Method, path: &str, body: Value) -> Value {
        let (status, body) = answer(self.request(method, &format!("{ORG}{path}")).json(&body)).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    async fn read(&self, path: &str) -> Value {
        let (status, body) = answer(self.get(&format!("{ORG}{path}"))).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }
}

fn new_incident(name: &str) -> Value {
    json!({
        "name": name,
        "discovered_date": 1_795_392_000_000_i64,
        "severity_code": "High",
        "incident_type_ids": ["Phishing"],
        "description": {"format": "html", "content": "<b>what happened</b>"},
        "properties": {"ticket": "T-1"},
        "comments": [{"text": "the first note"}],
        "artifacts": [{"type": {"name": "Email Sender"}, "value": "a@b.example", "description": "who sent it"}]
    })
}

#[tokio::test]
async fn opened_incident_is_returned_with_numbers_or_names() {
    let setting = TestSoar::new().await;
    let opened = setting.send(Method::POST, "/incidents", new_incident("A wave")).await;
    let path = format!("/incidents/{}", opened["id"]);
    let (numbers, names) =
        (setting.read(&path).await, setting.read(&format!("{path}?handle_format=names")).await);
    assert_eq!(numbers, opened);
    assert_eq!((&numbers["severity_code"], &names["severity_code"]), (&json!(6), &json!("High")));
    assert_eq!(
        (&numbers["incident_type_ids"], &names["incident_type_ids"]),
        (&json!([22]), &json!(["Phishing"]))
    );
    assert_eq!(numbers["description"], "<b>what happened</b>");
    assert_eq!((&numbers["properties"]["ticket"], &numbers["vers"]), (&json!("T-1"), &json!(1)));
    assert_eq!(numbers["creator_principal"]["type"], "apikey");
    let incident = setting.soar.rest.incidents().get(opened["id"].as_i64().unwrap()).unwrap();
    assert_eq!((incident.notes.len(), incident.author.kind), (1, AuthorKind::ApiKey));
    assert_eq!(
        (incident.artifacts[0].kind.as_str(), incident.artifacts[0].value.as_str()),
        ("Email Sender", "a@b.example")
    );

    for (without, words) in [("name", "name: This field"), ("discovered_date", "discovered_date: This field")]
    {
        let mut incomplete = new_incident("x");
        incomplete.as_object_mut().unwrap().remove(without);
        let (status, refusal) =
            answer(setting.request(Method::POST, &format!("{ORG}/incidents")).json(&incomplete)).await;
        assert_eq!(status, 400);
        assert!(refusal["message"].as_str().unwrap().contains(words), "{refusal}");
    }
    let mut unknown = new_incident("x");
    unknown["severity_code"] = json!("Terrible");
    let refused = answer(setting.request(Method::POST, &format!("{ORG}/incidents")).json(&unknown)).await;
    assert_eq!(refused.0, 400, "{}", refused.1);
    assert_eq!(setting.read("/incidents").await.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn patch_changes_a_field_unless_another_user_did() {
    let setting = TestSoar::new().await;
    let path = format!("/incidents/{INCIDENT}");
    let change = |field: Value, old: Value, new: Value| json!({"changes": [{"field": field, "old_value": old, "new_value": new}]});
    let patch = async |body: Value| setting.send(Method::PATCH, &path, body).await;
    let done = patch(change(json!("severity_code"), json!({"object": null}), json!({"object": "Low"}))).await;
    assert_eq!((&done["success"], &done["field_failures"]), (&json!(true), &json!([])));
    let named = change(json!({"name": "severity_code"}), json!({"id": 4}), json!({"id": 5}));
    assert_eq!(patch(named.clone()).await["success"], true);
    let stale = patch(named).await;
    assert_eq!(
        (&stale["success"], &stale["field_failures"][0]["actual_current_value"]),
        (&json!(false), &json!(5))
    );
    let custom = change(json!("properties.ticket"), json!({"object": null}), json!({"object": "T-2"}));
    patch(custom).await;
    let incident = setting.read(&path).await;
    assert_eq!((&incident["severity_code"], &incident["properties"]["ticket"]), (&json!(5), &json!("T-2")));

    let mut mine = incident.clone();
    mine["name"] = json!("Another name");
    assert_eq!(setting.send(Method::PUT, &path, mine.clone()).await["name"], "Another name");
    assert_eq!(answer(setting.request(Method::PUT, &format!("{ORG}{path}")).json(&mine)).await.0, 409);
    setting.send(Method::DELETE, &path, Value::Null).await;
    assert_eq!(answer(setting.get(&format!("{ORG}{path}"))).await.0, 404);
}

#[tokio::test]
async fn query_combines_conditions_filters_sorts_and_pages() {
    let setting = TestSoar::new().await;
    for (name, severity) in [("alpha", "Low"), ("beta", "High"), ("gamma", "High")] {
        let mut incident = new_incident(name);
        incident["severity_code"] = json!(severity);
        setting.send(Method::POST, "/incidents", incident).await;
    }
    let condition = |field: &str, method: &str, value: Value| json!({"field_name": field, "method": method, "value": value});
    let named = async |query: Value| -> Vec<String> {
        let page = setting.send(Method::POST, "/incidents/query_paged", query).await;
        page["data"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    let high = condition("severity_code", "equals", json!("High"));
    let is = |name: &str| condition("name", "contains", json!(name));
    let by_name = json!([{"field_name": "name", "type": "desc"}]);
    assert_eq!(
        named(json!({"filters": [{"conditions": [high]}], "sorts": by_name})).await,
        ["gamma", "beta"]
    );
    assert_eq!(named(json!({"filters": [{"conditions": [high, is("BET")]}]})).await, ["beta"]);
    let either = json!({"filters": [{"conditions": [is("alpha")]}, {"conditions": [is("gamma")]}]});
    assert_eq!(named(either).await, ["alpha", "gamma"]);
    for (method, value, count) in [
        ("in", json!([4, 6]), 3),
        ("not_in", json!(["Low"]), 3),
        ("not_equals", json!(6), 2),
        ("gte", json!(6), 2),
        ("lt", json!(6), 1),
        ("has_a_value", Value::Null, 3),
        ("not_has_a_value", Value::Null, 1),
    ] {
        let query = json!({"filters": [{"conditions": [condition("severity_code", method, value)]}]});
        assert_eq!(named(query).await.len(), count, "{method}");
    }
    let page = json!({"start": 1, "length": 2, "sorts": [{"field_name": "name", "type": "asc"}]});
    assert_eq!(named(page).await, ["beta", "gamma"]);
    let full = setting.send(Method::POST, "/incidents/query_paged?return_level=full", json!({})).await;
    assert!(full["recordsTotal"] == 4 && full["data"][0]["properties"].is_object(), "{full}");
    let unknown = json!({"filters": [{"conditions": [condition("name", "guess", Value::Null)]}]});
    let (status, _) =
        answer(setting.request(Method::POST, &format!("{ORG}/incidents/query_paged")).json(&unknown)).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn notes_name_author_dates_and_answers() {
    let setting = TestSoar::new().await;
    let path = format!("/incidents/{INCIDENT}/comments");
    let before = now();
    let note = setting.send(Method::POST, &path, json!({"text": {"format": "text", "content": "one"}})).await;
    let reply = json!({"text": "two", "parent_id": note["id"]});
    let reply = setting.send(Method::POST, &path, reply).await;
    let all = setting.read(&path).await;
    assert_eq!(all.as_array().unwrap().len(), 1, "an answer is below its note: {all}");
    assert_eq!(all[0]["children"][0]["id"], reply["id"]);
    assert_eq!(
        (&all[0]["text"], &all[0]["user_fname"], &all[0]["type"]),
        (&json!("one"), &json!("Exchange"), &json!("incident"))
    );
    assert_eq!(all[0]["modify_principal"]["display_name"], "Exchange Online");
    assert!((before..=now()).contains(&all[0]["create_date"].as_i64().unwrap()));

    let own = format!("{path}/{}", note["id"]);
    let changed = setting.send(Method::PUT, &own, json!({"text": "three"})).await;
    assert_eq!(changed["text"], "three");
    setting.send(Method::DELETE, &own, Value::Null).await;
    assert_eq!(setting.read(&path).await, json!([]));
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

#[tokio::test]
async fn artifacts_are_kept_once_per_type_and_value() {
    let setting = TestSoar::new().await;
    let path = format!("/incidents/{INCIDENT}/artifacts");
    let new = json!({"type": "Email Sender", "value": "a@b.example", "description": {"format": "text", "content": "who"}});
    let added = setting.send(Method::POST, &path, new.clone()).await;
    assert_eq!(setting.send(Method::POST, &path, new).await[0]["id"], added[0]["id"]);
    let listed = setting.read(&format!("{path}?handle_format=names")).await;
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!((&listed[0]["type"], &listed[0]["description"]), (&json!("Email Sender"), &json!("who")));
    assert!(added[0]["type"].is_i64(), "{added}");

    let own = format!("{path}/{}", added[0]["id"]);
    let changed =
        setting.send(Method::PUT, &own, json!({"type": {"id": 3}, "value": "https://x.example/"})).await;
    assert_eq!(changed["value"], "https://x.example/");
    let unknown = json!({"type": "Shoe", "value": "x"});
    assert_eq!(answer(setting.request(Method::POST, &format!("{ORG}{path}")).json(&unknown)).await.0, 400);
    setting.send(Method::DELETE, &own, Value::Null).await;
    assert_eq!(setting.read(&path).await, json!([]));
}

#[tokio::test]
async fn tasks_are_added_completed_and_removed() {
    let setting = TestSoar::new().await;
    let path = format!("/incidents/{INCIDENT}/tasks");
    let added = setting.send(Method::POST, &path, json!({"name": "Ask the user"})).await;
    assert_eq!((&added["status"], &added["inc_id"]), (&json!("O"), &json!(INCIDENT)));
    let own = format!("/tasks/{}", added["id"]);
    setting.send(Method::POST, &format!("{own}/comments"), json!({"text": "asked"})).await;
    let done = setting.send(Method::PUT, &own, json!({"name": "Ask the user", "status": "C"})).await;
    assert_eq!((&done["status"], &setting.read(&own).await), (&json!("C"), &done));
    assert_eq!(setting.read(&path).await.as_array().unwrap().len(), 2);
    let refused =
        setting.request(Method::PUT, &format!("{ORG}{own}")).json(&json!({"name": "x", "status": "?"}));
    assert_eq!(answer(refused).await.0, 400);
    setting.send(Method::DELETE, &own, Value::Null).await;
    assert_eq!(answer(setting.get(&format!("{ORG}{own}"))).await.0, 404);
    assert_eq!(setting.soar.rest.incidents().get(INCIDENT).unwrap().notes.len(), 0);
}

#[tokio::test]
async fn search_finds_words_in_everything_an_incident_has() {
    let setting = TestSoar::new().await;
    let path = format!("/incidents/{INCIDENT}");
    setting.send(Method::POST, &format!("{path}/comments"), json!({"text": "Invoice overdue"})).await;
    let artifact = json!({"type": "URL", "value": "https://invoice.example/"});
    setting.send(Method::POST, &format!("{path}/artifacts"), artifact).await;
    setting
        .soar
        .rest
        .add_attachment(Owner::Incident(INCIDENT), "invoice.eml", "message/rfc822", b"x")
        .await
        .unwrap();
    let search = async |body: Value| {
        let (_, found) = answer(setting.request(Method::POST, "/rest/search_ex").json(&body)).await;
        let found = found["results"].as_array().unwrap().clone();
        found.iter().map(|one| one["type_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(search(json!({"query": "INVOICE"})).await, ["artifact", "incidentcomment", "attachment"]);
    assert_eq!(search(json!({"query": "overdue invoice"})).await, ["incidentcomment"]);
    assert_eq!(search(json!({"query": "invoice", "types": ["artifact"]})).await, ["artifact"]);
    assert!(search(json!({"query": " "})).await.is_empty());
}

#[tokio::test]
async fn users_and_types_are_listed() {
    let setting = TestSoar::new().await;
    let users = setting.read("/users").await;
    assert_eq!(
        (&users[0]["email"], &users[1]["display_name"]),
        (&json!("integration@sandbox.example"), &json!("Ada Analyst"))
    );
    assert_eq!(setting.read("/users/2").await, users[1]);
    assert_eq!(setting.read("/groups").await, json!([]));
    assert_eq!(setting.read("/connectors/queues").await, json!({"queues": []}));
    assert_eq!(setting.read("/incident_types").await["22"]["name"], "Phishing");
    assert_eq!(setting.read("/phases").await["entities"][0]["name"], "Initial");
    assert!(!setting.read("/artifact_types").await["entities"].as_array().unwrap().is_empty());
    let fields = setting.read("/types/incident/fields").await;
    let severity = fields.as_array().unwrap().iter().find(|field| field["name"] == "severity_code").unwrap();
    assert_eq!(severity["values"][2]["label"], "High");
}
