//! What SOAR's own tools do not notice: every object is there once, and whatever is referred to is there.

use std::collections::HashSet;
use std::path::Path;

use serde_json::Value;
use uuid::Uuid;

use crate::{ACTIVITY, FUNCTION, LANGUAGES, fields, file, form, list, text, texts};
use fn_exchange_online::customize::{ScriptLanguage, export};

/// Every value under the key `uuid`, everywhere.
fn uuids(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(list) => list.iter().for_each(|one| uuids(one, found)),
        Value::Object(object) => {
            if let Some(Value::String(uuid)) = object.get("uuid") {
                found.push(uuid.clone());
            }
            object.values().for_each(|one| uuids(one, found));
        }
        _ => {}
    }
}

fn once(all: &[String]) {
    let mut seen = HashSet::new();
    for one in all {
        assert!(seen.insert(one), "{one} is there twice");
    }
}

#[test]
fn every_uuid_is_one_and_belongs_to_one_object() {
    let mut found = Vec::new();
    uuids(&file(), &mut found);
    // 50 fields, the options of three selects and two multiselects, 9 columns; 9 functions, 11 rules, 10 workflows,
    // and one each of script, table, destination and incident type.
    assert_eq!(found.len(), 50 + 3 * 15 + 2 * 3 + 9 + 34);
    for uuid in &found {
        Uuid::parse_str(uuid).unwrap_or_else(|error| panic!("{uuid}: {error}"));
    }
    once(&found);
}

#[test]
fn every_export_key_belongs_to_one_object_of_its_kind() {
    let file = file();
    for kind in [
        "fields",
        "functions",
        "actions",
        "workflows",
        "scripts",
        "types",
        "message_destinations",
        "incident_types",
    ] {
        let keys: Vec<_> = list(&file, kind).iter().map(|one| text(one, "export_key").to_owned()).collect();
        assert!(!keys.is_empty());
        once(&keys);
    }
}

#[test]
fn every_number_is_given_once() {
    let file = file();
    let options =
        |field: &Value| list(field, "values").iter().map(|option| option["value"].to_string()).collect();
    let columns: Vec<_> = file["types"][0]["fields"].as_object().unwrap().values().collect();
    let ours = [fields(&file, FUNCTION), fields(&file, ACTIVITY), columns].concat();
    once(&ours.iter().flat_map(|field| -> Vec<_> { options(field) }).collect::<Vec<_>>());
    once(&ours.iter().map(|field| field["id"].to_string()).collect::<Vec<_>>());
}

#[test]
fn everything_that_is_called_by_name_is_there() {
    let file = file();
    let names = |kind: &str, key: &str| -> HashSet<String> {
        list(&file, kind).iter().map(|one| text(one, key).to_owned()).collect()
    };
    let (workflows, scripts) = (names("workflows", "programmatic_name"), names("scripts", "name"));
    let destinations = names("message_destinations", "programmatic_name");
    let tables = names("types", "type_name");
    let is_object = |name: &str| ["incident", "artifact"].contains(&name) || tables.contains(name);

    for function in list(&file, "functions") {
        assert!(destinations.contains(text(function, "destination_handle")));
        form(function, FUNCTION, &file);
        for workflow in list(function, "workflows") {
            assert!(workflows.contains(text(workflow, "programmatic_name")));
        }
    }
    for rule in list(&file, "actions") {
        assert!(is_object(text(rule, "object_type")));
        assert!(!form(rule, ACTIVITY, &file).contains(&""));
        let runs = texts(&rule["workflows"]);
        let objects = list(&file, "workflows");
        for name in &runs {
            let workflow = objects.iter().find(|workflow| workflow["programmatic_name"] == *name).unwrap();
            assert_eq!(
                workflow["object_type"], rule["object_type"],
                "a rule on one kind of object, {name} on another"
            );
        }
        let started = list(rule, "automations");
        for automation in started {
            assert_eq!(automation["type"], "run_script");
            assert!(scripts.contains(text(automation, "scripts_to_run")));
        }
        assert_eq!(runs.len() + started.len(), 1, "{} starts one thing", rule["name"]);
    }
    for kind in ["workflows", "scripts"] {
        for object in list(&file, kind) {
            assert!(is_object(text(object, "object_type")));
        }
    }
}

#[test]
fn conditions_are_on_what_is_there() {
    let file = file();
    let columns = file["types"][0]["fields"].as_object().unwrap();
    for rule in list(&file, "actions") {
        for condition in list(rule, "conditions") {
            let (object, field) = text(condition, "field_name").split_once('.').unwrap();
            assert_eq!(object, text(rule, "object_type"));
            assert_eq!(condition["method"], "equals");
            if object == "artifact" {
                assert_eq!(field, "type");
                // SOAR's own types of artifacts.
                let types = ["Email Sender", "Email Recipient", "Email Sender Name", "User Account"];
                assert!(types.contains(&text(condition, "value")));
            } else {
                assert!(columns.contains_key(field), "{field}");
                assert_eq!(condition["value"], "Active");
            }
        }
    }
}

#[test]
fn what_soar_needs_to_import_at_all_is_there() {
    for language in LANGUAGES {
        let file = export(language).unwrap();
        assert_eq!(file["export_format_version"], 2);
        let internal = &fields(&file, 0)[..];
        assert_eq!(internal.len(), 1);
        assert_eq!(internal[0]["export_key"], "incident/internal_customizations_field");
        assert_eq!(internal[0]["uuid"], "bfeec2d4-3770-11e8-ad39-4a0004044aa1");
        assert_eq!(list(&file, "incident_types").len(), 1);
        assert_eq!(file["incident_types"][0]["uuid"], "bfeec2d4-3770-11e8-ad39-4a0004044aa0");
        for empty in [
            "incident_artifact_types",
            "automatic_tasks",
            "phases",
            "roles",
            "layouts",
            "workspaces",
            "apps",
            "tags",
            "action_order",
            "task_order",
        ] {
            assert!(list(&file, empty).is_empty(), "{empty}");
        }
        for unchanged in [
            "overrides",
            "geos",
            "groups",
            "industries",
            "locale",
            "notifications",
            "regulators",
            "timeframes",
            "inbound_mailboxes",
        ] {
            assert_eq!(file.get(unchanged), Some(&Value::Null), "{unchanged}");
        }
        let version = &file["server_version"];
        let major = if language == ScriptLanguage::Python3 { 38 } else { 37 };
        assert_eq!(version["major"], major);
        let parts = ["major", "minor", "build_number"].map(|part| version[part].to_string());
        assert_eq!(text(version, "version"), parts.join("."));
    }
}

#[test]
fn it_names_no_person_and_has_no_tags() {
    fn check(value: &Value) {
        match value {
            Value::Array(list) => list.iter().for_each(check),
            Value::Object(object) => {
                for key in ["tags", "users", "api_keys"] {
                    assert!(object.get(key).is_none_or(|value| *value == Value::Array(Vec::new())), "{key}");
                }
                for (key, value) in object {
                    let person = key.contains("creator") || key == "last_modified_by";
                    assert!(!person || !value.to_string().contains('@'), "{key}: {value}");
                    check(value);
                }
            }
            _ => {}
        }
    }
    check(&file());
}

#[test]
fn every_source_is_part_of_it() {
    fn sources(directory: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else {
                found.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("customize"), &mut found);
    let file = file();
    let mut uuids_of_it = Vec::new();
    uuids(&file, &mut uuids_of_it);
    let xml: Vec<_> =
        list(&file, "workflows").iter().map(|workflow| text(&workflow["content"], "xml")).collect();
    let scripts: Vec<_> = list(&file, "scripts").iter().map(|script| text(script, "script_text")).collect();
    assert_eq!(found.len(), 1 + 1 + 9 + 26 + 23 + 11 + 10 + 1 + 19);
    for source in found {
        let there = if let Ok(object) = serde_json::from_str::<Value>(&source) {
            uuids_of_it.contains(&text(&object, "uuid").to_owned())
        } else {
            let json = serde_json::to_string(&source).unwrap();
            let json = json.trim_matches('"').replace('&', "&amp;").replace('<', "&lt;");
            let escaped = json.replace('>', "&gt;").replace('"', "&quot;");
            scripts.contains(&source.as_str()) || xml.iter().any(|xml| xml.contains(&escaped))
        };
        assert!(there, "not in the import file: {source}");
    }
}
