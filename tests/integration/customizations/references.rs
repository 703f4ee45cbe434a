//! What SOAR's own tools do not notice: every object exists once, and so does every object that is referred to. The
//! rules are those of the sandbox's SOAR.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::customizations::{EXAMPLES, LANGUAGES, fields, file, file_with_playbooks, list, text};
use fn_exchange_online::customize::{Examples, ScriptLanguage, export};

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
    let of_rules = found.len();
    assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), of_rules, "each is there once");

    let mut found = Vec::new();
    uuids(&file_with_playbooks(), &mut found);
    assert!(found.len() > of_rules, "forms have fields of their own");
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
    assert_eq!(check(&file_with_playbooks()), Vec::<String>::new());
}

#[test]
fn export_has_what_an_import_requires() {
    for examples in EXAMPLES {
        let file = export(examples).unwrap();
        assert_eq!(file["export_format_version"], 2);
        let internal = &fields(&file, 0)[..];
        assert_eq!(internal.len(), 1);
        assert_eq!(internal[0]["export_key"], "incident/internal_customizations_field");
        assert_eq!(internal[0]["uuid"], "bfeec2d4-3770-11e8-ad39-4a0004044aa1");
        assert_eq!(list(&file, "incident_types").len(), 1);
        assert_eq!(file["incident_types"][0]["uuid"], "bfeec2d4-3770-11e8-ad39-4a0004044aa0");
        let version = &file["server_version"];
        let major = match examples {
            Examples::Workflows(ScriptLanguage::Python) => 37,
            Examples::Workflows(ScriptLanguage::Python3) => 38,
            Examples::Playbooks => 46,
        };
        assert_eq!(version["major"], major);
        let parts = ["major", "minor", "build_number"].map(|part| version[part].to_string());
        assert_eq!(text(version, "version"), parts.join("."));
    }
}

/// Tags other than those of its own playbooks, which SOAR expects.
#[test]
fn export_has_no_persons_and_no_foreign_tags() {
    fn check(value: &Value) {
        match value {
            Value::Array(list) => list.iter().for_each(check),
            Value::Object(object) => {
                for key in ["users", "api_keys"] {
                    assert!(object.get(key).is_none_or(|value| *value == Value::Array(Vec::new())), "{key}");
                }
                for tag in object.get("tags").and_then(Value::as_array).into_iter().flatten() {
                    assert!(text(tag, "tag_handle").starts_with("playbook_"), "{tag}");
                }
                for (key, value) in object {
                    let person =
                        key.contains("creator") || key == "last_modified_by" || key.ends_with("_principal");
                    assert!(!person || !value.to_string().contains('@'), "{key}: {value}");
                    check(value);
                }
            }
            _ => {}
        }
    }
    for examples in EXAMPLES {
        let file = export(examples).unwrap();
        check(&file);
        assert_eq!(file.to_string().contains("tag_handle"), examples == Examples::Playbooks);
    }
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
    let mut texts = Vec::new();
    let mut uuids_of_them = Vec::new();
    for file in
        [ScriptLanguage::Python3.into(), Examples::Playbooks].map(|examples| export(examples).unwrap())
    {
        uuids(&file, &mut uuids_of_them);
        every_text(&file, &mut texts);
    }
    assert!(found.len() > 1 + 1 + 9 + 27 + 25 + 11 + 10 + 11 + 1 + 35 + 9);
    for source in found {
        let there = if let Ok(object) = serde_json::from_str::<Value>(&source) {
            if let Some(content) = object.get("content") {
                // A sample of results.
                texts.iter().any(|text| text.contains(&content.to_string()))
            } else {
                uuids_of_them.contains(&text(&object, "uuid").to_owned())
            }
        } else {
            let json = serde_json::to_string(&source).unwrap();
            let json = json.trim_matches('"').replace('&', "&amp;").replace('<', "&lt;");
            let in_xml = json.replace('>', "&gt;").replace('"', "&quot;");
            texts.iter().any(|text| text.contains(&source) || text.contains(&in_xml))
        };
        assert!(there, "not in an import file: {source}");
    }
}

/// The texts of all scripts, workflows, playbooks and samples.
fn every_text(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(list) => list.iter().for_each(|one| every_text(one, found)),
        Value::Object(object) => {
            let texts = ["script_text", "xml", "output_json_example"]
                .iter()
                .filter_map(|key| object.get(*key)?.as_str());
            found.extend(texts.map(str::to_owned));
            object.values().for_each(|one| every_text(one, found));
        }
        _ => {}
    }
}
