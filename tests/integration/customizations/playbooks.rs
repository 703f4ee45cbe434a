//! The file with playbooks in place of rules and workflows. `references` checks that it is complete.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::customizations::older_app::DATA_TABLE;
use crate::customizations::workflows::read_each;
use crate::customizations::{FUNCTION, fields, file, file_with_playbooks, list, text};

/// What the playbooks of the older app are called, without the beginning that all have; their uuids; the rule of the
/// same purpose; functions, and whether a script follows.
type Row = (&'static str, &'static str, &'static str, &'static [(&'static str, bool)]);

const PLAYBOOKS: [Row; 11] = [
    ("create_artifacts", "45f7d606-5f20-4a3b-8bdb-1b9dc501650f", "Create Artifacts", &[]),
    ("create_meeting", "eefd2b32-40c0-4dfa-a9a7-6954d45a83be", "Create Meeting", &[("create_meeting", true)]),
    ("delete_message", "2dca7324-8232-49aa-8029-3cf955c689b0", "Delete Message", &[("delete_email", true)]),
    (
        "delete_messages_from_query_results",
        "85dc2249-0372-458b-87bd-8ac9efdf3c89",
        "Delete Messages from Query Results",
        &[("query_emails", false), ("delete_messages_from_query_results", true)],
    ),
    (
        "get_user_profile",
        "e7448d95-4104-4ff2-9d78-a3923a20b30b",
        "Get User Profile",
        &[("get_email_user_profile", true)],
    ),
    (
        "move_message_to_folder",
        "8685fa14-9e7f-4140-a974-886711daf91d",
        "Move Message to Folder",
        &[("move_message_to_folder", true)],
    ),
    ("query_messages", "2cb0995b-534b-4bb3-a669-0e60e2db870a", "Query Messages", &[("query_emails", true)]),
    (
        "query_messages_on_artifact",
        "07e7c993-f998-4f42-a365-c76422425b61",
        "Query Messages on Artifact",
        &[("query_emails", true)],
    ),
    ("send_message", "a6e61054-fd2e-4ade-86fc-693442bd6688", "Send Message", &[("send_message", true)]),
    (
        "write_message_eml_as_attachment",
        "79bda643-c6bb-4d10-82a6-f894fd982d2d",
        "Write Message EML as Attachment",
        &[("write_message_as_attachment", false)],
    ),
    (
        "write_message_json_as_note",
        "ac12d839-f46a-4252-901f-77862961e1f6",
        "Write Message JSON as Note",
        &[("get_message", true)],
    ),
];

/// The name under which SOAR runs a playbook.
fn handle(playbook: &Value) -> String {
    format!("playbook_{}", text(playbook, "uuid").replace('-', "_"))
}

/// The function with this name, or with this uuid.
fn function<'v>(file: &'v Value, key: &str, value: &str) -> &'v Value {
    list(file, "functions").iter().find(|one| one[key] == *value).unwrap_or_else(|| panic!("no {value}"))
}

#[test]
fn playbooks_take_the_place_of_rules_and_workflows() {
    let file = file_with_playbooks();
    assert_eq!((&file["actions"], &file["workflows"]), (&json!([]), &json!([])));
    assert_eq!(file["server_version"]["version"], "46.0.8131");
    assert_eq!(fields(&file, 6).len(), 0, "a field of a rule's form is of no use");
    assert_eq!(file, file_with_playbooks());
    for function in list(&file, "functions") {
        assert_eq!(function["workflows"], json!([]), "{}", function["name"]);
    }
    // Everything else is the same in both files.
    let other = super::file();
    for kind in ["functions", "message_destinations", "types", "scripts"] {
        let without = |file: &Value| -> Vec<Value> {
            let mut objects = list(file, kind).to_vec();
            for object in &mut objects {
                object["tags"] = json!(null);
                object["workflows"] = json!(null);
                for key in ["output_json_example", "output_json_schema"] {
                    object.as_object_mut().unwrap().remove(key);
                }
                for column in object["fields"].as_object_mut().into_iter().flatten() {
                    column.1["id"] = json!(null);
                }
            }
            objects
        };
        assert_eq!(without(&file), without(&other), "{kind}");
    }
}

#[test]
fn playbooks_keep_names_uuids_and_functions_of_the_older_app() {
    let file = file_with_playbooks();
    let playbooks = read_each(list(&file, "playbooks"));
    assert_eq!(playbooks.len(), PLAYBOOKS.len());
    for ((playbook, bpmn), (name, uuid, label, functions)) in playbooks.iter().zip(PLAYBOOKS) {
        assert_eq!(text(playbook, "name"), format!("example_exchange_online_{name}"));
        assert_eq!(text(playbook, "uuid"), uuid);
        assert_eq!(text(playbook, "display_name"), format!("Exchange Online {label} - Example (PB)"));
        assert!(!text(&playbook["description"], "content").is_empty());
        let nodes = list(bpmn, "nodes");
        let mut called = Vec::new();
        for (node, next) in nodes.iter().zip(nodes.iter().skip(1)) {
            if node["type"] == "function" {
                let function = function(&file, "uuid", text(node, "function"));
                let name = text(function, "name").strip_prefix("exchange_online_").unwrap();
                called.push((name, next["kind"] == "scriptTask"));
            }
        }
        assert_eq!(called, functions, "{name}");
    }
}

#[test]
fn a_playbook_has_one_handle_everywhere() {
    let file = file_with_playbooks();
    for (playbook, bpmn) in read_each(list(&file, "playbooks")) {
        let handle = handle(playbook);
        let form = &playbook["fields_type"];
        for named in [
            &playbook["field_type_handle"],
            &playbook["deployment_id"],
            &playbook["tag"]["name"],
            &form["type_name"],
            &form["export_key"],
            &bpmn["process"],
            &bpmn["name"],
            &bpmn["plane"],
        ] {
            assert_eq!(*named, handle);
        }
        assert_eq!(playbook["export_key"], playbook["name"]);
        assert_eq!((&form["type_id"], &form["parent_types"]), (&json!(28), &json!(["__playbook"])));
        for (name, field) in form["fields"].as_object().unwrap() {
            assert_eq!(text(field, "export_key"), format!("{handle}/{name}"));
        }
        for script in list(playbook, "local_scripts") {
            assert_eq!(script["playbook_handle"], playbook["name"]);
            assert_eq!(script["object_type"], playbook["object_type"]);
            assert_eq!(script["language"], "python3");
            let handle = format!("{}_{}", text(playbook, "name"), text(script, "name"));
            assert_eq!(text(script, "programmatic_name"), handle);
        }
    }
}

/// An analyst finds the same under *Playbooks* as under *Actions*.
#[test]
fn a_playbook_asks_what_the_rule_asks() {
    let (with_playbooks, with_rules) = (file_with_playbooks(), file());
    for (playbook, (_, _, label, _)) in list(&with_playbooks, "playbooks").iter().zip(PLAYBOOKS) {
        let rule = format!("Example: Exchange Online {label}");
        let rule = list(&with_rules, "actions").iter().find(|one| one["name"] == *rule).unwrap();
        assert_eq!(playbook["object_type"], rule["object_type"]);
        assert_eq!(
            (&playbook["activation_type"], &playbook["status"]),
            (&json!("manual"), &json!("enabled"))
        );
        let settings = &playbook["manual_settings"];
        assert_eq!(settings["activation_conditions"]["conditions"], rule["conditions"]);
        assert_eq!(settings["activation_conditions"]["logic_type"], rule["logic_type"]);

        let form = &playbook["fields_type"]["fields"];
        let mut shown = 0;
        let items = list(settings, "view_items");
        let asked = list(rule, "view_items");
        assert_eq!(items.len(), asked.len(), "{label}");
        for (item, asked) in items.iter().zip(asked) {
            if asked["element"] == "header" {
                assert_eq!((&item["element"], &item["field_type"]), (&json!("html"), &Value::Null));
                assert_eq!(item["content"], asked["content"]);
                continue;
            }
            assert_eq!(
                (&item["element"], text(item, "field_type")),
                (&json!("field_uuid"), &*handle(playbook))
            );
            let theirs = list(&with_rules, "fields").iter().find(|field| field["uuid"] == asked["content"]);
            let field = &form[text(theirs.unwrap(), "name")];
            assert_eq!(field["uuid"], item["content"]);
            for key in ["text", "tooltip", "placeholder", "input_type", "rich_text", "blank_option"] {
                assert_eq!(field[key], theirs.unwrap()[key], "{key}");
            }
            assert_eq!(field.get("required"), theirs.unwrap().get("required"));
            shown += 1;
        }
        assert_eq!(form.as_object().unwrap().len(), shown, "{label}: a field that the form does not show");
    }
}

#[test]
fn functions_in_playbooks_list_every_input() {
    let file = file_with_playbooks();
    for (playbook, bpmn) in read_each(list(&file, "playbooks")) {
        for node in list(&bpmn, "nodes").iter().filter(|node| node["type"] == "function") {
            let settings = &node["settings"];
            let function = function(&file, "uuid", text(node, "function"));
            let given: BTreeSet<_> =
                settings["inputs"].as_object().unwrap().keys().map(String::as_str).collect();
            let taken: BTreeSet<_> =
                list(function, "view_items").iter().map(|item| text(item, "content")).collect();
            assert_eq!(given, taken, "{}", playbook["name"]);
            assert_eq!(settings["pre_processing_script_language"], "python3");
            assert!(!text(settings, "pre_processing_script").is_empty());
            assert!(settings.get("post_processing_script").is_none(), "a playbook has none");
            assert!(!text(settings, "result_name").is_empty());
        }
    }
}

#[test]
fn every_playbook_element_has_a_shape() {
    let file = file_with_playbooks();
    for (_, bpmn) in read_each(list(&file, "playbooks")) {
        let nodes = list(&bpmn, "nodes");
        let shapes: Vec<_> = nodes.iter().map(|node| json!([node["id"], 1])).collect();
        let edges: Vec<_> = list(&bpmn, "flows").iter().map(|flow| json!([flow[0], 2])).collect();
        assert_eq!((&bpmn["shapes"], &bpmn["edges"]), (&json!(shapes), &json!(edges)));
        assert_eq!(nodes.last().unwrap()["says"], "End point");
    }
}

/// SOAR keeps by these tags what playbooks need.
#[test]
fn what_playbooks_share_has_their_tags() {
    let file = file_with_playbooks();
    let mut expected: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (playbook, bpmn) in read_each(list(&file, "playbooks")) {
        let mut uses = |uuid: &Value| {
            let uuid = list(&file, "functions")
                .iter()
                .chain(list(&file, "fields"))
                .chain(list(&file, "scripts"))
                .chain(list(&file, "types"))
                .chain(list(&file, "message_destinations"))
                .find(|one| one["uuid"] == *uuid);
            if let Some(shared) = uuid {
                expected.entry(text(shared, "uuid")).or_default().insert(handle(playbook));
            }
        };
        if playbook["object_type"] == DATA_TABLE {
            uses(&file["types"][0]["uuid"]);
        }
        for node in list(&bpmn, "nodes") {
            uses(&node["script"]);
            if node["type"] == "function" {
                uses(&node["function"]);
                uses(&file["message_destinations"][0]["uuid"]);
                let function = function(&file, "uuid", text(node, "function"));
                for item in list(function, "view_items") {
                    uses(&item["content"]);
                }
            }
        }
    }
    for kind in ["functions", "fields", "scripts", "types", "message_destinations"] {
        for object in list(&file, kind).iter().filter(|one| one.get("tags").is_some()) {
            let tags: Vec<_> = list(object, "tags")
                .iter()
                .map(|tag| {
                    assert_eq!(tag["value"], "Playbook Tag");
                    text(tag, "tag_handle").to_owned()
                })
                .collect();
            let expected: Vec<_> =
                expected.remove(text(object, "uuid")).unwrap_or_default().into_iter().collect();
            assert_eq!(tags, expected, "{}", object["export_key"]);
            assert!(!tags.is_empty(), "no playbook uses {}", object["export_key"]);
        }
    }
    assert_eq!(fields(&file, FUNCTION).len(), 36);
}
