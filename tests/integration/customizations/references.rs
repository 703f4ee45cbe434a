//! What SOAR's own tools do not notice: every object exists once, and so does every object that is referred to. The
//! rules are those of the sandbox's SOAR.

use std::path::Path;

use serde_json::Value;

use crate::customizations::{LANGUAGES, fields, file, list, text};
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

#[test]
fn every_object_and_option_has_a_uuid() {
    let mut found = Vec::new();
    uuids(&file(), &mut found);
    // 51 fields, the options of three selects and two multiselects, 9 columns; 9 functions, 11 rules, 10 workflows,
    // and one each of script, table, destination and incident type.
    assert_eq!(found.len(), 51 + 3 * 15 + 2 * 3 + 9 + 34);
}

#[cfg(feature = "sandbox")]
#[test]
fn soar_accepts_the_export() {
    use sandbox::soar::customizations::{check, older_app};
    for language in LANGUAGES {
        let file = export(language).unwrap();
        assert_eq!(check(&file), Vec::<String>::new());
        assert_eq!(check(&older_app(file)), Vec::<String>::new());
    }
}

#[test]
fn export_has_what_an_import_requires() {
    for language in LANGUAGES {
        let file = export(language).unwrap();
        assert_eq!(file["export_format_version"], 2);
        let internal = &fields(&file, 0)[..];
        assert_eq!(internal.len(), 1);
        assert_eq!(internal[0]["export_key"], "incident/internal_customizations_field");
        assert_eq!(internal[0]["uuid"], "bfeec2d4-3770-11e8-ad39-4a0004044aa1");
        assert_eq!(list(&file, "incident_types").len(), 1);
        assert_eq!(file["incident_types"][0]["uuid"], "bfeec2d4-3770-11e8-ad39-4a0004044aa0");
        let version = &file["server_version"];
        let major = if language == ScriptLanguage::Python3 { 38 } else { 37 };
        assert_eq!(version["major"], major);
        let parts = ["major", "minor", "build_number"].map(|part| version[part].to_string());
        assert_eq!(text(version, "version"), parts.join("."));
    }
}

#[test]
fn export_has_no_persons_and_no_tags() {
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
fn every_source_file_is_exported() {
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
    assert_eq!(found.len(), 1 + 1 + 9 + 27 + 23 + 11 + 10 + 1 + 21);
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
